/**
 * Tensors of no axes along an axis, and reductions of truth values. A scalar counts as one row of one
 * element, whose axis is 0, or −1, as in PyTorch; sums and products of bools are int32, extremes are bools.
 */
import { grad, sort, tensor } from '@firsthand/autograd';
import type { DType, Tensor } from '@firsthand/autograd';
import { ShapeError } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { expectValues, toTensor } from '../compare.ts';
import type { Dense } from '../oracle/dense.ts';
import { scalar, vector } from '../oracle/dense.ts';

interface ScalarCase {
  readonly f: (x: Tensor, axis: number) => Tensor;
  /** Of −3: the result, and the derivative, null for one that has none. */
  readonly value: number;
  readonly slope: number | null;
}

const zero = (): Tensor => tensor(0, { dtype: 'int32' });

const SCALAR_CASES: { readonly [name: string]: ScalarCase } = {
  sum: { f: (x, axis) => x.sum({ axis }), value: -3, slope: 1 },
  'sum, keepDims': { f: (x, axis) => x.sum({ axis, keepDims: true }), value: -3, slope: 1 },
  'sum, a list': { f: (x, axis) => x.sum({ axis: [axis] }), value: -3, slope: 1 },
  prod: { f: (x, axis) => x.prod({ axis }), value: -3, slope: 1 },
  max: { f: (x, axis) => x.max({ axis }), value: -3, slope: 1 },
  min: { f: (x, axis) => x.min({ axis }), value: -3, slope: 1 },
  mean: { f: (x, axis) => x.mean({ axis }), value: -3, slope: 1 },
  var: { f: (x, axis) => x.var({ axis, correction: 0 }), value: 0, slope: 0 },
  std: { f: (x, axis) => x.std({ axis, correction: 0 }), value: 0, slope: 0 },
  norm: { f: (x, axis) => x.norm({ axis }), value: 3, slope: -1 },
  logsumexp: { f: (x, axis) => x.logsumexp({ axis }), value: -3, slope: 1 },
  argmax: { f: (x, axis) => x.argmax({ axis }), value: 0, slope: null },
  'argmin, keepDims': { f: (x, axis) => x.argmin({ axis, keepDims: true }), value: 0, slope: null },
  any: { f: (x, axis) => x.any({ axis }), value: 1, slope: null },
  all: { f: (x, axis) => x.all({ axis }), value: 1, slope: null },
  softmax: { f: (x, axis) => x.softmax(axis), value: 1, slope: 0 },
  logSoftmax: { f: (x, axis) => x.logSoftmax(axis), value: 0, slope: 0 },
  cumsum: { f: (x, axis) => x.cumsum(axis), value: -3, slope: 1 },
  cumprod: { f: (x, axis) => x.cumprod(axis), value: -3, slope: 1 },
  sort: { f: (x, axis) => sort(x, axis).values, value: -3, slope: 1 },
  flip: { f: (x, axis) => x.flip(axis), value: -3, slope: 1 },
  squeeze: { f: (x, axis) => x.squeeze(axis), value: -3, slope: 1 },
  gather: { f: (x, axis) => x.gather(axis, zero()), value: -3, slope: 1 },
  scatterAdd: { f: (x, axis) => x.scatterAdd(axis, zero(), x), value: -6, slope: 2 },
  indexSelect: { f: (x, axis) => x.indexSelect(axis, zero()), value: -3, slope: 1 },
};

interface TruthCase {
  readonly f: (x: Tensor) => Tensor;
  readonly dtype: DType;
  readonly value: Dense;
}
const rows = { shape: [2, 3], data: [1, 0, 1, 1, 1, 1] };
const TRUTH_CASES: { readonly [name: string]: TruthCase } = {
  sum: { f: (x) => x.sum({ axis: 1 }), dtype: 'int32', value: vector(2, 3) },
  prod: { f: (x) => x.prod({ axis: 1 }), dtype: 'int32', value: vector(0, 1) },
  max: { f: (x) => x.max({ axis: 1 }), dtype: 'bool', value: vector(1, 1) },
  min: { f: (x) => x.min({ axis: 1 }), dtype: 'bool', value: vector(0, 1) },
  'max of all, keepDims': {
    f: (x) => x.logicalNot().max({ keepDims: true }),
    dtype: 'bool',
    value: { shape: [1, 1], data: [1] },
  },
  'min over no axes': { f: (x) => x.min({ axis: [] }), dtype: 'bool', value: rows },
  cumsum: { f: (x) => x.cumsum(1), dtype: 'int32', value: { shape: [2, 3], data: [1, 1, 2, 1, 2, 3] } },
  cumprod: { f: (x) => x.cumprod(1), dtype: 'int32', value: { shape: [2, 3], data: [1, 0, 0, 1, 1, 1] } },
  argmax: { f: (x) => x.argmax({ axis: 1 }), dtype: 'int32', value: vector(0, 0) },
  argmin: { f: (x) => x.argmin({ axis: 1 }), dtype: 'int32', value: vector(1, 0) },
  'argmin of all': { f: (x) => x.argmin(), dtype: 'int32', value: scalar(1) },
  any: { f: (x) => x.any({ axis: 0 }), dtype: 'bool', value: vector(1, 1, 1) },
  all: { f: (x) => x.all({ axis: 0 }), dtype: 'bool', value: vector(1, 0, 1) },
  sort: { f: (x) => sort(x, 1).values, dtype: 'bool', value: { shape: [2, 3], data: [0, 1, 1, 1, 1, 1] } },
  maximum: {
    f: (x) => x.maximum(x.flip(1).logicalNot()),
    dtype: 'bool',
    value: { shape: [2, 3], data: [1, 1, 1, 1, 1, 1] },
  },
  minimum: {
    f: (x) => x.minimum(x.logicalNot().flip(0)),
    dtype: 'bool',
    value: { shape: [2, 3], data: [0, 0, 0, 0, 1, 0] },
  },
};

export function describeScalars(): void {
  describe.each(Object.keys(SCALAR_CASES))('%s of a scalar', (name) => {
    const { f, value, slope } = SCALAR_CASES[name]!;
    test.each([0, -1])('along axis %d', async (axis) => {
      await expectValues(f(toTensor(scalar(-3), 'float32'), axis), scalar(value));
      if (slope !== null)
        await expectValues(grad((x) => f(x, axis))(toTensor(scalar(-3), 'float32')), scalar(slope));
    });
    test.each([1, -2])('has no axis %d', (axis) => {
      expect(() => f(toTensor(scalar(-3), 'float32'), axis)).toThrow(ShapeError);
    });
  });
  test('what has an axis more or less than its operand takes no axis of a scalar', () => {
    const x = toTensor(scalar(-3), 'float32');
    expect(() => x.sum({ axis: [0, -1] })).toThrow('name one axis twice');
    for (const call of [
      () => x.permute(0),
      () => x.transpose(),
      () => x.slice(0, 0),
      () => x.narrow(0, 0, 1),
      () => x.roll(1, 0),
    ]) {
      expect(call).toThrow(ShapeError);
    }
  });

  test.each(Object.keys(TRUTH_CASES))('%s of truth values', async (name) => {
    const { f, dtype, value } = TRUTH_CASES[name]!;
    const result = f(toTensor(rows, 'bool'));
    expect(result.dtype).toBe(dtype);
    await expectValues(result, value);
  });
}
