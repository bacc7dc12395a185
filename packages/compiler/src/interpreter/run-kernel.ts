/**
 * Kernels in plain loops: what each kind means, said as briefly as it can be. Sums and products of floats are
 * kept in double precision and rounded once; integers wrap at every step. Nothing is reordered, blocked or
 * hoisted.
 */
import type { ArgReduceKind, DType, ReduceKind, TypedArray } from '@firsthand/graph';
import { binaryFunction, DTYPES, sizeOf } from '@firsthand/linalg';
import type { ImplicitMatrix, Kernel, KernelKind, Reduction, RowLoops, StoredMatrix } from '../ir/kernel.ts';
import { bodiesOf } from '../ir/scalars.ts';
import { ROUND } from './arithmetic.ts';
import { Compiler, indexFunction, type Evaluate, type Frame } from './expression.ts';

/**
 * Runs a kernel once.
 * @param arrays one per operand: float16 as bits, bool as bytes 0 and 1
 * @throws DeviceError where it touches an element that an operand does not have, or not in the way that the
 *   operand's access says
 */
export function runKernel(kernel: Kernel, arrays: readonly TypedArray[]): void {
  prepareKernel(kernel)(arrays);
}

/** A kernel as a function of its arrays. */
export function prepareKernel(kernel: Kernel): (arrays: readonly TypedArray[]) => void {
  const bodies = bodiesOf(kernel);
  const axes = bodies.reduce((most, { extents }) => Math.max(most, extents.length), 0);
  const counters = Array.from({ length: axes }, () => NaN);
  const frame: Frame = { arrays: [], counters, iteration: 0, reduced: [], total: NaN };
  const compiler = new Compiler(
    kernel.operands,
    bodies.flatMap(({ values }) => values),
  );
  const run = (PREPARE[kernel.kind] as Prepare<KernelKind>)(kernel, compiler, frame);
  return (arrays) => {
    frame.arrays = arrays;
    run();
    frame.arrays = [];
  };
}

/**
 * Calls `visit` for every iteration over a few axes in row-major order; afterwards their variables are NaN.
 */
function forEachIteration(frame: Frame, first: number, extents: readonly number[], visit: () => void): void {
  const { counters } = frame;
  for (let k = 0; k < extents.length; k++) counters[first + k] = 0;
  for (let axis = 0; axis >= 0;) {
    frame.iteration++;
    visit();
    for (axis = extents.length - 1; axis >= 0 && ++counters[first + axis]! === extents[axis]; axis--)
      counters[first + axis] = 0;
  }
  for (let k = 0; k < extents.length; k++) counters[first + k] = NaN;
}

/** A reduction under way. */
interface Accumulator {
  add(value: number): void;
  result(): number;
}

/** What becomes of a sum at each step: an integer wraps, a float stays the double that it is. */
function wrapOf(dtype: DType): (x: number) => number {
  return DTYPES[dtype].isFloat ? ROUND.float64 : ROUND[dtype];
}

/** What is added up: a double until the end, or an integer that wraps. */
function accumulating(
  start: number,
  step: (sum: number, value: number) => number,
  dtype: DType,
): Accumulator {
  const round = ROUND[dtype];
  const wrap = wrapOf(dtype);
  let sum = start;
  return {
    add: (value) => (sum = wrap(step(sum, value))),
    result: () => round(sum),
  };
}

/** The linear recurrence total = coefficient·total + value. */
function recurring(dtype: DType, coefficient: () => number): Accumulator {
  const multiply = binaryFunction('mul', dtype);
  return accumulating(0, (total, value) => multiply(coefficient(), total) + value, dtype);
}

/** The position of the first value that no earlier one is as good as; nothing is better than NaN. */
function finding(isBetter: (value: number, best: number) => boolean): Accumulator {
  let [position, best, found] = [-1, NaN, 0];
  return {
    add: (value) => {
      position++;
      if (position > 0 && (Number.isNaN(best) || !(Number.isNaN(value) || isBetter(value, best)))) return;
      [best, found] = [value, position];
    },
    result: () => found,
  };
}

const ACCUMULATORS: { readonly [K in ReduceKind | ArgReduceKind]: (dtype: DType) => Accumulator } = {
  sum: (dtype) => accumulating(0, (sum, value) => sum + value, dtype),
  prod: (dtype) => accumulating(1, binaryFunction('mul', dtype), dtype),
  max: (dtype) => accumulating(-Infinity, Math.max, dtype),
  min: (dtype) => accumulating(Infinity, Math.min, dtype),
  argmax: () => finding((value, best) => value > best),
  argmin: () => finding((value, best) => value < best),
};

