// Kernels in plain loops: each kind against loops written here, every operation against linalg on edges and
// ordinary numbers, and what must throw.
import {
  BINARY_RULES,
  UNARY_RULES,
  type BinaryKind,
  type DType,
  type TypedArray,
  type UnaryKind,
} from '@firsthand/graph';
import {
  allocate,
  argReduce,
  argsort,
  array,
  binary as binaryOf,
  fromFloat16Bits,
  NDArray,
  randomBits,
  reduce,
  toFloat16Bits,
  unary as unaryOf,
} from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { prepareKernel, runKernel } from '../src/interpreter/run-kernel.ts';
import type { Kernel, LoopKernel, Scalar } from '../src/ir/kernel.ts';
import {
  at,
  binary,
  cast,
  constant,
  contract,
  inside,
  load,
  map,
  reads,
  reduceRows,
  reduced,
  scan,
  scatter,
  softmax,
  sort,
  store,
  total,
  unary,
  updates,
  where,
  writes,
} from './kernels.ts';

const DTYPE_NAMES: readonly DType[] = ['float32', 'float64', 'float16', 'int32', 'uint32', 'bool'];
const FLOATS = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  7,
  -7,
  1e-3,
  40,
  -40,
  88.8,
  1e4,
  -1e4,
  65504,
  1e10,
  -1e10,
  1e38,
  Infinity,
  -Infinity,
  NaN,
  1e-45,
  6e-8,
  0.1,
];
const INTEGERS = [
  0,
  1,
  -1,
  2,
  -2,
  3,
  7,
  -7,
  31,
  65536,
  65537,
  1e9,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  2 ** 32 - 1,
];

/** Elements worth trying, as stored. */
function edgesOf(dtype: DType): TypedArray {
  if (dtype === 'bool') return Uint8Array.of(0, 1);
  if (dtype === 'float16') return Uint16Array.from(FLOATS, toFloat16Bits);
  if (dtype === 'int32') return Int32Array.from(INTEGERS);
  if (dtype === 'uint32') return Uint32Array.from(INTEGERS);
  return dtype === 'float32' ? Float32Array.from(FLOATS) : Float64Array.from(FLOATS);
}
const decoded = (data: TypedArray, dtype: DType): number[] =>
  dtype === 'float16' ? Array.from(data, fromFloat16Bits) : Array.from(data);

/** One output, as numbers. */
function evaluate(
  value: (...operands: Scalar[]) => Scalar,
  inputs: readonly { readonly data: TypedArray; readonly dtype: DType }[],
): number[] {
  const { length } = inputs[0]!.data;
  const scalar = value(...inputs.map(({ dtype }, operand) => load(operand, at([1]), dtype)));
  const result = allocate(scalar.dtype, length);
  const operands = [...inputs.map(({ dtype }) => reads(dtype, length)), writes(scalar.dtype, length)];
  runKernel(map(length, operands, store(inputs.length, at([1]), scalar)), [
    ...inputs.map(({ data }) => data),
    result,
  ]);
  return decoded(result, scalar.dtype);
}

