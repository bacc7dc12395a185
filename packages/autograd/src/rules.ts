/**
 * The derivative of every primitive. A rule takes the gradient `g` of the result and the node `out`, and
 * gives the gradient of each input as new nodes: graph in, graph out, so derivatives of any order exist. The
 * line above a rule is its derivation; y is the result, x (or a, b) the inputs, and dx the gradient of x.
 * Before the rule stand its residuals: the letters of the values that it reads. A forward pass saves those
 * and no others.
 */
import {
  add,
  binary,
  cast,
  constant,
  cumprod,
  cumsum,
  div,
  eq,
  exp,
  expand,
  fixedConstant,
  flip,
  gather,
  gaussian,
  ge,
  gt,
  iota,
  linearRecurrence,
  log,
  logicalNot,
  lt,
  mul,
  neg,
  node,
  pad,
  permute,
  pow,
  reshape,
  scatter,
  shrink,
  sub,
  sum,
  sumTo,
  unary,
  where,
  widen,
} from '@firsthand/graph';
import type {
  BinaryKind,
  DType,
  Movement,
  Node,
  NodeOf,
  Op,
  ReduceKind,
  Residuals,
  ScanKind,
  UnaryKind,
} from '@firsthand/graph';
import { fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';

/** The primitives with a rule: leaves end a path, and a call's rule is its composite's. */
type Ruled = Exclude<Op, 'leaf' | 'call' | 'output'>;
/** One derivative rule per primitive: from the gradient of the result to the gradients of the inputs. */
export type VJPs = { readonly [K in Ruled]: (g: Node, out: NodeOf<K>) => readonly (Node | null)[] };

/**
 * The residuals of one primitive: for each input, the values that its gradient reads, or null where no
 * gradient flows.
 */
export type ResidualTable = { readonly [K in Ruled]: (out: NodeOf<K>) => Residuals };

function input(out: Node, index: number): Node {
  const found = out.inputs[index];
  if (found === undefined) throw new TypeError(`${out.op} has no input ${index}`);
  return found;
}

/** 2/√π */
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
/** 1/√2π */
const ONE_OVER_SQRT_TWO_PI = 1 / Math.sqrt(2 * Math.PI);

type UnaryRule = (g: Node, x: Node, y: Node) => Node;
/** null: piecewise constant. */
const UNARY: { readonly [K in UnaryKind]: readonly ['' | 'x' | 'y', UnaryRule] | null } = {
  // y = −x: dx = −g
  neg: ['', (g) => neg(g)],
  // y = |x|: dx = g·sign(x), with |·|′(0) = 0
  abs: ['x', (g, x) => mul(g, unary('sign', x))],
  sign: null,
  floor: null,
  ceil: null,
  round: null,
  logicalNot: null,
  isNaN: null,
  // y = eˣ: dx = g·y
  exp: ['y', (g, _, y) => mul(g, y)],
  // y = eˣ − 1: dx = g·eˣ; y + 1 would have no digits left where eˣ is small
  expm1: ['x', (g, x) => mul(g, exp(x))],
  // y = ln x: dx = g/x
  log: ['x', (g, x) => div(g, x)],
  // y = ln(1 + x): dx = g/(1 + x)
  log1p: ['x', (g, x) => div(g, add(x, 1))],
  // y = √x: dx = g/(2y), ∞ at 0
  sqrt: ['y', (g, _, y) => div(g, mul(y, 2))],
  // y = x^(−1/2): dx = −g·y³/2
  rsqrt: ['y', (g, _, y) => mul(g, mul(mul(y, mul(y, y)), -0.5))],
  // y = 1/x: dx = −g·y²
  reciprocal: ['y', (g, _, y) => neg(mul(g, mul(y, y)))],
  // y = sin x: dx = g·cos x
  sin: ['x', (g, x) => mul(g, unary('cos', x))],
  // y = cos x: dx = −g·sin x
  cos: ['x', (g, x) => neg(mul(g, unary('sin', x)))],
  // y = tan x: dx = g·(1 + y²)
  tan: ['y', (g, _, y) => mul(g, add(mul(y, y), 1))],
  // y = tanh x: dx = g·(1 − y²)
  tanh: ['y', (g, _, y) => mul(g, sub(1, mul(y, y)))],
  // y = erf x: dx = g·(2/√π)·e^(−x²)
  erf: ['x', (g, x) => mul(g, mul(exp(neg(mul(x, x))), TWO_OVER_SQRT_PI))],
  // y = Φ(x): dx = g·φ(x) = g·e^(−x²/2)/√2π
  normalCdf: ['x', (g, x) => mul(g, mul(gaussian(x), ONE_OVER_SQRT_TWO_PI))],
  // y = 1/(1 + e⁻ˣ): dx = g·y·(1 − y)
  sigmoid: ['y', (g, _, y) => mul(g, mul(y, sub(1, y)))],
};

/**
 * Ties share equally: nothing where the operand loses, ½ where both are equal, all of it elsewhere, NaN
 * included.
 */
function share(loses: Node, ties: Node, g: Node): Node {
  return where(loses, 0, where(ties, mul(g, 0.5), g));
}

/**
 * da = g·b·a^(b−1) for one number b: 0 for b = 0, and g for b = 1, so that the derivatives beyond the order b
 * are 0 for a = 0 too.
 */
function constantPowerGradient(g: Node, a: Node, b: NodeOf<'const'>): Node | null {
  const { value } = b.attrs;
  if (value === 0) return null;
  return value === 1 ? g : mul(g, mul(pow(a, value - 1), b));
}

/** Bases down to which a⁻¹ … a⁻⁴ are finite numbers of a dtype: its largest number to the power of −1/4. */
const LEAST_BASE: { readonly [K in DType]?: number } = {
  float16: 2 ** -4,
  float32: 2 ** -32,
  float64: 2 ** -256,
};

/**
 * da = g·b·a^(b−1) for exponents that are known at run time only. Where b = 0 and a is so small (or NaN) that
 * its negative powers are no numbers, da and its derivatives of every order are 0: the exponent is replaced
 * there as well, since a branch that is not taken would give 0·∞. The derivative of da with respect to b,
 * 1/a, is 0 there too: PyTorch's convention at a = 0.
 */
function powerGradient(g: Node, a: Node, b: Node): Node {
  const isRegular = gt(unary('abs', a), LEAST_BASE[a.dtype] ?? 0);
  const still = binary('logicalAnd', eq(b, 0), logicalNot(isRegular));
  return mul(g, where(still, 0, mul(pow(a, sub(where(still, 1, b), 1)), b)));
}

/** db = g·y·ln a. At a = 0 it is 0 for b ≥ 0: the limit for b > 0, and PyTorch's convention for b = 0. */
function exponentGradient(g: Node, a: Node, b: Node, y: Node): Node {
  const still = binary('logicalAnd', eq(a, 0), ge(b, 0));
  return mul(g, where(still, 0, mul(y, log(where(still, 1, a)))));
}

/**
 * The n of y = a − b·n. The remainder y is exact, so that (a − y)/b is n but for the quotient's rounding;
 * ⌊a/b⌋ would be another number where a/b rounds to a whole one. For b = 0 it is a/b; where −1 times b went
 * into a small a of the other sign, y may be rounded to b, or be infinite as b is.
 */
function wholeQuotient(a: Node, b: Node, y: Node): Node {
  const quotient = div(sub(a, where(eq(b, 0), 0, y)), b);
  return where(eq(y, b), -1, unary('round', quotient));
}

type BinaryReads = '' | 'a' | 'b' | 'ab' | 'by' | 'aby';
type BinaryRule = (g: Node, a: Node, b: Node, y: Node) => readonly [Node | null, Node | null];
/** The residuals of da and of db, and the rule; null: piecewise constant. */
const BINARY: { readonly [K in BinaryKind]: readonly [BinaryReads, BinaryReads, BinaryRule] | null } = {
  // y = a + b
  add: ['', '', (g) => [g, g]],
  // y = a − b
  sub: ['', '', (g) => [g, neg(g)]],
  // y = a·b: da = g·b, db = g·a
  mul: ['b', 'a', (g, a, b) => [mul(g, b), mul(g, a)]],
  // y = a/b: da = g/b, db = −g·a/b² = −g·y/b
  div: ['b', 'by', (g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))]],
  // y = aᵇ: da = g·b·a^(b−1), 0 where b = 0; db = g·y·ln a, 0 where a = 0 and b ≥ 0
  pow: [
    'ab',
    'aby',
    (g, a, b, y) =>
      b.op === 'const'
        ? [constantPowerGradient(g, a, b), null]
        : [powerGradient(g, a, b), exponentGradient(g, a, b, y)],
  ],
  // y = a − b·n: da = g, db = −g·n, where n is the whole number of times that b went into a
  mod: ['', 'aby', (g, a, b, y) => [g, b.op === 'const' ? null : neg(mul(g, wholeQuotient(a, b, y)))]],
  // y = max(a, b)
  maximum: ['ab', 'ab', (g, a, b) => [share(lt(a, b), eq(a, b), g), share(lt(b, a), eq(a, b), g)]],
  // y = min(a, b)
  minimum: ['ab', 'ab', (g, a, b) => [share(gt(a, b), eq(a, b), g), share(gt(b, a), eq(a, b), g)]],
  eq: null,
  ne: null,
  lt: null,
  le: null,
  gt: null,
  ge: null,
  logicalAnd: null,
  logicalOr: null,
};

