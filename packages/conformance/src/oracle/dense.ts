/**
 * The oracle's arrays: a shape and plain numbers in row-major order, with nested loops and no views.
 * Everything here is as slow and as obvious as possible, and shares no code with the packages under test.
 */

/** Elements in row-major order, as doubles; bools are 0 and 1. */
export interface Dense {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, extent) => size * extent, 1);
}

/** Every index of a shape, in row-major order. */
export function indicesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (list, extent) => list.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The array whose element at each index is `f(index)`. */
export function dense(shape: readonly number[], f: (index: readonly number[]) => number): Dense {
  return { shape, data: indicesOf(shape).map((index) => f(index)) };
}

export const scalar = (value: number): Dense => ({ shape: [], data: [value] });
export const vector = (...data: readonly number[]): Dense => ({ shape: [data.length], data });
export const filled = (shape: readonly number[], value: number): Dense => dense(shape, () => value);

/** The offset of an index in row-major order. */
export function offsetOf(shape: readonly number[], index: readonly number[]): number {
  return shape.reduce((position, extent, axis) => position * extent + index[axis]!, 0);
}

/** The element at an index. */
export function at(x: Dense, index: readonly number[]): number {
  return x.data[offsetOf(x.shape, index)]!;
}

export function map(x: Dense, f: (value: number) => number): Dense {
  return { shape: x.shape, data: x.data.map((value) => f(value)) };
}

/** The shape that several shapes broadcast to: aligned at the last axis, size 1 stretches. */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return extents.find((extent) => extent !== 1) ?? 1;
  });
}

/** The array stretched to a shape. */
export function broadcast(x: Dense, shape: readonly number[]): Dense {
  const missing = shape.length - x.shape.length;
  return dense(shape, (index) =>
    at(
      x,
      x.shape.map((extent, axis) => (extent === 1 ? 0 : index[axis + missing]!)),
    ),
  );
}

/** f of the elements of two arrays, broadcast against each other. */
export function zip(a: Dense, b: Dense, f: (x: number, y: number) => number): Dense {
  const shape = broadcastShape(a.shape, b.shape);
  const [left, right] = [broadcast(a, shape), broadcast(b, shape)];
  return { shape, data: left.data.map((value, position) => f(value, right.data[position]!)) };
}

/** f of the elements along the axes (in row-major order), which keep size 1 or disappear. */
export function reduceAxes(
  x: Dense,
  axes: readonly number[],
  keep: boolean,
  f: (values: readonly number[]) => number,
): Dense {
  const reducedShape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const lines = dense(reducedShape, (index) => {
    const inner = indicesOf(x.shape.map((extent, axis) => (axes.includes(axis) ? extent : 1)));
    return f(
      inner.map((offset) =>
        at(
          x,
          offset.map((step, axis) => step + index[axis]!),
        ),
      ),
    );
  });
  return keep
    ? lines
    : reshape(
        lines,
        x.shape.filter((_, axis) => !axes.includes(axis)),
      );
}

/** Each line along an axis replaced by f of it. */
export function along(x: Dense, axis: number, f: (line: readonly number[]) => readonly number[]): Dense {
  const result = x.data.slice();
  for (const start of indicesOf(
    x.shape.map((extent, each) => (each === axis ? Math.min(1, extent) : extent)),
  )) {
    const positions = Array.from({ length: x.shape[axis]! }, (_, i) =>
      offsetOf(x.shape, start.with(axis, i)),
    );
    f(positions.map((position) => x.data[position]!)).forEach((value, i) => {
      result[positions[i]!] = value;
    });
  }
  return { shape: x.shape, data: result };
}

export function reshape(x: Dense, shape: readonly number[]): Dense {
  return { shape, data: x.data };
}

export function permute(x: Dense, axes: readonly number[]): Dense {
  const shape = axes.map((axis) => x.shape[axis]!);
  return dense(shape, (index) =>
    at(
      x,
      x.shape.map((_, axis) => index[axes.indexOf(axis)]!),
    ),
  );
}

/** Products summed over the last axis of a and the last but one of b; leading axes broadcast. */
export function matmul(a: Dense, b: Dense): Dense {
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const inner = a.shape.at(-1)!;
  const left = broadcast(a, [...batch, ...a.shape.slice(-2)]);
  const right = broadcast(b, [...batch, ...b.shape.slice(-2)]);
  return dense([...batch, a.shape.at(-2)!, b.shape.at(-1)!], (index) => {
    const [row, column] = index.slice(-2) as [number, number];
    let total = 0;
    for (let k = 0; k < inner; k++)
      total += at(left, [...index.slice(0, -2), row, k]) * at(right, [...index.slice(0, -2), k, column]);
    return total;
  });
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** eˣ / Σ eˣ of a line; 0 where the whole line is −∞. */
export function softmaxOf(line: readonly number[]): number[] {
  const shift = Math.max(...line);
  if (shift === -Infinity) return line.map(() => 0);
  const powers = line.map((value) => Math.exp(value - shift));
  return powers.map((power) => power / sum(powers));
}

/** log Σ eˣ of a line. */
export function logSumExp(line: readonly number[]): number {
  const largest = Math.max(...line);
  return Number.isFinite(largest)
    ? largest + Math.log(sum(line.map((value) => Math.exp(value - largest))))
    : largest;
}
