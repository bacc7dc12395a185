/**
 * TensorFlow.js in Node, on its WebAssembly backend, with one thread. Its package `tfjs-layers` is loaded for
 * the gradients that it registers.
 */
import type { Contender } from '../contender.ts';
import { loadPeer } from '../peers.ts';
import type { Tf } from './tfjs-interface.ts';
import { tfjsContender } from './tfjs-tasks.ts';

interface TfWasm {
  setThreadsCount(count: number): void;
}

export async function createTfjs(): Promise<Contender> {
  const tf = loadPeer('@tensorflow/tfjs-core') as Tf;
  (loadPeer('@tensorflow/tfjs-backend-wasm') as TfWasm).setThreadsCount(1);
  loadPeer('@tensorflow/tfjs-layers');
  if (!(await tf.setBackend('wasm'))) throw new Error('the wasm backend of tfjs did not start');
  await tf.ready();
  return tfjsContender(tf, () => {}); // it computes at once
}