/** y = the extreme value: elements that equal it share the gradient equally (as PyTorch's amax and amin). */
function extremeRule(g: Node, x: Node, y: Node, axes: readonly number[]): Node {
  const winners = cast(eq(x, expand(y, x.shape)), x.dtype);
  const each = div(g, sum(winners, { axis: axes, keepDims: true }));
  return mul(winners, expand(each, x.shape));
}

/** True at the first index of an axis. */
const isFirst = (x: Node, axis: number): Node => lt(iota(x.shape, axis), 1);

/** Each element one position later along an axis: 0 comes in at the front, the last element leaves. */
function shifted(x: Node, axis: number): Node {
  if (x.shape[axis] === 0) return x;
  const none = x.shape.map(() => 0);
  const front = none.with(axis, 1);
  return pad(shrink(x, none, x.shape.with(axis, x.shape[axis]! - 1)), front, none);
}

/** Running products of the elements before each one: 1 at the first. */
const productBefore = (x: Node, axis: number): Node =>
  cumprod(where(isFirst(x, axis), 1, shifted(x, axis)), axis);

/** A scan from the last element to the first. */
const fromTheEnd = (scan: (x: Node, axis: number) => Node, x: Node, axis: number): Node =>
  flip(scan(flip(x, axis), axis), axis);

