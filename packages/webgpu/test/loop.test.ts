// Maps, reductions and row kernels as shaders for software and for hardware, with and without subgroups,
// beside the interpreter.
import { Tensor, tensor } from '@firsthand/autograd';
import { compileProgram, type Kernel } from '@firsthand/compiler';
import { closeProgram, keyOf, layerNorm } from '@firsthand/graph';
import { allocate, sizeOf, type DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  affine,
  expectSame,
  filled,
  load,
  operandsOf,
  PROFILES,
  rowMajor,
  runOnGPU,
  scattered,
  shadersOf,
} from './support/kernels.ts';
import { requireValid } from './support/run-shader.ts';

const SUBGROUPS = {
  ...PROFILES.hardware,
  name: 'hardware with subgroups',
  subgroups: { least: 4, most: 4, directive: true },
};
const profiles = [...Object.values(PROFILES), SUBGROUPS];
// Sums of numbers of both signs come near 0, and their rounding errors do not.
const CLOSE = { relative: 1e-5, absolute: 3e-5 };

/** The kernels of a program, in order, each run by itself on made-up arrays. */
async function expectKernels(
  build: (...inputs: Tensor[]) => readonly Tensor[],
  ...inputs: readonly (readonly [DType, readonly number[]])[]
): Promise<void> {
  const tensors = inputs.map(([dtype, shape]) => tensor(allocate(dtype, sizeOf(shape)), { shape, dtype }));
  const request = { effects: [], roots: build(...tensors).map((value) => value.read()) };
  const { kernels } = compileProgram(closeProgram(request, keyOf(request)), {
    float64: false,
    plan: () => ({ scratch: 0 }),
  });
  for (const { kernel } of kernels) await expectKernel(kernel);
}

async function expectKernel(kernel: Kernel): Promise<void> {
  const arrays = kernel.operands.map(({ dtype, length }, operand) =>
    filled(dtype, scattered(length, -2, 2, operand + 1)),
  );
  await expectSame(kernel, arrays, CLOSE, profiles);
}

describe('maps', () => {
  test.each<[string, (x: Tensor, y: Tensor, z: Tensor) => readonly Tensor[]]>([
    ['side by side', (x, y) => [x.mul(y).tanh(), x.add(1)]],
    ['a bias of each row and of each column', (x, _, z) => [x.add(z), x.add(z.reshape(4, 2).flatten())]],
    ['transposed', (x, y) => [x.transpose().add(y.reshape(8, 12))]],
    [
      'shifted and padded',
      (x) => [
        x
          .pad([
            [0, 0],
            [1, 2],
          ])
          .mul(2),
        x.slice(1, 1).add(1),
      ],
    ],
    ['flipped', (x) => [x.flip(1).exp()]],
    ['comparisons', (x, y) => [x.lt(y), x.gt(0).logicalAnd(y.gt(0))]],
  ])('%s', async (_, build) => {
    await expectKernels(
      (x, y, z) => build(x, y, z),
      ['float32', [12, 8]],
      ['float32', [12, 8]],
      ['float32', [8]],
    );
  });

  test.each<DType>(['float32', 'float16', 'int32', 'uint32', 'bool'])('of %s', async (dtype) => {
    await expectKernels(
      (x, y) => [x.where(x.eq(y), y), dtype === 'bool' ? x.logicalOr(y) : x.maximum(y)],
      [dtype, [4, 12]],
      [dtype, [4, 12]],
    );
  });

  test('beyond 65,535 workgroups', async () => {
    const size = 64 * 4 * 65_537;
    const kernel: Kernel = {
      kind: 'loop',
      operands: operandsOf([
        ['float32', 4],
        ['float32', size],
      ]),
      rows: [],
      columns: [size],
      reductions: [],
      passes: [
        {
          reductions: [],
          stores: [{ operand: 1, index: affine(0, [0, 1]), value: load(0, 'float32', affine(3)) }],
        },
      ],
      rowStores: [],
    };
    const [, result] = await runOnGPU(
      kernel,
      [filled('float32', [1, 2, 3, 4]), allocate('float32', size)],
      PROFILES.hardware,
    );
    expect(result!.every((value) => value === 4)).toBe(true);
  });
});

