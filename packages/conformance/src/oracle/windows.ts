/**
 * Convolution and pooling by definition: loops over results, channels and taps, with zeros outside of the
 * operand. A window begins at every stride as long as its last tap is inside of the padded operand, which
 * is found by trying.
 */
import type { Dense } from './dense.ts';
import { at, dense, indicesOf, offsetOf, sizeOf } from './dense.ts';

export interface Geometry {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

/** How many windows there are along each spatial axis. */
function counts(
  extents: readonly number[],
  kernel: readonly number[],
  { stride, padding, dilation }: Geometry,
): number[] {
  return extents.map((extent, axis) => {
    let count = 0;
    while (count * stride[axis]! + (kernel[axis]! - 1) * dilation[axis]! < extent + 2 * padding[axis]!)
      count++;
    return count;
  });
}

/** The coordinates that a tap of a window reads in the operand without padding; they may be outside of it. */
function coordinatesOfTap(
  window: readonly number[],
  tap: readonly number[],
  { stride, padding, dilation }: Geometry,
): number[] {
  return window.map((step, axis) => step * stride[axis]! + tap[axis]! * dilation[axis]! - padding[axis]!);
}

const isInside = (coordinates: readonly number[], extents: readonly number[]): boolean =>
  coordinates.every((each, axis) => each >= 0 && each < extents[axis]!);

/**
 * Every product of a convolution, by its offsets in operand, weight and result: the terms of the convolution
 * and of its derivatives.
 */
function forEachProduct(
  shapes: {
    readonly x: readonly number[];
    readonly weight: readonly number[];
    readonly y: readonly number[];
  },
  groups: number,
  geometry: Geometry,
  visit: (x: number, weight: number, y: number) => void,
): void {
  const { x, weight, y } = shapes;
  const [outputs, perGroup, ...kernel] = weight as readonly [number, number, ...number[]];
  for (const [n, o, ...window] of indicesOf(y) as [number, number, ...number[]][]) {
    const group = Math.floor(o / (outputs / groups));
    for (let c = 0; c < perGroup; c++) {
      for (const tap of indicesOf(kernel)) {
        const coordinates = coordinatesOfTap(window, tap, geometry);
        if (!isInside(coordinates, x.slice(2))) continue;
        visit(
          offsetOf(x, [n, group * perGroup + c, ...coordinates]),
          offsetOf(weight, [o, c, ...tap]),
          offsetOf(y, [n, o, ...window]),
        );
      }
    }
  }
}

/** x: (N, C, …), weight: (O, C/groups, taps…). Result: (N, O, windows…). */
export function convolution(x: Dense, weight: Dense, groups: number, geometry: Geometry): Dense {
  const shape = [x.shape[0]!, weight.shape[0]!, ...counts(x.shape.slice(2), weight.shape.slice(2), geometry)];
  const data = new Array<number>(sizeOf(shape)).fill(0);
  forEachProduct({ x: x.shape, weight: weight.shape, y: shape }, groups, geometry, (from, tap, to) => {
    data[to]! += weight.data[tap]! * x.data[from]!;
  });
  return { shape, data };
}

/**
 * y: (N, O, windows…), weight: (O, C/groups, taps…). Result: (N, C, extents…): each element of y spread over
 * what a convolution reads for it.
 */
export function transposedConvolution(
  y: Dense,
  weight: Dense,
  groups: number,
  geometry: Geometry,
  outputPadding: readonly number[],
): Dense {
  const extents = y.shape
    .slice(2)
    .map(
      (count, axis) =>
        (count - 1) * geometry.stride[axis]! +
        (weight.shape[2 + axis]! - 1) * geometry.dilation[axis]! +
        1 -
        2 * geometry.padding[axis]! +
        outputPadding[axis]!,
    );
  const shape = [y.shape[0]!, weight.shape[1]! * groups, ...extents];
  const data = new Array<number>(sizeOf(shape)).fill(0);
  forEachProduct({ x: shape, weight: weight.shape, y: y.shape }, groups, geometry, (to, tap, from) => {
    data[to]! += weight.data[tap]! * y.data[from]!;
  });
  return { shape, data };
}

/** x: (N, C, …), g: (N, O, windows…). Result: (O, C/groups, taps…). */
export function weightGradient(
  x: Dense,
  g: Dense,
  kernel: readonly number[],
  groups: number,
  geometry: Geometry,
): Dense {
  const shape = [g.shape[1]!, x.shape[1]! / groups, ...kernel];
  const data = new Array<number>(sizeOf(shape)).fill(0);
  forEachProduct({ x: x.shape, weight: shape, y: g.shape }, groups, geometry, (from, to, window) => {
    data[to]! += g.data[window]! * x.data[from]!;
  });
  return { shape, data };
}

/**
 * f of the elements of each window, in row-major order, null where a tap is outside. x: (N, C, …). Result:
 * (N, C, windows…).
 */
export function pool(
  x: Dense,
  kernel: readonly number[],
  geometry: Geometry,
  f: (values: readonly (number | null)[]) => number,
): Dense {
  const extents = x.shape.slice(2);
  return dense([...x.shape.slice(0, 2), ...counts(extents, kernel, geometry)], ([n, c, ...window]) => {
    const coordinates = indicesOf(kernel).map((tap) => coordinatesOfTap(window, tap, geometry));
    return f(
      coordinates.map((coordinates) =>
        isInside(coordinates, extents) ? at(x, [n!, c!, ...coordinates]) : null,
      ),
    );
  });
}

/** The largest of a window's elements that are there. */
export const largestOf = (values: readonly (number | null)[]): number =>
  Math.max(...values.map((value) => value ?? -Infinity));
