/**
 * The partition of pending effects and requested values into programs. Those that share unrealised work form
 * one program, found by union–find over the nodes that they reach. A value that only reads an updated
 * variable runs after the update.
 */
import type { PendingEffect } from './handle.ts';
import { nextStamp, walk } from '@firsthand/graph';
import type { Node } from '@firsthand/graph';

/** The units (effects, then requested values) of one program. */
export interface Component {
  readonly effects: readonly PendingEffect[];
  readonly requested: readonly Node[];
}

const NONE: readonly Node[] = [];

class Partition {
  readonly #parent: number[];
  constructor(size: number) {
    this.#parent = Array.from({ length: size }, (_, index) => index);
  }
  find(unit: number): number {
    let root = unit;
    while (this.#parent[root] !== root) root = this.#parent[root]!;
    this.#parent[unit] = root;
    return root;
  }
  /** The smaller unit represents the union, so that components have the order of their first units. */
  unite(a: number, b: number): void {
    const first = this.find(a);
    const second = this.find(b);
    this.#parent[Math.max(first, second)] = Math.min(first, second);
  }
}

interface Connection {
  readonly partition: Partition;
  /** Pairs [reader, writer]: the reader uses the new value of a variable that the writer updates. */
  readonly reads: readonly (readonly [number, number])[];
}

/**
 * Unites effects of one group, units that share an unrealised interior node, and an update with the units
 * that still read a buffer which it replaces or frees. With `updates`, also the updates of one variable.
 */
function connect(
  effects: readonly PendingEffect[],
  requested: readonly Node[],
  updates: boolean,
): Connection {
  const partition = new Partition(effects.length + requested.length);
  const reads: [number, number][] = [];
  const writers = new Map<Node, number>();
  const groups = new Map<unknown, number>();
  /** Updates that a later one of the same variable follows: their values live only within the program. */
  const superseded = new Set<number>();
  const newest = new Map<unknown, number>();
  const mark = nextStamp();
  const uniteBy = (key: unknown, unit: number): void => {
    const other = groups.get(key);
    if (other === undefined) groups.set(key, unit);
    else partition.unite(unit, other);
  };
  effects.forEach((effect, unit) => {
    writers.set(effect.target, unit);
    uniteBy(effect.group, unit);
    if (effect.handle === null) return;
    if (updates) {
      uniteBy(effect.handle, unit);
      const older = newest.get(effect.handle);
      if (older !== undefined) superseded.add(older);
      newest.set(effect.handle, unit);
    }
    // The update replaces one storage, and frees the version before it: a unit that still reads
    // either must not come later.
    for (const outgoing of [effect.previous?.stored ?? null, effect.handle.previous]) {
      if (outgoing === null) continue;
      outgoing.stamp = mark;
      outgoing.slot = unit;
    }
  });
  const visit = (unit: number, node: Node): readonly Node[] => {
    if (node.stored !== null) {
      if (node.stored.stamp === mark) partition.unite(unit, node.stored.slot);
      return NONE;
    }
    if (node.op === 'const' || node.op === 'iota' || (node.op === 'leaf' && node.inputs.length === 0))
      return NONE;
    const writer = node.op === 'leaf' ? writers.get(node) : undefined;
    if (writer !== undefined && effects[writer]!.target === node) {
      if (effects[writer]!.kind === 'grad' || superseded.has(writer)) partition.unite(unit, writer);
      else reads.push([unit, writer]);
      return NONE;
    }
    if (node.stamp === mark) {
      partition.unite(unit, node.slot);
      return NONE;
    }
    node.stamp = mark;
    node.slot = unit;
    return node.inputs;
  };
  effects.forEach((effect, unit) => walk(effect.value, (node) => visit(unit, node)));
  requested.forEach((node, index) => walk(node, (each) => visit(effects.length + index, each)));
  return { partition, reads };
}

/**
 * How many effects from the front of the queue must run when the first `count` must: an effect that shares
 * work with one of them runs with it, and everything before that effect too.
 */
export function closePrefix(queue: readonly PendingEffect[], count: number): number {
  if (count >= queue.length) return queue.length;
  const { partition } = connect(queue, [], false);
  const last = new Map<number, number>();
  queue.forEach((_, unit) => last.set(partition.find(unit), unit));
  let end = count;
  for (let unit = 0; unit < end; unit++) end = Math.max(end, last.get(partition.find(unit))! + 1);
  return end;
}

/** The programs of these effects and requested values, in the order in which they run. */
export function components(
  effects: readonly PendingEffect[],
  requested: readonly Node[],
): readonly Component[] {
  const { partition, reads } = connect(effects, requested, true);
  const total = effects.length + requested.length;
  for (;;) {
    const needs = new Map<number, Set<number>>();
    for (const [reader, writer] of reads) {
      const from = partition.find(reader);
      const to = partition.find(writer);
      if (from !== to) needs.set(from, (needs.get(from) ?? new Set()).add(to));
    }
    const roots = [...new Set(Array.from({ length: total }, (_, unit) => partition.find(unit)))];
    const { order, cycle } = sortByNeed(roots, needs);
    if (cycle === null) return order.map((root) => collect(effects, requested, partition, root));
    // Two components that read each other's variables cannot run one after the other: they are one program.
    for (const member of cycle) partition.unite(cycle[0]!, member);
  }
}

/** Depth-first topological order; or a cycle, where there is one. The number of components is small. */
function sortByNeed(
  roots: readonly number[],
  needs: ReadonlyMap<number, ReadonlySet<number>>,
): { readonly order: readonly number[]; readonly cycle: readonly number[] | null } {
  const order: number[] = [];
  const done = new Set<number>();
  for (const root of roots) {
    const path: number[] = [];
    const pending: { readonly component: number; readonly leave: boolean }[] = [
      { component: root, leave: false },
    ];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { component, leave } = next;
      if (leave) {
        path.pop();
        done.add(component);
        order.push(component);
        continue;
      }
      if (done.has(component)) continue;
      const start = path.indexOf(component);
      if (start >= 0) return { order, cycle: path.slice(start) };
      path.push(component);
      pending.push({ component, leave: true });
      for (const needed of needs.get(component) ?? []) pending.push({ component: needed, leave: false });
    }
  }
  return { order, cycle: null };
}

function collect(
  effects: readonly PendingEffect[],
  requested: readonly Node[],
  partition: Partition,
  root: number,
): Component {
  return {
    effects: effects.filter((_, unit) => partition.find(unit) === root),
    requested: requested.filter((_, index) => partition.find(effects.length + index) === root),
  };
}
