/**
 * One case at least for each rule about elementwise operations: a node, and the text of what stands in its
 * place.
 */
import {
  add,
  binary,
  cast,
  constant,
  type DType,
  div,
  iota,
  mul,
  neg,
  node,
  type Node,
  pow,
  sub,
  unary,
  where,
} from '@firsthand/graph';
import { argument, SPECIAL } from './simplify-support.ts';

/** The rule, the node before, the text after. */
export type Case = readonly [rule: string, before: Node, after: string];

/** Every pair of special values meets in x and y. */
const ALL = [SPECIAL.length ** 2];
export const x: Node = argument('x', ALL);
export const y: Node = argument('y', ALL);
export const n: Node = argument('n', ALL, 'int32');
const m: Node = argument('m', ALL, 'int32');
export const u: Node = argument('u', ALL, 'uint32');
export const h: Node = argument('h', ALL, 'float16');
export const d: Node = argument('d', ALL, 'float64');
const t: Node = argument('t', ALL, 'bool');
const s: Node = argument('s', ALL, 'bool');
export const c = (value: number, dtype: DType = 'float32'): Node => constant(value, ALL, dtype);
const not = (value: Node): Node => unary('logicalNot', value);
const same = (value: Node): Node => node('cast', { dtype: value.dtype }, [value]);

const arithmetic: readonly Case[] = [
  ['f(c, x) = f(x, c)', add(c(3), x), 'add(x, 3)'],
  ['f(c, x) = f(x, c)', binary('ne', c(3), x), 'ne(x, 3)'],
  ['−(−x) = x', neg(neg(x)), 'x'],
  ['−(−x) = x', neg(neg(u)), 'u'],
  ['−(x·c) = x·(−c)', neg(mul(x, c(3))), 'mul(x, -3)'],
  ['−(x·c) = x·(−c)', neg(mul(u, c(3, 'uint32'))), 'mul(u, 4294967293)'],
  ['−(x/c) = x/(−c)', neg(div(x, c(3))), 'div(x, -3)'],
  ['−(a − b) = b − a', neg(sub(n, m)), 'sub(m, n)'],
  ['|−x| = |x|', unary('abs', neg(x)), 'abs(x)'],
  ['|−x| = |x|', unary('abs', neg(n)), 'abs(n)'],
  ['|x| = x where x ≥ 0', unary('abs', unary('exp', x)), 'exp(x)'],
  ['|x| = x where x ≥ 0', unary('abs', mul(x, x)), 'mul(x, x)'],
  ['|x| = x where x ≥ 0', unary('abs', neg(u)), 'neg(u)'],
  ['⌊n⌋ = n', unary('floor', unary('round', x)), 'round(x)'],
  ['⌊n⌋ = n', unary('ceil', cast(n, 'float32')), 'float32(n)'],
  ['x·1 = x', mul(x, c(1)), 'x'],
  ['x·1 = x', mul(c(1), x), 'x'],
  ['x·(−1) = −x', mul(x, c(-1)), 'neg(x)'],
  ['x·(−1) = −x', mul(u, c(2 ** 32 - 1, 'uint32')), 'neg(u)'],
  ['n·0 = 0', mul(n, c(0, 'int32')), '0'],
  ['(n·c)·d = n·(c·d)', mul(mul(n, c(3, 'int32')), c(2 ** 30, 'int32')), 'mul(n, -1073741824)'],
  ['(−a)·(−b) = a·b', mul(neg(x), neg(y)), 'mul(x, y)'],
  ['(−x)·c = x·(−c)', mul(neg(x), c(3)), 'mul(x, -3)'],
  ['x/1 = x', div(x, c(1)), 'x'],
  ['x/1 = x', div(n, c(1, 'int32')), 'n'],
  ['x/(−1) = −x', div(x, c(-1)), 'neg(x)'],
  ['x/(−1) = −x', div(n, c(-1, 'int32')), 'neg(n)'],
  ['x/c = x·(1/c) where c = ±2ᵏ', div(x, c(-8)), 'mul(x, -0.125)'],
  ['x/c = x·(1/c) where c = ±2ᵏ', div(x, c(2 ** -126)), `mul(x, ${2 ** 126})`],
  ['x/c = x·(1/c) where c = ±2ᵏ', div(d, c(2 ** 1022, 'float64')), `mul(d, ${2 ** -1022})`],
  ['x/c = x·(1/c) where c = ±2ᵏ', div(h, c(2 ** 14, 'float16')), `mul(h, ${2 ** -14})`],
  ['1/x is the reciprocal', div(c(1), x), 'reciprocal(x)'],
  ['(−a)/(−b) = a/b', div(neg(x), neg(y)), 'div(x, y)'],
  ['(−x)/c = x/(−c)', div(neg(x), c(3)), 'div(x, -3)'],
  ['n/0 = 0, 0/n = 0', div(n, c(0, 'int32')), '0'],
  ['n/0 = 0, 0/n = 0', binary('mod', c(0, 'int32'), n), '0'],
  ['n mod ±1 = 0', binary('mod', n, c(-1, 'int32')), '0'],
  ['x + (−0) = x', add(x, c(-0)), 'x'],
  ['x + (−0) = x', add(n, c(0, 'int32')), 'n'],
  ['x − 0 = x', sub(x, c(0)), 'x'],
  ['−0 − x = −x', sub(c(-0), x), 'neg(x)'],
  ['−0 − x = −x', sub(c(0, 'int32'), n), 'neg(n)'],
  ['a + (−b) = a − b', add(x, neg(y)), 'sub(x, y)'],
  ['a + (−b) = a − b', add(neg(x), y), 'sub(y, x)'],
  ['a − (−b) = a + b', sub(x, neg(y)), 'add(x, y)'],
  ['n − n = 0', sub(n, n), '0'],
  ['n − c = n + (−c)', sub(n, c(3, 'int32')), 'add(n, -3)'],
  ['(n + c) + d = n + (c + d)', sub(add(n, c(3, 'int32')), c(3, 'int32')), 'n'],
  ['x¹ = x', pow(x, c(1)), 'x'],
  ['x⁰ = 1', pow(x, c(-0)), '1'],
  ['1ˣ = 1', pow(c(1), x), '1'],
  ['n² = n·n', pow(n, c(2, 'int32')), 'mul(n, n)'],
  ['x² ≈ x·x', pow(x, c(2)), 'mul(x, x)'],
  ['x⁻¹ ≈ 1/x', pow(x, c(-1)), 'reciprocal(x)'],
  ['max(x, x) = x', binary('maximum', x, x), 'x'],
  ['max(x, −∞) = x', binary('maximum', x, c(-Infinity)), 'x'],
  ['max(x, −∞) = x', binary('minimum', x, c(Infinity)), 'x'],
  ['max(x, −∞) = x', binary('maximum', u, c(0, 'uint32')), 'u'],
  ['max(n, ∞) = ∞', binary('minimum', n, c(-(2 ** 31), 'int32')), '-2147483648'],
  [
    'max(max(x, c), d) = max(x, max(c, d))',
    binary('maximum', binary('maximum', x, c(-0)), c(0)),
    'maximum(x, 0)',
  ],
];