type Prepare<K extends KernelKind> = (
  kernel: Extract<Kernel, { readonly kind: K }>,
  compiler: Compiler,
  frame: Frame,
) => () => void;
const PREPARE: { readonly [K in KernelKind]: Prepare<K> } = {
  loop: (kernel, compiler, frame) => {
    const { rows } = kernel;
    const runRow = prepareRowLoops(rows.length, kernel, compiler, frame);
    return () => forEachIteration(frame, 0, rows, runRow);
  },

  contract: ({ batch, m, n, k, dtype, a, b, stores, rowEpilogue }, compiler, frame) => {
    const first = batch.length;
    const side = (matrix: StoredMatrix | ImplicitMatrix, axis: number): MatrixElements =>
      'value' in matrix
        ? computedMatrix(matrix, compiler, frame, { first, axis })
        : {
            prepare: () => {},
            element: compiler.operands.loader(matrix.operand, indexFunction(matrix.index)),
          };
    const sides = [side(a, first), side(b, first + 1)] as const;
    const [left, right] = [sides[0].element, sides[1].element];
    const [multiply, round] = [binaryFunction('mul', dtype), ROUND[dtype]];
    const wrap = wrapOf(dtype);
    const store = compiler.stores(stores);
    const epilogue =
      rowEpilogue === null ? () => {} : prepareRowLoops(first + 1, rowEpilogue, compiler, frame);
    const element = (): void => {
      let sum = 0;
      for (let each = 0; each < k; each++) {
        frame.counters[first + 2] = each;
        sum = wrap(sum + multiply(left(frame), right(frame)));
      }
      frame.counters[first + 2] = NaN;
      frame.total = round(sum);
      store(frame);
    };
    return () =>
      forEachIteration(frame, 0, batch, () => {
        for (const { prepare } of sides) prepare();
        forEachIteration(frame, first, [m], () => {
          forEachIteration(frame, first + 1, [n], element);
          epilogue();
        });
      });
  },

  scan: ({ scan: kind, rows, count, dtype, value, coefficient, stores }, compiler, frame) => {
    const evaluate = compiler.evaluator(value);
    const multiplier = coefficient === null ? null : compiler.evaluator(coefficient);
    const store = compiler.stores(stores);
    return () =>
      forEachIteration(frame, 0, rows, () => {
        const accumulator =
          kind === 'linear' ? recurring(dtype, () => multiplier!(frame)) : ACCUMULATORS[kind](dtype);
        forEachIteration(frame, rows.length, [count], () => {
          accumulator.add(evaluate(frame));
          frame.total = accumulator.result();
          store(frame);
        });
      });
  },

  scatter: ({ operands, extents, mode, target, index, position, stride, extent, value }, compiler, frame) => {
    const round = ROUND[operands[target]!.dtype];
    const [choose, evaluate, locate] = [
      compiler.evaluator(position),
      compiler.evaluator(value),
      indexFunction(index),
    ];
    let element = NaN;
    const load = mode === 'add' ? compiler.operands.loader(target, () => element) : null;
    const write = compiler.operands.storer(target);
    return () =>
      forEachIteration(frame, 0, extents, () => {
        const chosen = choose(frame);
        if (!(chosen >= 0 && chosen < extent)) return;
        element = locate(frame.counters) + chosen * stride;
        write(frame, element, load === null ? evaluate(frame) : round(load(frame) + evaluate(frame)));
      });
  },

  sort: ({ rows, count, descending, value, target }, compiler, frame) => {
    const [evaluate, locate] = [compiler.evaluator(value), indexFunction(target.index)];
    const write = compiler.operands.storer(target.operand);
    return () =>
      forEachIteration(frame, 0, rows, () => {
        const values: number[] = [];
        forEachIteration(frame, rows.length, [count], () => values.push(evaluate(frame)));
        const order = values
          .map((_, position) => position)
          .sort((a, b) => compare(values[a]!, values[b]!, descending));
        forEachIteration(frame, rows.length, [count], () =>
          write(frame, locate(frame.counters), order[frame.counters[rows.length]!]!),
        );
      });
  },

  custom: ({ composite }) => {
    throw new Error(`${composite.name}: a target that says isOwn runs the kernel itself`);
  },
};

/** A function that runs the passes over the columns of the current row, then the stores per row. */
function prepareRowLoops(
  first: number,
  { columns, reductions, passes, rowStores }: RowLoops,
  compiler: Compiler,
  frame: Frame,
): () => void {
  const loops = passes.map((pass) => ({
    accumulators: pass.reductions.map((number) => prepareReduction(number, reductions[number]!, compiler)),
    store: compiler.stores(pass.stores),
  }));
  const storeRow = compiler.stores(rowStores);
  return () => {
    frame.reduced.fill(NaN);
    for (const { accumulators, store } of loops) {
      const under = accumulators.map(({ begin }) => begin());
      forEachIteration(frame, first, columns, () => {
        for (let k = 0; k < accumulators.length; k++) under[k]!.add(accumulators[k]!.value(frame));
        store(frame);
      });
      accumulators.forEach(({ number }, k) => (frame.reduced[number] = under[k]!.result()));
    }
    frame.iteration++;
    storeRow(frame);
  };
}

/** NaN is last in both directions, −0 equals 0. */
function compare(a: number, b: number, descending: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (a === b) return 0;
  return a < b === descending ? 1 : -1;
}

/**
 * A matrix of a product: `prepare` computes an implicit one for the current batch; `element` gives its
 * elements at the product's loop variables.
 */
interface MatrixElements {
  readonly prepare: () => void;
  readonly element: Evaluate;
}

/** @param axes the first after the batch axes, and m or n */
function computedMatrix(
  { value, inner, outer }: ImplicitMatrix,
  compiler: Compiler,
  frame: Frame,
  { first, axis }: { readonly first: number; readonly axis: number },
): MatrixElements {
  const evaluate = compiler.evaluator(value);
  const columns = sizeOf(outer);
  let elements: number[] = [];
  return {
    prepare: () => {
      elements = [];
      forEachIteration(frame, first, [...inner, ...outer], () => elements.push(evaluate(frame)));
    },
    element: ({ counters }) => elements[counters[first + 2]! * columns + counters[axis]!]!,
  };
}

/** A reduction of a pass: its number, its value, and a new accumulator for each row. */
interface PreparedReduction {
  readonly number: number;
  readonly value: Evaluate;
  readonly begin: () => Accumulator;
}

function prepareReduction(
  number: number,
  { kind, dtype, value }: Reduction,
  compiler: Compiler,
): PreparedReduction {
  return { number, value: compiler.evaluator(value), begin: () => ACCUMULATORS[kind](dtype) };
}
