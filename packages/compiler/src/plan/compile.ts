/**
 * From a program to an executable plan: composites are inlined, the graph is simplified, nodes are fused into
 * kernels, groups are lowered from the last to the first so that nothing unread is stored, kernels are
 * ordered and planned by the target, and intermediates get offsets in one arena.
 */
import type { Leaf, Node, Program } from '@firsthand/graph';
import { DTYPES, sizeOf } from '@firsthand/linalg';
import { runToEnd, type Resumable } from '../support/resumable.ts';
import { listAt } from '../support/lists.ts';
import { isRearrangement, movementsOf } from '../ir/coordinates.ts';
import type { Group } from '../schedule/groups.ts';
import { overwrittenArguments } from './in-place.ts';
import { concatenationOf } from '../simplify/concatenate.ts';
import { inline } from '../simplify/inline.ts';
import type {
  BufferLocation,
  Kernel,
  KernelPlan,
  Plan,
  PlanBuffer,
  PlannedKernel,
  PlanOutput,
  Target,
} from '../ir/kernel.ts';
import { EqualGroups } from '../lower/equal-groups.ts';
import { requireCountable } from '../lower/countable.ts';
import { fuseRowEpilogues } from './fuse-row-epilogues.ts';
import {
  hasElements,
  lowerCopy,
  type LoweredKernel,
  type ConcatenatedPart,
  type CoordinateMap,
  rearranged,
  shifted,
  type Stored,
  type Unit,
} from '../lower/lower.ts';
import { LOWER } from '../lower/lower-special.ts';
import { KernelTable, type KernelEntry } from './kernel-table.ts';
import { planMemory } from './memory-plan.ts';
import { type Window, windowed, type WindowedKernel } from './windows.ts';
import { describeKernel, describeNode } from '../report/names.ts';
import { cutMovements } from '../schedule/cut-movements.ts';
import { scheduleNodes, type Schedule } from '../schedule/schedule.ts';
import { simplify } from '../simplify/simplify.ts';
import {
  decideMaterialisation,
  joinsInto,
  type StoredBy,
  type Slot,
  storesPart,
  type Materialisation,
} from '../schedule/materialisation.ts';

/**
 * Compiles a program for a target.
 * @param table the kernels of earlier programs for the target: equal ones are the same objects in the plan
 * @throws DeviceError if it would have to count to 2³¹
 * @example
 * ```ts
 * import { compileProgram, printKernel } from '@firsthand/compiler';
 * import { leaf, softmax } from '@firsthand/graph';
 * const [shape, dtype] = [[4, 8], 'float32'] as const;
 * const x = leaf({ role: 'argument', name: 'x', shape, dtype, host: null, sample: null }, null);
 * const target = { float64: true, plan: () => ({ scratch: 0 }) };
 * const plan = compileProgram({ args: [x], effects: [], roots: [softmax(x)] }, target);
 * console.log(plan.kernels.length); // 1
 * console.log(printKernel(plan.kernels[0]!.kernel).split('\n').length > 3); // true
 * ```
 */
export function compileProgram<P extends KernelPlan>(
  program: Program,
  target: Target<P>,
  table?: KernelTable<P>,
): Plan<P> {
  return runToEnd(compileResumable(program, target, table));
}

/** The same, resumable: it yields often, for targets that must not block a page. */
export function* compileResumable<P extends KernelPlan>(
  program: Program,
  target: Target<P>,
  table: KernelTable<P> = new KernelTable(target),
): Resumable<Plan<P>> {
  const wanted = [...program.effects.map(({ node }) => node), ...program.roots];
  const primitives = inline(
    wanted,
    (call) => target.hasKernel?.(call.attrs.composite, call.attrs.attrs, call.inputs) === true,
  );
  yield;
  const simple = yield* simplify(primitives, {
    scatterInFloat64: target.float64,
    splitsReductions: target.splitsReductions ?? false,
  });
  const roots = cutMovements(simple);
  const schedule = yield* scheduleNodes(roots, target);
  const materialisation = decideMaterialisation(roots, schedule, target);
  yield;
  const lowered = yield* lowerAll(schedule, materialisation, target);
  const fused = target.rowEpilogues === true ? fuseRowEpilogues(lowered, table) : lowered;
  return yield* planOf(program, inOrder(fused, materialisation.outputs), materialisation, target, table);
}

// ---- lowering

