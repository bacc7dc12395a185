/**
 * Updates that overwrite what they update. A program may say that a variable's storage can be given up: then the kernel that computes the new value writes over the old one,
 * if all others that read it run before, and if it reads itself, element by element, no other place than it writes.
 */
import type { Node, Program } from '@firsthand/graph';
import { equalIndex, type Index } from '../index-expression.ts';
import type { Kernel, RowSweeps, Scalar, Store } from '../kernel.ts';
import type { LoweredKernel, Unit } from '../lower/lower.ts';
import { bodiesOf, scalarsIn } from '../scalars.ts';

/** The order to run in, and for each output the argument that it overwrites, or null. */
export interface Overwriting {
  readonly units: readonly Unit[];
  readonly into: readonly (number | null)[];
}

/** For each loop body of a kernel, the places at which it reads each operand; null for a gathered one. */
type Reads = readonly ReadonlyMap<number, readonly (Index | null)[]>[];

/** Decides which outputs overwrite arguments. Updates may move behind the last reader of what they overwrite. */
export function overwrittenArguments(program: Program, units: readonly Unit[], outputs: readonly Node[]): Overwriting {
  let order = units;
  const known = new Map<Kernel, Reads>();
  const readsOf = (kernel: Kernel): Reads => {
    const reads = known.get(kernel) ?? bodiesOf(kernel).map(({ values }) => placesRead(values));
    known.set(kernel, reads);
    return reads;
  };
  const numbers = new Map<Node, number>(program.args.map((argument, number) => [argument, number]));
  const seen = new Set<Node>();
  /** What each unit overwrites already. */
  const overwritten = new Map<Unit, Node[]>();
  /** Who writes a value; null for one that several write parts of. */
  const writers = new Map<Node, Unit | null>();
  for (const unit of units) for (const node of unit.writes) writers.set(node, writers.has(node) ? null : unit);
  const into = outputs.map((node, output): number | null => {
    const old = program.effects[output]?.into ?? null;
    const writer = writers.get(node) ?? null;
    if (old === null || writer === null || seen.has(node)) return null;
    seen.add(node);
    if (!overwritesSafely(writer, node, old, readsOf)) return null;
    const moved = behindReaders(order, writer, old, overwritten);
    if (moved === null) return null;
    order = moved;
    overwritten.set(writer, [...(overwritten.get(writer) ?? []), old]);
    return numbers.get(old)!;
  });
  return { units: order, into };
}

/**
 * The order with `writer` after all other readers of `old`; null if one of them needs what the writer gives, or overwrites what the writer reads.
 */
function behindReaders(
  order: readonly Unit[],
  writer: Unit,
  old: Node,
  overwritten: ReadonlyMap<Unit, readonly Node[]>,
): readonly Unit[] | null {
  const place = order.indexOf(writer);
  const last = order.findLastIndex((unit) => unit !== writer && unit.reads.includes(old));
  if (last < place) return order;
  const between = order.slice(place + 1, last + 1);
  if (between.some(({ reads }) => reads.some((node) => writer.writes.includes(node)))) return null;
  if (between.some((unit) => overwritten.get(unit)?.some((node) => writer.reads.includes(node)) === true)) return null;
  return [...order.slice(0, place), ...between, writer, ...order.slice(last + 1)];
}

/** Whether a unit that writes `node` over `old` reads `old` only where it writes, and not after it has written. */
function overwritesSafely({ kernels, reads }: Unit, node: Node, old: Node, readsOf: (kernel: Kernel) => Reads): boolean {
  if (!reads.includes(old)) return true;
  if (kernels.length !== 1) return false;
  const [{ kernel, operands }] = kernels as [LoweredKernel];
  const [target, source] = [operands.indexOf(node), operands.indexOf(old)];
  if (target < 0) return false; // it writes parts of it
  const bodies = readsOf(kernel);
  const isRead = (body: ReadonlyMap<number, unknown>): boolean => body.has(source);
  if (kernel.kind === 'loop') return sweepsSafely(bodies, kernel, target, source);
  if (kernel.kind !== 'contract') return false;
  const { stores, rowFinish } = kernel;
  const storing = bodies.length - 1 - (rowFinish === null ? 0 : rowFinish.passes.length + 1);
  if (stores.some(({ operand }) => operand === target)) {
    return !bodies.some((body, number) => number !== storing && isRead(body)) && isWritten(bodies, stores, target, source);
  }
  return (
    rowFinish !== null && !bodies.slice(0, storing + 1).some(isRead) && sweepsSafely(bodies.slice(storing + 1), rowFinish, target, source)
  );
}

function sweepsSafely(bodies: Reads, { passes, rowStores }: RowSweeps, target: number, source: number): boolean {
  const writing = passes.findIndex(({ stores }) => stores.some(({ operand }) => operand === target));
  // Once per row: the columns of other rows may read what this one overwrites. In a pass: later passes would read new values.
  const forbidden = writing < 0 ? bodies.slice(0, passes.length) : bodies.slice(writing + 1);
  if (forbidden.some((body) => body.has(source))) return false;
  return isWritten(bodies, [...passes.flatMap(({ stores }) => stores), ...rowStores], target, source);
}

/** Whether every place of `source` that is read is the place of `target` that is written. */
function isWritten(bodies: Reads, stores: readonly Store[], target: number, source: number): boolean {
  const written = stores.find(({ operand }) => operand === target)!.index;
  return bodies.every((body) => (body.get(source) ?? []).every((place) => place !== null && equalIndex(place, written)));
}

function placesRead(body: readonly Scalar[]): ReadonlyMap<number, readonly (Index | null)[]> {
  const places = new Map<number, (Index | null)[]>();
  for (const scalar of scalarsIn(body)) {
    if (scalar.op !== 'load' && scalar.op !== 'gather') continue;
    const place = scalar.op === 'load' ? scalar.index : null;
    const list = places.get(scalar.operand);
    if (list === undefined) places.set(scalar.operand, [place]);
    else list.push(place);
  }
  return places;
}
