/** Every contender of the comparison on the GPU by name, and how to start it in this page. */
import { createWebGPU } from '@firsthand/webgpu';
import type { Contender, PageContender } from '../contender.ts';
import { createFirsthand } from '../contenders/firsthand.ts';
import type { Jax } from '../contenders/jax-interface.ts';
import { jaxContender } from '../contenders/jax-tasks.ts';
import type { Tf } from '../contenders/tfjs-interface.ts';
import { tfjsContender } from '../contenders/tfjs-tasks.ts';
import { PEER_PATHS } from './peer-paths.ts';

/** Its backend takes some commands down before it submits them. */
interface TfBackend {
  /** Null where there is nothing to submit. */
  readonly commandEncoder: GPUCommandEncoder | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

interface TfWebGPU extends Tf {
  backend(): TfBackend;
}

function flush(backend: TfBackend): void {
  if (backend.commandEncoder === null) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

export const STARTERS: { readonly [K in PageContender]: () => Promise<Contender> } = {
  firsthand: async () => createFirsthand(await createWebGPU(), { compiled: true }),
  'tfjs-webgpu': async () => {
    const tf = (await import(PEER_PATHS['tfjs-webgpu'])) as TfWebGPU;
    if (!(await tf.setBackend('webgpu'))) throw new Error('the webgpu backend of tfjs did not start');
    await tf.ready();
    return tfjsContender(tf, () => flush(tf.backend()));
  },
  'jax-js': async () => {
    const jax = (await import(PEER_PATHS['jax-js'])) as Jax;
    if (!(await jax.init('webgpu')).includes('webgpu'))
      throw new Error('the webgpu device of jax-js did not start');
    jax.defaultDevice('webgpu');
    return jaxContender(jax);
  },
};
