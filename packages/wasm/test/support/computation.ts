// A little of everything, computed on a device, in a page and in a worker of it too: what two devices must
// agree on to the bit.
import { manualSeed, randn, sort } from '@firsthand/autograd';
import type { Device } from '@firsthand/runtime';

/** The values of a product with an epilogue, rows, sums, sorting and running sums, and of their gradients. */
export type Values = readonly (readonly number[])[];

/** What a worker says of its devices. */
export interface Computed {
  readonly isSynchronous: boolean;
  readonly results: readonly Values[];
}

/** Computes them. */
export async function compute(device: Device): Promise<Values> {
  manualSeed(7);
  const x = await randn([37, 50]).to(device);
  const w = await randn([50, 45]).to(device);
  x.requiresGrad = true;
  w.requiresGrad = true;
  const y = x.matmul(w).add(1).gelu().softmax(-1);
  const z = y
    .cumsum(0)
    .sum({ axis: 1 })
    .add(sort(y, 1).values.max({ axis: 1 }));
  z.square().sum().backward();
  return Promise.all([y, z, x.grad!, w.grad!].map(async (each) => Array.from(await each.data())));
}
