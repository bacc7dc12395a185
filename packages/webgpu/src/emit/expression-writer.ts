/**
 * Scalar expressions as WGSL. What does not change with the innermost loop is computed in front of it; what
 * occurs more than once has a name; loads have names too, so that all of them happen before the stores of the
 * same iteration.
 */
import {
  inputsOf,
  scalarsIn,
  type Index,
  type Kernel,
  type Scalar,
  type ScalarOf,
  type ScalarOp,
} from '@firsthand/compiler';
import type { Block } from './block.ts';
import { axesIn, indexText, splitIndex } from './indices.ts';
import { opaqueOperands } from './opaque.ts';
import type { Operands } from './operands.ts';
import {
  binaryExpression,
  castExpression,
  literal,
  opaqueExpression,
  randomExpression,
  unaryExpression,
  whereExpression,
  type Expression,
  type FunctionName,
} from '../scalar/operations.ts';

/** Longer expressions get a name, so that lines stay readable. */
const LONG = 72;

/** Where statements go: a block, the loop variables that it may read, and the scope around it. */
export class Scope {
  /** Where the next statement goes: in front of the loop that is being written. */
  block: Block;
  readonly outer: Scope | null;
  readonly axes: ReadonlySet<number>;
  /** Texts that have names here. */
  readonly names: Map<string, string> = new Map();
  /** Expressions that have been written here. */
  readonly values: Map<Scalar, string> = new Map();

  /** @param axes loop variables that change in this scope, besides those of the scopes around it */
  constructor(block: Block, axes: readonly number[], outer: Scope | null = null) {
    this.block = block;
    this.outer = outer;
    this.axes = new Set(axes);
  }
}

/**
 * What expressions read besides arrays: how a reduction's result and a running total are called, and at which
 * depth they exist.
 */
export interface Surroundings {
  readonly reduced?: (reduction: number) => { readonly name: string; readonly scope: Scope };
  readonly total?: { readonly name: string; readonly scope: Scope };
  /** An element that is in a register already, or null. */
  readonly load?: (operand: number, index: Index) => string | null;
}

type Write<K extends ScalarOp> = (
  writer: ExpressionWriter,
  scalar: ScalarOf<K>,
  inputs: readonly string[],
  scope: Scope,
) => string;

const WRITE: { readonly [K in ScalarOp]: Write<K> } = {
  const: (writer, { dtype, value }) => writer.use(literal(dtype, value)),
  load: (writer, { operand, index }, _, scope) =>
    writer.surroundings.load?.(operand, index) ?? writer.operands.load(operand, writer.index(index, scope)),
  index: (writer, { index }, _, scope) => `(${writer.index(index, scope)})`,
  inside: (writer, { index, low, high }, _, scope) => {
    const place = writer.index(index, scope);
    return `((${place} >= ${low}) & (${place} < ${high}))`;
  },
  gather: (writer, { dtype, operand, index, position, stride, extent }, [text], scope) => {
    const name = writer.define(`i32(${text!})`, scope);
    const bounded =
      position.dtype === 'uint32' ? `${text!} < ${extent}u` : `(${name} >= 0) & (${name} < ${extent})`;
    const rest = writer.index(index, scope);
    const step = stride === 1 ? name : `${stride} * ${name}`;
    const element = writer.define(
      writer.operands.load(operand, rest === '0' ? step : `${rest} + ${step}`),
      scope,
    );
    const nothing = writer.use(literal(dtype, dtype.startsWith('float') ? NaN : 0));
    return `select(${nothing}, ${element}, ${bounded})`;
  },
  random: (writer, { dtype, index }, [key0, key1, counter0, counter1], scope) =>
    writer.use(
      randomExpression(dtype, [key0!, key1!], [counter0!, counter1!], `u32(${writer.index(index, scope)})`),
    ),
  unary: (writer, { kind, x }, [text]) => writer.use(unaryExpression(kind, x.dtype, text!)),
  binary: (writer, { kind, a }, [left, right]) => writer.use(binaryExpression(kind, a.dtype, left!, right!)),
  where: (writer, _, [condition, a, b]) => writer.use(whereExpression(condition!, a!, b!)),
  cast: (writer, { dtype, x }, [text]) => writer.use(castExpression(x.dtype, dtype, text!)),
  reduced: (writer, { reduction }) => writer.surroundings.reduced!(reduction).name,
  total: (writer) => writer.surroundings.total!.name,
};

/** Kinds that are as short as a name, or that stand for one. */
const PLAIN: ReadonlySet<ScalarOp> = /* @__PURE__ */ new Set(['const', 'reduced', 'total'] as const);

/** The expressions of one shader. */
export class ExpressionWriter {
  readonly operands: Operands;
  readonly surroundings: Surroundings;
  readonly needs: Set<FunctionName> = new Set();
  /** Extents of all loop variables of the kernel. */
  readonly #extents: readonly number[];
  #count = 0;

  constructor(operands: Operands, extents: readonly number[], surroundings: Surroundings = {}) {
    this.operands = operands;
    this.surroundings = surroundings;
    this.#extents = extents;
  }

  /** Notes what an expression calls, and returns its text. */
  use({ text, needs }: Expression): string {
    for (const name of needs) this.needs.add(name);
    return text;
  }

