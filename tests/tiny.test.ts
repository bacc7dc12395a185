// The smallest programs that specify the house: each a line and what `console.log` prints of its value, on the
// reference device and on wasm. Read it as the first page of the specification; docs/semantics.md is the rest.
import { inspect } from 'node:util';

import {
  compile,
  defineOp,
  grad,
  gradients,
  hessian,
  jvp,
  manualSeed,
  noGrad,
  rand,
  setDefaultDevice,
  Tensor,
  tensor,
  vmap,
} from '@firsthand/autograd';
import { add, array } from '@firsthand/linalg';
import { Linear, loss } from '@firsthand/nn';
import { AdamW, SGD } from '@firsthand/optim';
import { createReference, type Device, runtimeOf } from '@firsthand/runtime';
import { createWasm } from '@firsthand/wasm';
import { expect, test } from 'vitest';

/** A program of one line. `v` makes a variable; `count` gives the programs that run and those compiled. */
type Program = (
  v: (...values: number[]) => Tensor,
  count: (work: () => unknown) => Promise<string>,
) => unknown;

const x = (): Tensor => tensor([1, 2, 3, 4], { shape: [2, 2] });
const cube = (t: Tensor): Tensor => t.pow(3).sum();
const double = defineOp({ name: 'double', body: (t: Tensor) => t.mul(2) });

// oxfmt-ignore
const PROGRAMS: readonly (readonly [name: string, program: Program, prints: string])[] = [
  ['arrays compute at once', () => add(array([1, 2]), 10).toArray(), '[ 11, 12 ]'],
  ['tensors record, values are awaited', () => tensor([1, 2]).add(10), '[ 11, 12 ]'],
  ['shapes broadcast', () => tensor([[1], [2]]).mul(tensor([10, 20])), '[ [ 10, 20 ], [ 20, 40 ] ]'],
  ['a reduction', () => x().sum(0), '[ 4, 6 ]'],
  ['a reduction that keeps its axis', () => x().max({ axis: 1, keepDims: true }), '[ [ 2 ], [ 4 ] ]'],
  ['a matrix product', () => x().matmul(tensor([1, 10])), '[ 21, 43 ]'],
  ['a movement', () => x().transpose().reshape(4).slice(0, 1, 3), '[ 3, 2 ]'],
  ['a gather', () => x().indexSelect(0, tensor([1, 1], { dtype: 'int32' })), '[ [ 3, 4 ], [ 3, 4 ] ]'],
  ['comparisons are bools, their sums int32', () => x().lt(3).sum().dtype, "'int32'"],
  ['NaN passes', () => tensor([0, 1]).log().mul(0).max(), 'NaN'],
  ['random numbers follow from the seed',
    () => [0, 0].map((seed) => (manualSeed(seed), rand([9]))).reduce((a, b) => a.sub(b)).sum(),
    '0'],
  ['backward accumulates',
    (v) => { const w = v(2, 3); w.square().sum().backward(); w.sum().backward(); return w.grad; },
    '[ 5, 7 ]'],
  ['a derivative of a function', () => grad(cube)(tensor([1, 2])), '[ 3, 12 ]'],
  ['of second order', () => hessian(cube)(tensor([1, 2])), '[ [ 6, 0 ], [ 0, 12 ] ]'],
  ['forward mode', () => jvp(cube, [tensor([1, 2])], [tensor([1, 0])])[1], '3'],
  ['of a value that exists', (v) => { const w = v(1, 2); return gradients(cube(w), [w])[0]; }, '[ 3, 12 ]'],
  ['a mapped function', () => vmap((row: Tensor) => row.sum())(x()), '[ 3, 7 ]'],
  ['ties share the gradient', () => grad((t: Tensor) => t.max())(tensor([1, 1])), '[ 0.5, 0.5 ]'],
  ['nothing is recorded', (v) => noGrad(() => v(1).mul(2)).requiresGrad, 'false'],
  ['readers keep the value that they read',
    (v) => { const w = v(1); const y = w.mul(2); noGrad(() => w.assign(w.add(9))); return y; },
    '[ 2 ]'],
  ['equal programs compile once',
    (_, count) => count(async () => { for (const a of [1, 2, 3]) await tensor([a]).exp().item(); }),
    '3 programs, 1 compiled'],
  ['a training step is one program',
    (v, count) => {
      const w = v(1, 2);
      const sgd = new SGD([w], { lr: 0.1 });
      return count(async () => { w.square().sum().backward(); sgd.step(); await w.data(); });
    },
    '1 programs, 1 compiled'],
  ['backward reads saved tensors',
    (v, count) => {
      const w = v(1, 2);
      const y = w.exp().sum();
      return count(async () => { await y.item(); y.backward(); await w.grad!.data(); });
    },
    '2 programs, 2 compiled'],
  ['a compiled function is traced once',
    async () => {
      let traces = 0;
      const f = compile((t: Tensor) => (traces++, t.mul(2)));
      return [await f(tensor([1])).item(), await f(tensor([2])).item(), traces];
    },
    '[ 2, 4, 1 ]'],
  ['an operation of one’s own', () => grad((t: Tensor) => double(t).sum())(tensor([1, 2])), '[ 2, 2 ]'],
  ['SGD',
    (v) => { const w = v(1); w.mul(4).sum().backward(); new SGD([w], { lr: 0.25 }).step(); return w; },
    '[ 0 ]'],
  ['Adam’s first step is the learning rate',
    (v) => {
      const w = v(1);
      w.mul(9).sum().backward();
      new AdamW([w], { lr: 0.5, eps: 0, weightDecay: 0 }).step();
      return w;
    },
    '[ 0.5 ]'],
  ['a layer and a loss',
    () => {
      const logits = new Linear(2, 4).forward(x()).mul(0);
      return loss.crossEntropy(logits, tensor([0, 3], { dtype: 'int32' })).exp().round();
    },
    '4'],
  ['an error at the call',
    () => x().matmul(tensor([1, 2, 3])),
    'ShapeError: matmul: inner sizes differ: float32 [2, 2] · float32 [3, 1] (2 ≠ 3)'],
  ['dtypes are not mixed',
    () => x().add(tensor([1], { dtype: 'int32' })),
    'DTypeError: add: operands have different dtypes: float32 [2, 2] and int32 [1]'],
];

const DEVICES: { readonly [name: string]: () => Device | Promise<Device> } = {
  reference: () => createReference(),
  wasm: () => createWasm({ threads: 1 }),
};

/** What `console.log` prints of a value; of a tensor its elements, of an error what is wrong. */
async function print(program: Program, device: Device): Promise<string> {
  const variable = (...values: number[]): Tensor => tensor(values, { requiresGrad: true });
  const count = async (work: () => unknown): Promise<string> => {
    const { programs, compilations } = { ...runtimeOf(device).counters };
    await work();
    const { counters } = runtimeOf(device);
    return `${counters.programs - programs} programs, ${counters.compilations - compilations} compiled`;
  };
  try {
    const value: unknown = await program(variable, count);
    if (typeof value === 'string' && value.endsWith('compiled')) return value;
    return inspect(value instanceof Tensor ? await value.toArray() : value, { breakLength: Infinity });
  } catch (error) {
    return String(error).replace(/;.*/, ''); // without the remedy
  }
}

test.each(
  Object.entries(DEVICES).flatMap(([device, create]) =>
    PROGRAMS.map((row) => [device, ...row, create] as const),
  ),
)('%s: %s', async (_, __, program, prints, create) => {
  const device = await create();
  setDefaultDevice(device);
  expect(await print(program, device)).toBe(prints);
  device.dispose();
});
