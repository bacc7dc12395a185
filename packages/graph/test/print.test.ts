/** Programs as text: arguments, operations with attributes, calls, effects. */
import { expect, test } from 'vitest';

import {
  add,
  constant,
  leaf,
  type Leaf,
  matmul,
  permute,
  printProgram,
  sum,
  type Shape,
} from '../src/index.ts';

const argument = (name: string | null, shape: Shape): Leaf =>
  leaf({ role: 'argument', name, shape, dtype: 'float32', host: null, sample: null }, null);

test('a node is a line, with its inputs before it', () => {
  const [x, w] = [argument('x', [2, 3]), argument(null, [4, 3])];
  const product = matmul(x, permute(w, [1, 0]));
  const program = { args: [x, w], effects: [], roots: [sum(add(product, 1), { axis: 1 })] };
  expect(printProgram(program)).toMatchInlineSnapshot(`
    "%0 = argument "x": float32 [2, 3]
    %1 = argument: float32 [4, 3]
    %2 = permute(%1) {axes: [1, 0]}: float32 [3, 4]
    %3 = matmul(%0, %2)
    %4 = output 0 of %3: float32 [2, 4]
    %5 = const() {value: 1}: float32 [2, 4]
    %6 = add(%4, %5): float32 [2, 4]
    %7 = sum(%6) {axes: [1]}: float32 [2, 1]
    %8 = reshape(%7): float32 [2]
    return %8"
  `);
});

test('effects say what they may overwrite, and a constant its value', () => {
  const [w, v] = [argument('w', [2]), argument('v', [2])];
  const effects = [
    { node: add(w, v), into: w },
    { node: constant(0.5, [2], 'float32'), into: null },
  ];
  expect(printProgram({ args: [w, v], effects, roots: [] })).toMatchInlineSnapshot(`
    "%0 = argument "w": float32 [2]
    %1 = argument "v": float32 [2]
    %2 = add(%0, %1): float32 [2]
    %3 = const() {value: 0.5}: float32 [2]
    update %2 into %0
    update %3"
  `);
});
