// The text of kernels: readable for each kind, the same for equal kernels however their objects are shared,
// and different as soon as anything differs.
import { expect, test } from 'vitest';
import type { Kernel, Scalar } from '../src/ir/kernel.ts';
import { printKernel } from '../src/report/print.ts';
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
  scan,
  scatter,
  softmax,
  sort,
  store,
  unary,
  updates,
  where,
  writes,
} from './kernels.ts';

test('a row kernel', () => {
  expect(printKernel(softmax(512, 1024))).toMatchInlineSnapshot(`
    "row (a: float32[524288] read, b: float32[524288] write)
    for i in 0..512
      for j in 0..1024
        r0 = max a[1024·i + j]
      for j in 0..1024
        r1 = sum exp(a[1024·i + j] − r0)
      for j in 0..1024
        b[1024·i + j] = exp(a[1024·i + j] − r0) / r1"
  `);
});
test('a reduction', () => {
  expect(printKernel(reduceRows('float16', 4, 8, ['sum', 'argmax']))).toMatchInlineSnapshot(`
    "reduce (a: float16[32] read, b: float16[4] write, c: int32[4] write)
    for i in 0..4
      for j in 0..8
        r0 = sum a[8·i + j]
        r1 = argmax a[8·i + j]
      b[i] = r0
      c[i] = r1"
  `);
});
test('a contraction', () => {
  expect(printKernel(contract('float32', 2, 3, 4, 5, true))).toMatchInlineSnapshot(`
    "contract (a: float32[30] read, b: float32[20] read, c: float32[24] write, d: float32[4] read)
    for i in 0..2, j in 0..3, k in 0..4
      total: float32 = sum over l in 0..5 of a[15·i + 5·j + l] · b[k + 4·l]
      c[12·i + 4·j + k] = max(total + d[k], 0)"
  `);
});
test('a scan', () => {
  expect(printKernel(scan('int32', 4, 10))).toMatchInlineSnapshot(`
    "scan (a: int32[40] read, b: int32[40] write)
    for i in 0..4, j in 0..10
      total: int32 += a[10·i + j]
      b[10·i + j] = total"
  `);
  expect(printKernel(scan('float32', 4, 10, 'prod'))).toMatchInlineSnapshot(`
    "scan (a: float32[40] read, b: float32[40] write)
    for i in 0..4, j in 0..10
      total: float32 ·= a[10·i + j]
      b[10·i + j] = total"
  `);
  expect(printKernel(scan('float32', 4, 10, 'linear'))).toMatchInlineSnapshot(`
    "scan (a: float32[40] read, b: float32[40] write)
    for i in 0..4, j in 0..10
      total: float32 = a[i + 4·j] · total + a[10·i + j]
      b[10·i + j] = total"
  `);
});
test('scatters', () => {
  expect(printKernel(scatter('add', 'float32', 8, 4, 10))).toMatchInlineSnapshot(`
    "scatter add (a: int32[8] read, b: float32[32] read, c: float32[40] update)
    for i in 0..8, j in 0..4
      c[j + 4·{a[i] in 0..10}] += b[4·i + j]"
  `);
  expect(printKernel(scatter('set', 'bool', 8, 1, 10))).toMatchInlineSnapshot(`
    "scatter set (a: int32[8] read, b: bool[8] read, c: bool[10] update)
    for i in 0..8, j in 0..1
      c[j + {a[i] in 0..10}] = b[i + j]"
  `);
});
test('a sort', () => {
  expect(printKernel(sort('float32', 4, 10, true))).toMatchInlineSnapshot(`
    "sort descending (a: float32[40] read, b: int32[40] write)
    for i in 0..4, j in 0..10
      b[10·i + j] = position of a[10·i + j]"
  `);
});

