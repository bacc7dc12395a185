/**
 * Choices and questions whose answer is known. A comparison with NaN is false, except ≠, so ¬(a < b) is not a
 * ≥ b; a cast that loses nothing on the way may be skipped, and one that rounds, saturates or wraps may not.
 */
import { type BinaryKind, type DType, isFloat, type Node } from '@firsthand/graph';
import { binary, full } from '@firsthand/linalg';
import type { Rewriter, Rule } from './rewrite.ts';
import { binaryRule, constantOf, isConstant, operandOf, rule, unaryRule } from './rewrite-rule.ts';
import { rangeOf } from './arithmetic.ts';

type Comparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
const COMPARISONS: readonly Comparison[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];
/** a ∘ b = b ∘′ a */
const MIRRORED: { readonly [K in Comparison]: Comparison } = {
  eq: 'eq',
  ne: 'ne',
  lt: 'gt',
  le: 'ge',
  gt: 'lt',
  ge: 'le',
};
/** ¬(a ∘ b) = a ∘′ b for numbers that are not NaN */
const NEGATED: { readonly [K in Comparison]: Comparison } = {
  eq: 'ne',
  ne: 'eq',
  lt: 'ge',
  le: 'gt',
  gt: 'le',
  ge: 'lt',
};
const isComparison = (kind: BinaryKind): kind is Comparison => kind in MIRRORED;

const truth = (value: boolean, { shape }: Node, make: Rewriter): Node =>
  make.constant(value ? 1 : 0, shape, 'bool');
const not = (x: Node, make: Rewriter): Node => make.unary('logicalNot', x);

/** a ∘ b for two numbers of a dtype. */
function holds(kind: BinaryKind, a: number, b: number, dtype: DType): boolean {
  return binary(kind, full([], a, { dtype }), full([], b, { dtype })).get() === 1;
}

/** The truth value that a node is, or that it holds as 0 or 1. */
function truthOf(node: Node): Node | null {
  if (node.dtype === 'bool') return node;
  return node.op === 'cast' && node.inputs[0]!.dtype === 'bool' ? node.inputs[0]! : null;
}

/** What x ∘ c is where it is the same at the least and at the largest value that x can have. */
function decided(kind: BinaryKind, x: Node, c: number): boolean | null {
  if (x.op === 'iota') {
    const last = x.shape[x.attrs.axis]! - 1;
    if (kind === 'eq' || kind === 'ne')
      return Number.isInteger(c) && c >= 0 && c <= last ? null : kind === 'ne';
    const answer = holds(kind, 0, c, 'int32');
    return answer === holds(kind, last, c, 'int32') ? answer : null;
  }
  const [least, largest] = rangeOf(x.dtype);
  if ((kind === 'lt' && c === least) || (kind === 'gt' && c === largest)) return false;
  if ((kind === 'ge' && c === least) || (kind === 'le' && c === largest))
    return isFloat(x.dtype) ? null : true;
  return null;
}

const COMPARISON_RULES: readonly Rule[] = [
  // A comparison read from the other side; the other rules look for constants on the right.
  binaryRule(COMPARISONS, 'c < x is x > c', (a, b, make, { attrs }) =>
    a.op === 'const' && b.op !== 'const' ? make.binary(MIRRORED[attrs.kind as Comparison], b, a) : null,
  ),
  // Nothing compares with NaN; it differs from all.
  binaryRule(COMPARISONS, 'x < NaN is false', (_, b, make, { attrs }) =>
    Number.isNaN(constantOf(b)) ? truth(attrs.kind === 'ne', b, make) : null,
  ),
  // For every x; x = x and x ≤ x hold where there is no NaN.
  binaryRule(COMPARISONS, 'x < x is false', (a, b, make, { attrs: { kind } }) => {
    if (a !== b || (isFloat(a.dtype) && kind !== 'lt' && kind !== 'gt')) return null;
    return truth(kind === 'eq' || kind === 'le' || kind === 'ge', a, make);
  }),
  // Two values make four questions: never, always, t, ¬t.
  binaryRule(COMPARISONS, 't = true is t', (a, b, make, { attrs: { kind } }) => {
    const t = truthOf(a);
    const c = constantOf(b);
    if (t === null || c === null) return null;
    const [ifFalse, ifTrue] = [holds(kind, 0, c, b.dtype), holds(kind, 1, c, b.dtype)];
    if (ifFalse === ifTrue) return truth(ifTrue, b, make);
    return ifTrue ? t : not(t, make);
  }),
  // No number is below the least of its dtype, and no index is outside its axis.
  binaryRule(COMPARISONS, 'x < −∞ is false', (a, b, make, { attrs }) => {
    const c = constantOf(b);
    const answer = c === null ? null : decided(attrs.kind, a, c);
    return answer === null ? null : truth(answer, b, make);
  }),
];

