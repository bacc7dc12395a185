/**
 * Sliding windows: every small geometry against indices, folding as the adjoint, and what a convolution's
 * matrix product reads: movements and nothing else.
 */
import { describe, expect, test } from 'vitest';
import {
  convolutionComposite,
  convolutionWeightGradientComposite,
  maxPoolComposite,
  mul,
  type Node,
  postOrder,
  sum,
  transposedConvolutionComposite,
} from '../src/index.ts';
import { extendAxis, overlapAdd, unfold } from '../src/composites/windows.ts';
import { stored, valuesOf } from './support.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const geometries = upTo(9).flatMap((extent) =>
  upTo(4).flatMap((kernel) =>
    upTo(5).flatMap((stride) =>
      upTo(3)
        .filter((dilation) => (kernel - 1) * dilation < extent)
        .map((dilation) => ({ extent, kernel, stride, dilation })),
    ),
  ),
);

describe('along one axis, with axes around it', () => {
  test.each(upTo(9))('of %i elements', (length) => {
    const same = geometries.filter(({ extent }) => extent === length);
    expect(same.length).toBeGreaterThan(0);
    for (const { extent, kernel, stride, dilation } of same) {
      const windows = { kernel: [kernel], stride: [stride], dilation: [dilation] };
      const x = stored(
        upTo(2 * extent).map((value) => value * value),
        [2, extent],
      );
      const unfolded = unfold(x, windows);
      const count = Math.floor((extent - (kernel - 1) * dilation - 1) / stride) + 1;
      const title = JSON.stringify({ extent, kernel, stride, dilation });
      expect(unfolded.shape, title).toEqual([2, kernel, count]);
      const values = [0, 1].flatMap((row) =>
        upTo(kernel).flatMap((tap) =>
          upTo(count).map((window) => (row * extent + (window - 1) * stride + (tap - 1) * dilation + 1) ** 2),
        ),
      );
      expect(valuesOf(unfolded), title).toEqual(values);
      // ⟨unfold(x), y⟩ = ⟨x, fold(y)⟩, exactly: all numbers are whole and small.
      const y = stored(
        upTo(2 * kernel * count).map((value) => value % 7),
        unfolded.shape,
      );
      const added = overlapAdd(y, [extent], windows);
      expect(added.shape, title).toEqual([2, extent]);
      expect(valuesOf(sum(mul(added, x))), title).toEqual(valuesOf(sum(mul(unfolded, y))));
    }
  });
});

test('an axis grows on one side while it shrinks on the other', () => {
  const x = stored([1, 2, 3], [3]);
  expect(valuesOf(extendAxis(x, 0, -2, 2))).toEqual([3, 0, 0]);
  expect(valuesOf(extendAxis(x, 0, 1, -2))).toEqual([0, 1]);
  expect(valuesOf(extendAxis(x, 0, -4, 3))).toEqual([0, 0]);
});

const x = stored(upTo(2 * 4 * 6 * 6), [2, 4, 6, 6]);
const kindsOf = (roots: readonly Node[]): string[] =>
  postOrder(roots, (node) => node.inputs).flatMap((node) =>
    node.op === 'movement' ? [node.attrs.kind] : node.op === 'leaf' ? [] : [node.op],
  );

test('windows side by side are cut and reshaped, and nothing is repeated', () => {
  const apart = { kernel: [2, 3], stride: [2, 3], dilation: [1, 1] };
  const kinds = kindsOf([unfold(x, apart)]);
  expect(new Set(kinds)).toEqual(new Set(['reshape', 'permute']));
  expect(kindsOf([unfold(x, { ...apart, stride: [1, 3] })])).toContain('expand');
  const [values] = maxPoolComposite.body({ ...apart, padding: [0, 0] }, x);
  expect(kindsOf([values!]).filter((kind) => kind === 'reduce')).toHaveLength(1);
  expect(kindsOf([values!])).not.toContain('expand');
});

describe('the body of a convolution', () => {
  const attrs = { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 };
  const weight = stored(upTo(6 * 2 * 3 * 2), [6, 2, 3, 2]);
  const y = stored(upTo(2 * 6 * 3 * 8), [2, 6, 3, 8]);
  const bodies: readonly [string, readonly Node[]][] = [
    ['convolution', convolutionComposite.body(attrs, x, weight)],
    [
      'transposedConvolution',
      transposedConvolutionComposite.body({ ...attrs, outputPadding: [1, 0] }, y, weight),
    ],
    [
      'convolutionWeightGradient',
      convolutionWeightGradientComposite.body({ ...attrs, kernel: [3, 2] }, x, y),
    ],
  ];
  test.each(bodies)('%s is one matrix product whose operands are moved and not computed', (_, [result]) => {
    const movements = ['reshape', 'permute', 'expand', 'pad', 'shrink', 'flip'];
    expect(kindsOf([result!]).filter((kind) => !movements.includes(kind))).toEqual(['call', 'output']);
    const products = postOrder([result!], (node) => node.inputs).filter((node) => node.op === 'call');
    expect(products.map((node) => node.op === 'call' && node.attrs.composite.name)).toEqual(['matmul']);
    for (const operand of products[0]!.inputs) {
      let below = operand;
      while (below.op === 'movement') below = below.inputs[0]!;
      expect(below.op).toBe('leaf');
    }
  });
});
