/**
 * Lowers a group of nodes to a kernel: the loops are the axes of the group's space, parallel axes outside and
 * reduction axes inside, and each stored value is an expression over them. Where an expression divides a loop
 * variable, the loop is split and everything is expressed again; loops over contiguous memory merge.
 */
import type { Node, NodeOf } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { Body } from './body.ts';
import { coalesce } from './coalesce.ts';
import type { Group } from '../schedule/groups.ts';
import { addIndices, axisIndex, scaleIndex, type Index } from '../ir/index-expression.ts';
import type { Kernel, LoopKernel, Pass, Scalar, Store } from '../ir/kernel.ts';
import { flatten, movementsOf, push, unflatten, type Coordinates, type Space } from '../ir/coordinates.ts';
import { indicesIn, scalarRewriter } from '../ir/rewrite-scalar.ts';
import { inputsOf } from '../ir/scalars.ts';
import type { StoredBy } from '../schedule/materialisation.ts';

/** A kernel with the stored nodes that are its operands. */
export interface LoweredKernel {
  readonly kernel: Kernel;
  readonly operands: readonly Node[];
  /** The nodes that it computes. */
  readonly nodes: readonly Node[];
}

/** Kernels that run one after the other and write the same stored nodes. */
export interface Unit {
  readonly kernels: readonly LoweredKernel[];
  readonly reads: readonly Node[];
  readonly writes: readonly Node[];
  /** Why it is a kernel of its own. */
  readonly boundary: string;
}

/** What lowering needs to know of the whole program. */
export interface LoweringContext {
  readonly storedBy: ReadonlyMap<Node, StoredBy>;
  /** Whether float16 arrays may be read as float32. */
  readonly storesHalvesAsFloats: boolean;
}

/** One loop of a kernel in the making. */
interface Axis {
  readonly extent: number;
  readonly isReduced: boolean;
}

/** The loops of a kernel, and the indices of the element and of the row. */
export interface Loops {
  readonly axes: readonly Axis[];
  /** Extents by kernel axis: parallel axes first. */
  readonly extents: readonly number[];
  readonly rows: number;
  readonly fullIndex: Index;
  readonly rowIndex: Index;
}

/** Numbers the axes of a space, parallel before reduction axes, without those of extent 1. */
export function loopsOf(axes: readonly Axis[]): Loops {
  const rows = axes.filter(({ isReduced }) => !isReduced).length;
  let [nextRow, nextColumn] = [0, rows];
  const numbers = axes.map(({ isReduced }) => (isReduced ? nextColumn++ : nextRow++));
  const indexOf = (includes: (axis: Axis) => boolean): Index => {
    const parts: Index[] = [];
    let stride = 1;
    for (let position = axes.length - 1; position >= 0; position--) {
      if (!includes(axes[position]!)) continue;
      parts.push(scaleIndex(axisIndex(numbers[position]!), stride));
      stride *= axes[position]!.extent;
    }
    return addIndices(...parts);
  };
  const extents: number[] = [];
  axes.forEach(({ extent }, position) => {
    extents[numbers[position]!] = extent;
  });
  return {
    axes,
    extents,
    rows,
    fullIndex: indexOf(() => true),
    rowIndex: indexOf(({ isReduced }) => !isReduced),
  };
}

export function axesOfSpace(space: readonly number[], reduced: readonly number[]): readonly Axis[] {
  return space.flatMap((extent, axis) =>
    extent === 1 ? [] : [{ extent, isReduced: reduced.includes(axis) }],
  );
}

/** Cuts the loops that `splits` names: axis → extent of the inner part. */
function splitAxes({ axes, rows }: Loops, splits: ReadonlyMap<number, number>): readonly Axis[] {
  let [nextRow, nextColumn] = [0, rows];
  return axes.flatMap(({ extent, isReduced }) => {
    const inner = splits.get(isReduced ? nextColumn++ : nextRow++);
    return inner === undefined
      ? [{ extent, isReduced: isReduced }]
      : [
          { extent: extent / inner, isReduced: isReduced },
          { extent: inner, isReduced: isReduced },
        ];
  });
}

