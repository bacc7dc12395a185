/**
 * Rebuilds a graph from its leaves up by rules. Every node that is built, by the graph itself or by a rule,
 * is first looked up by operation, attributes and operands, so that equal work exists once (hash consing).
 * Then the rules for its operation are tried in order, and the first that applies replaces it. One walk
 * suffices, since operands are finished before their readers are built.
 */
import {
  type Attributes,
  type Attrs,
  type BinaryKind,
  callNode,
  type Composite,
  constant,
  type DType,
  matmulComposite,
  type Movement,
  node as build,
  type Node,
  type Op,
  postOrder,
  reapply,
  type ReduceKind,
  type Shape,
  type UnaryKind,
  withGradient,
} from '@firsthand/graph';
import { BINARY_TRAITS } from '@firsthand/linalg';
import { runToEnd, type Resumable } from '../support/resumable.ts';
import { KeyTable } from '../support/key-table.ts';

/** Where a rule applies: an operation, or one kind of it. */
export type Site =
  | Op
  | `unary ${UnaryKind}`
  | `binary ${BinaryKind}`
  | `reduce ${ReduceKind}`
  | `movement ${Exclude<Movement['kind'], 'barrier'>}`;

/** One way to write a node differently. */
export interface Rule {
  /** The equation; why it holds is written beside it. */
  readonly name: string;
  /** Whether every bit is the same, up to the payload of NaN. */
  readonly exact: boolean;
  readonly at: readonly Site[];
  /** The replacement of the node, or null where the rule does not apply. The operands are finished. */
  readonly apply: (node: Node, make: Rewriter) => Node | null;
}

/**
 * How many rules may be at work inside each other: a rule that digs deeper finds nodes that are left as they
 * are.
 */
const DEPTH_LIMIT = 64;
/** Nodes that are rewritten between two points at which rewriting may pause: some hundred microseconds. */
const PART = 64;
const NONE: readonly Node[] = [];
/** Operations whose shape or dtype is said by their attributes and not by their operands. */
const SHAPED: ReadonlySet<Op> = /* @__PURE__ */ new Set<Op>(['const', 'iota', 'random', 'cast', 'movement']);
/** Operations with a∘b = b∘a: equal work whatever the order. */
export const COMMUTATIVE: readonly BinaryKind[] = /* @__PURE__ */ (
  Object.keys(BINARY_TRAITS) as BinaryKind[]
).filter((kind) => BINARY_TRAITS[kind].commutes);

/** What `rewrite` needs besides the graph. */
export interface RewriteOptions {
  readonly rules: readonly Rule[];
  /** Called at each application of a rule. */
  readonly onRewrite?: ((rule: Rule) => void) | undefined;
  /**
   * How many nodes and roots read each node, for rules that must not compute something twice; without it they
   * don't apply.
   */
  readonly readers?: ReadonlyMap<Node, number> | undefined;
}

/** The graph of `roots`, rewritten node by node. */
export function rewrite(roots: readonly Node[], options: RewriteOptions): Resumable<readonly Node[]> {
  return new Rewriter(options).run(roots, new Map());
}

/** How many nodes and roots read each node. */
export function countReaders(roots: readonly Node[]): ReadonlyMap<Node, number> {
  const readers = new Map<Node, number>();
  const count = (node: Node): void => {
    readers.set(node, (readers.get(node) ?? 0) + 1);
  };
  roots.forEach(count);
  for (const node of postOrder(roots, (each) => each.inputs)) node.inputs.forEach(count);
  return readers;
}

/** The replacements of a node's inputs: the same list where no input is replaced. */
export function replacedInputs({ inputs }: Node, finished: ReadonlyMap<Node, Node>): readonly Node[] {
  return inputs.every((input) => finished.get(input) === input)
    ? inputs
    : inputs.map((input) => finished.get(input)!);
}

/** Calls `each` for some nodes at a time, without gradients. */
function* inParts(order: readonly Node[], each: (node: Node) => void): Resumable<void> {
  for (let first = 0; first < order.length; first += PART) {
    const part = order.slice(first, first + PART);
    withGradient(false, () => part.forEach(each));
    yield;
  }
}