/**
 * y = Π x: dxᵢ = g·(Πⱼ﹤ᵢ xⱼ)·(Πⱼ﹥ᵢ xⱼ), the running products from both ends. Dividing y by xᵢ would fail at
 * 0. Several axes are moved to the end and merged into one.
 */
function productGradient(g: Node, x: Node, axes: readonly number[]): Node {
  const parallel = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...parallel, ...axes];
  const moved = permute(x, order);
  const extents = parallel.map((axis) => x.shape[axis]!);
  const count = axes.reduce((size, axis) => size * x.shape[axis]!, 1);
  if (count <= 1) return expand(g, x.shape);
  const rows = reshape(moved, [...extents, count]);
  const axis = extents.length;
  const others = mul(productBefore(rows, axis), fromTheEnd(productBefore, rows, axis));
  const slopes = mul(expand(reshape(g, [...extents, 1]), rows.shape), others);
  return permute(
    reshape(slopes, moved.shape),
    order.map((_, each) => order.indexOf(each)),
  );
}

type ReduceRule = (g: Node, x: Node, y: Node, axes: readonly number[]) => Node;
const REDUCE: { readonly [K in ReduceKind]: readonly ['' | 'x' | 'xy', ReduceRule] } = {
  // y = Σ x: dx = g, repeated
  sum: ['', (g, x) => expand(g, x.shape)],
  max: ['xy', extremeRule],
  min: ['xy', extremeRule],
  prod: ['x', (g, x, _, axes) => productGradient(g, x, axes)],
};

type ScanRule = (g: Node, out: NodeOf<'prefixScan'>) => readonly Node[];
/** The residuals of each input's gradient, and the rule. */
const SCAN: { readonly [K in ScanKind]: readonly [readonly ('' | 'a' | 'ay')[], ScanRule] } = {
  // yᵢ = Σ_{j ≤ i} xⱼ: dxⱼ = Σ_{i ≥ j} gᵢ, the running sum from the end
  sum: [[''], (g, { attrs: { axis } }) => [fromTheEnd(cumsum, g, axis)]],
  // yᵢ = aᵢ·yᵢ₋₁ with y₋₁ = 1: daᵢ = λᵢ·yᵢ₋₁, where λᵢ is the total derivative with respect to yᵢ
  prod: [
    ['ay'],
    (g, out) => {
      const { axis } = out.attrs;
      return [mul(adjointOf(g, input(out, 0), axis), where(isFirst(out, axis), 1, shifted(out, axis)))];
    },
  ],
  // yᵢ = aᵢ·yᵢ₋₁ + bᵢ with y₋₁ = 0: daᵢ = λᵢ·yᵢ₋₁, dbᵢ = λᵢ
  linear: [
    ['ay', 'a'],
    (g, out) => {
      const { axis } = out.attrs;
      const adjoint = adjointOf(g, input(out, 0), axis);
      return [mul(adjoint, shifted(out, axis)), adjoint];
    },
  ],
};

