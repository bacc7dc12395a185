/**
 * Traces of a function that builds graphs repeatedly, as a prefix tree of the nodes that it built. While a
 * run repeats an earlier trace, it is given that trace's nodes: nothing is checked or allocated twice, and a
 * run that repeats a whole trace ends with the same graph. Constants may have other values; where anything
 * else differs, a new branch begins.
 */
import type { Attributes, ConstantNode, Leaf, Node, Op, Placement } from './types.ts';

/** How a node was built: without or with gradients, or as a copy to differentiate with respect to. */
export type BuildMode = 'plain' | 'gradient' | 'tracked';

/** One node of the prefix tree. */
interface Step<End> {
  readonly node: Node | null;
  readonly mode: BuildMode;
  /** For a leaf, the object of which it is the value. */
  readonly subject: object | null;
  /** The first of the steps that have followed this one; the latest branch comes first. */
  next: Step<End> | null;
  /** The next alternative to this step. */
  other: Step<End> | null;
  /** The results of the traces that end here. */
  ends: End[] | null;
  /** Memoised functions of nodes that began here. */
  memos: Memo<End>[] | null;
}

/** The result of a memoised function of nodes, and the steps that it took. */
interface Memo<End> {
  readonly key: readonly unknown[];
  readonly value: unknown;
  readonly end: Step<End>;
  readonly constants: readonly ConstantNode[];
  readonly values: readonly number[];
}

/** Alternatives to one step; the oldest are dropped first. */
const BRANCHES = 16;

/** Numbers of many formulas: one that equals an argument of the function need not come from it. */
const COMMON: ReadonlySet<number> = /* @__PURE__ */ new Set([0, 0.5, 1, 2, -0.5, -1, -2]);

/** All traces of a function, as a prefix tree. */
export class TraceTree<End> {
  readonly root: Step<End> = {
    node: null,
    mode: 'plain',
    subject: null,
    next: null,
    other: null,
    ends: null,
    memos: null,
  };
  /** The number of steps. */
  size = 0;
}

/** Follows one trace of a tree, and adds a branch where the run differs. */
export class Recorder<End = unknown> {
  /** The constants of this run, in the order in which they were built. */
  readonly constants: ConstantNode[] = [];
  /** Those of them that are arguments of the function. */
  readonly varying: Set<ConstantNode> = new Set();
  readonly #traces: TraceTree<End>;
  readonly #numbers: ReadonlySet<number>;
  #at: Step<End>;
  #expected: number | null = null;
  #isPure = true;

  /** @param numbers the numbers among the function's arguments */
  constructor(traces: TraceTree<End>, numbers: Iterable<number>) {
    this.#traces = traces;
    this.#numbers = new Set(numbers);
    this.#at = traces.root;
  }

