/**
 * Fusion: assigns nodes to kernels in topological order. A node joins the kernel of what it reads if it runs
 * over the same elements, or over the rows of its reduction, and no third kernel must run between the two;
 * else it begins a kernel. So softmax, layer normalisation, cross-entropy and their gradients become one
 * kernel each, and a bias or an activation becomes the last step of a matrix product, by these rules and by
 * no name.
 */
import { postOrder, type ArgReduceKind, type Node, type NodeOf, type ReduceKind } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { edgeTo, isCheap, isElementwise, rowIndexOf, type Edge } from './reads.ts';
import {
  elementsOfSpace,
  Groups,
  rowsOf,
  signatureOf,
  type Group,
  type GroupKind,
  type Level,
} from './groups.ts';
import { equalIndex } from '../ir/index-expression.ts';
import type { Resumable } from '../support/resumable.ts';
import type { Target } from '../ir/kernel.ts';
import { isConcatenation, isMatmul } from '../simplify/inline.ts';

/** Members of one kernel before fusion stops: code that is longer is compiled slowly and runs no faster. */
const MEMBER_LIMIT = 160;
/** The same for kernels of single numbers, which are straight code that runs once. */
const SINGLE_LIMIT = 1024;
/**
 * Cost up to which an expression of constants, indices, random numbers and single numbers is rematerialised.
 */
const REMATERIALISED_COST = 48;
/** The same for an expression of arguments, which costs loads too. */
const ARGUMENT_COST = 8;
/** Elements of a row for one value that is computed beside it. */
const ROW_LENGTH = 8;
const EXPENSIVE = 12;
const RANDOM_COST = 20;
const LOAD_COST = 2;

/** The nodes of a program in kernels to be. */
export interface Schedule {
  readonly order: readonly Node[];
  readonly groups: Groups;
  /** What each placed node reads; gathered, multiplied, sorted and scattered operands too. */
  readonly edges: ReadonlyMap<Node, readonly Edge[]>;
  /** Whether a node is computed wherever it is needed, and belongs to no kernel. */
  isRematerialisable(node: Node): boolean;
}

/** Assigns the nodes that `roots` need. */
export function* scheduleNodes(roots: readonly Node[], limits: FusionLimits = {}): Resumable<Schedule> {
  const order = postOrder(roots, (node) => node.inputs);
  const scheduler = new Scheduler(order, new Set(roots), limits);
  for (const node of order) {
    scheduler.assign(node);
    yield;
  }
  scheduler.mergeNeighbours();
  yield;
  return {
    order,
    groups: scheduler.groups,
    edges: scheduler.edges,
    isRematerialisable: (node) => scheduler.isRematerialisable(node),
  };
}

/** Where a target wants fusion to stop. */
export type FusionLimits = Pick<Target, 'singleLimit' | 'arrayLimit'>;

const NO_EDGES: readonly Edge[] = [];
/** Arrays of one update of a single number: its input, its output, and the value computed between them. */
const SINGLE_ARRAYS = 3;
/** Arrays by which merged kernels may exceed the limit: what overwrites an argument is counted twice. */
const OVERWRITTEN = 4;
/**
 * Arrays that are so much smaller than what a kernel loops over, and those of kernels with so few elements,
 * are not worth a kernel of their own.
 */
const SMALL_ARRAY = 8;
const SMALL_SPACE = 4096;

interface Cost {
  readonly operations: number;
  /** Whether arguments of several elements are read. */
  readonly readsArguments: boolean;
}

class Scheduler {
  readonly groups = new Groups();
  readonly edges = new Map<Node, readonly Edge[]>();
  /** Rematerialisable nodes with their costs, and whether they read arguments. */
  readonly #cost = new Map<Node, Cost>();
  readonly #roots: ReadonlySet<Node>;
  readonly #singleLimit: number;
  readonly #arrayLimit: number;
  /** The nodes that read a node, through movements, of those that have been placed. */
  readonly #placedReaders = new Map<Node, Node[]>();
  /**
   * The kernel of all single numbers that are outputs and depend on arguments alone (the step counts of
   * optimizers).
   */
  #singles: Group | null = null;
  /** How many nodes read a node, through movements. */
  readonly #readers = new Map<Node, number>();
  readonly #bases = new Map<Node, Node>();
  /** The kernels of composites that the target computes itself. */
  readonly #ofCall = new Map<Node, Group>();

