/**
 * Sliding windows by movements alone, so that a window is an index and never a copy. Tap k of window o reads
 * element o·stride + k·dilation of its axis (Dumoulin & Visin 2016). An axis of L elements is repeated, and
 * the repetition is cut into rows that are `dilation` longer than L: row k then begins at element k·dilation.
 */
import { describeValue, ShapeError } from '@firsthand/linalg';
import { expand, pad, permute, reshape, shrink, sum } from '../operations/ops.ts';
import type { Node, Shape, Spec } from '../ir/types.ts';
import { describe, operandOf } from '../ir/shapes.ts';

/** One number for each spatial axis, which are the last axes. */
type Extents = readonly number[];

/** The taps of a window, the step between windows, and the step between taps. */
export interface Windows {
  readonly kernel: Extents;
  readonly stride: Extents;
  readonly dilation: Extents;
}

/** The same along one axis. */
interface AxisWindows {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

/** A setting for every axis, or one number for all of them. */
export type PerAxis = number | readonly number[];

/** @throws ShapeError unless there are as many whole numbers as axes, none of them less than `least` */
export function perAxis(
  operation: string,
  setting: string,
  value: PerAxis,
  axes: number,
  least: number,
): Extents {
  const values: unknown = typeof value === 'number' ? Array.from({ length: axes }, () => value) : value;
  if (
    !Array.isArray(values) ||
    values.length !== axes ||
    !values.every((each) => Number.isSafeInteger(each) && each >= least)
  ) {
    const expected = `${axes === 1 ? 'a whole number' : `a whole number, or ${axes} of them,`} of at least ${least}`;
    const found =
      typeof value === 'number' || Array.isArray(value) ? [value].flat().join(', ') : describeValue(value);
    throw new ShapeError({ operation, problem: `${setting} must be ${expected}, got ${found}`, expected });
  }
  return values as Extents;
}

/** From the first to the last element that a window spans. */
export const span = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** How many windows fit into `extent` elements. */
const windowCount = (extent: number, { kernel, stride, dilation }: AxisWindows): number =>
  Math.floor((extent - span(kernel, dilation)) / stride) + 1;

const along = ({ kernel, stride, dilation }: Windows, axis: number): AxisWindows => ({
  kernel: kernel[axis]!,
  stride: stride[axis]!,
  dilation: dilation[axis]!,
});

/**
 * The number of windows along each spatial axis of a padded operand.
 * @throws ShapeError if a window does not fit
 */
export function windowCounts(operation: string, x: Spec, windows: Windows, padding: Extents): Extents {
  const spatial = x.shape.slice(x.shape.length - windows.kernel.length);
  return spatial.map((extent, axis) => {
    const each = along(windows, axis);
    const padded = extent + 2 * padding[axis]!;
    const needed = span(each.kernel, each.dilation);
    if (extent < 1 || needed > padded) {
      const width = `${each.kernel} taps at dilation ${each.dilation} span ${needed}`;
      const size = `${padded} elements with padding ${padding[axis]}`;
      const found = `along spatial axis ${axis}, ${width} of ${size}`;
      throw new ShapeError({
        operation,
        problem: `a window does not fit into ${describe(x)}: ${found}`,
        operands: [operandOf(x)],
        expected: 'a smaller kernel or more padding',
        remedy: 'use a smaller kernel or more padding',
      });
    }
    return windowCount(padded, each);
  });
}

/** Zeros before and after an axis; a negative width cuts elements off. */
export function extendAxis(x: Node, axis: number, before: number, after: number): Node {
  const at = (width: number): number[] => x.shape.map((_, each) => (each === axis ? width : 0));
  const grown = before > 0 || after > 0 ? pad(x, at(Math.max(before, 0)), at(Math.max(after, 0))) : x;
  if (before >= 0 && after >= 0) return grown;
  const end = grown.shape.map((extent, each) => (each === axis ? extent + Math.min(after, 0) : extent));
  return shrink(grown, at(Math.max(-before, 0)), end);
}

/** The same zeros on both sides of each spatial axis; negative widths cut them off again. */
export function padBoth(x: Node, padding: Extents): Node {
  const first = x.shape.length - padding.length;
  return padding.reduce((value, width, axis) => extendAxis(value, first + axis, width, width), x);
}

/** The first `length` elements of an axis, or all of them and zeros behind. */
const resize = (x: Node, axis: number, length: number): Node =>
  extendAxis(x, axis, 0, length - x.shape[axis]!);

/** The extents of one axis replaced by others. */
const replaceAxes = (shape: Shape, axis: number, count: number, extents: Extents): number[] =>
  shape.toSpliced(axis, count, ...extents);

/** Two neighbouring axes exchanged. */
function swap(x: Node, axis: number): Node {
  const axes = [...x.shape.keys()];
  return permute(x, axes.with(axis, axis + 1).with(axis + 1, axis));
}

/**
 * Whether each element belongs to one window at most, and windows begin at multiples of their stride that are
 * all there: then they are a reshape.
 */
const areApart = (extent: number, count: number, { kernel, stride, dilation }: AxisWindows): boolean =>
  (dilation === 1 || kernel === 1) && kernel <= stride && count * stride <= extent;

/** The repetition of an axis of `extent` elements that holds a row for each tap. */
function repetition(
  extent: number,
  count: number,
  windows: AxisWindows,
): { readonly step: number; readonly row: number; readonly times: number } {
  const { kernel, dilation } = windows;
  // A single window takes no step. A row holds `count` steps: for a long last step the axis occurs in it
  // twice.
  const step = count === 1 ? 1 : windows.stride;
  const row = extent * (count * step > extent + dilation ? 2 : 1) + dilation;
  return { step, row, times: Math.ceil((kernel * row) / extent) };
}

/** (…, extent, …) as (…, taps, windows, …) */
function unfoldAxis(x: Node, axis: number, windows: AxisWindows): Node {
  const extent = x.shape[axis]!;
  const { kernel, stride } = windows;
  const count = windowCount(extent, windows);
  const shaped = (value: Node, axes: number, ...extents: number[]): Node =>
    reshape(value, replaceAxes(value.shape, axis, axes, extents));
  if (areApart(extent, count, windows)) {
    return swap(resize(shaped(resize(x, axis, count * stride), 1, count, stride), axis + 1, kernel), axis);
  }
  const { step, row, times } = repetition(extent, count, windows);
  const repeated = expand(shaped(x, 1, 1, extent), replaceAxes(x.shape, axis, 1, [times, extent]));
  const rows = shaped(resize(shaped(repeated, 2, times * extent), axis, kernel * row), 1, kernel, row);
  const steps = shaped(resize(rows, axis + 1, count * step), 2, kernel, count, step);
  return shaped(resize(steps, axis + 2, 1), 3, kernel, count);
}

/**
 * (…, taps, windows, …) as (…, extent, …), the adjoint of `unfoldAxis`: its steps reversed, repetitions
 * summed.
 */
function overlapAddAxis(y: Node, axis: number, extent: number, windows: AxisWindows): Node {
  const { kernel, stride } = windows;
  const count = y.shape[axis + 1]!;
  const shaped = (value: Node, axes: number, ...extents: number[]): Node =>
    reshape(value, replaceAxes(value.shape, axis, axes, extents));
  if (areApart(extent, count, windows)) {
    return resize(shaped(resize(swap(y, axis), axis + 1, stride), 2, count * stride), axis, extent);
  }
  const { step, row, times } = repetition(extent, count, windows);
  const steps = resize(shaped(y, 2, kernel, count, 1), axis + 2, step);
  const rows = resize(shaped(steps, 3, kernel, count * step), axis + 1, row);
  const repeated = shaped(resize(shaped(rows, 2, kernel * row), axis, times * extent), 1, times, extent);
  return sum(repeated, { axis });
}

/** The axes (…, k₀, o₀, k₁, o₁, …) in the order (…, k₀, k₁, …, o₀, o₁, …). */
function tapsFirst(rank: number, spatial: number): number[] {
  const first = rank - 2 * spatial;
  const pairs = Array.from({ length: spatial }, (_, axis) => first + 2 * axis);
  return [...Array.from({ length: first }, (_, axis) => axis), ...pairs, ...pairs.map((axis) => axis + 1)];
}

/** The windows of x: (…, spatial axes) as (…, taps of each axis, windows of each axis). */
export function unfold(x: Node, windows: Windows): Node {
  const spatial = windows.kernel.length;
  const first = x.shape.length - spatial;
  const pairs = windows.kernel.reduce(
    (value, _, axis) => unfoldAxis(value, first + 2 * axis, along(windows, axis)),
    x,
  );
  return permute(pairs, tapsFirst(pairs.shape.length, spatial));
}

/**
 * The adjoint of `unfold` (overlap-add): each element of the result is the sum of the taps that read it.
 * @param extents the spatial axes of the result
 */
export function overlapAdd(y: Node, extents: Extents, windows: Windows): Node {
  const spatial = extents.length;
  const order = tapsFirst(y.shape.length, spatial);
  const first = y.shape.length - 2 * spatial;
  const pairs = permute(
    y,
    order.map((_, axis) => order.indexOf(axis)),
  );
  return extents.reduceRight(
    (value, extent, axis) => overlapAddAxis(value, first + 2 * axis, extent, along(windows, axis)),
    pairs,
  );
}