/** The largest number of times that loops are cut. */
const SPLIT_ROUNDS = 8;

/** Expresses something over loops, and again over finer ones as long as that gets rid of a division. */
export function overLoops<T>(
  axes: readonly Axis[],
  canSplit: (loops: Loops, axis: number) => boolean,
  express: (loops: Loops, splits: Map<number, number>) => T,
): T {
  let current = axes;
  for (let round = 0; ; round++) {
    const loops = loopsOf(current);
    const splits = new Map<number, number>();
    const result = express(loops, splits);
    const allowed = new Map(
      [...splits].filter(([axis]) => axis < loops.extents.length && canSplit(loops, axis)),
    );
    if (allowed.size === 0 || round === SPLIT_ROUNDS) return result;
    current = splitAxes(loops, allowed);
  }
}

/**
 * A value that a kernel stores: a node in its own array, or a part of a concatenation in the array of the
 * whole.
 */
export type Stored = Node | ConcatenatedPart;

/** A part of a concatenation, and where its elements go. */
export interface ConcatenatedPart {
  readonly part: Node;
  /** The concatenation, or a rearrangement of it, or what it is a part of. */
  readonly array: Node;
  readonly coordinatesOf: CoordinateMap;
}

/** From coordinates in a part to those in the array. */
export type CoordinateMap = (at: Coordinates, space: Space) => Coordinates;

/** Where the elements of a node go that is rearranged and then stored. */
export function rearranged(
  chain: readonly NodeOf<'movement'>[],
  coordinatesOf: CoordinateMap,
): CoordinateMap {
  if (chain.length === 0) return coordinatesOf;
  return (at, space) =>
    coordinatesOf(
      chain
        .toReversed()
        .reduce<Coordinates>((coordinates, movement) => push(movement, coordinates, space), at),
      space,
    );
}

/** Where the elements of a part go that begins at an index of the concatenation's axis. */
export function shifted(axis: number, begin: number, coordinatesOf: CoordinateMap): CoordinateMap {
  return (at, space) =>
    coordinatesOf(
      at.map((index, each) => (each === axis ? scaleIndex(index, 1, begin) : index)),
      space,
    );
}

/** The node whose elements are computed, and the node in whose array they go. */
function targetOf(stored: Stored): {
  readonly value: Node;
  readonly array: Node;
  readonly coordinatesOf: CoordinateMap;
} {
  if (!('part' in stored)) return { value: stored, array: stored, coordinatesOf: (at) => at };
  return { value: stored.part, array: stored.array, coordinatesOf: stored.coordinatesOf };
}

/** A store of a node in a body: its value and where it goes, and whether once per element or once per row. */
export interface StoredValue {
  readonly store: Store;
  readonly isRow: boolean;
}

/** The store of a member of the group, or of a rearrangement of one, which is written where it belongs. */
export function storeOf(stored: Stored, body: Body, level: 'full' | 'row'): StoredValue {
  const { frame } = body;
  const { value: node, array, coordinatesOf } = targetOf(stored);
  const indexOf = level === 'row' ? frame.rowIndex : frame.fullIndex;
  const { chain, base } =
    frame.group?.levels.has(node) === true ? { chain: [], base: node } : movementsOf(node);
  const at = unflatten(indexOf, base.shape, frame.space);
  const value = body.at(base, at);
  const index = flatten(rearranged(chain, coordinatesOf)(at, frame.space), array.shape);
  return { store: { operand: body.operands.number(array, 'write'), index, value }, isRow: level === 'row' };
}

/** The level of a stored node in its group. */
function levelOf(group: Group, stored: Stored): 'full' | 'row' {
  const { value: node } = targetOf(stored);
  return group.levels.get(node) ?? group.levels.get(movementsOf(node).base)!;
}

/** The pass in which a scalar can be computed: after those of the reductions that it reads. */
function passesOf(body: Body): (scalar: Scalar) => number {
  const known = new Map<Scalar, number>();
  const ofReduction: number[] = [];
  const passOf = (scalar: Scalar): number => {
    const found = known.get(scalar);
    if (found !== undefined) return found;
    let pass = scalar.op === 'reduced' ? ofReduction[scalar.reduction]! + 1 : 0;
    for (const operand of inputsOf(scalar)) pass = Math.max(pass, passOf(operand));
    known.set(scalar, pass);
    return pass;
  };
  body.reductions.forEach(({ value }, number) => {
    ofReduction[number] = passOf(value);
  });
  return passOf;
}

