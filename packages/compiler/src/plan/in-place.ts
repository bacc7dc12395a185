/**
 * In-place updates. A program may give up the storage of a variable: the kernel that computes the new value
 * then overwrites the old one, if all other readers run before it, and if it reads the old value only at the
 * index that it writes.
 */
import type { Node, Program } from '@firsthand/graph';
import { equalIndex, type Index } from '../ir/index-expression.ts';
import type { Scalar, Store } from '../ir/kernel.ts';
import type { LoweredKernel, Unit } from '../lower/lower.ts';
import { bodiesOf, scalarsIn } from '../ir/scalars.ts';

/** The order to run in, and for each output the argument that it overwrites, or null. */
export interface Overwriting {
  readonly units: readonly Unit[];
  readonly into: readonly (number | null)[];
}

/** For each loop body of a kernel, the indices at which it reads each operand; null for a gathered one. */
type Reads = readonly ReadonlyMap<number, readonly (Index | null)[]>[];

/**
 * The store of an operand: its index and its pass over the columns; pass null for once per row, and for the
 * results of a product.
 */
interface Written {
  readonly pass: number | null;
  readonly index: Index;
}

/** The reads and writes of a kernel by operand, found once: one kernel may update thousands of variables. */
interface Facts {
  readonly numbers: ReadonlyMap<Node, number>;
  readonly reads: Reads;
  readonly written: ReadonlyMap<number, Written>;
}

/**
 * Decides which outputs overwrite arguments. Updates may move behind the last reader of what they overwrite.
 */
export function overwrittenArguments(
  program: Program,
  units: readonly Unit[],
  outputs: readonly Node[],
): Overwriting {
  const known = new Map<LoweredKernel, Facts>();
  const factsOf = (lowered: LoweredKernel): Facts => {
    const facts = known.get(lowered) ?? findFacts(lowered);
    known.set(lowered, facts);
    return facts;
  };
  const numbers = new Map<Node, number>(program.args.map((argument, number) => [argument, number]));
  const order = new UnitOrder(units);
  const seen = new Set<Node>();
  /** Who writes a value; null for one that several write parts of. */
  const writers = new Map<Node, Unit | null>();
  for (const unit of units)
    for (const node of unit.writes) writers.set(node, writers.has(node) ? null : unit);
  const into = outputs.map((node, output): number | null => {
    const old = program.effects[output]?.into ?? null;
    const writer = writers.get(node) ?? null;
    if (old === null || writer === null || seen.has(node)) return null;
    seen.add(node);
    if (order.readersOf(old).has(writer) && !overwritesSafely(writer, node, old, factsOf)) return null;
    return order.overwrite(old, writer) ? numbers.get(old)! : null;
  });
  return { units: order.units, into };
}

const NOBODY: ReadonlySet<Unit> = /* @__PURE__ */ new Set();

/** The units in the order in which they run, and what each overwrites. */
class UnitOrder {
  units: readonly Unit[];
  readonly #readers = new Map<Node, Set<Unit>>();
  readonly #overwritten = new Map<Unit, Node[]>();
  #indices: ReadonlyMap<Unit, number>;

  constructor(units: readonly Unit[]) {
    this.units = units;
    this.#indices = positionsOf(units);
    for (const unit of units) {
      for (const node of unit.reads) {
        const readers = this.#readers.get(node);
        if (readers === undefined) this.#readers.set(node, new Set([unit]));
        else readers.add(unit);
      }
    }
  }

  readersOf(node: Node): ReadonlySet<Unit> {
    return this.#readers.get(node) ?? NOBODY;
  }

