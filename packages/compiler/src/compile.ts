/**
 * From a program to an executable plan: composites are inlined, the graph is simplified, nodes are grouped into kernels, groups are lowered from the last to the first so
 * that nothing is stored which nobody reads, kernels are put in order, and intermediates get their places in one arena.
 */
import type { Leaf, Node, Program } from '@firsthand/graph';
import { DTYPES, sizeOf } from '@firsthand/linalg';
import { allParts, type InParts } from './in-parts.ts';
import type { Group } from './schedule/groups.ts';
import { overwrittenArguments } from './plan/in-place.ts';
import { inline } from './simplify/inline.ts';
import type { Plan, PlanBuffer, PlannedKernel, PlanOutput, Target } from './kernel.ts';
import { finishRows } from './lower/finish-rows.ts';
import { hasElements, lowerCopy, type LoweredKernel, type Unit } from './lower/lower.ts';
import { LOWER } from './lower/lower-special.ts';
import { planMemory } from './plan/memory-plan.ts';
import { describeKernel, describeNode } from './report/names.ts';
import { scheduleNodes, type Schedule } from './schedule/schedule.ts';
import { simplify } from './simplify/simplify.ts';
import { decideStoring, type Owner, type Storing } from './schedule/storing.ts';

/**
 * Compiles a program for a target.
 * @example
 * ```ts
 * import { compileProgram, printKernel } from '@firsthand/compiler';
 * import { createReference, leaf, softmax } from '@firsthand/graph';
 * const x = leaf({ role: 'stored', name: 'x', shape: [4, 8], dtype: 'float32', host: null, sample: null }, createReference());
 * const plan = compileProgram({ args: [x], effects: [], roots: [softmax(x)] }, { float64: true, scratch: () => 0 });
 * console.log(plan.kernels.length); // 1
 * console.log(printKernel(plan.kernels[0]!.kernel).split('\n').length > 3); // true
 * ```
 */
export function compileProgram(program: Program, target: Target): Plan {
  return allParts(compileInParts(program, target));
}

/** The same in parts, for a target that must not hold up the page for as long as a large program takes. */
export function* compileInParts(program: Program, target: Target): InParts<Plan> {
  const wanted = [...program.effects.map(({ node }) => node), ...program.roots];
  const primitives = inline(wanted, (call) => target.isOwn?.(call.attrs.composite, call.attrs.attrs, call.inputs) === true);
  yield;
  const roots = yield* simplify(primitives, { scatterInFloat64: target.float64, foldsInParts: target.foldsInParts ?? false });
  const schedule = yield* scheduleNodes(roots, target);
  const storing = decideStoring(roots, schedule, target);
  yield;
  const units = inOrder(finishRows(yield* lowerAll(schedule, storing, target), target), storing.outputs);
  return yield* planOf(program, units, storing.outputs, target);
}

// ---- lowering

/** Lowers from the last kernel to the first: what a kernel stores is what later ones read. */
function* lowerAll({ groups }: Schedule, { owners, outputs }: Storing, { storesHalvesAsFloats = false }: Target): InParts<readonly Unit[]> {
  const needed = new Set<Node>(outputs.filter(hasElements));
  const units: Unit[] = [];
  const context = { owners, storesHalvesAsFloats };
  const emit = (kernels: readonly LoweredKernel[], writes: readonly Node[], boundary: string): void => {
    const written = new Set(writes);
    const reads = [...new Set(kernels.flatMap(({ operands }) => operands))].filter((node) => !written.has(node));
    for (const node of reads) if (node.op !== 'leaf') needed.add(node);
    units.push({ kernels, reads, writes, boundary });
  };
  const stored = new Map<Owner, Node[]>();
  for (const [node, owner] of owners) {
    const list = stored.get(owner);
    if (list === undefined) stored.set(owner, [node]);
    else list.push(node);
  }
  const copied = new Set<Node>();
  const copyNeeded = (): void => {
    for (const node of stored.get('copy') ?? []) {
      if (!needed.has(node) || copied.has(node)) continue;
      copied.add(node);
      emit([lowerCopy(node, node, context)], [node], 'it stores a value in the arrangement in which it is wanted');
    }
  };
  copyNeeded();
  for (const group of latestFirst(groups.all(), (a, b) => groups.needs(a, b))) {
    const nodes = (stored.get(group) ?? []).filter((node) => needed.has(node));
    if (nodes.length > 0) emit(LOWER[group.kind](group, nodes, context), nodes, group.reason);
    copyNeeded();
    yield;
  }
  return units;
}