describe('operations', () => {
  const keys = <K extends string>(table: { readonly [P in K]: unknown }): readonly K[] =>
    Object.keys(table) as K[];
  const packed = (data: TypedArray, dtype: DType): NDArray => NDArray.packed(data, [data.length], dtype);

  test.each(keys<UnaryKind>(UNARY_RULES))('%s is linalg’s', (kind) => {
    const rule = UNARY_RULES[kind];
    for (const dtype of DTYPE_NAMES) {
      const isFloat = dtype.startsWith('float');
      if (rule === 'bool' ? dtype !== 'bool' : rule === 'number' ? dtype === 'bool' : !isFloat) continue;
      const data = edgesOf(dtype);
      const expected = unaryOf(kind, packed(data, dtype));
      const actual = evaluate((x) => unary(kind, x), [{ data, dtype }]);
      expect(actual, dtype).toEqual(decoded(expected.data, expected.dtype));
    }
  });

  test.each(keys<BinaryKind>(BINARY_RULES))('%s is linalg’s', (kind) => {
    for (const dtype of DTYPE_NAMES) {
      if (
        BINARY_RULES[kind] === 'logic'
          ? dtype !== 'bool'
          : BINARY_RULES[kind] === 'arithmetic' && dtype === 'bool'
      )
        continue;
      const edges = edgesOf(dtype);
      const pairs = [...edges].flatMap((a) => [...edges].map((b) => [a, b] as const));
      const [left, right] = [0, 1].map((side) => {
        const data = allocate(dtype, pairs.length);
        pairs.forEach((pair, k) => (data[k] = pair[side]!));
        return { data, dtype };
      }) as [{ data: TypedArray; dtype: DType }, { data: TypedArray; dtype: DType }];
      const expected = binaryOf(kind, packed(left.data, dtype), packed(right.data, dtype));
      expect(
        evaluate((a, b) => binary(kind, a, b), [left, right]),
        dtype,
      ).toEqual(decoded(expected.data, expected.dtype));
    }
  });

  test('casts are linalg’s', () => {
    for (const from of DTYPE_NAMES) {
      for (const to of DTYPE_NAMES) {
        const data = edgesOf(from);
        const expected = packed(data, from).astype(to);
        expect(
          evaluate((x) => cast(x, to), [{ data, dtype: from }]),
          `${from} to ${to}`,
        ).toEqual(decoded(expected.data, to));
      }
    }
  });

  test('the error function by its slope, 2/√π·e^(−x²), and by known values', () => {
    const xs = Float64Array.from({ length: 1401 }, (_, k) => (k - 700) / 100);
    const slope = evaluate(
      (x) =>
        binary(
          'div',
          binary(
            'sub',
            unary('erf', binary('add', x, constant(1e-4, 'float64'))),
            unary('erf', binary('sub', x, constant(1e-4, 'float64'))),
          ),
          constant(2e-4, 'float64'),
        ),
      [{ data: xs, dtype: 'float64' }],
    );
    slope.forEach((value, k) =>
      expect(value).toBeCloseTo((2 / Math.sqrt(Math.PI)) * Math.exp(-(xs[k]! ** 2)), 7),
    );
    const known = evaluate(
      (x) => unary('erf', x),
      [{ data: Float64Array.of(0.5, 1, 2, 3, -1), dtype: 'float64' }],
    );
    // Abramowitz and Stegun, table 7.1.
    [
      0.5204998778130465, 0.8427007929497149, 0.9953222650189527, 0.9999779095030014, -0.8427007929497149,
    ].forEach((value, k) => expect(known[k]).toBeCloseTo(value, 14));
  });

  test('each operation rounds: float16 sums of a thousandth', () => {
    const tenth = Math.fround(0.1);
    const sum = (dtype: DType): number =>
      evaluate(
        (x) => binary('sub', binary('add', x, constant(1024, dtype)), constant(1024, dtype)),
        [{ data: packed(Float64Array.of(tenth), 'float64').astype(dtype).data, dtype }],
      )[0]!;
    expect(sum('float64')).toBeCloseTo(tenth, 12);
    expect(sum('float32')).toBe(Math.fround(Math.fround(tenth + 1024) - 1024));
    expect(sum('float16')).toBe(0);
  });

  test('constants are elements of their dtype', () => {
    const constants = [
      constant(0.1),
      constant(0.1, 'float16'),
      constant(-0),
      constant(3e9, 'uint32'),
      constant(3, 'bool'),
    ];
    expect(
      constants.map((value) => evaluate(() => value, [{ data: Float32Array.of(0), dtype: 'float32' }])[0]),
    ).toEqual([Math.fround(0.1), 0.0999755859375, -0, 3e9, 1]);
  });

  test('random words are a stream of Philox, across the counter’s carry', () => {
    const words = (
      key: readonly [number, number],
      counter: readonly [number, number],
      dtype: 'uint32' | 'float32',
    ): number[] => {
      const operand = (place: number): Scalar => load(0, at([], place), 'uint32');
      const value: Scalar = {
        op: 'random',
        dtype,
        key: [operand(0), operand(1)],
        counter: [operand(2), operand(3)],
        index: at([1]),
      };
      const result = allocate(dtype, 11);
      runKernel(map(11, [reads('uint32', 4), writes(dtype, 11)], store(1, at([1]), value)), [
        Uint32Array.of(...key, ...counter),
        result,
      ]);
      return [...result];
    };
    for (const counter of [
      [0, 0],
      [7, 3],
      [2 ** 32 - 2, 5],
      [2 ** 32 - 1, 2 ** 32 - 1],
    ] as const) {
      const bits = randomBits([11, 12], counter, 11);
      expect(words([11, 12], counter, 'uint32')).toEqual([...bits]);
      expect(words([11, 12], counter, 'float32')).toEqual([...bits].map((word) => (word >>> 8) * 2 ** -24));
    }
  });

  test('gather: an index out of range reads NaN, or 0', () => {
    const index = Int32Array.of(2, -1, 0, 3, 1);
    const pick = (dtype: 'float32' | 'int32' | 'float16', data: TypedArray): number[] => {
      const value: Scalar = {
        op: 'gather',
        dtype,
        operand: 0,
        index: at([], 1),
        position: load(1, at([1]), 'int32'),
        stride: 2,
        extent: 3,
      };
      const result = allocate(dtype, 5);
      runKernel(map(5, [reads(dtype, 6), reads('int32', 5), writes(dtype, 5)], store(2, at([1]), value)), [
        data,
        index,
        result,
      ]);
      return decoded(result, dtype);
    };
    expect(pick('float32', Float32Array.of(0, 10, 0, 11, 0, 12))).toEqual([12, NaN, 10, NaN, 11]);
    expect(pick('float16', Uint16Array.from([0, 10, 0, 11, 0, 12], toFloat16Bits))).toEqual([
      12,
      NaN,
      10,
      NaN,
      11,
    ]);
    expect(pick('int32', Int32Array.of(0, 10, 0, 11, 0, 12))).toEqual([12, 0, 10, 0, 11]);
  });

  test('quotients, remainders and the numbers of loops', () => {
    const result = new Int32Array(6);
    const atom = (kind: 'quotient' | 'remainder') =>
      ({ coefficient: 10, atom: { kind, of: at([1], 1), by: 3 } }) as const;
    const value = (kind: 'quotient' | 'remainder'): Scalar => ({
      op: 'index',
      dtype: 'int32',
      index: { offset: 5, terms: [atom(kind)] },
    });
    runKernel(map(6, [writes('int32', 6)], store(0, at([1]), value('quotient'))), [result]);
    expect([...result]).toEqual([5, 5, 15, 15, 15, 25]);
    runKernel(map(6, [writes('int32', 6)], store(0, at([1]), value('remainder'))), [result]);
    expect([...result]).toEqual([15, 25, 5, 15, 25, 5]);
  });
});