  /**
   * Has `writer` run after all other readers of `old`. False, with nothing changed, if one of them needs what
   * it gives, or overwrites what it reads.
   */
  overwrite(old: Node, writer: Unit): boolean {
    const position = this.#indices.get(writer)!;
    let last = -1;
    for (const unit of this.readersOf(old))
      if (unit !== writer) last = Math.max(last, this.#indices.get(unit)!);
    if (last > position) {
      const between = this.units.slice(position + 1, last + 1);
      const [given, read] = [new Set(writer.writes), new Set(writer.reads)];
      if (between.some(({ reads }) => reads.some((node) => given.has(node)))) return false;
      if (between.some((unit) => this.#overwritten.get(unit)?.some((node) => read.has(node)) === true))
        return false;
      this.units = [...this.units.slice(0, position), ...between, writer, ...this.units.slice(last + 1)];
      this.#indices = positionsOf(this.units);
    }
    const overwritten = this.#overwritten.get(writer);
    if (overwritten === undefined) this.#overwritten.set(writer, [old]);
    else overwritten.push(old);
    return true;
  }
}

function positionsOf(units: readonly Unit[]): ReadonlyMap<Unit, number> {
  return new Map(units.map((unit, position) => [unit, position]));
}

function findFacts({ kernel, operands }: LoweredKernel): Facts {
  const written = new Map<number, Written>();
  const note = (pass: number | null, stores: readonly Store[]): void => {
    for (const { operand, index } of stores) if (!written.has(operand)) written.set(operand, { pass, index });
  };
  const rowLoops = kernel.kind === 'loop' ? kernel : kernel.kind === 'contract' ? kernel.rowEpilogue : null;
  if (kernel.kind === 'contract') note(null, kernel.stores);
  rowLoops?.passes.forEach(({ stores }, pass) => note(pass, stores));
  if (rowLoops !== null) note(null, rowLoops.rowStores);
  return {
    numbers: new Map(operands.map((node, number) => [node, number])),
    reads: bodiesOf(kernel).map(({ values }) => indicesRead(values)),
    written,
  };
}

/**
 * Whether a unit that writes `node` over `old`, which it reads, reads `old` only where it writes, and not
 * after it has written.
 */
function overwritesSafely(
  { kernels }: Unit,
  node: Node,
  old: Node,
  factsOf: (lowered: LoweredKernel) => Facts,
): boolean {
  if (kernels.length !== 1) return false;
  const [lowered] = kernels as [LoweredKernel];
  const { kernel } = lowered;
  const { numbers, reads, written } = factsOf(lowered);
  const [target, source] = [numbers.get(node), numbers.get(old)!];
  if (target === undefined) return false; // it writes parts of it
  const isRead = (body: ReadonlyMap<number, unknown>): boolean => body.has(source);
  if (kernel.kind === 'loop')
    return overwritesRowSafely(reads, kernel.passes.length, written.get(target)!, source);
  if (kernel.kind !== 'contract') return false;
  const { stores, rowEpilogue } = kernel;
  const storeBody = reads.length - 1 - (rowEpilogue === null ? 0 : rowEpilogue.passes.length + 1);
  if (stores.some(({ operand }) => operand === target)) {
    return (
      !reads.some((body, number) => number !== storeBody && isRead(body)) &&
      isWritten(reads, written.get(target)!, source)
    );
  }
  return (
    rowEpilogue !== null &&
    !reads.slice(0, storeBody + 1).some(isRead) &&
    overwritesRowSafely(reads.slice(storeBody + 1), rowEpilogue.passes.length, written.get(target)!, source)
  );
}

function overwritesRowSafely(bodies: Reads, passes: number, target: Written, source: number): boolean {
  // Once per row: the columns of other rows may read what this one overwrites. In a pass: later passes would
  // read new values.
  const forbidden = target.pass === null ? bodies.slice(0, passes) : bodies.slice(target.pass + 1);
  return !forbidden.some((body) => body.has(source)) && isWritten(bodies, target, source);
}

/** Whether `source` is read only at the index where the target is written. */
function isWritten(bodies: Reads, { index }: Written, source: number): boolean {
  return bodies.every((body) =>
    (body.get(source) ?? []).every((position) => position !== null && equalIndex(position, index)),
  );
}

function indicesRead(body: readonly Scalar[]): ReadonlyMap<number, readonly (Index | null)[]> {
  const indices = new Map<number, (Index | null)[]>();
  for (const scalar of scalarsIn(body)) {
    if (scalar.op !== 'load' && scalar.op !== 'gather') continue;
    const position = scalar.op === 'load' ? scalar.index : null;
    const list = indices.get(scalar.operand);
    if (list === undefined) indices.set(scalar.operand, [position]);
    else list.push(position);
  }
  return indices;
}
