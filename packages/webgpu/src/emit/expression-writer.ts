/**
 * Writes scalar expressions as WGSL. Each is defined in the outermost scope in which it can be computed, so
 * that loop invariants come before the loop; what is used more than once is a `let`. Loads are too: all loads
 * of an iteration precede its stores.
 */
import {
  inputsOf,
  scalarsIn,
  type Index,
  type Kernel,
  type KernelKind,
  type Scalar,
  type ScalarOf,
  type ScalarOp,
  type Store,
} from '@firsthand/compiler';
import type { Block } from './block.ts';
import { axesIn, indexText, splitIndex } from './indices.ts';
import { opaqueOperands } from './opaque.ts';
import type { Operands } from './operands.ts';
import { addText, mulText } from './text.ts';
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

/** Characters above which an expression gets a name, so that lines stay readable. */
const LONG = 72;

/**
 * A codegen scope: the block that statements are appended to, its loop variables, and the enclosing scope.
 */
export class Scope {
  /** The insertion point of the next statement: before the loop that is being written. */
  block: Block;
  readonly outer: Scope | null;
  readonly axes: ReadonlySet<number>;
  /** The names that are defined here, by the text that they stand for. */
  readonly names: Map<string, string> = new Map();
  /** The texts of the expressions that have been written here. */
  readonly values: Map<Scalar, string> = new Map();

  /** @param axes the loop variables of this scope, besides those of the enclosing scopes */
  constructor(block: Block, axes: readonly number[], outer: Scope | null = null) {
    this.block = block;
    this.outer = outer;
    this.axes = new Set(axes);
  }
}

/**
 * What expressions read besides arrays: the names of reduction results and of the total, with their scopes.
 */
export interface Surroundings {
  readonly reduced?: (reduction: number) => { readonly name: string; readonly scope: Scope };
  readonly total?: { readonly name: string; readonly scope: Scope };
  /** The name of an element that is in a register already, or null. */
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
    const text = writer.index(index, scope);
    return `((${text} >= ${low}) & (${text} < ${high}))`;
  },
  gather: (writer, { dtype, operand, index, position, stride, extent }, [text], scope) => {
    const name = writer.define(`i32(${text!})`, scope);
    const bounded =
      position.dtype === 'uint32' ? `${text!} < ${extent}u` : `(${name} >= 0) & (${name} < ${extent})`;
    const offset = addText(writer.index(index, scope), mulText(stride, name));
    const element = writer.define(writer.operands.load(operand, offset), scope);
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

/** Operations whose text is a literal or a name already. */
const PLAIN: ReadonlySet<ScalarOp> = /* @__PURE__ */ new Set(['const', 'reduced', 'total'] as const);

/** Writes the expressions of one shader. */
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

  /** The text of an expression, whose functions the shader will declare. */
  use({ text, needs }: Expression): string {
    for (const name of needs) this.needs.add(name);
    return text;
  }

  /** Writes the definitions that some values need in a scope. @returns the texts of the values */
  write(values: readonly Scalar[], scope: Scope): readonly string[] {
    const order = scalarsIn(values, (scalar) => lookup(scope, scalar) !== null);
    const uses = countUses(order, values);
    const scopes = new Map<Scalar, Scope>();
    for (const scalar of order) {
      const home = this.#scopeOf(scalar, scope, scopes);
      scopes.set(scalar, home);
      const isOpaque = opaqueOperands(scalar);
      const inputs = inputsOf(scalar).map((input, position) => {
        const text = lookup(home, input)!;
        return isOpaque[position]! ? this.use(opaqueExpression(text)) : text;
      });
      const text = (WRITE[scalar.op] as Write<ScalarOp>)(this, scalar, inputs, home);
      const isNamed =
        !PLAIN.has(scalar.op) &&
        (scalar.op === 'load' ||
          scalar.op === 'gather' ||
          uses.get(scalar)! > 1 ||
          text.length > LONG ||
          (home !== scope && inputs.length > 0));
      home.values.set(scalar, isNamed ? this.define(text, home) : text);
    }
    return values.map((value) => lookup(scope, value)!);
  }

  /** Defines a name for a text, unless the scope or an enclosing one has one. */
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

  /** The text of an index; its loop-invariant part is defined in the enclosing scope. */
  index(index: Index, scope: Scope): string {
    if (scope.outer === null) return indexText(index, this.#extents);
    const { outer, inner } = splitIndex(index, (axis) => !scope.axes.has(axis));
    if (outer.terms.length === 0 || (inner.terms.length === 0 && inner.offset === 0))
      return outer.terms.length > 0 ? this.index(index, scope.outer) : indexText(index, this.#extents);
    const base = this.define(this.index(outer, scope.outer), scope.outer);
    return addText(base, indexText(inner, this.#extents));
  }

  /** Stores the values of `stores` at their indices. */
  storeAll(stores: readonly Store[], scope: Scope): void {
    const values = this.write(
      stores.map(({ value }) => value),
      scope,
    );
    const indices = stores.map(({ index }) => this.index(index, scope));
    stores.forEach(({ operand }, store) =>
      scope.block.line(this.operands.store(operand, indices[store]!, values[store]!)),
    );
  }

  /** The outermost scope in which an expression can be computed: the innermost one that it depends on. */
  #scopeOf(scalar: Scalar, scope: Scope, scopes: ReadonlyMap<Scalar, Scope>): Scope {
    const dependencies = inputsOf(scalar).map((input) => scopes.get(input) ?? definingScope(scope, input));
    if (scalar.op === 'reduced') dependencies.push(this.surroundings.reduced!(scalar.reduction).scope);
    if (scalar.op === 'total') dependencies.push(this.surroundings.total!.scope);
    const axes = 'index' in scalar ? axesIn(scalar.index) : [];
    for (let each: Scope | null = scope; each !== null; each = each.outer)
      if (each.outer === null || dependencies.includes(each) || axes.some((axis) => each.axes.has(axis)))
        return each;
    return scope;
  }
}

function lookup(scope: Scope, scalar: Scalar): string | null {
  return definingScope(scope, scalar).values.get(scalar) ?? null;
}

/** The scope in which an expression has been written; this one where there is none. */
function definingScope(scope: Scope, scalar: Scalar): Scope {
  for (let each: Scope | null = scope; each !== null; each = each.outer)
    if (each.values.has(scalar)) return each;
  return scope;
}

function countUses(order: readonly Scalar[], values: readonly Scalar[]): ReadonlyMap<Scalar, number> {
  const uses = new Map<Scalar, number>();
  for (const each of [...order.flatMap((scalar) => inputsOf(scalar)), ...values])
    uses.set(each, (uses.get(each) ?? 0) + 1);
  return uses;
}

const EXTENTS: { readonly [K in KernelKind]: (kernel: Extract<Kernel, { kind: K }>) => readonly number[] } = {
  loop: ({ rows, columns }) => [...rows, ...columns],
  contract: ({ batch, m, n, k }) => [...batch, m, n, k],
  scan: ({ rows, count }) => [...rows, count],
  scatter: ({ extents }) => extents,
  sort: ({ rows, count }) => [...rows, count],
  custom: () => [],
};

/** The extents of all loop variables of a kernel. */
export function extentsOf(kernel: Kernel): readonly number[] {
  return (EXTENTS[kernel.kind] as (kernel: Kernel) => readonly number[])(kernel);
}
