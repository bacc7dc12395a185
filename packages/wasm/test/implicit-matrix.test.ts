// Products of implicit matrices (windows, casts, scales, gathered rows), in one block and in many, against
// the interpreter, which materialises them. Small whole numbers make every order of additions exact.
import { printKernel, type ContractKernel } from '@firsthand/compiler';
import {
  add,
  call,
  cast,
  constant,
  conv1d,
  conv2d,
  convTranspose2d,
  convolutionWeightGradientComposite,
  gather,
  matmul,
  mul,
  relu,
  reshape,
  transpose,
  type Node,
} from '@firsthand/graph';
import {
  allocate,
  DTYPES,
  sizeOf,
  toFloat16Bits,
  type DType,
  type Shape,
  type TypedArray,
} from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMatmulKernel } from '../src/matmul/matmul.ts';
import { planMatmul } from '../src/matmul/matmul-plan.ts';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { expectSame } from './support/kernels.ts';
import { argument, kernelsOf } from './support/programs.ts';

/** What the order of additions leaves undecided: the sign of a zero. */
const UP_TO_SIGNS = { relative: 0, absolute: 1e-9 };

/** The kernels of the products of a program. */
function productsOf(...roots: readonly Node[]): readonly ContractKernel[] {
  return kernelsOf(roots).filter((kernel) => kernel.kind === 'contract');
}

/** The kernel of a product that is the only one in a program. */
function kernelOf(root: Node): ContractKernel {
  const products = productsOf(root);
  expect(products).toHaveLength(1);
  return products[0]!;
}

/** Whole numbers from −3 to 3, or positions below `count`. */
function wholeNumbers(dtype: DType, length: number, seed: number, count = 4): TypedArray {
  const array = allocate(dtype, length);
  for (let index = 0; index < length; index++) {
    const word = Math.imul(index + 7 * seed, 2654435761) >>> 8;
    const value = DTYPES[dtype].isFloat ? (word % 7) - 3 : word % (dtype === 'bool' ? 2 : count);
    array[index] = dtype === 'float16' ? toFloat16Bits(value) : value;
  }
  return array;
}

function expectComputed(kernel: ContractKernel, count?: number): void {
  expect('value' in kernel.a || 'value' in kernel.b, printKernel(kernel)).toBe(true);
  const arrays = kernel.operands.map(({ dtype, length }, operand) =>
    wholeNumbers(dtype, length, operand + 1, count),
  );
  expectSame(kernel, arrays, UP_TO_SIGNS);
}

type Settings = NonNullable<Parameters<typeof conv2d>[3]>;

function convolution(
  x: Shape,
  weight: Shape,
  settings: Settings = {},
  dtype: DType = 'float32',
): ContractKernel {
  const args = [argument(x, dtype), argument(weight, dtype)] as const;
  return kernelOf(conv2d(args[0], args[1], null, settings));
}

function weightGradient(x: Shape, g: Shape, kernel: readonly number[], padding: number): ContractKernel {
  const args = [argument(x), argument(g)] as const;
  const axes = kernel.map(() => 1);
  const attrs = { stride: axes, padding: axes.map(() => padding), dilation: axes, groups: 1, kernel };
  return kernelOf(call(convolutionWeightGradientComposite, attrs, ...args)[0]!);
}