describe('rows', () => {
  test.each<[number, number]>([
    [1, 1],
    [3, 5],
    [40, 3],
    [2, 200],
    [1, 5000],
    [100, 70],
    [7, 1100],
  ])('%i of %i columns', async (rows, columns) => {
    await expectKernels(
      (x) => [
        x.softmax(),
        x.sum({ axis: 1 }),
        x.max({ axis: 1 }),
        x.argmax({ axis: 1 }),
        x.argmin({ axis: 0 }),
        x.sum({ axis: 0 }),
        x.mean(),
      ],
      ['float32', [rows, columns]],
    );
  });

  test('beyond 65,535 workgroups', async () => {
    const rows = 64 * 65_537;
    const kernel: Kernel = {
      kind: 'loop',
      operands: operandsOf([
        ['float32', 2],
        ['float32', rows],
      ]),
      rows: [rows],
      columns: [2],
      reductions: [{ kind: 'sum', dtype: 'float32', value: load(0, 'float32', affine(0, [1, 1])) }],
      passes: [{ reductions: [0], stores: [] }],
      rowStores: [
        { operand: 1, index: affine(0, [0, 1]), value: { op: 'reduced', dtype: 'float32', reduction: 0 } },
      ],
    };
    const [, result] = await runOnGPU(
      kernel,
      [filled('float32', [1, 2]), allocate('float32', rows)],
      PROFILES.software,
    );
    expect(result!.every((value) => value === 3)).toBe(true);
  });

  test('layer normalisation and the variance', async () => {
    await expectKernels(
      (x, w, b) => [new Tensor(layerNorm(x.read(), w.read(), b.read())), x.var({ axis: -1 })],
      ['float32', [6, 300]],
      ['float32', [300]],
      ['float32', [300]],
    );
  });

  test.each<DType>(['float16', 'int32', 'uint32'])('of %s', async (dtype) => {
    await expectKernels(
      (x) => [x.sum({ axis: 1 }), x.max({ axis: 1 }), x.argmax({ axis: 1 }), x.min()],
      [dtype, [3, 150]],
    );
  });

  test('of bools', async () => {
    await expectKernels(
      (x) => [x.any({ axis: 1 }), x.all({ axis: 1 }), x.argmax({ axis: 1 })],
      ['bool', [3, 150]],
    );
  });

  test('NaN is the extreme, and its first position', async () => {
    const numbers = scattered(2 * 300);
    numbers[170] = NaN;
    numbers[250] = NaN;
    for (const kind of ['max', 'min', 'argmax', 'argmin'] as const) {
      const dtype = kind.startsWith('arg') ? 'int32' : 'float32';
      const kernel: Kernel = {
        kind: 'loop',
        operands: operandsOf([
          ['float32', 600],
          [dtype, 2],
        ]),
        rows: [2],
        columns: [300],
        reductions: [{ kind, dtype, value: load(0, 'float32', rowMajor([2, 300])) }],
        passes: [{ reductions: [0], stores: [] }],
        rowStores: [{ operand: 1, index: affine(0, [0, 1]), value: { op: 'reduced', dtype, reduction: 0 } }],
      };
      await expectSame(kernel, [filled('float32', numbers), allocate(dtype, 2)], undefined, profiles);
    }
  });

  test('sums of many equal numbers stay exact where a running sum would stall', async () => {
    const count = 300_000;
    const kernel: Kernel = {
      kind: 'loop',
      operands: operandsOf([
        ['float32', count],
        ['float32', 1],
      ]),
      rows: [],
      columns: [count],
      reductions: [{ kind: 'sum', dtype: 'float32', value: load(0, 'float32', affine(0, [0, 1])) }],
      passes: [{ reductions: [0], stores: [] }],
      rowStores: [{ operand: 1, index: affine(0), value: { op: 'reduced', dtype: 'float32', reduction: 0 } }],
    };
    await expectSame(
      kernel,
      [filled('float32', [0.1], count), allocate('float32', 1)],
      { relative: 5e-6, absolute: 0 },
      profiles,
    );
  });

  test('any sizes', async () => {
    const extent = fc.integer({ min: 1, max: 90 });
    await fc.assert(
      fc.asyncProperty(extent, extent, fc.integer({ min: 1, max: 3 }), async (rows, columns, depth) => {
        await expectKernels(
          (x) => [x.logSoftmax(1), x.sum({ axis: 0 }), x.sum({ axis: 1 }).exp()],
          ['float32', [rows, columns, depth]],
        );
      }),
      { numRuns: process.env['FIRSTHAND_FULL'] === '1' ? 200 : 5 },
    );
  });
});

describe('text', () => {
  const kernel: Kernel = {
    kind: 'loop',
    operands: operandsOf([
      ['float32', 24],
      ['float32', 8],
      ['float32', 24],
    ]),
    rows: [3],
    columns: [8],
    reductions: [],
    passes: [
      {
        reductions: [],
        stores: [
          {
            operand: 2,
            index: rowMajor([3, 8]),
            value: {
              op: 'binary',
              kind: 'add',
              dtype: 'float32',
              a: load(0, 'float32', rowMajor([3, 8])),
              b: load(1, 'float32', affine(0, [1, 1])),
            },
          },
        ],
      },
    ],
    rowStores: [],
  };
  const softmax: Kernel = {
    kind: 'loop',
    operands: operandsOf([
      ['float32', 3000],
      ['float32', 3000],
    ]),
    rows: [3],
    columns: [1000],
    reductions: [{ kind: 'max', dtype: 'float32', value: load(0, 'float32', rowMajor([3, 1000])) }],
    passes: [
      { reductions: [0], stores: [] },
      {
        reductions: [],
        stores: [
          {
            operand: 1,
            index: rowMajor([3, 1000]),
            value: {
              op: 'binary',
              kind: 'sub',
              dtype: 'float32',
              a: load(0, 'float32', rowMajor([3, 1000])),
              b: { op: 'reduced', dtype: 'float32', reduction: 0 },
            },
          },
        ],
      },
    ],
    rowStores: [],
  };

  test.each(profiles.map((profile) => [profile.name, profile] as const))(
    'of a map and of a row kernel: %s',
    async (_, profile) => {
      for (const each of [kernel, softmax]) {
        const text = shadersOf(each, profile).map(({ wgsl }) => wgsl);
        for (const wgsl of text) await requireValid(wgsl);
        expect(text.join('\n')).toMatchSnapshot();
      }
    },
  );

  test('is the same where subgroups need no directive, but for that', () => {
    const texts = [true, false].map((directive) => {
      const profile = { ...SUBGROUPS, subgroups: { ...SUBGROUPS.subgroups, directive } };
      return shadersOf(softmax, profile).map(({ wgsl }) => wgsl);
    });
    expect(texts[0]!.join('')).toMatch(/^enable subgroups;\n/);
    expect(texts[1]!.join('')).toBe(texts[0]!.join('').replace('enable subgroups;\n', ''));
  });
});
