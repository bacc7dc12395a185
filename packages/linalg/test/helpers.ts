/**
 * Oracles and generators that the tests share: naive index arithmetic, and arrays of random shape, type and
 * layout.
 */
import fc from 'fast-check';
import { array, type NDArray, type DType, type Shape, type SliceRange } from '../src/index.ts';

/** Every index of a shape, in row-major order. */
export function indicesOf(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (indices, length) => indices.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The elements, read one by one through `get`. */
export function elements(x: NDArray): number[] {
  return indicesOf(x.shape).map((index) => x.get(...index));
}

/** An array built element by element from its indices. */
export function fromIndices(shape: Shape, dtype: DType, f: (index: number[]) => number): NDArray {
  return array(indicesOf(shape).map(f), { dtype, shape });
}

export const shapes: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
export const fullShapes: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

/**
 * A view of the given shape whose axes are permuted, flipped, or steps apart in storage, with distinct
 * elements 0, 1, 2, ….
 */
export function layouts(shape: Shape, dtype: DType = 'float64'): fc.Arbitrary<NDArray> {
  return fc
    .record({
      order: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
      steps: fc.array(fc.constantFrom(-2, -1, 1, 2), { minLength: shape.length, maxLength: shape.length }),
    })
    .map(({ order, steps }) => {
      const stored = order.map((axis) => shape[axis]! * 2);
      const size = stored.reduce((product, length) => product * length, 1);
      const base = array(
        Float64Array.from({ length: size }, (_, i) => i),
        { shape: stored, dtype },
      );
      const inverse = shape.map((_, axis) => order.indexOf(axis));
      return base.permute(inverse).slice(...shape.map((length, axis) => cut(length, steps[axis]!)));
    });
}

/** A range that keeps `length` of `2·length` elements with the given step. */
function cut(length: number, step: number): SliceRange {
  if (step === 1) return { start: length };
  if (step === 2) return { step };
  return step === -1 ? { start: length - 1, step, stop: -2 * length - 1 } : { step };
}