  /** The texts of some values in a scope, once statements have named what they share. */
  write(values: readonly Scalar[], scope: Scope): readonly string[] {
    const order = scalarsIn(values, (scalar) => lookup(scope, scalar) !== null);
    const uses = countUses(order, values);
    const definitionScopes = new Map<Scalar, Scope>();
    for (const scalar of order) {
      const definitionScope = this.#homeOf(scalar, scope, definitionScopes);
      definitionScopes.set(scalar, definitionScope);
      const isOpaque = opaqueOperands(scalar);
      const inputs = inputsOf(scalar).map((input, place) => {
        const text = lookup(definitionScope, input)!;
        return isOpaque[place]! ? this.use(opaqueExpression(text)) : text;
      });
      const text = (WRITE[scalar.op] as Write<ScalarOp>)(this, scalar, inputs, definitionScope);
      const isNamed =
        !PLAIN.has(scalar.op) &&
        (scalar.op === 'load' ||
          scalar.op === 'gather' ||
          uses.get(scalar)! > 1 ||
          text.length > LONG ||
          (definitionScope !== scope && inputs.length > 0));
      definitionScope.values.set(scalar, isNamed ? this.define(text, definitionScope) : text);
    }
    return values.map((value) => lookup(scope, value)!);
  }

  /** A name for a text in a scope. */
  define(text: string, scope: Scope): string {
    if (/^\w+$/.test(text)) return text;
    for (let each: Scope | null = scope; each !== null; each = each.outer) {
      const known = each.names.get(text);
      if (known !== undefined) return known;
    }
    const name = `t${this.#count++}`;
    scope.block.line(`let ${name} = ${text};`);
    scope.names.set(text, name);
    return name;
  }

  /** An index as text; the part that does not change with the innermost loop has a name in front of it. */
  index(index: Index, scope: Scope): string {
    if (scope.outer === null) return indexText(index, this.#extents);
    const { outer, inner } = splitIndex(index, (axis) => !scope.axes.has(axis));
    if (outer.terms.length === 0 || (inner.terms.length === 0 && inner.offset === 0))
      return this.#deepPlace(index, scope);
    const text = this.index(outer, scope.outer);
    const base = this.define(text, scope.outer);
    const rest = indexText(inner, this.#extents);
    return rest.startsWith('-') ? `${base} - ${rest.slice(1)}` : `${base} + ${rest}`;
  }

  #deepPlace(index: Index, scope: Scope): string {
    const isOuter = index.terms.length > 0 && !axesIn(index).some((axis) => scope.axes.has(axis));
    return isOuter ? this.index(index, scope.outer!) : indexText(index, this.#extents);
  }

  /** The outermost scope in which an expression can be computed. */
  #homeOf(scalar: Scalar, scope: Scope, definitionScopes: ReadonlyMap<Scalar, Scope>): Scope {
    let definitionScope = rootOf(scope);
    const within = (other: Scope): void => {
      if (depthOf(other) > depthOf(definitionScope)) definitionScope = other;
    };
    for (const input of inputsOf(scalar)) within(definitionScopes.get(input) ?? scopeOf(scope, input));
    for (const axis of axesOfScalar(scalar))
      for (let each: Scope | null = scope; each !== null; each = each.outer)
        if (each.axes.has(axis)) within(each);
    if (scalar.op === 'reduced') within(this.surroundings.reduced!(scalar.reduction).scope);
    if (scalar.op === 'total') within(this.surroundings.total!.scope);
    return definitionScope;
  }
}

function axesOfScalar(scalar: Scalar): readonly number[] {
  return 'index' in scalar ? axesIn(scalar.index) : [];
}

function lookup(scope: Scope, scalar: Scalar): string | null {
  for (let each: Scope | null = scope; each !== null; each = each.outer) {
    const text = each.values.get(scalar);
    if (text !== undefined) return text;
  }
  return null;
}

/** The scope that holds an expression which has been written. */
function scopeOf(scope: Scope, scalar: Scalar): Scope {
  for (let each: Scope | null = scope; each !== null; each = each.outer)
    if (each.values.has(scalar)) return each;
  return scope;
}

function rootOf(scope: Scope): Scope {
  return scope.outer === null ? scope : rootOf(scope.outer);
}

function depthOf(scope: Scope): number {
  return scope.outer === null ? 0 : 1 + depthOf(scope.outer);
}

function countUses(order: readonly Scalar[], values: readonly Scalar[]): ReadonlyMap<Scalar, number> {
  const uses = new Map<Scalar, number>();
  for (const each of [...order.flatMap((scalar) => inputsOf(scalar)), ...values])
    uses.set(each, (uses.get(each) ?? 0) + 1);
  return uses;
}

/** Extents of all loop variables of a kernel. */
export function extentsOf(kernel: Kernel): readonly number[] {
  if (kernel.kind === 'loop') return [...kernel.rows, ...kernel.columns];
  if (kernel.kind === 'contract') return [...kernel.batch, kernel.m, kernel.n, kernel.k];
  if (kernel.kind === 'scatter') return kernel.extents;
  if (kernel.kind === 'custom') return [];
  return [...kernel.rows, kernel.count];
}