/** Groups, each before those that it needs. */
function latestFirst(groups: readonly Group[], needs: (group: Group, other: Group) => boolean): readonly Group[] {
  // Needs are transitive: whoever needs a group needs more groups than that group does.
  const counts = new Map(groups.map((group) => [group, groups.reduce((count, other) => count + (needs(group, other) ? 1 : 0), 0)]));
  return groups.toSorted((a, b) => counts.get(b)! - counts.get(a)!);
}

/** Units in an order in which each comes after those whose values it reads: depth first from the outputs, so that values live shortly. */
function inOrder(units: readonly Unit[], outputs: readonly Node[]): readonly Unit[] {
  const writer = new Map<Node, Unit>();
  for (const unit of units) for (const node of unit.writes) writer.set(node, unit);
  const order: Unit[] = [];
  const visited = new Set<Unit>();
  const underWay = new Set<Unit>();
  for (const output of outputs) {
    const first = writer.get(output);
    if (first === undefined || visited.has(first)) continue;
    const path: { readonly unit: Unit; next: number }[] = [{ unit: first, next: 0 }];
    visited.add(first);
    underWay.add(first);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const read = top.unit.reads[top.next++];
      if (read === undefined) {
        order.push(top.unit);
        underWay.delete(top.unit);
        path.pop();
        continue;
      }
      const needed = writer.get(read);
      if (needed !== undefined && underWay.has(needed)) throw new Error('compileProgram: two kernels need each other');
      if (needed === undefined || visited.has(needed)) continue;
      visited.add(needed);
      underWay.add(needed);
      path.push({ unit: needed, next: 0 });
    }
  }
  return order;
}

// ---- places

function bytesOf(node: Node, { elementBytes }: Target): number {
  return sizeOf(node.shape) * (elementBytes?.(node.dtype) ?? DTYPES[node.dtype].bytes);
}

function* planOf(program: Program, ordered: readonly Unit[], outputs: readonly Node[], target: Target): InParts<Plan> {
  const { units, into } = overwrittenArguments(program, ordered, outputs);
  yield;
  const kernels = units.flatMap(({ kernels: list, boundary }) => list.map((lowered) => ({ ...lowered, boundary })));
  const numbers = new Map<Node, number>();
  const buffers: PlanBuffer[] = [];
  const add = (node: Node, place: PlanBuffer['place']): number => {
    const number = buffers.push({ dtype: node.dtype, length: sizeOf(node.shape), place }) - 1;
    numbers.set(node, number);
    return number;
  };
  program.args.forEach((node: Leaf, argument) => add(node, { kind: 'argument', argument }));
  const planOutputs = outputs.map((node, output): PlanOutput => {
    const argument = into[output] ?? null;
    const buffer = add(node, argument === null ? { kind: 'output', output } : { kind: 'argument', argument });
    return { buffer, dtype: node.dtype, length: sizeOf(node.shape), into: argument };
  });
  // What is neither argument nor output lives from the kernel that writes it to the last one that reads it.
  const lives = new Map<Node, { first: number; last: number }>();
  const requests: { bytes: number; first: number; last: number }[] = [];
  kernels.forEach(({ operands, kernel }, place) => {
    for (const node of operands) {
      if (numbers.has(node)) continue;
      const life = lives.get(node);
      if (life === undefined) lives.set(node, { first: place, last: place });
      else life.last = place;
    }
    requests.push({ bytes: target.scratch(kernel), first: place, last: place });
  });
  for (const [node, life] of lives) requests.push({ bytes: bytesOf(node, target), ...life });
  yield;
  const { offsets, arenaBytes, liveBytes } = planMemory(requests, target.alignment);
  yield;
  [...lives.keys()].forEach((node, index) => add(node, { kind: 'arena', offset: offsets[kernels.length + index]! }));
  const planned = kernels.map(({ kernel, operands, nodes, boundary }, place): PlannedKernel => ({
    kernel,
    buffers: operands.map((node) => numbers.get(node)!),
    scratch: { bytes: requests[place]!.bytes, offset: offsets[place]! },
    name: describeKernel(kernel, nodes),
    nodes: nodes.map(describeNode),
    boundary,
  }));
  return { buffers, kernels: planned, outputs: planOutputs, arenaBytes, liveBytes };
}