const LOGIC_RULES: readonly Rule[] = [
  // Two values.
  unaryRule(['logicalNot'], '¬¬t = t', (t) => operandOf(t, 'logicalNot')),
  // That is what ≠ is, NaN included; ¬(a < b) is a ≥ b for integers only.
  unaryRule(['logicalNot'], '¬(a = b) is a ≠ b', (t, make) => {
    if (t.op !== 'binary' || !isComparison(t.attrs.kind)) return null;
    const { kind } = t.attrs;
    const [a, b] = [t.inputs[0]!, t.inputs[1]!];
    return kind === 'eq' || kind === 'ne' || !isFloat(a.dtype) ? make.binary(NEGATED[kind], a, b) : null;
  }),
  // True is neutral for one and absorbing for the other; false likewise.
  binaryRule(['logicalAnd', 'logicalOr'], 't ∧ true = t, t ∨ true = true', (a, b, _, { attrs }) => {
    const c = constantOf(b);
    if (c === null) return null;
    return (c === 1) === (attrs.kind === 'logicalAnd') ? a : b;
  }),
  // Two values.
  binaryRule(['logicalAnd', 'logicalOr'], 't ∧ t = t', (a, b) => (a === b ? a : null)),
  // Two values.
  binaryRule(['logicalAnd', 'logicalOr'], 't ∧ ¬t = false, t ∨ ¬t = true', (a, b, make, { attrs }) =>
    operandOf(a, 'logicalNot') === b || operandOf(b, 'logicalNot') === a
      ? truth(attrs.kind === 'logicalOr', a, make)
      : null,
  ),
  // Integers and truth values are numbers, in any dtype.
  unaryRule(['isNaN'], 'isNaN(n) is false', (x, make) =>
    x.op === 'cast' && !isFloat(x.inputs[0]!.dtype) ? truth(false, x, make) : null,
  ),
  // A sign changes no NaN, and makes none.
  unaryRule(['isNaN'], 'isNaN(−x) is isNaN(x)', (x, make) => {
    const inner = operandOf(x, 'neg') ?? operandOf(x, 'abs');
    return inner === null ? null : make.unary('isNaN', inner);
  }),
];

/** The branches of a choice, or null for other nodes. */
function choiceOf(node: Node): readonly [condition: Node, a: Node, b: Node] | null {
  return node.op === 'where' ? [node.inputs[0]!, node.inputs[1]!, node.inputs[2]!] : null;
}

const CHOICE_RULES: readonly Rule[] = [
  // The branch that is not taken has no influence.
  rule('where', '(true ? a : b) = a', ({ inputs: [c, a, b] }) => {
    const value = constantOf(c!);
    return value === null ? null : value === 0 ? b! : a!;
  }),
  // Both branches are the same node.
  rule('where', '(c ? a : a) = a', ({ inputs: [, a, b] }) => (a === b ? a! : null)),
  // Two values.
  rule('where', '(¬c ? a : b) = (c ? b : a)', ({ inputs: [c, a, b] }, make) => {
    const condition = operandOf(c!, 'logicalNot');
    return condition === null ? null : make.where(condition, b!, a!);
  }),
  // That is how truth values become numbers.
  rule('where', '(c ? 1 : 0) = cast(c)', ({ inputs: [c, a, b], dtype }, make) => {
    if (isConstant(a!, 1) && isConstant(b!, 0)) return make.cast(c!, dtype);
    return isConstant(a!, 0) && isConstant(b!, 1) ? make.cast(not(c!, make), dtype) : null;
  }),
  // By the truth table; (c ? true : t) = c ∨ t.
  rule('where', '(c ? t : false) = c ∧ t', ({ inputs: [c, a, b], dtype }, make) => {
    if (dtype !== 'bool') return null;
    if (isConstant(b!, 0)) return make.binary('logicalAnd', c!, a!);
    return isConstant(a!, 1) ? make.binary('logicalOr', c!, b!) : null;
  }),
  // Where c holds, it holds inside too.
  rule('where', '(c ? (c ? a : x) : b) = (c ? a : b)', ({ inputs: [c, a, b] }, make) => {
    const [first, second] = [choiceOf(a!), choiceOf(b!)];
    if (first !== null && first[0] === c) return make.where(c, first[1], b!);
    return second !== null && second[0] === c ? make.where(c, a!, second[2]) : null;
  }),
];

/** Dtypes that hold every value of another. */
const WIDER: { readonly [K in DType]: readonly DType[] } = {
  bool: ['float16', 'float32', 'float64', 'int32', 'uint32'],
  float16: ['float32', 'float64'],
  float32: ['float64'],
  float64: [],
  int32: ['float64'],
  uint32: ['float64'],
};
const isInteger = (dtype: DType): boolean => dtype === 'int32' || dtype === 'uint32';

/** Whether x → middle → to gives the same as x → to, for every x of a dtype. */
function isShortcut(from: DType, middle: DType, to: DType): boolean {
  // Through float64, int32 to uint32 saturates; directly it wraps.
  const isWrapped = isInteger(from) && isInteger(to) && from !== to;
  if (WIDER[from].includes(middle) && !isWrapped) return true;
  // The same 32 bits; no integer but 0 becomes 0 in any dtype.
  if (isInteger(from) && isInteger(middle) && isInteger(to)) return true;
  return isInteger(from) && to === 'bool' && middle !== 'bool';
}

const CAST_RULES: readonly Rule[] = [
  // Is the value itself.
  rule('cast', 'cast to the same dtype', ({ inputs: [x], dtype }) => (x!.dtype === dtype ? x! : null)),
  // Is skipped where the next one takes its result as it takes the original.
  rule('cast', 'a cast that loses nothing', ({ inputs: [x], dtype }, make) => {
    if (x!.op !== 'cast') return null;
    const source = x.inputs[0]!;
    return isShortcut(source.dtype, x.dtype, dtype) ? make.cast(source, dtype) : null;
  }),
];

/** Rules about comparisons, truth values, choices and casts. */
export const LOGIC_AND_CAST_RULES: readonly Rule[] = [
  ...COMPARISON_RULES,
  ...LOGIC_RULES,
  ...CHOICE_RULES,
  ...CAST_RULES,
];