/** Whether a node is another one, moved or not. */
function isMoved(node: Node, source: Node): boolean {
  let below = node;
  while (below !== source && below.op === 'movement') below = below.inputs[0]!;
  return below === source;
}

/**
 * Builds nodes for rules: each method gives the finished node, which may be another operation than the
 * requested one.
 */
export class Rewriter {
  readonly #rules: readonly Rule[];
  readonly #rulesAt = new Map<Op, Map<string, readonly Rule[]>>();
  readonly #onRewrite: ((rule: Rule) => void) | undefined;
  readonly #given: ReadonlyMap<Node, number> | undefined;
  readonly #readers = new Map<Node, number>();
  /** Keys (operation, attributes, operands) of all requested nodes, and their replacements. */
  readonly #keys = new KeyTable();
  readonly #finished: (Node | undefined)[] = [];
  readonly #numbers = new Map<Node, number>();
  #depth = 0;

  constructor({ rules, onRewrite, readers }: RewriteOptions) {
    this.#rules = rules;
    this.#onRewrite = onRewrite;
    this.#given = readers;
  }

  /** Rewrites a graph down to `finished` nodes, which it maps to their replacements. */
  *run(roots: readonly Node[], finished: Map<Node, Node>): Resumable<readonly Node[]> {
    const order = postOrder(roots, (each) => (finished.has(each) ? NONE : each.inputs));
    yield* inParts(order, (node) => {
      if (!finished.has(node)) this.#replace(node, finished);
    });
    return roots.map((root) => finished.get(root)!);
  }

  /**
   * Rewrites a graph of finished nodes in which some are replaced, and so are nodes inside the replacements.
   */
  *replace(roots: readonly Node[], replacements: ReadonlyMap<Node, Node>): Resumable<readonly Node[]> {
    const finished = new Map<Node, Node>();
    const inputsOf = (node: Node): readonly Node[] => {
      const replacement = replacements.get(node);
      return replacement === undefined ? node.inputs : [replacement];
    };
    yield* inParts(postOrder(roots, inputsOf), (node) => {
      const replacement = replacements.get(node);
      if (replacement === undefined) this.#replace(node, finished);
      else finished.set(node, finished.get(replacement)!);
    });
    return roots.map((root) => finished.get(root)!);
  }