/**
 * λᵢ = gᵢ + aᵢ₊₁·λᵢ₊₁: all that reaches the i-th value of a recurrence with factors a. Another linear
 * recurrence, from the end.
 */
function adjointOf(g: Node, factors: Node, axis: number): Node {
  return flip(linearRecurrence(shifted(flip(factors, axis), axis), flip(g, axis), axis), axis);
}

type MovementRule<K extends Movement['kind']> = (
  g: Node,
  movement: Extract<Movement, { kind: K }>,
  x: Node,
) => Node;
const MOVEMENT: { readonly [K in Movement['kind']]: MovementRule<K> } = {
  // The inverse rewrite; what was repeated is summed, what was cut off had no influence.
  reshape: (g, _, x) => reshape(g, x.shape),
  permute: (g, { axes }) => {
    const inverse = axes.map((_, axis) => axes.indexOf(axis));
    return permute(g, inverse);
  },
  expand: (g, _, x) => sumTo(g, x.shape),
  pad: (g, { before }, x) =>
    shrink(
      g,
      before,
      x.shape.map((extent, axis) => before[axis]! + extent),
    ),
  shrink: (g, { begin, end }, x) =>
    pad(
      g,
      begin,
      x.shape.map((extent, axis) => extent - end[axis]!),
    ),
  flip: (g, { axes }) => flip(g, axes),
  barrier: (g) => g,
};

type Computed = NodeOf<'unary' | 'binary' | 'reduce' | 'prefixScan'>;
type Rule = (g: Node, operands: readonly Node[], y: Node) => readonly (Node | null)[];

const roundedToFloat16 = (value: number): number => fromFloat16Bits(toFloat16Bits(value));

/** In float32; a constant stays one, as rules look at exponents. */
function widenOperand(x: Node): Node {
  return x.op === 'const' ? constant(roundedToFloat16(x.attrs.value), x.shape, 'float32') : widen(x);
}

/**
 * A rule, which of float16 computes in float32 and rounds its gradients once: 1 − y² of a rounded y would
 * keep no digits, and a sum of ties may leave the range. The result of an elementwise function or a scan is
 * computed again from the operands, without rounding. Extreme values are exact in float16, and other
 * reductions do not read theirs.
 */
function inFloat32(g: Node, out: Computed, rule: Rule): readonly (Node | null)[] {
  if (out.dtype !== 'float16' || out.attrs.kind === 'sum') return rule(g, out.inputs, out);
  const operands = out.inputs.map(widenOperand);
  const wide = widen(g);
  const y = out.op === 'reduce' ? widen(out) : node(out.op, out.attrs, operands);
  return rule(wide, operands, y).map((each) =>
    each === null ? null : each === wide ? g : cast(each, 'float16'),
  );
}

/** One rule per primitive: a missing one does not compile. */
export const VJPS: VJPs = {
  const: () => [],
  iota: () => [],
  random: () => [null, null],
  // y = x in another precision: dx = g in x's
  cast: (g, out) => [cast(g, input(out, 0).dtype)],
  unary: (g, out) => {
    const rule = UNARY[out.attrs.kind]?.[1];
    return rule === undefined ? [null] : inFloat32(g, out, (dy, [x], y) => [rule(dy, x!, y)]);
  },
  binary: (g, out) => {
    const rule = BINARY[out.attrs.kind]?.[2];
    return rule === undefined ? [null, null] : inFloat32(g, out, (dy, [a, b], y) => rule(dy, a!, b!, y));
  },
  // y = c ? a : b: da = c ? g : 0, db = c ? 0 : g
  where: (g, out) => [null, where(input(out, 0), g, 0), where(input(out, 0), 0, g)],
  reduce: (g, out) =>
    inFloat32(g, out, (dy, [x], y) => [REDUCE[out.attrs.kind][1](dy, x!, y, out.attrs.axes)]),
  argReduce: () => [null],
  prefixScan: (g, out) =>
    inFloat32(g, out, (dy, _, y) => SCAN[out.attrs.kind][1](dy, y as NodeOf<'prefixScan'>)),
  movement: (g, out) => [
    (MOVEMENT[out.attrs.kind] as MovementRule<Movement['kind']>)(g, out.attrs, input(out, 0)),
  ],
  // yᵢ = x[indexᵢ]: dx[j] = Σ_{i: indexᵢ = j} gᵢ
  gather: (g, out) => {
    const x = input(out, 0);
    return [scatter('add', fixedConstant(0, x.shape, x.dtype), input(out, 1), g, out.attrs.axis), null];
  },
  scatter: (g, out) => SCATTER[out.attrs.mode](g, out),
  sort: () => [null],
};

