// Random words inside kernels are those of linalg's Philox stream, along whichever axis the lanes run.
import type { Index, LoopKernel, Scalar } from '@firsthand/compiler';
import { randomBits, type DType } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { affine, divided, filled, load, mapKernel, operandsOf, rowMajor } from './support/build.ts';
import { expectSame, runCompiled } from './support/kernels.ts';

const words = (operand: number): [Scalar, Scalar] => [
  load(operand, 'uint32', affine(0)),
  load(operand, 'uint32', affine(1)),
];
const random = (dtype: 'uint32' | 'float32', index: Index): Scalar => ({
  op: 'random',
  dtype,
  key: words(0),
  counter: words(1),
  index,
});

function kernelOf(
  dtype: 'uint32' | 'float32',
  extents: readonly number[],
  index: Index,
  other: DType = 'uint32',
): LoopKernel {
  const size = extents.reduce((product, extent) => product * extent, 1);
  return mapKernel(
    operandsOf([
      ['uint32', 2],
      ['uint32', 2],
      [other, 1],
      [dtype, size],
    ]),
    extents,
    [{ operand: 3, index: rowMajor(extents), value: random(dtype, index) }],
  );
}
const inputs = (
  kernel: LoopKernel,
  key: readonly number[],
  counter: readonly number[],
): Parameters<typeof expectSame>[1] => [
  filled('uint32', key),
  filled('uint32', counter),
  filled(kernel.operands[2]!.dtype, [0], 1),
  filled(kernel.operands[3]!.dtype, [0], kernel.operands[3]!.length),
];

test.each([1, 3, 4, 9, 16, 17, 40, 63])('%i words side by side are the stream', (n) => {
  for (const counter of [
    [5, 0],
    [2 ** 32 - 2, 7],
  ] as const) {
    const kernel = kernelOf('uint32', [n], affine(0, [0, 1]));
    const result = runCompiled(kernel, inputs(kernel, [123, 456], counter)).at(-1)!;
    expect([...result]).toEqual([...randomBits([123, 456], counter, n)]);
  }
});

test('rows that begin within a block, flipped, repeated, divided, and beside float64', () => {
  for (const dtype of ['uint32', 'float32'] as const) {
    const kernels = [
      kernelOf(dtype, [3, 20], affine(0, [0, 20], [1, 1])),
      kernelOf(dtype, [3, 19], affine(0, [0, 19], [1, 1])),
      kernelOf(dtype, [21], affine(3, [0, 1])),
      kernelOf(dtype, [21], affine(20, [0, -1])),
      kernelOf(dtype, [5, 7], affine(0, [0, 1])),
      kernelOf(dtype, [7, 5], affine(0, [0, 1], [1, 7])),
      kernelOf(dtype, [24], divided('quotient', affine(0, [0, 1]), 3)),
      kernelOf(dtype, [24], affine(0, [0, 1]), 'float64'),
    ];
    for (const kernel of kernels)
      expectSame(kernel, inputs(kernel, [1, 2 ** 32 - 1], [2 ** 32 - 1, 2 ** 32 - 1]));
  }
});

test('keys and counters that change from element to element', () => {
  const each: Scalar = {
    op: 'cast',
    dtype: 'uint32',
    x: { op: 'index', dtype: 'int32', index: affine(3, [0, 1]) },
  };
  const value: Scalar = {
    op: 'random',
    dtype: 'uint32',
    key: [each, each],
    counter: [each, load(0, 'uint32', affine(0, [0, 1]))],
    index: affine(0, [0, 1]),
  };
  const kernel = mapKernel(
    operandsOf([
      ['uint32', 22],
      ['uint32', 22],
    ]),
    [22],
    [{ operand: 1, index: affine(0, [0, 1]), value }],
  );
  expectSame(kernel, [filled('uint32', [7, 2 ** 31, 9], 22), filled('uint32', [0], 22)]);
});
