/**
 * Tensors against the oracle's numbers: shape, dtype, then element by element, with NaN, infinities and
 * tolerances as stated.
 */
import { tensor } from '@firsthand/autograd';
import type { Device, DType, Tensor } from '@firsthand/autograd';
import { fromFloat16Bits } from '@firsthand/linalg';
import { expect } from 'vitest';
import type { Dense } from './oracle/dense.ts';
import { indicesOf } from './oracle/dense.ts';

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** DESIGN's bounds for maps and short sums; integers and bools are exact. */
export const TOLERANCES: { readonly [K in DType]: Tolerance } = {
  float64: { relative: 1e-11, absolute: 1e-12 },
  float32: { relative: 1e-5, absolute: 1e-6 },
  float16: { relative: 2e-3, absolute: 1e-4 },
  int32: { relative: 0, absolute: 0 },
  uint32: { relative: 0, absolute: 0 },
  bool: { relative: 0, absolute: 0 },
};

/** The oracle's array as a tensor. */
export function toTensor(
  x: Dense,
  dtype: DType = 'float64',
  options: { readonly requiresGrad?: boolean; readonly device?: Device } = {},
): Tensor {
  return tensor(Float64Array.from(x.data), { shape: x.shape, dtype, ...options });
}

/** A tensor's elements as doubles. */
export async function numbersOf(t: Tensor): Promise<number[]> {
  const data = await t.data();
  return Array.from(data, (value) => (t.dtype === 'float16' ? fromFloat16Bits(value) : value));
}

function isClose(actual: number, expected: number, { relative, absolute }: Tolerance): boolean {
  if (Number.isNaN(expected) || Number.isNaN(actual)) return Number.isNaN(expected) && Number.isNaN(actual);
  if (!Number.isFinite(expected) || !Number.isFinite(actual)) return actual === expected;
  return Math.abs(actual - expected) <= absolute + relative * Math.abs(expected);
}

/** The shape and every element; the first difference is named with its index. */
export async function expectValues(
  actual: Tensor,
  expected: Dense,
  tolerance: Tolerance = TOLERANCES[actual.dtype],
): Promise<void> {
  expect(actual.shape, 'shape').toEqual(expected.shape);
  const values = await numbersOf(actual);
  expect(values, 'number of elements').toHaveLength(expected.data.length);
  const wrong = values.findIndex((value, position) => !isClose(value, expected.data[position]!, tolerance));
  if (wrong < 0) return;
  const index = indicesOf(expected.shape)[wrong]!;
  expect.fail(
    `element [${index.join(', ')}] is ${values[wrong]}, expected ${expected.data[wrong]}; all: [${values.join(', ')}], expected [${expected.data.join(', ')}]`,
  );
}

/** As `expectValues`, and zeros have the expected sign. */
export async function expectExact(actual: Tensor, expected: Dense): Promise<void> {
  expect(actual.shape, 'shape').toEqual(expected.shape);
  expect(await numbersOf(actual)).toStrictEqual([...expected.data]);
}
