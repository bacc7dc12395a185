/**
 * The courses of a function that builds a graph again and again. While it builds what it built before, it is
 * given the very nodes that it built then: nothing is checked or allocated twice, and a whole course that is
 * the same ends with the same graph. Constants may have other values; where anything else differs, a new
 * course branches off.
 */
import type { Attributes, ConstantNode, Leaf, Node, Op, Placement } from './types.ts';

/** How a node was built: without or with gradients, or as a copy to differentiate with respect to. */
export type BuildMode = 'plain' | 'gradient' | 'tracked';

/** One node that was built. */
interface Step<End> {
  readonly node: Node | null;
  readonly mode: BuildMode;
  /** For a leaf, what it stands for. */
  readonly subject: object | null;
  /** The first of the steps that have followed, the latest branch first. */
  next: Step<End> | null;
  /** Another branch, in the place of this step. */
  other: Step<End> | null;
  /** What has become of the courses that end here. */
  ends: End[] | null;
  /** What functions of nodes alone have given here. */
  memos: Memo<End>[] | null;
}

/** What a function of nodes has given, and the steps that it took. */
interface Memo<End> {
  readonly key: readonly unknown[];
  readonly value: unknown;
  readonly end: Step<End>;
  readonly constants: readonly ConstantNode[];
  readonly values: readonly number[];
}

/** Branches at one place; the oldest go first. */
const BRANCHES = 16;

/**
 * Numbers that stand in many formulas: one that equals an argument of the function has nothing to do with it,
 * unless it comes from there.
 */
const COMMON: ReadonlySet<number> = /* @__PURE__ */ new Set([0, 0.5, 1, 2, -0.5, -1, -2]);

/** All courses that a function has taken. */
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
  /** Steps in all. */
  size = 0;
}

/** Follows one course, and branches off where it is new. */
export class Recorder<End = unknown> {
  /** The constants of the course, in the order in which they were built; their values are this course's. */
  readonly constants: ConstantNode[] = [];
  /** Those of them that are numbers with which the function was called. */
  readonly varying: Set<ConstantNode> = new Set();
  readonly #traces: TraceTree<End>;
  readonly #numbers: ReadonlySet<number>;
  #at: Step<End>;
  #expected: number | null = null;
  #isPure = true;

  /** @param numbers with which the function was called */
  constructor(traces: TraceTree<End>, numbers: Iterable<number>) {
    this.#traces = traces;
    this.#numbers = new Set(numbers);
    this.#at = traces.root;
  }

  /** A number that a caller has given becomes the next constant. */
  expect(value: number): void {
    if (this.#numbers.size > 0) this.#expected = value;
  }

  /** The node that was built here before, or null. */
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

  /**
   * The stored leaf that stood here before for the same subject, whose shape and dtype are the same as ever,
   * or null.
   */
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

  /** The leaf that stood here before for the same subject, or null. */
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
      (node as { attrs: Attributes['leaf'] }).attrs = attrs; // another sample, another name
      node.stored = null;
      return node;
    }
    return null;
  }

  /** A node that was not built here before. */
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

  /** What is being built depends on more than nodes: on a function of the user's. */
  noteImpure(): void {
    this.#isPure = false;
  }

  /**
   * What `build` gives: a function of the nodes in `key` and of everything else in it, which builds nodes and
   * has no other effect. Where it was built before, for the same key on the same course, it is not built
   * again.
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

  /** What the courses that end here have become; more may be added. */
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

/**
 * Gives a constant that is not fixed the value that it has in another trace of its course. Nobody else may
 * hold the node.
 */
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