const wave = (length: number, scale = 3): Float32Array =>
  Float32Array.from({ length }, (_, k) => scale * Math.sin(k * k + 1));

describe('kinds of kernels', () => {
  test('softmax', () => {
    const x = wave(5 * 7, 1e4);
    const y = new Float32Array(35);
    runKernel(softmax(5, 7), [x, y]);
    for (let row = 0; row < 5; row++) {
      const values = [...x.subarray(7 * row, 7 * row + 7)];
      const largest = Math.max(...values);
      const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
      values.forEach((value, column) =>
        expect(y[7 * row + column]).toBeCloseTo(Math.exp(value - largest) / sum, 6),
      );
    }
  });

  test.each(['float32', 'float64', 'float16', 'int32', 'uint32'] as const)(
    'reductions of %s are linalg’s',
    (dtype) => {
      const edges = edgesOf(dtype);
      const ordinary = array([...wave(24)], { dtype }).data;
      const finite = [...edges].filter((_, k) => Number.isFinite(decoded(edges, dtype)[k]!)).slice(0, 8);
      const data = allocate(dtype, 32);
      data.set([...ordinary, ...finite]);
      for (const special of [
        finite[0]!,
        dtype === 'float16' ? toFloat16Bits(NaN) : dtype.startsWith('float') ? NaN : 5,
        dtype === 'float16' ? toFloat16Bits(-Infinity) : 1,
      ]) {
        data[17] = special;
        const kinds = ['sum', 'prod', 'max', 'min', 'argmax', 'argmin'] as const;
        const results = kinds.map((kind) => allocate(kind.startsWith('arg') ? 'int32' : dtype, 4));
        runKernel(reduceRows(dtype, 4, 8, kinds), [data, ...results]);
        const x = NDArray.packed(data, [4, 8], dtype);
        kinds.forEach((kind, k) => {
          const expected =
            kind === 'argmax' || kind === 'argmin' ? argReduce(kind, x, 1) : reduce(kind, x, [1]);
          expect(decoded(results[k]!, expected.dtype), kind).toEqual(decoded(expected.data, expected.dtype));
        });
      }
    },
  );

  test('sums do not lose small terms: a float32 is kept in double', () => {
    const x = new Float32Array(10_001).fill(1e-4);
    x[0] = 1e4;
    const result = new Float32Array(1);
    runKernel(reduceRows('float32', 1, 10_001, ['sum']), [x, result]);
    expect(result[0]).toBe(10_001);
  });

  test('whole rows stored between sweeps, and single values after', () => {
    const kernel: LoopKernel = {
      kind: 'loop',
      operands: [reads('float32', 12), writes('float32', 12), writes('float32', 3)],
      rows: [3],
      columns: [2, 2],
      reductions: [{ kind: 'sum', dtype: 'float32', value: load(0, at([4, 2, 1])) }],
      passes: [
        { reductions: [0], stores: [] },
        {
          reductions: [],
          stores: [store(1, at([1, 6, 3]), binary('sub', load(0, at([4, 2, 1])), reduced(0)))],
        },
      ],
      rowStores: [store(2, at([-1], 2), reduced(0))],
    };
    const x = Float32Array.from({ length: 12 }, (_, k) => k);
    const [moved, sums] = [new Float32Array(12), new Float32Array(3)];
    runKernel(kernel, [x, moved, sums]);
    expect([...sums]).toEqual([38, 22, 6]);
    // Column c of row r went to 3·c + r.
    for (let row = 0; row < 3; row++)
      for (let column = 0; column < 4; column++)
        expect(moved[3 * column + row]).toBe(x[4 * row + column]! - sums[2 - row]!);
  });

  test.each(['float32', 'float64', 'int32', 'uint32'] as const)('a contraction of %s', (dtype) => {
    const [batch, m, n, k] = [2, 3, 4, 5];
    const fill = (length: number, seed: number): TypedArray => {
      const data = allocate(dtype, length);
      for (let i = 0; i < length; i++)
        data[i] = dtype.startsWith('float') ? Math.cos(i + seed) : Math.imul(i + seed, 0x9e3779b1);
      return data;
    };
    const [a, b, bias, c] = [
      fill(batch * m * k, 1),
      fill(k * n, 2),
      fill(n, 3),
      allocate(dtype, batch * m * n),
    ];
    runKernel(contract(dtype, batch, m, n, k, true), [a, b, c, bias]);
    const expected = allocate(dtype, c.length);
    for (let i = 0; i < batch * m; i++) {
      for (let j = 0; j < n; j++) {
        if (dtype.startsWith('float')) {
          let sum = 0;
          for (let l = 0; l < k; l++) sum += a[i * k + l]! * b[l * n + j]!;
          const round = dtype === 'float32' ? Math.fround : (x: number): number => x;
          expected[i * n + j] = Math.max(round(sum) + bias[j]!, 0);
        } else {
          let sum = 0n;
          for (let l = 0; l < k; l++) sum += BigInt(a[i * k + l]!) * BigInt(b[l * n + j]!);
          const wrap = dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
          const value = wrap(32, sum + BigInt(bias[j]!));
          expected[i * n + j] = Number(value > 0n ? value : 0n);
        }
      }
    }
    expect([...c]).toEqual([...expected]);
  });

  test('scans: floats add up in double, integers wrap, stores see the sum', () => {
    const x = Float32Array.of(1, 2 ** -24, 2 ** -24, 1, 5, 6, 7, 8);
    const y = new Float32Array(8);
    runKernel(scan('float32', 2, 4), [x, y]);
    expect([...y]).toEqual([1, 1, Math.fround(1 + 2 ** -23), 2 + 2 ** -23, 5, 11, 18, 26].map(Math.fround));
    const [u, v] = [Int32Array.of(2 ** 31 - 1, 1, 1, -5), new Int32Array(4)];
    const doubled = {
      ...scan('int32', 1, 4),
      stores: [store(1, at([4, -1], 3), binary('add', total('int32'), load(0, at([4, 1]), 'int32')))],
    };
    runKernel(doubled, [u, v]);
    expect([...v].reverse()).toEqual([-2, -(2 ** 31) + 1, -(2 ** 31) + 2, 2 ** 31 - 9]);
  });

  test('scatters in row-major order: the last set wins, sums round at each step', () => {
    const index = Int32Array.of(1, 0, 1, -1, 3);
    const source = Float32Array.from({ length: 10 }, (_, k) => k + 1);
    const run = (mode: 'add' | 'set'): number[] => {
      const target = Float32Array.of(100, 200, 300, 400, 500, 600);
      runKernel(scatter(mode, 'float32', 5, 2, 3), [index, source, target]);
      return [...target];
    };
    expect(run('set')).toEqual([3, 4, 5, 6, 500, 600]);
    expect(run('add')).toEqual([103, 204, 306, 408, 500, 600]);
    const half = Uint16Array.of(toFloat16Bits(2048));
    runKernel(scatter('add', 'float16', 4, 1, 1), [
      Int32Array.of(0, 0, 0, 0),
      Uint16Array.from([1, 1, 1, 1], toFloat16Bits),
      half,
    ]);
    expect(fromFloat16Bits(half[0]!)).toBe(2048);
    const counts = Int32Array.of(2 ** 31 - 1);
    runKernel(scatter('add', 'int32', 1, 1, 1), [Int32Array.of(0), Int32Array.of(2), counts]);
    expect(counts[0]).toBe(-(2 ** 31) + 1);
  });

  test.each(DTYPE_NAMES)('sorting %s is linalg’s', (dtype) => {
    const data = edgesOf(dtype);
    for (const descending of [false, true]) {
      const order = new Int32Array(data.length);
      runKernel(sort(dtype, 1, data.length, descending), [data, order]);
      expect([...order]).toEqual([
        ...argsort(NDArray.packed(data, [data.length], dtype), { descending }).data,
      ]);
    }
  });

  test('values of one place are computed before any is stored', () => {
    const x = Float32Array.of(1, 2, 3);
    const y = Float32Array.of(10, 20, 30);
    runKernel(
      map(
        3,
        [updates('float32', 3), updates('float32', 3)],
        store(0, at([1]), load(1, at([1]))),
        store(1, at([1]), load(0, at([1]))),
      ),
      [x, y],
    );
    expect([...x, ...y]).toEqual([10, 20, 30, 1, 2, 3]);
  });
});