/** A loop kernel for the stored nodes of a group. */
export function lowerLoop(
  group: Group,
  nodes: readonly Stored[],
  { storedBy }: LoweringContext,
): LoweredKernel {
  return overLoops(
    axesOfSpace(group.space, group.reduced ?? []),
    () => true,
    (loops, splits) => {
      const { extents, fullIndex, rowIndex } = loops;
      const body = new Body(
        { space: { extents, splits }, group, fullIndex: fullIndex, rowIndex: rowIndex },
        storedBy,
        null,
      );
      const stored = nodes.map((node) => storeOf(node, body, levelOf(group, node)));
      return buildLoop(loops, body, stored);
    },
  );
}

/**
 * A kernel that writes the elements of `source`: by default of the node whose array it is, else what that
 * array is begun with.
 */
export function lowerCopy(
  target: Stored,
  { storedBy }: LoweringContext,
  source: Node = targetOf(target).value,
): LoweredKernel {
  const { array, coordinatesOf } = targetOf(target);
  return overLoops(
    axesOfSpace(source.shape, []),
    () => true,
    (loops, splits) => {
      const { extents, fullIndex, rowIndex } = loops;
      const space = { extents, splits };
      const body = new Body(
        { space, group: null, fullIndex: fullIndex, rowIndex: rowIndex },
        storedBy,
        array,
      );
      const at = unflatten(fullIndex, source.shape, space);
      const value = body.at(source, at);
      const store = {
        operand: body.operands.number(array, 'write'),
        index: flatten(coordinatesOf(at, space), array.shape),
        value,
      };
      return buildLoop(loops, body, [{ store, isRow: false }]);
    },
  );
}

function buildLoop({ extents, rows }: Loops, body: Body, stored: readonly StoredValue[]): LoweredKernel {
  const passOf = passesOf(body);
  const values = body.reductions.map(({ value }) => value);
  const stores = stored.map(({ store }) => store);
  const merged = coalesce(extents, rows, indicesIn(values, stores));
  const rewrite = scalarRewriter(merged.rewrite);
  const rewriteStore = ({ operand, index, value }: Store): Store => ({
    operand,
    index: merged.rewrite(index),
    value: rewrite(value),
  });
  const count = Math.max(
    1,
    ...values.map((value) => passOf(value) + 1),
    ...stored.map(({ store, isRow }) => (isRow ? 1 : passOf(store.value) + 1)),
  );
  const passes = Array.from({ length: count }, (_, pass): Pass => ({
    reductions: values.flatMap((value, number) => (passOf(value) === pass ? [number] : [])),
    stores: stored.flatMap(({ store, isRow }) =>
      !isRow && passOf(store.value) === pass ? [rewriteStore(store)] : [],
    ),
  }));
  const [parallel, reduced] = [merged.extents.slice(0, merged.rows), merged.extents.slice(merged.rows)];
  // The columns of a map are its innermost axis; those of a reduction over axes of extent 1 one element.
  const isMap = reduced.length === 0;
  const columns =
    isMap && parallel.length > 0 && values.length === 0 ? [parallel.pop()!] : isMap ? [1] : reduced;
  const kernel: LoopKernel = {
    kind: 'loop',
    operands: body.operands.list,
    rows: parallel,
    columns: columns,
    reductions: body.reductions.map((reduction) => ({ ...reduction, value: rewrite(reduction.value) })),
    passes: passes.filter(({ reductions, stores: inPass }) => reductions.length + inPass.length > 0),
    rowStores: stored.flatMap(({ store, isRow }) => (isRow ? [rewriteStore(store)] : [])),
  };
  return { kernel, operands: body.operands.nodes, nodes: body.computed() };
}

/** Whether a node has elements: what has none needs no kernel. */
export function hasElements(node: Node): boolean {
  return sizeOf(node.shape) > 0;
}
