/**
 * Cases of the composites over sliding windows. Shapes are as small as each geometry allows: strides, zeros
 * around, distant taps, groups down to a channel each, windows that lie side by side, a kernel of one tap, a
 * kernel as large as its operand, what strides leave over.
 */
import type { Attrs } from '@firsthand/autograd';
import {
  convolutionComposite,
  convolutionWeightGradientComposite,
  maxPoolComposite,
  transposedConvolutionComposite,
} from '@firsthand/graph';
import { convolution, largestOf, pool, transposedConvolution, weightGradient } from '../oracle/windows.ts';
import type { Geometry } from '../oracle/windows.ts';
import { erase, float } from './composite-case.ts';
import type { CompositeCase, CompositeExample } from './composite-case.ts';

type SpatialComposite = 'convolution' | 'transposedConvolution' | 'convolutionWeightGradient' | 'maxPool';
interface Settings {
  readonly stride?: readonly number[];
  readonly padding?: readonly number[];
  readonly dilation?: readonly number[];
  readonly groups?: number;
}

function attrsOf(axes: number, { groups = 1, ...settings }: Settings): Attrs {
  const all = (value: number): number[] => Array.from({ length: axes }, () => value);
  return { stride: all(1), padding: all(0), dilation: all(1), ...settings, groups };
}

const geometryOf = (attrs: Attrs): Geometry => attrs as unknown as Geometry;
const groupsOf = ({ groups }: Attrs): number => groups as number;
const numbersOf = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];

const convolved = (
  x: readonly number[],
  weight: readonly number[],
  settings: Settings = {},
): CompositeExample => ({
  attrs: attrsOf(x.length - 2, settings),
  operands: [float(x), float(weight, 2)],
});
const transposed = (
  y: readonly number[],
  weight: readonly number[],
  {
    outputPadding = y.slice(2).map(() => 0),
    ...settings
  }: Settings & { readonly outputPadding?: readonly number[] } = {},
): CompositeExample => ({
  attrs: { ...attrsOf(y.length - 2, settings), outputPadding },
  operands: [float(y), float(weight, 2)],
});
const weighed = (
  x: readonly number[],
  g: readonly number[],
  kernel: readonly number[],
  settings: Settings = {},
): CompositeExample => ({
  attrs: { ...attrsOf(kernel.length, settings), kernel },
  operands: [float(x), float(g, 2)],
});
const pooled = (
  x: readonly number[],
  kernel: readonly number[],
  stride: readonly number[],
  settings: Settings = {},
): CompositeExample => {
  const { groups: _, ...attrs } = attrsOf(kernel.length, { stride, ...settings });
  return { attrs: { kernel, ...attrs }, operands: [float(x)] };
};

export const SPATIAL_COMPOSITES: { readonly [K in SpatialComposite]: CompositeCase } = {
  convolution: {
    composite: erase(convolutionComposite),
    outputs: 1,
    define: (attrs, x, weight) => [convolution(x, weight, groupsOf(attrs), geometryOf(attrs))],
    examples: [
      convolved([1, 1, 4], [1, 1, 2]),
      convolved([2, 2, 7], [3, 2, 3], { stride: [2], padding: [1] }),
      convolved([1, 1, 6], [2, 1, 1], { stride: [5] }),
      convolved([0, 1, 3], [1, 1, 2]),
      convolved([2, 2, 4, 3], [3, 2, 3, 2]),
      convolved([1, 2, 5, 4], [2, 2, 3, 2], { stride: [2, 1], padding: [1, 0], dilation: [1, 2] }),
      convolved([1, 1, 6, 3], [2, 1, 2, 2], { stride: [2, 2], padding: [2, 1], dilation: [2, 2] }),
      convolved([2, 4, 3, 3], [2, 2, 2, 2], { groups: 2 }),
      convolved([1, 2, 4, 3], [4, 1, 2, 2], { padding: [1, 1], groups: 2 }),
      convolved([2, 2, 2, 3], [3, 2, 1, 1]),
      convolved([1, 2, 3, 4], [2, 2, 1, 1], { stride: [2, 2] }),
      convolved([2, 2, 3, 2], [2, 2, 3, 2]),
      convolved([1, 1, 6, 5], [2, 1, 2, 2], { stride: [3, 2] }),
    ],
  },
  transposedConvolution: {
    composite: erase(transposedConvolutionComposite),
    outputs: 1,
    define: (attrs, y, weight) => [
      transposedConvolution(y, weight, groupsOf(attrs), geometryOf(attrs), numbersOf(attrs, 'outputPadding')),
    ],
    examples: [
      transposed([1, 1, 3], [1, 1, 2]),
      transposed([2, 2, 3], [2, 3, 3], { stride: [2], padding: [1], outputPadding: [1] }),
      transposed([1, 1, 1], [1, 1, 2], { stride: [6], padding: [2], outputPadding: [5] }),
      transposed([1, 2, 2, 3], [2, 2, 3, 2], {
        stride: [2, 1],
        padding: [1, 0],
        dilation: [1, 2],
        outputPadding: [1, 0],
      }),
      transposed([2, 4, 2, 1], [4, 1, 2, 2], { groups: 2, stride: [2, 2] }),
      transposed([1, 2, 3, 2], [2, 1, 1, 1], { groups: 2, stride: [2, 3] }),
    ],
  },
  convolutionWeightGradient: {
    composite: erase(convolutionWeightGradientComposite),
    outputs: 1,
    define: (attrs, x, g) => [
      weightGradient(x, g, numbersOf(attrs, 'kernel'), groupsOf(attrs), geometryOf(attrs)),
    ],
    examples: [
      weighed([2, 2, 6], [2, 3, 3], [3], { stride: [2], padding: [1] }),
      weighed([2, 2, 4, 3], [2, 2, 3, 1], [2, 2], { dilation: [1, 2] }),
      weighed([1, 4, 3, 2], [1, 2, 2, 2], [2, 1], { groups: 2 }),
    ],
  },
  maxPool: {
    composite: erase(maxPoolComposite),
    // The positions of the largest elements are internal.
    outputs: 1,
    define: (attrs, x) => {
      const of = (f: (values: readonly (number | null)[]) => number) =>
        pool(x, numbersOf(attrs, 'kernel'), geometryOf(attrs), f);
      return [of(largestOf), of((values) => values.indexOf(largestOf(values)))];
    },
    examples: [
      pooled([2, 2, 4, 6], [2, 3], [2, 3]),
      pooled([1, 1, 5, 3], [2, 2], [2, 2]),
      pooled([1, 2, 4, 5], [3, 2], [1, 2], { padding: [1, 1] }),
      pooled([1, 1, 5, 4], [2, 2], [1, 1], { dilation: [2, 3] }),
      pooled([1, 1, 6, 4], [2, 2], [3, 2], { padding: [1, 0] }),
    ],
  },
};
