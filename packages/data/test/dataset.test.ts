/**
 * Datasets: gathering against element by element, widening of files' types, stacking of single examples,
 * transformation, and wrong indices.
 */
import { arange, array, FirsthandError, type NDArray, ShapeError } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrayDataset, type Dataset, loadBatch, mapDataset } from '../src/index.ts';
import { ALL_DTYPES, fileArray } from './formats.ts';

describe('ArrayDataset', () => {
  const dataset = new ArrayDataset({
    image: arange(24, { dtype: 'int32' }).reshape([4, 3, 2]),
    label: { dtype: 'uint8', shape: [4], data: Uint8Array.of(5, 0, 4, 255) },
  });

  it('gathers examples in the order of the indices, and widens integers', () => {
    const { image, label } = dataset.batch([2, 0, 2]);
    expect(image.shape).toEqual([3, 3, 2]);
    expect(image.at(0).toArray()).toEqual([
      [12, 13],
      [14, 15],
      [16, 17],
    ]);
    expect(image.at(1).get(0, 1)).toBe(1);
    expect(label.dtype).toBe('int32');
    expect(label.toArray()).toEqual([4, 5, 4]);
  });

  it('gives one example without the counting axis', () => {
    const { image, label } = dataset.get(3);
    expect(image.shape).toEqual([3, 2]);
    expect(label.shape).toEqual([]);
    expect(label.get()).toBe(255);
  });

  it('copies: changing a batch changes no dataset', () => {
    dataset.batch([0]).image.set(99, 0, 0, 0);
    expect(dataset.get(0).image.get(0, 0)).toBe(0);
  });

  it('takes views as they look', () => {
    const transposed = new ArrayDataset({ x: arange(6).reshape([2, 3]).transpose() });
    expect(transposed.length).toBe(3);
    expect(transposed.get(1).x.toArray()).toEqual([1, 4]);
  });

  it('gives the values of every element type', () => {
    fc.assert(
      fc.property(
        fc.oneof(...ALL_DTYPES.map(fileArray)),
        fc.array(fc.nat(3), { maxLength: 6 }),
        (values, indices) => {
          fc.pre(values.shape.length > 0 && indices.every((index) => index < values.shape[0]!));
          const { x } = new ArrayDataset({ x: values }).batch(indices);
          const size = values.data.length / Math.max(1, values.shape[0]!);
          expect(x.shape).toEqual([indices.length, ...values.shape.slice(1)]);
          expect([...x.data]).toEqual(
            indices.flatMap((index) => [...values.data.subarray(index * size, (index + 1) * size)]),
          );
        },
      ),
    );
  });

  it.each([-1, 4, 0.5, NaN, Infinity])('refuses the index %d', (index) => {
    expect(() => dataset.get(index)).toThrow(
      new ShapeError({
        operation: 'ArrayDataset',
        problem: `index ${index} is out of range for 4 examples`,
        expected: 'a whole number from 0 to 3',
      }),
    );
    expect(() => dataset.batch([0, index])).toThrow(ShapeError);
  });

  it('refuses fields that do not count the same examples', () => {
    expect(() => new ArrayDataset({ image: arange(6).reshape([3, 2]), label: arange(2) })).toThrow(
      new ShapeError({
        operation: 'ArrayDataset',
        problem: 'every field needs the same first axis, which counts examples: image [3, 2], label [2]',
        operands: [
          { name: 'image', shape: [3, 2], dtype: 'float32' },
          { name: 'label', shape: [2], dtype: 'float32' },
        ],
        expected: 'the same first axis, which counts examples',
      }),
    );
    expect(() => new ArrayDataset({})).toThrow(/no fields/);
    expect(() => new ArrayDataset({ x: array(1) })).toThrow(ShapeError);
    expect(() => new ArrayDataset({ x: { dtype: 'uint8', shape: [3], data: new Uint8Array(2) } })).toThrow(
      new ShapeError({
        operation: 'ArrayDataset',
        problem: 'field x: shape [3] does not describe 2 elements',
        operands: [{ shape: [3], dtype: 'uint8' }],
        expected: 'a shape of 2 elements',
      }),
    );
  });
});

describe('a dataset that only gets single examples', () => {
  const single: Dataset<'x' | 'square'> = {
    length: 5,
    get: async (index) => ({ x: array([index, -index]), square: array(index * index) }),
  };

  it('is stacked into batches', async () => {
    const { x, square } = await loadBatch(single, [3, 1]);
    expect(x.toArray()).toEqual([
      [3, -3],
      [1, -1],
    ]);
    expect(square.toArray()).toEqual([9, 1]);
  });

  it('cannot make a batch of nothing', async () => {
    await expect(loadBatch(single, [])).rejects.toThrow(FirsthandError);
  });

  it('reports examples of different shapes', async () => {
    const ragged: Dataset<'x'> = { length: 2, get: (index) => ({ x: arange(index + 1) }) };
    await expect(loadBatch(ragged, [0, 1])).rejects.toThrow(ShapeError);
  });
});

describe('mapDataset', () => {
  const calls: number[] = [];
  const base = new ArrayDataset({ x: arange(8).reshape([4, 2]), label: arange(4, { dtype: 'int32' }) });
  const mapped = mapDataset(base, ({ x, label }): { first: NDArray; label: NDArray } => {
    calls.push(label.size);
    return { first: x.slice(null, { stop: 1 }), label };
  });

  it('transforms whole batches, once each', async () => {
    const { first, label } = await mapped.batch([3, 0]);
    expect([first.toArray(), label.toArray()]).toEqual([
      [[6], [0]],
      [3, 0],
    ]);
    expect(calls).toEqual([2]);
  });

  it('gives single examples and the same length', async () => {
    const { first, label } = await mapped.get(2);
    expect([mapped.length, first.toArray(), label.get()]).toEqual([4, [4], 2]);
  });
});
