// Every operation of one and two operands and every cast, for every dtype that takes it, on the numbers where
// they go wrong: the same as the interpreter, exactly where a result is exact or rounded once.
import type { Scalar } from '@firsthand/compiler';
import { BINARY_RULES, UNARY_RULES, type BinaryKind, type UnaryKind } from '@firsthand/graph';
import { DTYPES, type DType } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { affine, EVERY_DTYPE, filled, load, mapKernel, operandsOf, SPECIAL } from './support/build.ts';
import { expectSame, runCompiled, type Tolerance } from './support/kernels.ts';

const EXACT: Tolerance = { relative: 0, absolute: 0 };
/** What is computed by formulas of our own, in float32. */
const CLOSE: { readonly [K in DType]: Tolerance } = {
  float32: { relative: 1e-6, absolute: 1e-45 },
  float64: { relative: 1e-15, absolute: 0 },
  float16: { relative: 1e-3, absolute: 6e-8 },
  int32: EXACT,
  uint32: EXACT,
  bool: EXACT,
};
const UNARY_KINDS = Object.keys(UNARY_RULES) as UnaryKind[];
const BINARY_KINDS = Object.keys(BINARY_RULES) as BinaryKind[];
const ROUNDED_ONCE: ReadonlySet<UnaryKind | BinaryKind> = new Set([
  ...(['neg', 'abs', 'sign', 'sqrt', 'reciprocal', 'floor', 'ceil', 'round', 'logicalNot', 'isNaN'] as const),
  ...BINARY_KINDS.filter((kind) => kind !== 'pow'),
]);

function takes(
  rule: 'float' | 'number' | 'bool' | 'test' | 'arithmetic' | 'compare' | 'logic',
  dtype: DType,
): boolean {
  if (rule === 'float') return DTYPES[dtype].isFloat;
  if (rule === 'number' || rule === 'arithmetic') return dtype !== 'bool';
  return rule === 'compare' || rule === 'test' || dtype === 'bool';
}

const at = affine(0, [0, 1]);

describe.each(EVERY_DTYPE)('%s', (dtype) => {
  const numbers = SPECIAL[dtype];

  test.each(UNARY_KINDS.filter((kind) => takes(UNARY_RULES[kind], dtype)))('%s', (kind) => {
    const result: DType = UNARY_RULES[kind] === 'test' || UNARY_RULES[kind] === 'bool' ? 'bool' : dtype;
    const n = numbers.length;
    const value: Scalar = { op: 'unary', dtype: result, kind, x: load(0, dtype, at) };
    const kernel = mapKernel(
      operandsOf([
        [dtype, n],
        [result, n],
      ]),
      [n],
      [{ operand: 1, index: at, value }],
    );
    expectSame(
      kernel,
      [filled(dtype, numbers), filled(result, [0], n)],
      ROUNDED_ONCE.has(kind) ? EXACT : CLOSE[dtype],
    );
  });

  const pairs = numbers.flatMap((a) => numbers.map((b) => [a, b] as const));
  const n = pairs.length;
  const [a, b] = [pairs.map(([first]) => first), pairs.map(([, second]) => second)];
  test.each(BINARY_KINDS.filter((kind) => takes(BINARY_RULES[kind], dtype)))('%s', (kind) => {
    const result: DType = BINARY_RULES[kind] === 'arithmetic' ? dtype : 'bool';
    const value: Scalar = { op: 'binary', dtype: result, kind, a: load(0, dtype, at), b: load(1, dtype, at) };
    const kernel = mapKernel(
      operandsOf([
        [dtype, n],
        [dtype, n],
        [result, n],
      ]),
      [n],
      [{ operand: 2, index: at, value }],
    );
    expectSame(
      kernel,
      [filled(dtype, a), filled(dtype, b), filled(result, [0], n)],
      ROUNDED_ONCE.has(kind) ? EXACT : CLOSE[dtype],
    );
  });

  test.each(['maximum', 'minimum'] as const)('%s with a constant', (kind) => {
    if (dtype === 'bool') return;
    for (const bound of numbers) {
      const value: Scalar = {
        op: 'binary',
        dtype,
        kind,
        a: load(0, dtype, at),
        b: { op: 'const', dtype, value: bound },
      };
      const kernel = mapKernel(
        operandsOf([
          [dtype, numbers.length],
          [dtype, numbers.length],
        ]),
        [numbers.length],
        [{ operand: 1, index: at, value }],
      );
      expectSame(kernel, [filled(dtype, numbers), filled(dtype, [0], numbers.length)]);
    }
  });

  test.each(EVERY_DTYPE)('as %s', (to) => {
    const halves = to === 'float16' && DTYPES[dtype].isFloat ? HALVES : [];
    const all = [...numbers, ...halves];
    const value: Scalar = { op: 'cast', dtype: to, x: load(0, dtype, at) };
    const kernel = mapKernel(
      operandsOf([
        [dtype, all.length],
        [to, all.length],
      ]),
      [all.length],
      [{ operand: 1, index: at, value }],
    );
    expectSame(kernel, [filled(dtype, all), filled(to, [0], all.length)]);
  });

  test('where', () => {
    const condition: Scalar = load(0, 'bool', at);
    const value: Scalar = { op: 'where', dtype, condition, a: load(1, dtype, at), b: load(2, dtype, at) };
    const kernel = mapKernel(
      operandsOf([
        ['bool', n],
        [dtype, n],
        [dtype, n],
        [dtype, n],
      ]),
      [n],
      [{ operand: 3, index: at, value }],
    );
    expectSame(kernel, [
      filled('bool', [1, 0, 0, 1, 1], n),
      filled(dtype, a),
      filled(dtype, b),
      filled(dtype, [0], n),
    ]);
  });
});

/** Numbers halfway between two float16 numbers, just beside them, subnormal, and around the largest. */
const HALVES: readonly number[] = [
  1 + 2 ** -11,
  1 + 3 * 2 ** -11,
  1 + 2 ** -11 + 2 ** -20,
  1 + 2 ** -11 - 2 ** -20,
  1 + 2 ** -11 + 2 ** -40,
  1 + 2 ** -11 - 2 ** -40,
  2 ** -25,
  2 ** -25 + 2 ** -40,
  3 * 2 ** -25,
  5 * 2 ** -25,
  2 ** -14 - 2 ** -26,
  2 ** -14 - 2 ** -25,
  2 ** -14 + 2 ** -25,
  65519.99,
  65520,
  65519.996,
  65520.01,
  65535,
  65536,
  1e6,
  2 ** 100,
  2 ** 115,
  2 ** 116,
  2 ** 127,
].flatMap((x) => [x, -x]);

test('NaN is stored in float16 as one NaN, whatever its bits were', () => {
  const array = new Float32Array(
    Uint32Array.of(0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff, 0x7fc12345).buffer,
  );
  const value: Scalar = { op: 'cast', dtype: 'float16', x: load(0, 'float32', at) };
  const kernel = mapKernel(
    operandsOf([
      ['float32', 5],
      ['float16', 5],
    ]),
    [5],
    [{ operand: 1, index: at, value }],
  );
  const [, stored] = runCompiled(kernel, [array, filled('float16', [0], 5)]);
  expect([...stored!]).toEqual([0x7e00, 0x7e00, 0x7e00, 0x7e00, 0x7e00]);
});
