/** The reference interpreter: outputs in order, kernels that agree with bodies, memory of intermediates. */
import { array, type NDArray } from '@firsthand/linalg';
import { expect, test } from 'vitest';

import {
  add,
  concatenate,
  evaluate,
  Interpreter,
  leaf,
  type Leaf,
  matmul,
  mul,
  neg,
  type Program,
  transpose,
} from '../src/index.ts';

const argument = (name: string, shape: readonly number[]): Leaf =>
  leaf({ role: 'argument', name, shape, dtype: 'float32', host: null, sample: null }, null);
const listsOf = (arrays: readonly NDArray[]): unknown[] => arrays.map((each) => each.toArray());

test('values of effects come first, then those of roots; arguments stay as they are', () => {
  const [x, y] = [argument('x', [2]), argument('y', [2])];
  const program: Program = { args: [y, x], effects: [{ node: add(x, y), into: x }], roots: [neg(x), x] };
  const args = [array([10, 20]), array([1, 2])];
  const outputs = evaluate(program, args);
  expect(listsOf(outputs)).toEqual([
    [11, 22],
    [-1, -2],
    [1, 2],
  ]);
  expect(listsOf(args)).toEqual([
    [10, 20],
    [1, 2],
  ]);
});

test('kernels compute what the bodies define', () => {
  const [a, b] = [argument('a', [2, 3]), argument('b', [2, 3])];
  const roots = [concatenate([matmul(a, transpose(b)), matmul(b, transpose(a))], 1)];
  const program: Program = { args: [a, b], effects: [], roots };
  const args = [
    array([
      [1, 2, 3],
      [4, 5, 6],
    ]),
    array([
      [-1, 0, 2],
      [7, 1, 3],
    ]),
  ];
  const [whole, inlined] = [new Interpreter(program), new Interpreter(program, new Map())];
  expect(whole.steps.length).toBeLessThan(inlined.steps.length);
  expect(listsOf(whole.run(args))).toEqual([
    [
      [5, 18, 5, 8],
      [8, 51, 18, 51],
    ],
  ]);
  expect(listsOf(inlined.run(args))).toEqual(listsOf(whole.run(args)));
});

test('the counter follows the intermediates, and ends where it began', () => {
  const x = argument('x', [1000]);
  const program: Program = { args: [x], effects: [], roots: [neg(neg(neg(mul(x, x))))] };
  let [live, peak] = [0, 0];
  const counter = {
    change: (bytes: number): void => {
      live += bytes;
      peak = Math.max(peak, live);
    },
  };
  new Interpreter(program).run([array(new Float32Array(1000))], counter);
  // At any time one intermediate is read while the next is written.
  expect([live, peak]).toEqual([0, 8000]);
});