/** Lowers from the last kernel to the first: what a kernel stores is what later ones read. */
function* lowerAll(
  schedule: Schedule,
  { storedBy, outputs, slots, parts }: Materialisation,
  { storesHalvesAsFloats = false }: Target,
): Resumable<readonly Unit[]> {
  const { groups } = schedule;
  const units: Unit[] = [];
  const context = { storedBy, storesHalvesAsFloats };
  const equal = new EqualGroups(context);
  const needed = new Set<Node>();
  /** Copies that are requested and not made yet. */
  const copies: Stored[] = [];
  /** Parts of concatenations to be stored by the kernels that compute them. */
  const partsOf = new Map<Group, ConcatenatedPart[]>();
  const need = (node: Node): void => {
    if (node.op === 'leaf' || needed.has(node)) return;
    needed.add(node);
    if (storedBy.get(node) === 'copy') copies.push(node);
  };
  const emit = (kernels: readonly LoweredKernel[], arrays: readonly Node[], boundary: string): void => {
    const written = new Set(arrays);
    const reads = [...new Set(kernels.flatMap(({ operands }) => operands))].filter(
      (node) => !written.has(node),
    );
    reads.forEach(need);
    // Who writes a part writes some of the whole.
    for (const array of written) if (slots.has(array)) written.add(slots.get(array)!.whole);
    units.push({ kernels, reads, writes: [...written], boundary });
  };
  const emitCopies = (): void => {
    for (let copy = copies.pop(); copy !== undefined; copy = copies.pop()) {
      const array = 'part' in copy ? copy.array : copy;
      emit([lowerCopy(copy, context)], [array], 'it stores a value in the arrangement in which it is wanted');
    }
  };
  /**
   * Sees to it that the parts of a concatenation are stored in an array: each by the kernel that computes it,
   * or by a copy.
   */
  const needParts = (whole: Node, array: Node, coordinatesOf: CoordinateMap): void => {
    const { axis, parts: operands } = concatenationOf(whole)!;
    let begin = 0;
    for (const part of operands) {
      const stored = { part, array, coordinatesOf: shifted(axis, begin, coordinatesOf) };
      begin += part.shape[axis]!;
      const { chain, base } = movementsOf(part);
      const group = groups.of(base);
      if (joinsInto(base, groups) && chain.every(isRearrangement))
        needParts(base, array, rearranged(chain, stored.coordinatesOf));
      else if (!storesPart(part, groups)) copies.push(stored);
      else listAt(partsOf, group!).push(stored);
    }
  };
  /** The same for an array that is the concatenation, or a rearrangement of it. */
  const needWhole = (whole: Node, array: Node): void => {
    const inside = array === whole ? parts.get(whole) : undefined;
    if (inside === undefined)
      needParts(
        whole,
        array,
        rearranged(movementsOf(array).chain, (at) => at),
      );
    else inside.forEach(need);
  };

  const stored = new Map<StoredBy, Node[]>();
  for (const [node, by] of storedBy) listAt(stored, by).push(node);
  outputs.filter(hasElements).forEach(need);
  emitCopies();
  for (const group of groups.latestFirst()) {
    const nodes = (stored.get(group) ?? []).filter((node) => needed.has(node));
    if (group.kind === 'concatenation') {
      for (const node of nodes) needWhole(group.members[0]!, node);
    } else {
      const all = [...nodes, ...(partsOf.get(group) ?? [])];
      const arrays = [...nodes, ...(partsOf.get(group) ?? []).map(({ array }) => array)];
      if (all.length > 0) {
        const { kind } = group;
        const kernels = equal.lower(group, all, () => LOWER[kind](group, all, context));
        emit(kernels, arrays, group.reason);
      }
    }
    emitCopies();
    yield;
  }
  return units;
}

/**
 * Units in an order in which each comes after those whose values it reads: depth first from the outputs, so
 * that values live shortly.
 */
function inOrder(units: readonly Unit[], outputs: readonly Node[]): readonly Unit[] {
  const writers = new Map<Node, Unit[]>();
  for (const unit of units) for (const node of unit.writes) listAt(writers, node).push(unit);
  const first = outputs.flatMap((output) => writers.get(output) ?? []);
  return afterInputs(first, ({ reads }) => reads.flatMap((node) => writers.get(node) ?? []));
}

/**
 * What can be reached from some items, each after its inputs, depth first. @throws Error if there is a cycle
 */
function afterInputs<T>(from: readonly T[], inputsOf: (item: T) => readonly T[]): readonly T[] {
  const order: T[] = [];
  const visited = new Set<T>();
  const onPath = new Set<T>();
  const path: { readonly item: T; readonly inputs: readonly T[]; next: number }[] = [];
  const enter = (item: T): void => {
    visited.add(item);
    onPath.add(item);
    path.push({ item, inputs: inputsOf(item), next: 0 });
  };
  for (const start of from) {
    if (!visited.has(start)) enter(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const input = top.inputs[top.next++];
      if (input === undefined) {
        order.push(top.item);
        onPath.delete(top.item);
        path.pop();
      } else if (!visited.has(input)) {
        enter(input);
      } else if (onPath.has(input)) {
        throw new Error('compileProgram: two kernels need each other');
      }
    }
  }
  return order;
}

// ---- buffers

function elementBytes(dtype: Node['dtype'], target: Target): number {
  return target.elementBytes?.(dtype) ?? DTYPES[dtype].bytes;
}

function bytesOf(node: Node, target: Target): number {
  return sizeOf(node.shape) * elementBytes(node.dtype, target);
}

/** A distinct kernel with its plan, and the parts of its operands. */
type PlannedWindows<P extends KernelPlan> = KernelEntry<P> & Pick<WindowedKernel, 'windows'>;