  /** The next constant is a number that the caller has given. */
  expect(value: number): void {
    if (this.#numbers.size > 0) this.#expected = value;
  }

  /** The node that an earlier trace built at this step, or null. */
  follow(op: Op, attrs: Attributes[Op], inputs: readonly Node[], mode: BuildMode): Node | null {
    for (let step = this.#at.next; step !== null; step = step.other) {
      const { node } = step;
      // A node that has been computed outside since is a value of its own.
      if (
        node === null ||
        node.op !== op ||
        node.stored !== null ||
        step.mode !== mode ||
        !sameInputs(node.inputs, inputs) ||
        !sameAttributes(op, node.attrs, attrs)
      )
        continue;
      this.#at = step;
      if (node.op === 'const') this.#meet(node, attrs as Attributes['const']);
      return node;
    }
    return null;
  }

  /** The stored leaf of the same subject at this step of the latest trace, or null; its spec is unchanged. */
  followSubject(
    subject: object,
    device: Placement | null,
    requiresGrad: boolean,
    pending: Node | null,
  ): Leaf | null {
    const { next } = this.#at;
    if (next === null || next.subject !== subject) return null;
    const node = next.node as Leaf;
    if (node.device !== device || node.requiresGrad !== requiresGrad || (node.inputs[0] ?? null) !== pending)
      return null;
    this.#at = next;
    return node;
  }

  /** The leaf of the same subject at this step, or null. */
  followLeaf(
    attrs: Attributes['leaf'],
    device: Placement | null,
    requiresGrad: boolean,
    pending: Node | null,
    subject: object | null,
  ): Leaf | null {
    for (let step = this.#at.next; step !== null; step = step.other) {
      const { node } = step;
      if (node === null || node.op !== 'leaf' || step.subject !== subject || node.device !== device) continue;
      if (
        node.requiresGrad !== requiresGrad ||
        (node.inputs[0] ?? null) !== pending ||
        !sameLeaf(node.attrs, attrs)
      )
        continue;
      this.#at = step;
      (node as { attrs: Attributes['leaf'] }).attrs = attrs; // a new sample, a new name
      node.stored = null;
      return node;
    }
    return null;
  }

  /** Adds a node that no earlier trace built at this step. */
  record(node: Node, mode: BuildMode, subject: object | null = null): void {
    const step: Step<End> = {
      node,
      mode,
      subject,
      next: null,
      other: this.#at.next,
      ends: null,
      memos: null,
    };
    this.#at.next = step;
    this.#at = step;
    this.#traces.size++;
    let last: Step<End> | null = step;
    for (let count = 1; count < BRANCHES && last !== null; count++) last = last.other;
    if (last !== null) last.other = null;
    if (node.op === 'const') this.#meet(node, node.attrs);
  }

  /** The memoised function depends on more than its key: on a function of the user's. */
  noteImpure(): void {
    this.#isPure = false;
  }

  /**
   * The result of `build`, memoised by `key` and by the trace so far. `build` must depend on the key alone,
   * and build nodes without any other effect.
   */
  memo<T>(key: readonly unknown[], build: () => T): T {
    const known = this.#at.memos?.find((memo) => sameList(memo.key, key));
    if (known !== undefined) {
      this.#at = known.end;
      known.constants.forEach((constant, index) => {
        setConstant(constant, known.values[index]!);
        this.constants.push(constant);
      });
      return known.value as T;
    }
    const start = this.#at;
    const first = this.constants.length;
    this.#isPure = true;
    const value = build();
    if (!this.#isPure) return value;
    const constants = this.constants.slice(first);
    const memo: Memo<End> = {
      key,
      value,
      end: this.#at,
      constants,
      values: constants.map(({ attrs }) => attrs.value),
    };
    start.memos = [memo, ...(start.memos ?? []).slice(0, BRANCHES - 1)];
    return value;
  }

  /** The results of the traces that end here; more may be added. */
  ends(): End[] {
    return (this.#at.ends ??= []);
  }

  #meet(node: ConstantNode, attrs: Attributes['const']): void {
    const expected = this.#expected;
    this.#expected = null;
    if (attrs.fixed === true) return;
    setConstant(node, attrs.value);
    this.constants.push(node);
    const { value } = attrs;
    if (this.#numbers.has(value) && (value === expected || !COMMON.has(value))) this.varying.add(node);
  }
}

/** Changes the value of a constant that is not fixed. No other trace may be using the node. */
export function setConstant(node: ConstantNode, value: number): void {
  const { value: before, shape, dtype } = node.attrs;
  if (!Object.is(before, value)) (node as { attrs: Attributes['const'] }).attrs = { value, shape, dtype };
}

function sameInputs(a: readonly Node[], b: readonly Node[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** Whether two lists have the same elements. */
export function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (!Object.is(a[index], b[index])) return false;
  return true;
}

/**
 * Whether two sets of attributes of one kind of node are the same, but for the value of a constant and the
 * number of a barrier.
 */
function sameAttributes(op: Op, a: Attributes[Op], b: Attributes[Op]): boolean {
  if (op === 'call') {
    const [first, second] = [a as Attributes['call'], b as Attributes['call']];
    if (
      first.composite !== second.composite ||
      Object.keys(first.attrs).length !== Object.keys(second.attrs).length
    )
      return false;
    return sameRecord(first.attrs, second.attrs, null);
  }
  if (op === 'const') {
    const { fixed } = b as Attributes['const'];
    return (a as Attributes['const']).fixed === fixed && sameRecord(a, b, fixed === true ? null : 'value');
  }
  return sameRecord(a, b, op === 'movement' ? 'id' : null);
}

function sameRecord(a: object, b: object, except: string | null): boolean {
  for (const key in b) {
    if (key === except) continue;
    const [first, second]: unknown[] = [
      (a as Record<string, unknown>)[key],
      (b as Record<string, unknown>)[key],
    ];
    if (first === second || Object.is(first, second)) continue;
    if (!Array.isArray(first) || !Array.isArray(second) || !sameList(first, second)) return false;
  }
  return true;
}

function sameLeaf(a: Attributes['leaf'], b: Attributes['leaf']): boolean {
  return a.role === b.role && a.dtype === b.dtype && sameList(a.shape, b.shape);
}
