/**
 * Pooling: the largest element or the mean of each window. Windows that do not overlap are a reshape, so
 * that pooling is a reduction and nothing else. The gradient of a maximum goes to the first of equal elements
 * in row-major order, as in PyTorch. The position of each maximum is a second output, which is computed only
 * for the derivative.
 */
import { checkOptions, ShapeError, sizeOf } from '@firsthand/linalg';
import type { OptionKeys } from '@firsthand/linalg';
import { call, constant, widened } from '../ir/node.ts';
import { argReduce, div, eq, expand, iota, max, reshape, sum, where } from '../operations/ops.ts';
import type { Attrs, Composite, Node, Shape, Spec } from '../ir/types.ts';
import { describe, operandOf, requireFloat } from '../ir/shapes.ts';
import { overlapAdd, padBoth, perAxis, unfold, windowCounts } from './windows.ts';
import type { Windows } from './windows.ts';

interface PoolAttrs extends Attrs {
  /** One number for each spatial axis. */
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

function inferPool(operation: string, { padding, ...windows }: PoolAttrs, x: Spec): Spec {
  requireFloat(operation, x);
  const axes = windows.kernel.length;
  if (x.shape.length !== axes + 2) {
    throw new ShapeError({
      operation,
      operands: [operandOf(x)],
      expected: 'x as (N, C, H, W)',
      remedy: 'unsqueeze(0) adds a batch axis',
    });
  }
  padding.forEach((width, axis) => {
    const taps = windows.kernel[axis]!;
    if (width > taps / 2) {
      const problem = `padding ${width} of ${describe(x)} is more than half of the kernel's ${taps} taps`;
      const expected = `a padding of at most ${Math.floor(taps / 2)}`;
      throw new ShapeError({
        operation,
        problem,
        operands: [operandOf(x)],
        expected,
        remedy: 'use less padding',
      });
    }
  });
  return { shape: [...x.shape.slice(0, 2), ...windowCounts(operation, x, windows, padding)], dtype: x.dtype };
}

const spatialOf = ({ shape }: Spec): Shape => shape.slice(2);
const tapAxes = ({ kernel }: PoolAttrs): number[] => kernel.map((_, axis) => 2 + axis);

/** x with −∞ around it. */
function padWithLeast(x: Node, padding: readonly number[]): Node {
  if (padding.every((width) => width === 0)) return x;
  return where(padBoth(constant(1, x.shape, 'bool'), padding), padBoth(x, padding), -Infinity);
}

/**
 * Maximum pooling as an operation: the largest elements, and their positions in their windows (int32); called
 * through `maxPool2d`.
 */
export const maxPoolComposite: Composite<PoolAttrs> = {
  name: 'maxPool',
  infer(attrs, x) {
    const { shape, dtype } = inferPool(`maxPool${attrs.kernel.length}d`, attrs, x);
    return [
      { shape, dtype },
      { shape, dtype: 'int32' },
    ];
  },
  body(attrs, x) {
    const windows = unfold(padWithLeast(x, attrs.padding), attrs); // (N, C, taps…, windows…)
    const counts = windows.shape.slice(2 + attrs.kernel.length);
    const flat = reshape(windows, [...x.shape.slice(0, 2), sizeOf(attrs.kernel), ...counts]);
    return [max(windows, { axis: tapAxes(attrs) }), argReduce('argmax', flat, { axis: 2 })];
  },
  // y = x[position]: dx[i] = Σ g over the windows whose position is i.
  vjp([g], outs, attrs, x) {
    if (g === null || g === undefined) return [null];
    const { kernel, padding } = attrs;
    const counts = spatialOf(g);
    const shape = [...g.shape.slice(0, 2), sizeOf(kernel), ...counts];
    const lifted = [...g.shape.slice(0, 2), 1, ...counts];
    const isFirst = eq(iota(shape, 2), expand(reshape(outs[1]!, lifted), shape));
    const windows = where(isFirst, expand(reshape(g, lifted), shape), 0);
    const padded = spatialOf(x).map((extent, axis) => extent + 2 * padding[axis]!);
    const taps = reshape(windows, [...g.shape.slice(0, 2), ...kernel, ...counts]);
    return [
      padBoth(
        overlapAdd(taps, padded, attrs),
        padding.map((width) => -width),
      ),
    ];
  },
  residuals: (_received, outs) => [[outs[1]!]],
};

/** Settings of `avgPool2d`: a number for both axes, or one for the height and one for the width. */
export interface AvgPool2dOptions {
  /** The step between neighbouring windows; that of the kernel if not given, so that they do not overlap. */
  readonly stride?: number | readonly [number, number];
  /** Zeros on both sides: at most half of the kernel, 0 if not given. */
  readonly padding?: number | readonly [number, number];
  /** Whether those zeros count as elements of a mean; true if not given. */
  readonly countIncludePad?: boolean;
}

/** Settings of `maxPool2d`: a number for both axes, or one for the height and one for the width. */
export interface MaxPool2dOptions {
  /** The step between neighbouring windows; that of the kernel if not given, so that they do not overlap. */
  readonly stride?: number | readonly [number, number];
  /** −∞ on both sides: at most half of the kernel, 0 if not given. */
  readonly padding?: number | readonly [number, number];
  /** The distance of a window's elements; 1 if not given. */
  readonly dilation?: number | readonly [number, number];
}

type Pair = number | readonly [number, number];

const MAX_KEYS: OptionKeys<MaxPool2dOptions> = { stride: true, padding: true, dilation: true };
const AVERAGE_KEYS: OptionKeys<AvgPool2dOptions> = {
  stride: true,
  padding: true,
  countIncludePad: 'boolean',
};

function attrsOf(
  operation: string,
  kernel: Pair,
  { stride, padding = 0, dilation = 1 }: MaxPool2dOptions,
): PoolAttrs {
  return {
    kernel: perAxis(operation, 'the kernel', kernel, 2, 1),
    stride: perAxis(operation, 'stride', stride ?? kernel, 2, 1),
    padding: perAxis(operation, 'padding', padding, 2, 0),
    dilation: perAxis(operation, 'dilation', dilation, 2, 1),
  };
}

/** The largest element of each window; NaN wins. x: (N, C, H, W). Result: (N, C, H′, W′). */
export function maxPool2d(x: Node, kernel: Pair, options?: MaxPool2dOptions): Node {
  return call(
    maxPoolComposite,
    attrsOf('maxPool2d', kernel, checkOptions('maxPool2d', options, MAX_KEYS)),
    x,
  )[0]!;
}

/** Σ over the taps of each window. */
function windowSums(x: Node, padding: readonly number[], windows: Windows): Node {
  const axis = windows.kernel.map((_, each) => 2 + each);
  return sum(unfold(padBoth(x, padding), windows), { axis });
}

/** The mean of each window. x: (N, C, H, W). Result: (N, C, H′, W′). */
export function avgPool2d(x: Node, kernel: Pair, options?: AvgPool2dOptions): Node {
  const { countIncludePad = true, ...windows } = checkOptions('avgPool2d', options, AVERAGE_KEYS);
  const attrs = attrsOf('avgPool2d', kernel, windows);
  inferPool('avgPool2d', attrs, x);
  return widened((wide) => {
    const sums = windowSums(wide, attrs.padding, attrs);
    if (countIncludePad) return div(sums, sizeOf(attrs.kernel));
    const ones = constant(1, [1, 1, ...spatialOf(x)], wide.dtype);
    return div(sums, windowSums(ones, attrs.padding, attrs));
  }, x);
}
