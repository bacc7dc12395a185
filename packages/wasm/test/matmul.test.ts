// Matrix products of every shape, layout and dtype against plain double loops, with separate and with fused
// multiply-adds, by every tile.
import { beforeAll, describe, expect, test } from 'vitest';
import { chooseTile } from '../src/matmul/choose-tile.ts';
import { TILES, tilesFor } from '../src/matmul/tile-sizes.ts';
import {
  enableRelaxedSimd,
  expectProduct,
  kernelOf,
  numbers,
  product,
  runContract,
  VARIANTS,
} from './support/matmul.ts';

beforeAll(enableRelaxedSimd);

describe.each(['', 'a', 'b', 'ab'])('transposed: %s', (transposed) => {
  test.each([
    [1, 1, 1],
    [1, 2, 1],
    [2, 1, 3],
    [3, 5, 2],
    [4, 4, 4],
    [5, 3, 8],
    [7, 9, 5],
    [8, 8, 8],
    [13, 33, 17],
    [16, 16, 16],
    [1, 100, 50],
    [50, 100, 1],
    [2, 40, 37],
    [3, 1030, 7],
    [64, 64, 64],
    [65, 63, 66],
    [37, 130, 71],
    [20, 1000, 35],
    [6, 5, 300],
    [150, 7, 11],
  ])('%i × %i × %i', (m, k, n) => {
    expectProduct(product({ m, n, k }, transposed));
  });

  test.each(['float64', 'int32', 'uint32'] as const)('%s', (dtype) => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [3, 5, 2],
      [1, 100, 50],
      [50, 100, 1],
      [37, 130, 71],
      [9, 1100, 21],
    ] as const) {
      expectProduct(product({ m, n, k, dtype }, transposed));
    }
  });

  test.each([
    ['long sums', { m: 9, n: 21, k: 2500 }],
    ['long sums whose blocks differ in length', { m: 7, n: 9, k: 2051 }],
    ['several blocks of columns', { m: 7, n: 1300, k: 130 }],
    ['several blocks of rows and columns, and long sums', { m: 530, n: 150, k: 1030 }],
  ])('%s', (_, sizes) => {
    expectProduct(product(sizes, transposed));
  });

  test('a batch', () => {
    expectProduct(product({ batch: [3], m: 9, n: 20, k: 12 }, transposed));
    expectProduct(product({ batch: [2, 1, 3], m: 4, n: 4, k: 4 }, transposed));
    expectProduct(product({ batch: [2], m: 5, n: 33, k: 1100 }, transposed));
  });

  test('an operand that the batch shares', () => {
    const unshared = product({ batch: [2, 3], m: 14, n: 26, k: 40 }, transposed);
    const shared = product({ m: 14, n: 26, k: 40 }, transposed);
    for (const [first, second] of [
      [0, 0],
      [0, 1],
      [1, 0],
    ] as const) {
      const outer = [first * 14 * 40 * 3, second * 14 * 40];
      const inner = [first * 26 * 40, second * 26 * 40];
      expectProduct({ ...unshared, a: { offset: 0, strides: [...outer, ...shared.a.strides] } });
      expectProduct({ ...unshared, b: { offset: 0, strides: [...inner, ...shared.b.strides] } });
    }
  });

  test('a result whose columns are apart', () => {
    expectProduct(product({ batch: [2], m: 11, n: 13, k: 10 }, `${transposed}c`));
  });

  test('operands at both ends of memory', () => {
    for (const first of [0, 1, 2]) {
      for (const [m, k, n] of [
        [5, 7, 9],
        [2, 20, 17],
        [30, 9, 3],
      ] as const) {
        expectProduct(product({ m, k, n }, transposed), first);
      }
    }
  });
});

test('NaN and infinities stay in their rows and columns', () => {
  const kernel = kernelOf(product({ m: 9, n: 13, k: 11 }));
  const a = numbers('float32', 9 * 11, 1);
  const b = numbers('float32', 11 * 13, 2);
  a[4 * 11 + 3] = NaN;
  b[5 * 13 + 12] = Infinity;
  for (const variant of VARIANTS.flat()) {
    const c = runContract(kernel, [a, b, new Float32Array(9 * 13)], variant)[2]!;
    c.forEach((value, index) => {
      const [row, column] = [Math.floor(index / 13), index % 13];
      if (row === 4) expect(value).toBeNaN();
      else if (column === 12) expect(value).toBe(Math.sign(a[row * 11 + 5]!) * Infinity);
      else expect(Number.isFinite(value)).toBe(true);
    });
  }
});

test('long sums do not drift: 0.1 added up 100 000 times is off by less than 10⁻⁵, whereas one running sum is off by 10⁻⁴', () => {
  const k = 100_000;
  const term = Math.fround(0.1);
  let running = 0;
  for (let index = 0; index < k; index++) running = Math.fround(running + term);
  expect(Math.abs(running / (k * term) - 1)).toBeGreaterThan(1e-4);
  for (const transposed of ['', 'b']) {
    for (const [m, n] of [
      [1, 1],
      [3, 2],
      [9, 5],
    ] as const) {
      const kernel = kernelOf(product({ m, n, k }, transposed));
      const arrays = [
        new Float32Array(m * k).fill(1),
        new Float32Array(k * n).fill(term),
        new Float32Array(m * n),
      ];
      for (const [variant] of VARIANTS) {
        for (const value of runContract(kernel, arrays, variant!)[2]!)
          expect(Math.abs(value / (k * term) - 1)).toBeLessThan(1e-5);
      }
    }
  }
});

test.each([false, true])(
  'the tile that is chosen is one of those that there are (fused: %s)',
  (relaxedSimd) => {
    const features = { relaxedSimd };
    expect(tilesFor(features)).toContain(chooseTile(features));
    expect(TILES).toEqual(expect.arrayContaining([...tilesFor(features)]));
  },
);
