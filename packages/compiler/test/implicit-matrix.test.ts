// Products whose matrices lie nowhere: what becomes one, how it reads, what it costs, and how it is cut into
// pieces.
import { add, cast, conv1d, exp, gather, matmul, mul, pad, transpose, type Node } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileProgram } from '../src/plan/compile.ts';
import { evaluateIndex } from '../src/ir/index-expression.ts';
import type { Plan, Scalar, Target } from '../src/ir/kernel.ts';
import { tileMatrix } from '../src/ir/tiled-matrix.ts';
import { printKernel } from '../src/report/print.ts';
import { trafficOf } from '../src/report/traffic.ts';
import { at } from './kernels.ts';
import { argument, planOf } from './plans.ts';

const TARGET: Target = { float64: true, plan: () => ({ scratch: 0 }), implicitMatrices: true };
const plan = (roots: readonly Node[], target: Target = TARGET): Plan => planOf(roots, target);
const kinds = ({ kernels }: Plan): readonly string[] => kernels.map(({ kernel }) => kernel.kind);

describe('what becomes part of a product', () => {
  const [x, signal, taps] = [argument([3, 8]), argument([1, 2, 6]), argument([3, 2, 3])];
  const windows = conv1d(signal, taps, null, { padding: 1 });

  test('windows, where the target asks for it', () => {
    expect(kinds(plan([windows]))).toEqual(['contract']);
    expect(kinds(plan([windows], { float64: true, plan: () => ({ scratch: 0 }) }))).toEqual([
      'loop',
      'contract',
    ]);
    expect(plan([windows]).arenaBytes).toBe(0);
  });

  test('casts and scales, but nothing that costs more, and nothing that is stored for others', () => {
    const [half, scale] = [argument([8, 5], 'float16'), argument([1, 5])];
    const light = cast(half, 'float32');
    expect(kinds(plan([matmul(x, light)]))).toEqual(['contract']);
    expect(kinds(plan([matmul(x, mul(light, scale))]))).toEqual(['contract']);
    expect(kinds(plan([matmul(x, exp(light))]))).toEqual(['loop', 'contract']);
    expect(kinds(plan([matmul(x, exp(light)), exp(light)]))).toEqual(['loop', 'contract']);
  });

  test('on the left: rows that come out as rows', () => {
    const half = argument([5, 3], 'float16');
    expect(kinds(plan([matmul(cast(half, 'float32'), x)]))).toEqual(['contract']);
    expect(
      kinds(plan([matmul(cast(half, 'float32'), x)], { float64: true, plan: () => ({ scratch: 0 }) })),
    ).toEqual(['loop', 'contract']);
    const columns = argument([3, 5], 'float16');
    expect(kinds(plan([matmul(transpose(cast(columns, 'float32')), x)]))).toEqual(['loop', 'contract']);
    const [table, rows] = [argument([40, 3]), argument([5, 3], 'int32')];
    expect(kinds(plan([matmul(gather(table, rows, 0), x)]))).toEqual(['contract']);
    const [wide, columns_] = [argument([5, 40]), argument([5, 3], 'int32')];
    expect(kinds(plan([matmul(gather(wide, columns_, 1), x)]))).toEqual(['loop', 'contract']);
  });

  test('columns of float16 on the left, where the target widens them', () => {
    const product = matmul(transpose(cast(argument([3, 5], 'float16'), 'float32')), x);
    expect(kinds(plan([product], { ...TARGET, widensColumns: true }))).toEqual(['contract']);
    expect(kinds(plan([product], { ...TARGET, implicitMatrices: false, widensColumns: true }))).toEqual([
      'loop',
      'contract',
    ]);
    const others = matmul(transpose(mul(argument([3, 5]), argument([1, 5]))), x);
    expect(kinds(plan([others], { ...TARGET, widensColumns: true }))).toEqual(['loop', 'contract']);
  });

  test('float16 as it is, where it is stored as float32', () => {
    const target: Target = { float64: false, plan: () => ({ scratch: 0 }), storesHalvesAsFloats: true };
    const [left, right] = [argument([3, 5], 'float16'), argument([3, 8], 'float16')];
    const product = matmul(transpose(cast(left, 'float32')), cast(right, 'float32'));
    const [{ kernel }] = plan([product], target).kernels as [Plan['kernels'][number]];
    expect(printKernel(kernel)).toBe(
      [
        'contract (a: float16[15] read, b: float16[24] read, c: float32[40] write)',
        'for i in 0..5, j in 0..8',
        '  total: float32 = sum over k in 0..3 of a[i + 5·k] · b[j + 8·k]',
        '  c[8·i + j] = total',
      ].join('\n'),
    );
    // What is rounded to float16 on the way is stored as that, and whatever is more than a cast before.
    const rounded = matmul(cast(cast(exp(argument([5, 3])), 'float16'), 'float32'), cast(right, 'float32'));
    expect(
      plan([rounded], target).kernels.map(({ kernel: { operands } }) => operands.map(({ dtype }) => dtype)),
    ).toEqual([
      ['float32', 'float16'],
      ['float16', 'float16', 'float32'],
    ]);
    expect(kinds(plan([matmul(mul(cast(left, 'float32'), 3), argument([5, 8]))], target))).toEqual([
      'loop',
      'contract',
    ]);
    // Padding hides elements: then there is an array of float32.
    const padded = matmul(pad(cast(right, 'float32'), [0, 0], [2, 0]), argument([8, 4]));
    expect(kinds(plan([padded], target))).toEqual(['loop', 'contract']);
  });

  test('on both sides', () => {
    const [left, right] = [argument([5, 3], 'float16'), argument([3, 8], 'int32')];
    const [{ kernel }] = plan([matmul(cast(left, 'float32'), cast(right, 'float32'))]).kernels as [
      Plan['kernels'][number],
    ];
    expect(printKernel(kernel)).toBe(
      [
        'contract (a: float16[15] read, b: int32[24] read, c: float32[40] write)',
        'left[5, 3]:',
        'for i in 0..3, j in 0..5',
        '  left = float32(a[i + 3·j])',
        'right[3, 8]:',
        'for i in 0..3, j in 0..8',
        '  right = float32(b[8·i + j])',
        'for i in 0..5, j in 0..8',
        '  total: float32 = sum over k in 0..3 of left · right',
        '  c[8·i + j] = total',
      ].join('\n'),
    );
  });

  test('a kernel that reads what it overwrites writes elsewhere', () => {
    const weight = argument([8, 8]);
    const next = add(matmul(weight, mul(weight, weight)), weight);
    const { outputs, kernels } = compileProgram(
      { args: [weight], effects: [{ node: next, into: weight }], roots: [] },
      TARGET,
    );
    expect(kernels.map(({ kernel }) => kernel.kind)).toEqual(['contract']);
    expect(outputs[0]!.into).toBe(null);
  });
});