const x = load(0, at([1]));
/** Every operation once. */
function everything(): Kernel {
  const half = cast(x, 'float16');
  const position: Scalar = {
    op: 'gather',
    dtype: 'int32',
    operand: 2,
    index: at([], 3),
    position: cast(x, 'int32'),
    stride: 5,
    extent: 7,
  };
  const word = (value: number): Scalar => constant(value, 'uint32');
  const random: Scalar = {
    op: 'random',
    dtype: 'float32',
    key: [word(1), word(2)],
    counter: [word(3), word(4)],
    index: at([2], 5),
  };
  const quotient = { coefficient: 2, atom: { kind: 'quotient', of: at([3], 1), by: 4 } } as const;
  const remainder = { coefficient: -1, atom: { kind: 'remainder', of: at([5]), by: 6 } } as const;
  const guarded = where(inside(at([1], -1), 0, 6), load(0, at([1], -1)), constant(-0));
  const shared = binary('mul', binary('add', x, random), constant(0.1));
  return map(
    8,
    [
      reads('float32', 8),
      writes('float32', 8),
      reads('int32', 40),
      updates('int32', 80),
      writes('bool', 8),
      writes('float16', 8),
    ],
    store(1, at([1]), binary('sub', binary('sub', shared, guarded), binary('sub', shared, x))),
    store(
      3,
      { offset: 7, terms: [quotient, remainder] },
      binary('mod', position, { op: 'index', dtype: 'int32', index: at([3], 2) }),
    ),
    store(
      4,
      at([1]),
      binary('logicalAnd', binary('lt', x, constant(NaN)), unary('logicalNot', unary('isNaN', x))),
    ),
    store(
      5,
      at([1]),
      binary('div', unary('neg', half), binary('pow', unary('sin', half), constant(2, 'float16'))),
    ),
  );
}

test('every operation, and names for what occurs twice', () => {
  expect(printKernel(everything())).toMatchInlineSnapshot(`
    "map (a: float32[8] read, b: float32[8] write, c: int32[40] read, d: int32[80] update, e: bool[8] write, f: float16[8] write)
    for i in 0..8
      t0 = (a[i] + random_float32(1u, 2u, 3u, 4u, 2·i + 5)) · 0.1
      t1 = float16(a[i])
      b[i] = t0 − where(0 ≤ i − 1 < 6, a[i − 1], −0) − (t0 − a[i])
      d[2·⌊(3·i + 1)/4⌋ − ((5·i) mod 6) + 7] = mod(c[3 + 5·{int32(a[i]) in 0..7}], ⟨3·i + 2⟩)
      e[i] = a[i] < NaN && !isNaN(a[i])
      f[i] = −t1 / pow(sin(t1), 2h)"
  `);
});

/** The value of the only store. */
const printed = (value: Scalar): string =>
  printKernel(map(8, [reads('float32', 8), writes(value.dtype, 8)], store(1, at([1]), value))).split(
    ' = ',
  )[1]!;

test('constants are exact', () => {
  const values = [0, -0, 0.1, Math.fround(0.1), -1e-45, 2 ** 53 + 2, NaN, Infinity, -Infinity];
  expect(values.map((value) => printed(constant(value)))).toEqual([
    '0',
    '−0',
    '0.1',
    '0.10000000149011612',
    '−1e-45',
    '9007199254740994',
    'NaN',
    '∞',
    '−∞',
  ]);
  const dtypes = (['float64', 'float16', 'int32', 'uint32', 'bool'] as const).map((dtype) =>
    printed(constant(1, dtype)),
  );
  expect(dtypes).toEqual(['1d', '1h', '1i', '1u', 'true']);
});

test('parentheses are where they change the meaning', () => {
  const y = load(0, at([]));
  expect(printed(binary('mul', binary('add', x, y), x))).toBe('(a[i] + a[0]) · a[i]');
  expect(printed(binary('add', binary('add', x, y), x))).toBe('a[i] + a[0] + a[i]');
  expect(printed(binary('add', x, binary('add', y, x)))).toBe('a[i] + (a[0] + a[i])');
  expect(printed(binary('lt', binary('sub', x, y), binary('mul', x, y)))).toBe('a[i] − a[0] < a[i] · a[0]');
  expect(printed(unary('neg', unary('neg', x)))).toBe('−−a[i]');
  expect(printed(binary('mul', unary('neg', binary('mul', x, y)), x))).toBe('−(a[i] · a[0]) · a[i]');
  expect(printed(unary('neg', constant(1)))).toBe('−(1)');
  expect(printed(constant(-1))).toBe('−1');
});

test('dtypes that a reader would not expect are said', () => {
  expect(printed({ op: 'load', dtype: 'int32', operand: 0, index: at([1]) })).toBe('(a[i]): int32');
  expect(printed({ op: 'unary', dtype: 'float64', kind: 'exp', x })).toBe('(exp(a[i])): float64');
});