const logic: readonly Case[] = [
  ['c < x is x > c', binary('le', c(2), x), 'ge(x, 2)'],
  ['x < NaN is false', binary('ge', x, c(NaN)), '0'],
  ['x < NaN is false', binary('ne', x, c(NaN)), '1'],
  ['x < x is false', binary('lt', x, x), '0'],
  ['x < x is false', binary('le', n, n), '1'],
  ['x < x is false', binary('ne', t, t), '0'],
  ['t = true is t', binary('ne', t, c(0, 'bool')), 't'],
  ['t = true is t', binary('eq', t, c(0, 'bool')), 'logicalNot(t)'],
  ['t = true is t', binary('gt', cast(t, 'float32'), c(0.5)), 't'],
  ['t = true is t', binary('lt', cast(t, 'int32'), c(2, 'int32')), '1'],
  ['x < −∞ is false', binary('lt', x, c(-Infinity)), '0'],
  ['x < −∞ is false', binary('ge', u, c(0, 'uint32')), '1'],
  ['x < −∞ is false', binary('lt', iota([4], 0), constant(4, [4], 'int32')), '1'],
  ['x < −∞ is false', binary('eq', iota([4], 0), constant(4, [4], 'int32')), '0'],
  ['¬¬t = t', not(not(t)), 't'],
  ['¬(a = b) is a ≠ b', not(binary('eq', x, y)), 'ne(x, y)'],
  ['¬(a = b) is a ≠ b', not(binary('lt', n, m)), 'ge(n, m)'],
  ['t ∧ true = t, t ∨ true = true', binary('logicalAnd', t, c(1, 'bool')), 't'],
  ['t ∧ true = t, t ∨ true = true', binary('logicalAnd', c(0, 'bool'), t), '0'],
  ['t ∧ true = t, t ∨ true = true', binary('logicalOr', t, c(1, 'bool')), '1'],
  ['t ∧ true = t, t ∨ true = true', binary('logicalOr', t, c(0, 'bool')), 't'],
  ['t ∧ t = t', binary('logicalOr', t, t), 't'],
  ['t ∧ ¬t = false, t ∨ ¬t = true', binary('logicalAnd', t, not(t)), '0'],
  ['t ∧ ¬t = false, t ∨ ¬t = true', binary('logicalOr', not(t), t), '1'],
  ['isNaN(n) is false', unary('isNaN', cast(n, 'float32')), '0'],
  ['isNaN(−x) is isNaN(x)', unary('isNaN', neg(x)), 'isNaN(x)'],
  ['(true ? a : b) = a', where(c(1, 'bool'), x, y), 'x'],
  ['(true ? a : b) = a', where(c(0, 'bool'), x, y), 'y'],
  ['(c ? a : a) = a', where(t, x, x), 'x'],
  ['(¬c ? a : b) = (c ? b : a)', where(not(t), x, y), 'where(t, y, x)'],
  ['(c ? 1 : 0) = cast(c)', where(t, c(1), c(0)), 'float32(t)'],
  ['(c ? 1 : 0) = cast(c)', where(t, c(0), c(1)), 'float32(logicalNot(t))'],
  ['(c ? t : false) = c ∧ t', where(t, s, c(0, 'bool')), 'logicalAnd(t, s)'],
  ['(c ? t : false) = c ∧ t', where(t, c(1, 'bool'), s), 'logicalOr(t, s)'],
  ['(c ? (c ? a : x) : b) = (c ? a : b)', where(t, where(t, x, y), neg(x)), 'where(t, x, neg(x))'],
  ['(c ? (c ? a : x) : b) = (c ? a : b)', where(t, x, where(t, y, neg(x))), 'where(t, x, neg(x))'],
];