function* planOf<P extends KernelPlan>(
  program: Program,
  ordered: readonly Unit[],
  { outputs, slots }: Materialisation,
  target: Target<P>,
  table: KernelTable<P>,
): Resumable<Plan<P>> {
  const { units, into } = overwrittenArguments(program, ordered, outputs);
  yield;
  const kernels = units.flatMap(({ kernels: list, boundary }) =>
    list.map((lowered) => ({ ...lowered, boundary })),
  );
  // An array that an output overwrites is bound as one operand.
  const overwritten = new Set<Node>();
  into.forEach((argument, output) => {
    if (argument !== null) overwritten.add(program.args[argument]!).add(outputs[output]!);
  });
  const { partAlignment = 1 } = target;
  /**
   * Kernels of equal groups are one object: they are windowed and planned once if their parts may be alike.
   */
  const known = new Map<Kernel, { readonly units: readonly number[]; readonly entry: PlannedWindows<P> }>();
  const planned: PlannedWindows<P>[] = [];
  for (const { kernel: lowered, operands, nodes } of kernels) {
    const units = operands.map((node) =>
      overwritten.has(arrayOf(node, slots))
        ? 0
        : Math.max(1, partAlignment / elementBytes(node.dtype, target)),
    );
    let found = known.get(lowered);
    if (found?.units.every((unit, operand) => unit === units[operand]) !== true) {
      requireCountable(lowered, () => describeKernel(lowered, nodes));
      const { kernel, windows } = windowed(lowered, units);
      found = { units, entry: { ...table.entry(kernel), windows } };
      known.set(lowered, found);
      yield;
    }
    planned.push(found.entry);
  }

  const numbers = new Map<Node, number>();
  const buffers: PlanBuffer[] = [];
  const add = (node: Node, location: BufferLocation): number => {
    const number = buffers.push({ dtype: node.dtype, length: sizeOf(node.shape), location }) - 1;
    numbers.set(node, number);
    return number;
  };
  program.args.forEach((node: Leaf, argument) => add(node, { kind: 'argument', argument, offset: 0 }));
  const planOutputs = outputs.map((node, output): PlanOutput => {
    const argument = into[output] ?? null;
    const buffer = add(
      node,
      argument === null ? { kind: 'output', output, offset: 0 } : { kind: 'argument', argument, offset: 0 },
    );
    return { buffer, dtype: node.dtype, length: sizeOf(node.shape), into: argument };
  });
  // An intermediate is live from the kernel that first writes it, or a part of it, to the last that reads it.
  const lives = new Map<Node, { first: number; last: number }>();
  const requests: { bytes: number; first: number; last: number }[] = [];
  kernels.forEach(({ operands }, position) => {
    for (const operand of operands) {
      const node = arrayOf(operand, slots);
      if (numbers.has(node)) continue;
      const life = lives.get(node);
      if (life === undefined) lives.set(node, { first: position, last: position });
      else life.last = position;
    }
    requests.push({ bytes: planned[position]!.plan.scratch, first: position, last: position });
  });
  for (const [node, life] of lives) requests.push({ bytes: bytesOf(node, target), ...life });
  yield;
  const { offsets, arenaBytes, liveBytes } = planMemory(requests, target.alignment);
  yield;
  [...lives.keys()].forEach((node, index) =>
    add(node, { kind: 'arena', offset: offsets[kernels.length + index]! }),
  );
  const numberOf = (node: Node): number => {
    const known = numbers.get(node);
    if (known !== undefined) return known;
    const { whole, offset } = slots.get(node)!;
    const { location } = buffers[numberOf(whole)]!;
    return add(node, { ...location, offset: location.offset + offset * elementBytes(node.dtype, target) });
  };
  const windowNumbers = new Map<string, number>();
  /** The number of the buffer that is a part of another. */
  const windowOf = (number: number, window: Window | null): number => {
    if (window === null) return number;
    const key = `${number} ${window.first} ${window.length}`;
    let known = windowNumbers.get(key);
    if (known === undefined) {
      const { dtype, location } = buffers[number]!;
      const offset = location.offset + window.first * elementBytes(dtype, target);
      known = buffers.push({ dtype, length: window.length, location: { ...location, offset } }) - 1;
      windowNumbers.set(key, known);
    }
    return known;
  };
  const list = kernels.map(({ operands, nodes, boundary }, position): PlannedKernel<P> => {
    const { kernel, plan, windows } = planned[position]!;
    const arrays = operands.map(numberOf);
    return {
      kernel,
      plan,
      buffers: arrays.map((number, operand) => windowOf(number, windows[operand]!)),
      scratch: { bytes: plan.scratch, offset: offsets[position]! },
      name: describeKernel(kernel, nodes),
      nodes: nodes.map(describeNode),
      boundary,
    };
  });
  return { buffers, kernels: list, outputs: planOutputs, arenaBytes, liveBytes };
}

/**
 * The node whose array holds a node: the outermost concatenation that it is a part of, or the node itself.
 */
function arrayOf(node: Node, slots: ReadonlyMap<Node, Slot>): Node {
  let array = node;
  for (let slot = slots.get(array); slot !== undefined; slot = slots.get(array)) array = slot.whole;
  return array;
}
