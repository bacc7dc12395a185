/**
 * Walking scalar expressions without recursion: what each operation is made of, everything below some
 * expressions, and where the expressions of a kernel are. An expression is a graph, so that what occurs twice
 * is visited once.
 */
import { sizeOf } from '@firsthand/linalg';
import { axisIndex } from './index-expression.ts';
import type { Kernel, KernelKind, RowLoops, Scalar, ScalarOp, Store } from './kernel.ts';

/** A scalar expression of one operation. */
export type ScalarOf<K extends ScalarOp> = Extract<Scalar, { readonly op: K }>;
type KernelOf<K extends KernelKind> = Extract<Kernel, { readonly kind: K }>;

const NO_INPUTS: readonly Scalar[] = [];
const none = (): readonly Scalar[] => NO_INPUTS;
const INPUTS: { readonly [K in ScalarOp]: (scalar: ScalarOf<K>) => readonly Scalar[] } = {
  const: none,
  load: none,
  index: none,
  inside: none,
  gather: ({ position }) => [position],
  random: ({ key, counter }) => [...key, ...counter],
  unary: ({ x }) => [x],
  binary: ({ a, b }) => [a, b],
  where: ({ condition, a, b }) => [condition, a, b],
  cast: ({ x }) => [x],
  reduced: none,
  total: none,
};

/** The expressions that an expression is made of, in order. */
export function inputsOf(scalar: Scalar): readonly Scalar[] {
  return (INPUTS[scalar.op] as (scalar: Scalar) => readonly Scalar[])(scalar);
}

/**
 * All scalars below `roots`, each once, inputs first. A scalar that is done is left out, with everything that
 * only it reads.
 */
export function scalarsIn(roots: readonly Scalar[], isDone?: (scalar: Scalar) => boolean): Scalar[] {
  const order: Scalar[] = [];
  const seen = new Set<Scalar>();
  const stack = roots.toReversed();
  /** For each entry of the stack: whether its inputs are in order already. */
  const areInputsDone = stack.map(() => false);
  for (let scalar = stack.pop(); scalar !== undefined; scalar = stack.pop()) {
    if (areInputsDone.pop()!) {
      order.push(scalar);
      continue;
    }
    if (seen.has(scalar) || isDone?.(scalar) === true) continue;
    seen.add(scalar);
    const inputs = inputsOf(scalar);
    if (inputs.length === 0) {
      order.push(scalar);
      continue;
    }
    stack.push(scalar);
    areInputsDone.push(true);
    for (let number = inputs.length - 1; number >= 0; number--) {
      stack.push(inputs[number]!);
      areInputsDone.push(false);
    }
  }
  return order;
}

/** The innermost of some loops of a kernel. */
export interface LoopBody {
  /** Extents of the loops around it. */
  readonly extents: readonly number[];
  /** The values of one iteration, in order: reduced values, then stored values. */
  readonly values: readonly Scalar[];
  /**
   * Operations of one iteration besides those of the values: a reduction combines one element, a contraction
   * multiplies and adds.
   */
  readonly accumulations: number;
  /** The operands that are stored to, once for each store. */
  readonly targets: readonly number[];
}

function bodyOf(
  extents: readonly number[],
  values: readonly Scalar[],
  accumulations: number,
  stores: readonly Store[],
): LoopBody {
  return {
    extents,
    values: [...values, ...stores.map(({ value }) => value)],
    accumulations: accumulations,
    targets: stores.map(({ operand }) => operand),
  };
}

/** A body for each pass, and one for what is stored once per row. */
function rowLoopBodies(
  rows: readonly number[],
  { columns, passes, reductions, rowStores }: RowLoops,
): readonly LoopBody[] {
  const bodies = passes.map((pass) => {
    const values = pass.reductions.map((number) => reductions[number]!.value);
    return bodyOf([...rows, ...columns], values, values.length, pass.stores);
  });
  return [...bodies, bodyOf(rows, [], 0, rowStores)];
}

const BODIES: { readonly [K in KernelKind]: (kernel: KernelOf<K>) => readonly LoopBody[] } = {
  loop: (kernel) => rowLoopBodies(kernel.rows, kernel),
  contract: ({ batch, m, n, k, dtype, a, b, stores, rowEpilogue }) => {
    const stored = [a, b].flatMap((matrix): Scalar[] =>
      'value' in matrix ? [] : [{ op: 'load', dtype, ...matrix }],
    );
    const computed = [a, b].flatMap((matrix) =>
      'value' in matrix ? [bodyOf([...batch, ...matrix.inner, ...matrix.outer], [matrix.value], 0, [])] : [],
    );
    const matrices = [...computed, bodyOf([...batch, m, n, k], stored, 2, [])];
    const epilogue = rowEpilogue === null ? [] : rowLoopBodies([...batch, m], rowEpilogue);
    return [...matrices, bodyOf([...batch, m, n], [], 0, stores), ...epilogue];
  },
  scan: ({ rows, count, value, coefficient: matrix, stores }) => [
    matrix === null
      ? bodyOf([...rows, count], [value], 1, stores)
      : bodyOf([...rows, count], [value, matrix], 2, stores),
  ],
  scatter: ({ extents, position, value, target }) => [
    { extents, values: [position, value], accumulations: 1, targets: [target] },
  ],
  sort: ({ rows, count, value, target }) => [
    { extents: [...rows, count], values: [value], accumulations: 1, targets: [target.operand] },
  ],
  custom: ({ operands, inputs, outputs }) => [
    ...inputs.map(({ operand, shape }): LoopBody => {
      const value: Scalar = { op: 'load', dtype: operands[operand]!.dtype, operand, index: axisIndex(0) };
      return { extents: [sizeOf(shape)], values: [value], accumulations: 0, targets: [] };
    }),
    ...outputs.map(({ operand, shape }): LoopBody => ({
      extents: [sizeOf(shape)],
      values: [],
      accumulations: 0,
      targets: [operand],
    })),
  ],
};

/** The bodies of a kernel's loops, in the order in which they run. */
export function bodiesOf(kernel: Kernel): readonly LoopBody[] {
  return (BODIES[kernel.kind] as (kernel: Kernel) => readonly LoopBody[])(kernel);
}