const SCATTER: {
  readonly [K in 'add' | 'set']: (g: Node, out: NodeOf<'scatter'>) => readonly (Node | null)[];
} = {
  // y = base + Σ source at index: dbase = g, dsource = g[index], 0 where the index was dropped
  add: (g, out) => {
    const index = input(out, 1);
    return [g, null, keepInRange(gather(g, index, out.attrs.axis), index, out)];
  },
  // y = source where it was the last one written, base elsewhere: who wrote last is found by scattering
  // positions
  set: (g, out) => {
    const { axis } = out.attrs;
    const index = input(out, 1);
    const source = input(out, 2);
    const count = source.shape.reduce((size, extent) => size * extent, 1);
    const position = reshape(iota([count], 0), source.shape);
    const writer = scatter('set', constant(-1, out.shape, 'int32'), index, position, axis);
    const won = eq(gather(writer, index, axis), position);
    const taken = keepInRange(gather(g, index, axis), index, out);
    return [where(lt(writer, 0), g, 0), null, where(won, taken, 0)];
  },
};

/** The gathered gradient, 0 where the index is out of range: nothing was written there. */
function keepInRange(gathered: Node, index: Node, out: NodeOf<'scatter'>): Node {
  const position = cast(index, 'int32');
  const inside = binary('logicalAnd', ge(position, 0), lt(position, out.shape[out.attrs.axis]!));
  return where(inside, gathered, 0);
}

/** Whether a rule of float16 computes the result again from the operands, instead of reading it. */
const recomputes = ({ op, dtype }: Computed): boolean => dtype === 'float16' && op !== 'reduce';

/** The values with these letters: x or a is the first operand, b the second, y the result. */
function read(letters: string, out: Computed): readonly Node[] {
  const values: Node[] = [];
  for (const letter of letters) {
    if (letter !== 'y') values.push(input(out, letter === 'b' ? 1 : 0));
    else if (recomputes(out)) values.push(...out.inputs);
    else values.push(out);
  }
  return values;
}

const NOTHING: readonly Node[] = [];

/** A constant exponent as the rule of `pow` gets it. */
const exponentOf = ({ attrs }: NodeOf<'const'>, { dtype }: Node): number =>
  dtype === 'float16' ? roundedToFloat16(attrs.value) : attrs.value;

/** The residuals of the rules above, exhaustive as they are. They are known without building a gradient. */
export const RESIDUALS: ResidualTable = {
  const: () => [],
  iota: () => [],
  random: () => [null, null],
  cast: () => [NOTHING],
  unary(out) {
    const entry = UNARY[out.attrs.kind];
    return [entry === null ? null : read(entry[0], out)];
  },
  binary(out) {
    const entry = BINARY[out.attrs.kind];
    if (entry === null) return [null, null];
    const b = input(out, 1);
    if (out.attrs.kind === 'pow' && b.op === 'const') {
      const value = exponentOf(b, out);
      return [value === 0 ? null : value === 1 ? NOTHING : [input(out, 0)], null];
    }
    return [read(entry[0], out), read(entry[1], out)];
  },
  where: (out) => [null, [input(out, 0)], [input(out, 0)]],
  reduce: (out) => [read(REDUCE[out.attrs.kind][0], out)],
  argReduce: () => [null],
  prefixScan: (out) => SCAN[out.attrs.kind][0].map((letters) => read(letters, out)),
  movement: () => [NOTHING],
  gather: (out) => [[input(out, 1)], null],
  scatter: (out) => [out.attrs.mode === 'add' ? NOTHING : [input(out, 1)], null, [input(out, 1)]],
  sort: () => [null],
};
