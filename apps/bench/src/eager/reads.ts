/**
 * Eager reads of values that require a gradient: each builds its graph, and runs a program that the cache
 * has. What differs between checkouts is the work of the host, so the values are small.
 */
import {
  crossEntropy,
  defaultGenerator,
  type Device,
  layerNorm,
  setDefaultDevice,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';

/** The reads by name, on a device of their own with one thread. */
export interface Reads {
  readonly device: Device;
  readonly reads: { readonly [name: string]: () => Promise<number> };
}

/** Makes the device its checkout's default, as each read needs. */
export function select({ device }: Reads): void {
  setDefaultDevice(device);
}

export async function createReads(): Promise<Reads> {
  const device = await createWasm({ threads: 1 });
  setDefaultDevice(device);
  const parameter = (...shape: number[]): Tensor =>
    tensor(defaultGenerator().normal(shape), { requiresGrad: true });
  const x = tensor(defaultGenerator().normal([8, 16]));
  const labels = tensor(new Int32Array(8));
  const [w1, b1, w2, b2, v] = [
    parameter(16, 32),
    parameter(32),
    parameter(32, 4),
    parameter(4),
    parameter(8),
  ] as const;
  return {
    device,
    reads: {
      'tanh, square, sum': () => v.tanh().square().sum().item(),
      'loss of an MLP': () =>
        crossEntropy(x.matmul(w1).add(b1).relu().matmul(w2).add(b2), labels).mean().item(),
      'gelu, layerNorm, softmax': () =>
        layerNorm(x.matmul(w1).add(b1).gelu(), 32).matmul(w2).softmax().square().sum().item(),
      'a chain of 50': () => {
        let value = v;
        for (let step = 0; step < 25; step++) value = value.mul(0.5).tanh();
        return value.sum().item();
      },
    },
  };
}
