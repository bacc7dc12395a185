/** jax-js in Node, on its WebAssembly device. */
import type { Contender } from '../contender.ts';
import { loadPeer } from '../peers.ts';
import type { Jax } from './jax-interface.ts';
import { jaxContender } from './jax-tasks.ts';

export async function createJax(): Promise<Contender> {
  // The library asks the browser how many processors there are, which Node 20 cannot answer.
  if (!('navigator' in globalThis))
    Object.defineProperty(globalThis, 'navigator', {
      value: { hardwareConcurrency: 1, userAgent: 'Node.js' },
    });
  const jax = loadPeer('@jax-js/jax') as Jax;
  if (!(await jax.init('wasm')).includes('wasm')) throw new Error('the wasm device of jax-js did not start');
  return jaxContender(jax);
}