describe('what must not happen', () => {
  const run =
    (kernel: Kernel, ...arrays: TypedArray[]) =>
    () =>
      runKernel(kernel, arrays);
  const [x, y] = [Float32Array.of(1, 2, 3), new Float32Array(3)];
  const operands = [reads('float32', 3), writes('float32', 3)];
  const shifted = load(0, at([1], -1));

  test('a load out of range throws, unless it is guarded', () => {
    expect(run(map(3, operands, store(1, at([1]), shifted)), x, y)).toThrow(
      'element -1 of operand 0, which has 3, at [0]',
    );
    runKernel(map(3, operands, store(1, at([1]), where(inside(at([1], -1), 0, 3), shifted, constant(9)))), [
      x,
      y,
    ]);
    expect([...y]).toEqual([9, 1, 2]);
    // The bounds are the operand's, not those of a longer array.
    expect(run(map(4, operands, store(1, at([]), load(0, at([1])))), new Float32Array(9), y)).toThrow(
      'element 3 of operand 0',
    );
  });

  test('a guarded load is not evaluated for another reader, either', () => {
    const shared = unary('neg', shifted);
    const guarded = where(inside(at([1], -1), 0, 3), shared, constant(9));
    expect(run(map(3, operands, store(1, at([1]), binary('add', guarded, shared))), x, y)).toThrow(
      'element -1',
    );
    runKernel(
      map(
        3,
        operands,
        store(1, at([1]), binary('add', guarded, where(inside(at([1]), 1, 3), shared, constant(1)))),
      ),
      [x, y],
    );
    expect([...y]).toEqual([10, -2, -4]);
  });

  test('a store out of range throws', () => {
    expect(run(map(3, operands, store(1, at([2]), constant(1))), x, y)).toThrow('element 4 of operand 1');
    expect(run(scatter('set', 'float32', 1, 1, 5), Int32Array.of(4), x, y)).not.toThrow();
    const beyond = {
      ...scatter('set', 'float32', 1, 1, 5),
      operands: [reads('int32', 1), reads('float32', 1), updates('float32', 3)],
    };
    expect(run(beyond, Int32Array.of(4), x, y)).toThrow('element 4 of operand 2');
  });

  test('accesses are what the operands say', () => {
    expect(run(map(3, operands, store(0, at([1]), constant(1))), x, y)).toThrow(
      'stores to operand 0, access read',
    );
    expect(run(map(3, operands, store(1, at([1]), load(1, at([1])))), x, y)).toThrow(
      'loads from operand 1, access write',
    );
  });

  test('a row’s value does not depend on a column, and a sweep reads no reduction of its own or of a later one', () => {
    const kernel = reduceRows('float32', 1, 3, ['sum']);
    expect(run({ ...kernel, rowStores: [store(1, at([0, 1]), reduced(0))] }, x, y)).toThrow('element NaN');
    const early: LoopKernel = {
      ...softmax(1, 3),
      passes: [
        { reductions: [1], stores: [] },
        { reductions: [0], stores: [store(1, at([3, 1]), reduced(1))] },
      ],
    };
    runKernel(early, [x, y]);
    expect([...y]).toEqual([NaN, NaN, NaN]);
  });
});