test('a kernel of many arrays and axes', () => {
  const operands = Array.from({ length: 40 }, () => writes('float32', 1));
  const kernel: Kernel = {
    ...map(1, operands, ...operands.map((_, operand) => store(operand, at([]), constant(1)))),
    rows: Array.from({ length: 9 }, () => 1),
  };
  const text = printKernel(kernel);
  expect(text).toContain('z: float32[1] write, a1: float32[1] write');
  expect(text).toContain(
    'for i in 0..1, j in 0..1, k in 0..1, l in 0..1, m in 0..1, n in 0..1, i1 in 0..1, j1 in 0..1, k1 in 0..1\n',
  );
  expect(new Set(text.split('\n')).size).toBe(text.split('\n').length);
});

/** A copy in which no two places share an object. */
const unshared = <T>(value: T): T =>
  JSON.parse(
    JSON.stringify(value, (_, v: unknown) => (typeof v === 'number' && !Number.isFinite(v) ? null : v)),
  ) as T;

test('sharing of objects does not show', () => {
  for (const kernel of [softmax(4, 8), contract('float32', 2, 3, 4, 5, true)])
    expect(printKernel(unshared(kernel))).toBe(printKernel(kernel));
});

const OTHER: { readonly [value: string]: string } = {
  float32: 'float64',
  float16: 'float32',
  int32: 'uint32',
  uint32: 'int32',
  bool: 'int32',
  read: 'update',
  write: 'update',
  update: 'write',
  sum: 'prod',
  max: 'min',
  argmax: 'argmin',
  add: 'sub',
  set: 'add',
  sub: 'add',
  mul: 'div',
  div: 'mul',
  pow: 'mod',
  mod: 'pow',
  maximum: 'minimum',
  lt: 'le',
  logicalAnd: 'logicalOr',
  exp: 'log',
  neg: 'abs',
  sin: 'cos',
  isNaN: 'sign',
  logicalNot: 'floor',
  linear: 'sum',
  quotient: 'remainder',
  remainder: 'quotient',
};

/**
 * Every kernel that differs from the given one in one number, one boolean or one word; the words that say of
 * what form an object is stay.
 */
function* variants(value: unknown, rebuild: (value: unknown) => Kernel, key = ''): Generator<Kernel> {
  if (typeof value === 'number')
    yield rebuild(Object.is(value, -0) ? 0 : Number.isNaN(value) ? 1 : value + 1);
  else if (typeof value === 'boolean') yield rebuild(!value);
  else if (typeof value === 'string') {
    const isForm =
      key === 'op' || value === 'axis' || ['loop', 'contract', 'scan', 'scatter', 'sort'].includes(value);
    if (!isForm) yield rebuild(OTHER[value] ?? expect.fail(`no other word for ${value}`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, part] of Object.entries(value)) {
      const put = (changed: unknown): Kernel => {
        if (!Array.isArray(value)) return rebuild({ ...value, [name]: changed });
        return rebuild(value.map((each: unknown, place) => (String(place) === name ? changed : each)));
      };
      yield* variants(part, put, name);
    }
  }
}

test('whatever is changed in a kernel changes its text', () => {
  const kernels = [
    everything(),
    reduceRows('float16', 4, 8, ['sum', 'argmax']),
    contract('float32', 2, 3, 4, 5, true),
    scan('int32', 4, 10),
    scan('float32', 4, 10, 'linear'),
    scatter('set', 'float32', 8, 4, 10),
    sort('float32', 4, 10, true),
  ];
  for (const kernel of kernels) {
    const text = printKernel(kernel);
    let count = 0;
    for (const variant of variants(kernel, (changed) => changed as Kernel)) {
      count++;
      const passes = variant.kind === 'loop' ? variant.passes.flatMap(({ reductions }) => reductions) : [];
      if (variant.kind === 'loop' && passes.some((number) => number >= variant.reductions.length)) continue;
      expect(printKernel(variant), JSON.stringify(variant)).not.toBe(text);
    }
    expect(count).toBeGreaterThan(20);
  }
});

test('deep and widely shared expressions print in linear time', () => {
  let deep = x;
  for (let step = 0; step < 20_000; step++)
    deep = binary(step % 2 === 0 ? 'add' : 'mul', x, unary('exp', deep));
  let wide = x;
  for (let step = 0; step < 500; step++) wide = binary('add', wide, wide);
  const start = performance.now();
  const text = printKernel(
    map(8, [reads('float32', 8), writes('float32', 8)], store(1, at([1]), deep), store(1, at([1]), wide)),
  );
  expect(performance.now() - start).toBeLessThan(2000);
  expect(text.length).toBeLessThan(40_000 * 20);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(150);
});