describe('windows', () => {
  test.each<[string, Shape, Shape, Settings]>([
    ['an image', [1, 1, 5, 5], [2, 1, 3, 3], {}],
    ['padding', [2, 3, 6, 7], [4, 3, 3, 3], { padding: 1 }],
    ['strides and padding', [2, 2, 9, 10], [3, 2, 3, 3], { stride: 2, padding: 1 }],
    ['dilation', [1, 2, 11, 9], [5, 2, 3, 2], { dilation: [3, 2], padding: [2, 1] }],
    ['groups', [2, 4, 6, 6], [6, 2, 3, 3], { padding: 1, groups: 2 }],
    ['a wide kernel', [1, 2, 12, 12], [3, 2, 11, 11], { padding: 5 }],
    ['more columns than a block holds', [1, 16, 40, 50], [9, 16, 3, 3], { padding: 1 }],
    ['a row that no piece holds', [1, 16, 3, 1000], [5, 16, 1, 3], { padding: [0, 1] }],
    ['a row of a prime length that no piece holds', [1, 16, 3, 1009], [5, 16, 1, 3], { padding: [0, 1] }],
    ['more channels than one run of k', [1, 150, 6, 9], [7, 150, 3, 3], { padding: 1 }],
    ['more rows than a block, and more than one run of k', [1, 130, 4, 6], [600, 130, 3, 3], { padding: 1 }],
  ])('of %s', (_, x, weight, settings) => expectComputed(convolution(x, weight, settings)));

  test.each(['float64', 'float32'] as const)('of %s', (dtype) => {
    expectComputed(convolution([2, 3, 9, 9], [4, 3, 3, 3], { padding: 1 }, dtype));
  });

  test.each<[string, Shape, Shape, readonly number[], number]>([
    ['an image', [1, 2, 6, 6], [1, 3, 6, 6], [3, 3], 1],
    ['many images', [40, 4, 8, 8], [40, 5, 8, 8], [3, 3], 1],
    ['images that no run of k holds', [3, 3, 40, 37], [3, 4, 40, 37], [3, 3], 1],
    ['long signals', [2, 3, 3000], [2, 4, 3000], [5], 2],
    ['long signals of a prime length', [2, 3, 3001], [2, 4, 3001], [5], 2],
    ['many channels', [2, 70, 9, 9], [2, 3, 9, 9], [3, 3], 1],
  ])('of the weight gradient for %s', (_, x, g, kernel, padding) =>
    expectComputed(weightGradient(x, g, kernel, padding)),
  );

  test('of a transposed convolution and of a signal', () => {
    const [x, weight] = [argument([2, 3, 5, 6]), argument([3, 4, 3, 3])];
    expectComputed(kernelOf(convTranspose2d(x, weight, null, { stride: 2, padding: 1 })));
    const [signal, taps] = [argument([2, 3, 50]), argument([4, 3, 5])];
    expectComputed(kernelOf(conv1d(signal, taps, null, { padding: 2, stride: 3 })));
  });

  test('with more done to the result', () => {
    const [x, weight, bias] = [argument([2, 3, 6, 7]), argument([4, 3, 3, 3]), argument([4])];
    expectComputed(kernelOf(relu(conv2d(x, weight, bias, { padding: 1 }))));
  });

  test('of any convolution', () => {
    const small = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
    const pair = (max: number): fc.Arbitrary<[number, number]> => fc.tuple(small(max), small(max));
    const shapes = fc.record({
      batch: small(3),
      groups: small(2),
      channels: small(3),
      outputs: small(6),
      kernel: pair(4),
    });
    const settings = fc.record({
      stride: pair(3),
      padding: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })),
      dilation: pair(2),
    });
    fc.assert(
      fc.property(
        shapes,
        settings,
        pair(14),
        ({ batch, groups, channels, outputs, kernel }, geometry, more) => {
          const extents = kernel.map((taps, axis) => (taps - 1) * geometry.dilation[axis]! + more[axis]!);
          const [x, weight] = [
            argument([batch, groups * channels, ...extents]),
            argument([groups * outputs, channels, ...kernel]),
          ];
          for (const found of productsOf(conv2d(x, weight, null, { ...geometry, groups }))) {
            // Where windows neither overlap nor leave the image they are a matrix already; where nothing is
            // added up there is no product.
            if ('value' in found.b) expectComputed(found);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('what costs next to nothing', () => {
  test.each(['float16', 'int32', 'bool'] as const)('a cast from %s', (dtype) => {
    const [x, weight] = [argument([5, 40]), argument([30, 40], dtype)];
    expectComputed(kernelOf(matmul(x, transpose(cast(weight, 'float32')))));
  });

  test('a cast for every product of a batch, in blocks', () => {
    const [x, weight] = [argument([3, 7, 1100]), argument([1100, 300], 'float16')];
    expectComputed(kernelOf(matmul(x, cast(weight, 'float32'))));
    const [y, short] = [argument([3, 7, 50]), argument([50, 70], 'float16')];
    const kernel = kernelOf(matmul(y, cast(short, 'float32')));
    expectComputed(kernel);
    expect(kernel.batch, 'rows of all products are rows of one').toEqual([]);
  });

  test('numbers that stand for others', () => {
    const [x, codes, scale] = [argument([9, 64]), argument([20, 64], 'int32'), argument([20, 1])];
    expectComputed(kernelOf(matmul(x, transpose(mul(cast(codes, 'float32'), scale)))));
  });

  test('a constant matrix', () => {
    const x = argument([9, 20]);
    expectComputed(kernelOf(matmul(x, constant(2, [20, 11], 'float32'))));
  });
});

describe('picked rows', () => {
  test('of a table, and of matrices', () => {
    const [x, table, rows] = [argument([6, 12]), argument([40, 12]), argument([25, 12], 'int32')];
    expectComputed(kernelOf(matmul(x, transpose(gather(table, rows, 0)))), 40);
    const [experts, which] = [argument([5, 12, 30]), argument([1, 12, 30], 'int32')];
    expectComputed(kernelOf(matmul(x, reshape(gather(experts, which, 0), [12, 30]))), 5);
  });

  test('are stored where somebody else reads them', () => {
    const [x, experts, which] = [argument([6, 12]), argument([5, 12, 30]), argument([1, 12, 30], 'int32')];
    const expert = reshape(gather(experts, which, 0), [12, 30]);
    expect(kernelsOf([matmul(x, expert), expert]).map(({ kind }) => kind)).toEqual(['loop', 'contract']);
  });
});

describe('on the left', () => {
  const expectOnLeft = (kernel: ContractKernel, count?: number): void => {
    expect('value' in kernel.a, printKernel(kernel)).toBe(true);
    expectComputed(kernel, count);
  };

  test.each(['float16', 'int32', 'bool'] as const)('a cast from %s', (dtype) => {
    const [x, weight] = [argument([37, 40], dtype), argument([40, 30])];
    expectOnLeft(kernelOf(matmul(cast(x, 'float32'), weight)));
  });

  test('long sums, in pieces and blocks, with few columns and with many', () => {
    for (const [k, n] of [
      [1500, 30],
      [1009, 70],
      [2018, 9],
      [3001, 5],
    ] as const) {
      const [x, weight] = [argument([23, k], 'int32'), argument([k, n])];
      expectOnLeft(kernelOf(matmul(cast(x, 'float32'), weight)));
    }
  });

  test('for every product of a batch', () => {
    const [x, weight] = [argument([3, 21, 50], 'int32'), argument([50, 30])];
    const kernel = kernelOf(matmul(cast(x, 'float32'), weight));
    expectOnLeft(kernel);
    const [several, unshared] = [argument([3, 21, 50], 'int32'), argument([3, 50, 30])];
    expectOnLeft(kernelOf(matmul(cast(several, 'float32'), unshared)));
  });

  test('few rows of products along k', () => {
    const [x, weight] = [argument([3, 64], 'int32'), argument([30, 64])];
    expectOnLeft(kernelOf(matmul(cast(x, 'float32'), transpose(weight))));
  });

  test('scaled rows, with more done to the result', () => {
    const [codes, scale, weight, bias] = [
      argument([33, 64], 'int32'),
      argument([33, 1]),
      argument([64, 20]),
      argument([33, 20]),
    ];
    expectOnLeft(kernelOf(relu(add(matmul(mul(cast(codes, 'float32'), scale), weight), bias))));
  });

  test('picked rows of a table', () => {
    const [table, rows, weight] = [argument([40, 12]), argument([25, 12], 'int32'), argument([12, 33])];
    expectOnLeft(kernelOf(matmul(gather(table, rows, 0), weight)), 40);
  });

  test('and on the right', () => {
    const [x, weight] = [argument([29, 1100], 'int32'), argument([1100, 31], 'float16')];
    expectOnLeft(kernelOf(matmul(cast(x, 'float32'), cast(weight, 'float32'))));
  });

  test('of any shape', () => {
    const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(
        fc.record({ m: size(40), k: size(80), n: size(60) }),
        fc.boolean(),
        ({ m, k, n }, transposed) => {
          const [x, weight] = [argument([m, k], 'int32'), argument(transposed ? [n, k] : [k, n])];
          for (const found of productsOf(matmul(cast(x, 'float32'), transposed ? transpose(weight) : weight)))
            if ('value' in found.a) expectComputed(found);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a block needs little working memory, however large the matrix is', () => {
  for (const kernel of [
    convolution([8, 64, 224, 224], [64, 64, 3, 3], { padding: 1 }),
    weightGradient([8, 64, 112, 112], [8, 64, 112, 112], [3, 3], 1),
  ]) {
    const matrix = 4 * sizeOf([...kernel.batch, kernel.k, kernel.n]);
    expect(matrix).toBeGreaterThan(200e6);
    for (const tile of TILES) expect(planMatmulKernel(kernel, tile).scratch).toBeLessThan(2 ** 20);
    for (const tile of TILES)
      expect(planMatmul(kernel, tile).kBlock).toBe(planMatmul(kernel, TILES[0]!).kBlock);
  }
});