  constructor(
    order: readonly Node[],
    roots: ReadonlySet<Node>,
    { singleLimit = SINGLE_LIMIT, arrayLimit = Infinity }: FusionLimits,
  ) {
    this.#roots = roots;
    this.#singleLimit = singleLimit;
    this.#arrayLimit = arrayLimit;
    for (const node of order) {
      const below = node.op === 'movement' ? this.#bases.get(node.inputs[0]!)! : node;
      this.#bases.set(node, below);
      if (node.op === 'movement') continue;
      for (const input of node.inputs) {
        const base = this.#bases.get(input)!;
        this.#readers.set(base, (this.#readers.get(base) ?? 0) + 1);
      }
    }
  }

  isRematerialisable(node: Node): boolean {
    return this.#cost.has(node);
  }

  assign(node: Node): void {
    if (node.op === 'leaf' || node.op === 'movement' || node.op === 'call') return;
    const cost = this.#freeCost(node);
    const isRoot = this.#roots.has(node) && isElementwise(node);
    if (
      cost !== null &&
      !isRoot &&
      cost.operations <= (cost.readsArguments ? ARGUMENT_COST : REMATERIALISED_COST)
    ) {
      this.#cost.set(node, cost);
      return;
    }
    if (cost !== null && isRoot && sizeOf(node.shape) === 1 && cost.operations <= REMATERIALISED_COST) {
      const isFull =
        this.#singles === null ||
        this.#isCrowded(this.#singles) ||
        this.#singles.members.length * SINGLE_ARRAYS >= this.#arrayLimit + OVERWRITTEN;
      if (isFull)
        this.#singles = this.groups.create(
          'loop',
          [],
          'it computes the single numbers that depend on arguments alone',
        );
      this.#join(this.#singles!, node, 'full', NO_EDGES, NO_EDGES);
      return;
    }
    if (isElementwise(node)) this.#assignElementwise(node, node.inputs.map(edgeTo), NO_EDGES);
    else if (node.op === 'gather')
      this.#assignElementwise(node, [edgeTo(node.inputs[1]!)], [edgeTo(node.inputs[0]!)]);
    else if (node.op === 'reduce' || node.op === 'argReduce') this.#assignReduction(node);
    else if (node.op === 'output') this.#assignOutput(node);
    else if (node.op === 'prefixScan')
      this.#begin(node, 'scan', node.shape, node.inputs.map(edgeTo), 'a scan begins a kernel');
    else if (node.op === 'scatter')
      this.#begin(
        node,
        'scatter',
        node.inputs[1]!.shape,
        node.inputs.map(edgeTo),
        'scattering begins a kernel',
      );
    else if (node.op === 'sort')
      this.#begin(node, 'sort', node.shape, node.inputs.map(edgeTo), 'sorting begins a kernel');
  }

  #assignOutput(node: NodeOf<'output'>): void {
    const called = node.inputs[0]!;
    const edges = called.inputs.map(edgeTo);
    if (isMatmul(called)) {
      this.#begin(node, 'contract', node.shape, edges, 'a matrix product begins a kernel');
      return;
    }
    if (isConcatenation(called)) {
      this.#begin(node, 'concatenation', node.shape, edges, 'its parts are stored one after the other');
      return;
    }
    const group = this.#ofCall.get(called);
    if (group === undefined)
      this.#ofCall.set(
        called,
        this.#begin(node, 'custom', node.shape, edges, 'the device has code of its reader for it'),
      );
    else this.#join(group, node, 'full', edges, edges);
  }

  /** What it costs to compute an element of a node that depends on no other kernel; null for other nodes. */
  #freeCost(node: Node): Cost | null {
    if (node.op === 'const' || node.op === 'iota') return { operations: 0, readsArguments: false };
    if (node.op === 'random') return { operations: RANDOM_COST, readsArguments: false };
    if (!isElementwise(node)) return null;
    const isSingle = sizeOf(node.shape) === 1;
    let operations = isCheap(node) ? 1 : EXPENSIVE;
    let readsArguments = false;
    for (const input of node.inputs) {
      const base = this.#bases.get(input)!;
      if (base.op === 'leaf') {
        if (sizeOf(base.shape) === 1 && isSingle) continue;
        operations += LOAD_COST;
        readsArguments = true;
        continue;
      }
      const below = this.#cost.get(base);
      if (below === undefined) return null;
      operations += below.operations;
      readsArguments ||= below.readsArguments;
    }
    return { operations, readsArguments: readsArguments };
  }

  /** Whether a kernel has as many operations as one should have. */
  #isCrowded(group: Group): boolean {
    return group.members.length >= (elementsOfSpace(group) === 1 ? this.#singleLimit : MEMBER_LIMIT);
  }

  /** Groups of the nodes that the edges read, without repetition, the latest first. */
  #groupsOf(edges: readonly Edge[]): readonly Group[] {
    const found = new Set<Group>();
    for (const { base } of edges) {
      const group = this.groups.of(base);
      if (group !== null) found.add(group);
    }
    return [...found].sort((a, b) => b.id - a.id);
  }

  #begin(
    node: Node,
    kind: GroupKind,
    space: readonly number[],
    edges: readonly Edge[],
    reason: string,
  ): Group {
    const group = this.groups.create(kind, space, reason);
    this.#join(group, node, 'full', edges, edges);
    return group;
  }

  #join(group: Group, node: Node, level: Level, edges: readonly Edge[], elsewhere: readonly Edge[]): void {
    this.edges.set(node, edges);
    for (const { base } of elsewhere) {
      const read = this.groups.of(base);
      if (read !== null && read !== group) group.blocked.add(read.id);
    }
    this.groups.join(group, node, level, this.#groupsOf(edges));
    for (const { base } of edges) {
      const readers = this.#placedReaders.get(base);
      if (readers === undefined) this.#placedReaders.set(base, [node]);
      else readers.push(node);
    }
  }

  // ---- elementwise nodes, and gathers by their index

  #assignElementwise(node: Node, aligned: readonly Edge[], elsewhere: readonly Edge[]): void {
    const edges = [...aligned, ...elsewhere];
    const apart = [...aligned.filter(({ isSame }) => !isSame), ...elsewhere];
    const candidates = this.#groupsOf(aligned);
    const reasons: string[] = [];
    for (const group of candidates) {
      const level = this.#levelIn(group, node, aligned, elsewhere);
      if (typeof level === 'object') {
        reasons.push(level.refusal);
        continue;
      }
      this.#join(group, node, level, edges, apart);
      for (const other of candidates) if (other !== group) this.#tryMerge(this.groups.of(node)!, other);
      return;
    }
    const group = this.groups.create('loop', node.shape, reasons[0] ?? 'it reads arguments only');
    this.#join(group, node, 'full', edges, apart);
  }

  /** Where a node would stand in a group, or why it cannot join. */
  #levelIn(
    group: Group,
    node: Node,
    aligned: readonly Edge[],
    elsewhere: readonly Edge[],
  ): Level | { readonly refusal: string } {
    if (group.kind === 'concatenation')
      return { refusal: 'it reads a concatenation, whose parts other kernels store' };
    if (group.kind === 'scatter' || group.kind === 'sort' || group.kind === 'custom')
      return { refusal: `nothing joins a ${group.kind} kernel` };
    if (this.#isCrowded(group))
      return { refusal: `the kernel before it has ${group.members.length} operations already` };
    if (this.#isFull([group], node.shape, [...aligned, ...elsewhere]))
      return { refusal: 'the kernel before it reads as many arrays as one may' };
    const inside = aligned.filter(({ base }) => this.groups.of(base) === group);
    for (const { base } of [...aligned, ...elsewhere]) {
      const read = this.groups.of(base);
      if (read !== null && read !== group && this.groups.needs(read, group)) {
        return { refusal: 'it also needs a value that is computed from the kernel before it' };
      }
    }
    if (elsewhere.some(({ base }) => this.groups.of(base) === group))
      return { refusal: 'it picks elements of a value that must exist whole' };
    const same = inside.find(({ isSame }) => isSame);
    const level = same === undefined ? 'full' : group.levels.get(same.base)!;
    if (same === undefined && sizeOf(node.shape) !== elementsOfSpace(group))
      return { refusal: 'it runs over other elements' };
    for (const { base, isSame, index } of inside) {
      const theirs = group.levels.get(base)!;
      if (isSame && theirs === level) continue;
      const isOfRow =
        level === 'full' &&
        theirs === 'row' &&
        index !== null &&
        equalIndex(index, rowIndexOf(node.shape, group.space, group.reduced!));
      if (!isOfRow)
        return {
          refusal: 'it reads elements at another index (a transposition, a cut, padding or repetition)',
        };
    }
    return level;
  }

  // ---- reductions

  #assignReduction(node: NodeOf<'reduce'> | NodeOf<'argReduce'>): void {
    const operand = node.inputs[0]!;
    const edge = edgeTo(operand);
    const axes = axesOf(node.attrs);
    const group = this.groups.of(edge.base);
    const refusal =
      group === null ? 'it reads arguments only' : this.#refuseReduction(group, edge, operand.shape, axes);
    if (group !== null && refusal === null) {
      this.#shape(group, operand.shape, axes);
      this.#join(group, node, 'row', [edge], []);
      return;
    }
    const created = this.groups.create('loop', operand.shape, refusal ?? '');
    this.#shape(created, operand.shape, axes);
    this.#join(created, node, 'row', [edge], [edge]);
  }

  /** The first reduction of a group says what its rows are. */
  #shape(group: Group, space: readonly number[], reduced: readonly number[]): void {
    if (group.reduced !== null) return;
    group.space = space;
    group.reduced = reduced;
  }

  #refuseReduction(
    group: Group,
    { base, isSame, index }: Edge,
    space: readonly number[],
    axes: readonly number[],
  ): string | null {
    if (group.kind === 'concatenation') return 'it reads a concatenation, whose parts other kernels store';
    if (group.kind !== 'loop') return `a reduction does not join a ${group.kind} kernel`;
    if (this.#isCrowded(group)) return `the kernel before it has ${group.members.length} operations already`;
    const level = group.levels.get(base)!;
    if (group.reduced === null) {
      if (!isSame)
        return 'it reads elements at another index (a transposition, a cut, padding or repetition)';
      return areTrailing(space, axes) || this.#readers.get(base) === 1
        ? null
        : 'a sum over columns loops in another order';
    }
    if (signatureOf(group.space, group.reduced) !== signatureOf(space, axes))
      return 'it reduces other axes than the kernel before it';
    if (isSame && level === 'full') return null;
    const isOfRow =
      level === 'row' && index !== null && equalIndex(index, rowIndexOf(space, group.space, group.reduced));
    return isOfRow
      ? null
      : 'it reads elements at another index (a transposition, a cut, padding or repetition)';
  }

  // ---- merging

  /**
   * Kernels over the same elements that read the same arrays become one, where nothing must run between them.
   */
  mergeNeighbours(): void {
    const readers = new Map<Node, Node[]>();
    for (const node of this.edges.keys()) {
      if (this.groups.of(node)!.kind === 'concatenation') continue;
      for (const base of this.#arraysBehind(node)) {
        const list = readers.get(base);
        if (list === undefined) readers.set(base, [node]);
        else if (list.length < 64) list.push(node);
      }
    }
    for (const list of readers.values()) {
      for (let index = 1; index < list.length; index++) {
        for (let before = Math.max(0, index - 4); before < index; before++) {
          const [first, second] = [this.groups.of(list[before]!)!, this.groups.of(list[index]!)!];
          if (first !== second) this.#tryMerge(first, second);
        }
      }
    }
  }

  /** The arrays that a node reads, directly or through a few cheap operations that may be rematerialised. */
  #arraysBehind(node: Node): ReadonlySet<Node> {
    const found = new Set<Node>();
    const reader = this.groups.of(node);
    const collect = (bases: readonly Node[], depth: number): void => {
      for (const base of bases) {
        if (sizeOf(base.shape) === 1 || found.has(base)) continue;
        const cost = this.#cost.get(base);
        if (cost === undefined) found.add(base);
        if (
          depth === 3 ||
          (cost === undefined
            ? !isElementwise(base) || !isCheap(base) || this.groups.of(base) === reader
            : !cost.readsArguments)
        )
          continue;
        collect(
          base.inputs.map((input) => this.#bases.get(input)!),
          depth + 1,
        );
      }
    };
    collect(
      this.edges.get(node)!.map(({ base }) => base),
      0,
    );
    return found;
  }

  /**
   * The arrays that some groups would touch as one kernel: what they read of others, and what others, or
   * callers, read of them.
   */
  #arraysOf(merged: readonly Group[]): ReadonlySet<Node> {
    const arrays = new Set<Node>();
    const isInside = (node: Node): boolean => merged.includes(this.groups.of(node)!);
    for (const { members } of merged) {
      for (const node of members) {
        for (const { base } of this.edges.get(node)!) this.#collectReads(base, merged, arrays);
        const isRead = this.#placedReaders.get(node)?.some((reader) => !isInside(reader)) === true;
        if (isRead || this.#roots.has(node)) arrays.add(node);
      }
    }
    return arrays;
  }

  /**
   * Whether some groups as one kernel, with a node of a shape that makes further reads, would read more large
   * arrays than leave room for one that it writes.
   */
  #isFull(merged: readonly Group[], shape: readonly number[], edges: readonly Edge[]): boolean {
    const space = Math.max(...merged.map(elementsOfSpace), sizeOf(shape));
    if (this.#arrayLimit === Infinity || space < SMALL_SPACE) return false;
    const reads = new Set<Node>();
    for (const { members } of merged) {
      for (const member of members)
        for (const { base } of this.edges.get(member)!) this.#collectReads(base, merged, reads);
    }
    for (const { base } of edges) this.#collectReads(base, merged, reads);
    let large = 0;
    for (const { shape } of reads) if (sizeOf(shape) * SMALL_ARRAY > space) large++;
    return large >= this.#arrayLimit;
  }

  /**
   * Adds the arrays that an element of a node outside of some groups is read from: the node itself, or the
   * inputs that it is rematerialised from.
   */
  #collectReads(base: Node, inside: readonly Group[], reads: Set<Node>): void {
    if (this.#cost.has(base))
      for (const input of base.inputs) this.#collectReads(this.#bases.get(input)!, inside, reads);
    else if (base.op === 'leaf' || (this.groups.of(base) !== null && !inside.includes(this.groups.of(base)!)))
      reads.add(base);
  }

  #tryMerge(a: Group, b: Group): void {
    if (a.kind !== 'loop' || b.kind !== 'loop' || a.members.length + b.members.length > MEMBER_LIMIT) return;
    const [target, absorbed] = a.reduced === null && b.reduced !== null ? [b, a] : [a, b];
    const level = levelOfMap(target, absorbed);
    if (level === null || !this.groups.areIndependent(target, absorbed)) return;
    if (this.#arrayLimit < Infinity && this.#arraysOf([a, b]).size > this.#arrayLimit + OVERWRITTEN) return;
    if (this.#isFull([a, b], [], NO_EDGES)) return;
    this.groups.merge(target, absorbed, (node) => (level === 'same' ? absorbed.levels.get(node)! : level));
  }
}

/**
 * Where the members of one group would stand in another: as they do, or on one level; null where the two do
 * not fit.
 */
function levelOfMap(target: Group, absorbed: Group): Level | 'same' | null {
  if (absorbed.reduced !== null)
    return signatureOf(target.space, target.reduced!) === signatureOf(absorbed.space, absorbed.reduced)
      ? 'same'
      : null;
  const size = elementsOfSpace(absorbed);
  if (target.reduced === null) return size === elementsOfSpace(target) ? 'full' : null;
  if (size === elementsOfSpace(target)) return areTrailing(target.space, target.reduced) ? 'full' : null;
  // What is done once per row is done one by one: rows must be few beside their elements.
  return size === rowsOf(target) && size * ROW_LENGTH <= elementsOfSpace(target) ? 'row' : null;
}

/** Whether rows are contiguous: no parallel axis longer than 1 follows a reduction axis. */
function areTrailing(space: readonly number[], axes: readonly number[]): boolean {
  const first = space.findIndex((extent, axis) => extent > 1 && axes.includes(axis));
  if (first < 0) return true;
  return space.every((extent, axis) => axis < first || extent === 1 || axes.includes(axis));
}

/** The reduction axes. */
function axesOf(
  attrs:
    | { readonly kind: ReduceKind; readonly axes: readonly number[] }
    | { readonly kind: ArgReduceKind; readonly axis: number },
): readonly number[] {
  return 'axes' in attrs ? attrs.axes : [attrs.axis];
}
