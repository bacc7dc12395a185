/**
 * Building checks everything at the call: the error names the operation, the operands and the remedy.
 */
import { expect, test } from 'vitest';

import {
  add,
  cast,
  concatenate,
  constant,
  crossEntropy,
  DeviceError,
  gather,
  hostLeaf,
  indexSelect,
  layerNorm,
  leaf,
  matmul,
  max,
  mul,
  pad,
  reshape,
  slice,
  sqrt,
  where,
} from '../src/index.ts';
import { DTypeError, ShapeError } from '@firsthand/linalg';
import { device, stored, valuesOf } from './support.ts';

const x = stored([1, 2, 3, 4, 5, 6], [2, 3]);
const integers = stored(Int32Array.of(0, 1), [2], 'int32');

test.each([
  [
    'inner sizes',
    () => matmul(x, x),
    ShapeError,
    'matmul: inner sizes differ: float32 [2, 3] · float32 [2, 3] (3 ≠ 2)',
  ],
  ['broadcast', () => add(x, stored([1, 2], [2])), ShapeError, 'add: shapes [2, 3] and [2] do not broadcast'],
  [
    'dtypes',
    () => add(x, cast(x, 'int32')),
    DTypeError,
    'add: operands have different dtypes: float32 [2, 3] and int32 [2, 3]; cast one of them',
  ],
  ['a fraction for integers', () => mul(integers, 0.5), DTypeError, '0.5 is no int32'],
  [
    'float functions',
    () => sqrt(integers),
    DTypeError,
    "sqrt: needs a floating-point operand, got int32 [2]; use cast('float32')",
  ],
  ['reshape', () => reshape(x, [4]), ShapeError, 'reshape: [2, 3] has 6 elements, [4] has 4'],
  ['axis', () => max(x, { axis: 2 }), ShapeError, 'max: axis 2 is out of range for 2 axes'],
  [
    'empty axis',
    () => max(reshape(stored([], [0]), [0, 3]), { axis: 0 }),
    ShapeError,
    'max: an empty axis has no max',
  ],
  [
    'float indices',
    () => gather(x, x, 0),
    DTypeError,
    "gather: indices must be int32 or uint32, got float32 [2, 3]; use cast('int32')",
  ],
  [
    'gather shape',
    () => gather(x, integers, 0),
    ShapeError,
    'gather: index int32 [2] must have the shape of float32 [2, 3] but for axis 0',
  ],
  ['condition', () => where(x, x, x), DTypeError, 'where: the condition must be bool'],
  [
    'labels',
    () => crossEntropy(x, stored(Int32Array.of(0), [1], 'int32')),
    ShapeError,
    'crossEntropy: logits float32 [2, 3] need labels of shape [2]',
  ],
  [
    'joining',
    () => concatenate([x, stored([1], [1, 1])], 0),
    ShapeError,
    'cat: [2, 3] and [1, 1] differ outside axis 0',
  ],
  ['padding', () => pad(x, [1], [1]), ShapeError, 'pad: [2, 3] has 2 axes'],
  ['a backward slice', () => slice(x, 0, 0, 2, -1), ShapeError, 'use flip to go backward'],
  [
    'layer norm',
    () => layerNorm(x, stored([1, 1], [2]), stored([1, 1], [2])),
    ShapeError,
    'layerNorm: weight float32 [2] and bias float32 [2]',
  ],
  [
    'devices',
    () => add(x, stored([1], [1], 'float32', { ...device })),
    DeviceError,
    'operands are on different devices',
  ],
  [
    'a leaf that cannot have a gradient',
    () => leaf(integers.attrs, device, { requiresGrad: true }),
    DTypeError,
    'only floating-point values have gradients',
  ],
])('%s', (_, build, type, message) => {
  expect(build).toThrow(type);
  expect(build).toThrow(message);
});

test('an operand with a name is named', () => {
  const weight = leaf(
    { role: 'stored', name: 'fc1.weight', shape: [4, 5], dtype: 'float32', host: null, sample: null },
    device,
  );
  expect(() => matmul(x, weight)).toThrow(
    'matmul: inner sizes differ: float32 [2, 3] · float32 [4, 5] "fc1.weight" (3 ≠ 4)',
  );
});

test('an index out of range reads NaN, or 0 for integers', () => {
  const index = stored(Int32Array.of(1, -1, 2), [3], 'int32');
  expect(valuesOf(indexSelect(stored([7, 8], [2]), index, 0))).toEqual([8, Number.NaN, Number.NaN]);
  expect(valuesOf(indexSelect(stored(Int32Array.of(7, 8), [2], 'int32'), index, 0))).toEqual([8, 0, 0]);
});

test('constants belong to no device and join any', () => {
  const two = constant(2, [2, 3], 'float32');
  expect(two.device).toBeNull();
  expect(valuesOf(mul(two, x))).toEqual([2, 4, 6, 8, 10, 12]);
  expect(valuesOf(two)).toEqual([2, 2, 2, 2, 2, 2]);
});

test('a host leaf is sampled when it is built', () => {
  let rate = 1;
  const first = mul(
    x,
    reshape(
      hostLeaf(() => rate, 'float32', device),
      [],
    ),
  );
  rate = 10;
  expect(valuesOf(first)[0]).toBe(1);
});