const casts: readonly Case[] = [
  ['cast to the same dtype', same(x), 'x'],
  ['a cast that loses nothing', cast(cast(t, 'float16'), 'uint32'), 'uint32(t)'],
  ['a cast that loses nothing', cast(cast(t, 'int32'), 'bool'), 't'],
  ['a cast that loses nothing', cast(cast(h, 'float32'), 'float16'), 'h'],
  ['a cast that loses nothing', cast(cast(x, 'float64'), 'int32'), 'int32(x)'],
  ['a cast that loses nothing', cast(cast(n, 'float64'), 'float32'), 'float32(n)'],
  ['a cast that loses nothing', cast(cast(n, 'uint32'), 'int32'), 'n'],
  ['a cast that loses nothing', cast(cast(n, 'float16'), 'bool'), 'bool(n)'],
];

const constants: readonly Case[] = [
  ['a constant is a value of its dtype', c(0.1), '0.10000000149011612'],
  ['a constant is a value of its dtype', c(-1, 'uint32'), '0'],
  ['f(c) is computed', unary('sqrt', c(2)), String(Math.fround(Math.sqrt(2)))],
  ['f(c) is computed', neg(c(-(2 ** 31), 'int32')), '-2147483648'],
  ['f(c, d) is computed', div(c(7, 'int32'), c(-2, 'int32')), '-3'],
  ['f(c, d) is computed', mul(c(0), c(-1)), '-0'],
  ['cast(c) is computed', cast(c(1e10), 'int32'), '2147483647'],
  ['cast(c) is computed', cast(c(0.1), 'float16'), '0.0999755859375'],
  ['f(x, NaN) = NaN', sub(x, c(NaN)), 'NaN'],
];

/** Cases of elementwise rules. */
export const ELEMENTWISE_CASES: readonly Case[] = [...arithmetic, ...logic, ...casts, ...constants];