test('the text says what the elements are, and the cost counts each once', () => {
  const [signal, taps] = [argument([1, 2, 6]), argument([3, 2, 3])];
  const [{ kernel }] = plan([conv1d(signal, taps, null, { padding: 1 })]).kernels as [
    Plan['kernels'][number],
  ];
  expect(printKernel(kernel)).toBe(
    [
      'contract (a: float32[18] read, b: float32[12] read, c: float32[18] write)',
      'right[6, 6]:',
      'for i in 0..2, j in 0..3, k in 0..6',
      '  right = where(0 ≤ j + k − 1 < 6, b[6·i + j + k − 1], 0)',
      'for i in 0..3, j in 0..6',
      '  total: float32 = sum over k in 0..6 of a[6·i + k] · right',
      '  c[6·i + j] = total',
    ].join('\n'),
  );
  expect(trafficOf(kernel)).toEqual({
    flops: 2 * 3 * 6 * 6,
    loads: 2 * 3 * 6 + 3 * 6 * 6,
    stores: 18,
    bytes: 4 * (18 + 12 + 18),
  });
});

test('pieces show the same elements', () => {
  const extents = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      extents,
      extents,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 60 }),
      (inner, outer, mostK, mostN) => {
        const loops = [2, ...inner, ...outer];
        const strides = loops.map((_, axis) => sizeOf(loops.slice(axis + 1)));
        const value: Scalar = { op: 'index', dtype: 'int32', index: at(strides) };
        const cut = tileMatrix({ value, inner, outer }, 1, { k: mostK, n: mostN });
        if (cut.value.op !== 'index') throw new Error('the value is an index still');
        const [k, n] = [sizeOf(cut.k.inside), sizeOf(cut.n.inside)];
        expect(cut.k.count * k).toBe(sizeOf(inner));
        expect(cut.n.count * n).toBe(sizeOf(outer));
        for (const [side, most] of [
          [cut.k, mostK],
          [cut.n, mostN],
        ] as const) {
          // Only a single loop that nothing divides may be longer.
          if (sizeOf(side.inside) > most) expect(side.inside).toHaveLength(1);
        }
        const inside = [...cut.k.inside, ...cut.n.inside];
        const places = Array.from(
          { length: 12 },
          (_, each) => (each * 7919) % (2 * sizeOf(inner) * sizeOf(outer)),
        );
        for (const place of places) {
          const [batch, row, column] = [
            Math.floor(place / (sizeOf(inner) * sizeOf(outer))),
            Math.floor(place / sizeOf(outer)) % sizeOf(inner),
            place % sizeOf(outer),
          ];
          let rest = (row % k) * n + (column % n);
          const within = inside.toReversed().map((extent) => {
            const at_ = rest % extent;
            rest = Math.floor(rest / extent);
            return at_;
          });
          expect(
            evaluateIndex(cut.value.index, [
              batch,
              Math.floor(row / k),
              Math.floor(column / n),
              ...within.toReversed(),
            ]),
          ).toBe(place);
        }
      },
    ),
    { numRuns: 200 },
  );
});