  #replace(node: Node, finished: Map<Node, Node>): void {
    const inputs = replacedInputs(node, finished);
    const result = this.finish(inputs === node.inputs ? node : reapply(node, inputs));
    finished.set(node, result);
    const readers = this.#given?.get(node);
    if (readers !== undefined) this.#inheritReaders(result, inputs, readers);
  }

  /**
   * A replacement inherits the node's readers; below movements that a rule has put on top, so does the value
   * that it has built. Where an operand replaces the node, the node is no longer a reader of it.
   */
  #inheritReaders(result: Node, operands: readonly Node[], readers: number): void {
    const known = this.#readers.get(result);
    const isOperand = known !== undefined && operands.some((operand) => isMoved(operand, result));
    this.#readers.set(result, (known ?? 0) + readers - (isOperand ? 1 : 0));
    let below = result;
    while (below.op === 'movement') {
      below = below.inputs[0]!;
      if (this.#readers.has(below)) return;
      this.#readers.set(below, readers);
    }
  }

  /** The node that stands for `node`, whose operands are finished. */
  finish(node: Node): Node {
    if (node.op === 'leaf') {
      this.#number(node);
      return node;
    }
    const key = this.#keyOf(node);
    const known = this.#finished[key];
    if (known !== undefined) return known;
    const result = this.#depth < DEPTH_LIMIT ? this.#apply(node) : node;
    this.#number(result);
    this.#finished[key] = result;
    return result;
  }

  #apply(node: Node): Node {
    this.#depth++;
    for (const rule of this.#rulesFor(node)) {
      const result = rule.apply(node, this);
      if (result === null) continue;
      this.#onRewrite?.(rule);
      this.#depth--;
      return result;
    }
    this.#depth--;
    return node;
  }

  #rulesFor({ op, attrs }: Node): readonly Rule[] {
    const kind = 'kind' in attrs ? attrs.kind : '';
    let kinds = this.#rulesAt.get(op);
    if (kinds === undefined) this.#rulesAt.set(op, (kinds = new Map()));
    let rules = kinds.get(kind);
    if (rules === undefined) {
      rules = this.#rules.filter(({ at }) => at.some((site) => site === op || site === `${op} ${kind}`));
      kinds.set(kind, rules);
    }
    return rules;
  }

  /** How many nodes and roots read a finished node; unknown (Infinity) for what rules have built. */
  readersOf(node: Node): number {
    return this.#readers.get(node) ?? Infinity;
  }

  // ---- keys

  #number(node: Node): void {
    if (!this.#numbers.has(node)) this.#numbers.set(node, this.#numbers.size);
  }

  #numberOf(node: Node): number {
    const number = this.#numbers.get(node);
    if (number === undefined) throw new TypeError(`rewrite: a rule reads a ${node.op} that is not finished`);
    return number;
  }

  #keyOf(node: Node): number {
    const { op, inputs } = node;
    const { write } = this.#keys;
    this.#keys.writeOperation(node);
    if (SHAPED.has(op)) {
      write(this.#keys.intern(node.dtype));
      for (const extent of node.shape) write(extent);
    }
    if (op === 'binary' && BINARY_TRAITS[node.attrs.kind].commutes) {
      const [a, b] = [this.#numberOf(inputs[0]!), this.#numberOf(inputs[1]!)];
      write(Math.min(a, b));
      write(Math.max(a, b));
    } else {
      for (const input of inputs) write(this.#numberOf(input));
    }
    return this.#keys.number();
  }

  // ---- building

  make<K extends Op>(op: K, attrs: Attributes[K], inputs: readonly Node[]): Node {
    return this.finish(build(op, attrs, inputs) as Node);
  }
  /** The same operation on operands that may have another shape. */
  like({ op, attrs }: Node, inputs: readonly Node[]): Node {
    return this.make(op, attrs, inputs);
  }
  constant(value: number, shape: Shape, dtype: DType): Node {
    return this.finish(constant(value, shape, dtype));
  }
  unary(kind: UnaryKind, x: Node): Node {
    return this.make('unary', { kind }, [x]);
  }
  binary(kind: BinaryKind, a: Node, b: Node): Node {
    return this.make('binary', { kind }, [a, b]);
  }
  where(condition: Node, a: Node, b: Node): Node {
    return this.make('where', {}, [condition, a, b]);
  }
  cast(x: Node, dtype: DType): Node {
    return this.make('cast', { dtype }, [x]);
  }
  reduce(kind: ReduceKind, x: Node, axes: readonly number[]): Node {
    return this.make('reduce', { kind, axes }, [x]);
  }
  move(movement: Movement, x: Node): Node {
    return this.make('movement', movement, [x]);
  }
  reshape(x: Node, shape: Shape): Node {
    return this.move({ kind: 'reshape', shape }, x);
  }
  permute(x: Node, axes: readonly number[]): Node {
    return this.move({ kind: 'permute', axes }, x);
  }
  expand(x: Node, shape: Shape): Node {
    return this.move({ kind: 'expand', shape }, x);
  }
  pad(x: Node, before: readonly number[], after: readonly number[]): Node {
    return this.move({ kind: 'pad', before, after }, x);
  }
  shrink(x: Node, begin: readonly number[], end: readonly number[]): Node {
    return this.move({ kind: 'shrink', begin, end }, x);
  }
  flip(x: Node, axes: readonly number[]): Node {
    return this.move({ kind: 'flip', axes }, x);
  }
  /** The first output of a composite. */
  call(composite: Composite, attrs: Attrs, inputs: readonly Node[]): Node {
    const output = callNode(composite, attrs, ...inputs)[0]!;
    return this.finish(reapply(output, [this.finish(output.inputs[0]!)]));
  }
  matmul(a: Node, b: Node): Node {
    return this.call(matmulComposite, {}, [a, b]);
  }
  /** Nodes built by others over finished nodes. */
  adopt(roots: readonly Node[], over: readonly Node[]): readonly Node[] {
    return runToEnd(this.run(roots, new Map(over.map((node) => [node, node]))));
  }
}
