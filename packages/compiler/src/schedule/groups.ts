/**
 * Groups of nodes that will be one kernel each, and which groups need which. Groups merge, so they are
 * numbered once and found by union; what a group needs, directly or through others, is a bit set, so that a
 * fusion that would close a cycle is refused at once.
 */
import { sizeOf } from '@firsthand/linalg';
import type { Node } from '@firsthand/graph';
import { BitSet } from '../support/bit-set.ts';

/**
 * The kernel that a group becomes; a concatenation has none, but for parts that are not stored where they
 * belong by the kernels that compute them.
 */
export type GroupKind = 'loop' | 'contract' | 'scan' | 'scatter' | 'sort' | 'custom' | 'concatenation';

/** Where a member stands in its group: an element of the full space, or one of a row. */
export type Level = 'full' | 'row';

/** Nodes that will be one kernel. */
export interface Group {
  readonly id: number;
  readonly kind: GroupKind;
  /** In topological order. */
  members: Node[];
  readonly levels: Map<Node, Level>;
  /** The shape over which the kernel loops. */
  space: readonly number[];
  /** The reduction axes of the space; null while there is no reduction. */
  reduced: readonly number[] | null;
  /** Groups that a member reads at other indices than its own: they must be stored before. */
  readonly blocked: Set<number>;
  /** Why the first member did not join what it reads. */
  readonly reason: string;
}

/** The number of rows of a group's space. */
export function rowsOf({ space, reduced }: Group): number {
  return space.reduce((size, extent, axis) => (reduced?.includes(axis) === true ? size : size * extent), 1);
}

/** Runs of parallel and of reduction axes, as extents; reduction axes negative. */
export function signatureOf(space: readonly number[], reduced: readonly number[]): string {
  const runs: number[] = [];
  space.forEach((extent, axis) => {
    if (extent === 1) return;
    const signed = reduced.includes(axis) ? -extent : extent;
    const last = runs.at(-1);
    if (last !== undefined && last < 0 === signed < 0)
      runs[runs.length - 1] = Math.sign(signed) * Math.abs(last * signed);
    else runs.push(signed);
  });
  return runs.join();
}

/** All groups of a program. */
export class Groups {
  readonly #groups: Group[] = [];
  readonly #parent: number[] = [];
  /** Whether some group needs a group: as long as none does, its own needs may grow unnoticed. */
  readonly #isNeeded: boolean[] = [];
  /** For each group the set of groups that it needs. */
  readonly #needs: BitSet[] = [];
  readonly #of = new Map<Node, number>();

  create(kind: GroupKind, space: readonly number[], reason: string): Group {
    const id = this.#groups.length;
    const group: Group = {
      id,
      kind,
      members: [],
      levels: new Map(),
      space,
      reduced: null,
      blocked: new Set(),
      reason,
    };
    this.#groups.push(group);
    this.#parent.push(id);
    this.#needs.push(new BitSet());
    this.#isNeeded.push(false);
    return group;
  }

  #find(id: number): number {
    let root = id;
    while (this.#parent[root] !== root) root = this.#parent[root]!;
    this.#parent[id] = root;
    return root;
  }

  /** The group that a node belongs to, or null for a node that belongs to none. */
  of(node: Node): Group | null {
    const id = this.#of.get(node);
    return id === undefined ? null : this.#groups[this.#find(id)]!;
  }

  /** Whether `group` needs `other`, directly or through others. */
  needs(group: Group, other: Group): boolean {
    return this.#has(group.id, other.id);
  }

  #has(id: number, other: number): boolean {
    return this.#needs[id]!.has(other);
  }

  isBlocked(group: Group, by: Group): boolean {
    for (const id of group.blocked) if (this.#find(id) === by.id) return true;
    return false;
  }

  /** Adds a node to a group. `reads` are the groups of its operands. */
  join(group: Group, node: Node, level: Level, reads: readonly Group[]): void {
    group.members.push(node);
    group.levels.set(node, level);
    this.#of.set(node, group.id);
    for (const read of reads) if (read !== group) this.#require(group.id, read.id);
  }

  #require(id: number, other: number): void {
    if (this.#has(id, other)) return;
    const needs = this.#needs[id]!;
    this.#isNeeded[other] = true;
    needs.addAll(this.#needs[other]!);
    needs.add(other);
    if (!this.#isNeeded[id]!) return;
    this.#groups.forEach((_, each) => {
      if (each !== id && this.#parent[each] === each && this.#has(each, id)) this.#needs[each]!.addAll(needs);
    });
  }

  /**
   * Whether a third group must run between the two. Such a group is needed by the second, and not by the
   * first, since it needs that.
   */
  #isBetween(first: number, second: number): boolean {
    const needs = this.#needs[second]!;
    if (!needs.has(first)) return false;
    return needs.someBeyond(this.#needs[first]!, (id) => {
      const between = this.#find(id);
      return between !== first && between !== second && this.#has(between, first);
    });
  }

  /** Whether two groups could be one, as far as what needs what is concerned. */
  areIndependent(a: Group, b: Group): boolean {
    return (
      !this.isBlocked(a, b) &&
      !this.isBlocked(b, a) &&
      !this.#isBetween(a.id, b.id) &&
      !this.#isBetween(b.id, a.id)
    );
  }

  /** Makes two groups one, which takes `kept`'s number; `levelOf` says where the other's members stand. */
  merge(target: Group, absorbed: Group, levelOf: (node: Node) => Level): void {
    for (const node of absorbed.members) target.levels.set(node, levelOf(node));
    target.members.push(...absorbed.members);
    for (const id of absorbed.blocked) target.blocked.add(id);
    this.#parent[absorbed.id] = target.id;
    const ours = this.#needs[target.id]!;
    ours.addAll(this.#needs[absorbed.id]!);
    ours.delete(target.id);
    ours.delete(absorbed.id);
    this.#needs[absorbed.id] = new BitSet();
    if (!this.#isNeeded[target.id]! && !this.#isNeeded[absorbed.id]!) return;
    this.#isNeeded[target.id] = true;
    this.#groups.forEach((_, each) => {
      if (each === target.id || this.#parent[each] !== each) return;
      if (!this.#has(each, target.id) && !this.#has(each, absorbed.id)) return;
      const needs = this.#needs[each]!;
      needs.addAll(ours);
      needs.add(target.id);
      needs.delete(absorbed.id);
    });
  }

  /** The groups, each before those that it needs: a group needs more groups than any of them does. */
  latestFirst(): readonly Group[] {
    const counts = new Map(this.all().map((group) => [group, this.#needs[group.id]!.size]));
    return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || b.id - a.id);
  }

  /** The groups that are left, in the order of their creation. */
  all(): readonly Group[] {
    return this.#groups.filter(({ id }) => this.#parent[id] === id);
  }
}

/** The number of elements of a group's space. */
export function elementsOfSpace({ space }: Group): number {
  return sizeOf(space);
}