test('what occurs twice is computed once', () => {
  let value = load(0, at([1]));
  for (let step = 0; step < 60; step++) value = binary('mul', constant(0.5), binary('add', value, value));
  const y = new Float32Array(4);
  runKernel(map(4, [reads('float32', 4), writes('float32', 4)], store(1, at([1]), value)), [wave(4), y]);
  expect([...y]).toEqual([...wave(4)]);
});

test('expressions of a thousand operations in depth', () => {
  let value = load(0, at([1]));
  for (let step = 0; step < 1000; step++) value = binary('add', value, constant(1));
  const y = new Float32Array(4);
  runKernel(map(4, [reads('float32', 4), writes('float32', 4)], store(1, at([1]), value)), [
    Float32Array.of(1, 2, 3, 4),
    y,
  ]);
  expect([...y]).toEqual([1001, 1002, 1003, 1004]);
});

test('a prepared kernel runs again, on other arrays', () => {
  const run = prepareKernel(contract('float32', 1, 2, 2, 2));
  const results = [1, 2].map((scale) => {
    const c = new Float32Array(4);
    run([Float32Array.of(1, 2, 3, 4).map((value) => scale * value), Float32Array.of(1, 0, 0, 1), c]);
    return [...c];
  });
  expect(results).toEqual([
    [1, 2, 3, 4],
    [2, 4, 6, 8],
  ]);
});

test('a product of 64×64 matrices takes no second', () => {
  const run = prepareKernel(contract('float32', 1, 64, 64, 64));
  let fastest = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    run([wave(4096), wave(4096), new Float32Array(4096)]);
    fastest = Math.min(fastest, performance.now() - start);
  }
  expect(fastest).toBeLessThan(1000);
});
