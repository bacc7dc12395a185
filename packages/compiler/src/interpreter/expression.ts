/**
 * Scalar expressions as functions of where the loops stand. Each operation becomes one closure over those of
 * its inputs; what occurs more than once remembers its value for the rest of the iteration. `where` evaluates
 * only the side that it takes, so that a guarded load is never out of range, and any other load that is
 * throws: so do loads of arrays that are only written, and stores to arrays that are only read.
 */
import { DeviceError, type TypedArray } from '@firsthand/graph';
import {
  binaryFunction,
  DTYPES,
  fromFloat16Bits,
  philox4x32,
  toFloat16Bits,
  unaryFunction,
} from '@firsthand/linalg';
import { evaluateIndex, isAffine, type Index } from '../ir/index-expression.ts';
import type { Operand, Scalar, ScalarOp, Store } from '../ir/kernel.ts';
import { inputsOf, scalarsIn, type ScalarOf } from '../ir/scalars.ts';
import { CAST, ROUND } from './arithmetic.ts';

/** Where a run of a kernel stands. */
export interface Frame {
  arrays: readonly TypedArray[];
  /** The loop variables; NaN outside of their loops. */
  readonly counters: number[];
  /** Counts iterations: what an expression remembers is forgotten at the next. */
  iteration: number;
  /** Finished reductions of the row, by number. */
  readonly reduced: number[];
  /** The sum of a contraction or a scan. */
  total: number;
}

/** The value of an expression in one iteration. Bools are 0 and 1. */
export type Evaluate = (frame: Frame) => number;

/** The index of an element, given the loop variables. */
type Locate = (counters: readonly number[]) => number;

/** An index expression as a function. */
export function indexFunction(index: Index): Locate {
  if (!isAffine(index)) return (counters) => evaluateIndex(index, counters);
  const { offset } = index;
  const coefficients = index.terms.map(({ coefficient }) => coefficient);
  const axes = index.terms.map(({ atom }) => (atom.kind === 'axis' ? atom.axis : NaN));
  return (counters) => {
    let value = offset;
    for (let k = 0; k < coefficients.length; k++) value += coefficients[k]! * counters[axes[k]!]!;
    return value;
  };
}

/** Reads and writes of the operands of one kernel, checked. */
class Operands {
  readonly #operands: readonly Operand[];

  constructor(operands: readonly Operand[]) {
    this.#operands = operands;
  }

  /**
   * The element of an operand at `locate`; a DeviceError where there is none. @throws DeviceError if the
   * operand is not to be read
   */
  loader(operand: number, locate: Locate): Evaluate {
    const { dtype, length } = this.#allowed(operand, 'write', 'loads from');
    const isHalf = dtype === 'float16';
    return (frame) => {
      const at = locate(frame.counters);
      if (!(at >= 0 && at < length)) throw this.#outOfRange(frame, operand, at);
      const element = frame.arrays[operand]![at]!;
      return isHalf ? fromFloat16Bits(element) : element;
    };
  }

  /**
   * A function that writes an element; DeviceError where there is none. @throws DeviceError if the operand is
   * not to be written
   */
  storer(operand: number): (frame: Frame, at: number, value: number) => void {
    const { dtype, length } = this.#allowed(operand, 'read', 'stores to');
    const isHalf = dtype === 'float16';
    return (frame, at, value) => {
      if (!(at >= 0 && at < length)) throw this.#outOfRange(frame, operand, at);
      frame.arrays[operand]![at] = isHalf ? toFloat16Bits(value) : value;
    };
  }

  #allowed(operand: number, denied: Operand['access'], what: string): Operand {
    const found = this.#operands[operand]!;
    if (found.access === denied)
      throw new DeviceError(`interpreter: a kernel ${what} operand ${operand}, access ${denied}`);
    return found;
  }

  #outOfRange({ counters }: Frame, operand: number, at: number): DeviceError {
    const { length } = this.#operands[operand]!;
    return new DeviceError(
      `interpreter: element ${at} of operand ${operand}, which has ${length}, at [${counters.join(', ')}]`,
    );
  }
}

/** The expressions of one kernel, compiled once each. */
export class Compiler {
  readonly operands: Operands;
  readonly #compiled = new Map<Scalar, Evaluate>();
  readonly #shared: ReadonlySet<Scalar>;

  /** @param roots every expression of the kernel */
  constructor(operands: readonly Operand[], roots: readonly Scalar[]) {
    this.operands = new Operands(operands);
    this.#shared = sharedAmong(roots);
    for (const scalar of scalarsIn(roots)) this.#compiled.set(scalar, this.#compile(scalar));
  }

  /** One of the roots, or anything in them, as a function. */
  evaluator(scalar: Scalar): Evaluate {
    return this.#compiled.get(scalar)!;
  }

  /** Stores of one iteration: all values first, then all writes. */
  stores(stores: readonly Store[]): (frame: Frame) => void {
    const writers = stores.map(({ operand, index, value }) => ({
      evaluate: this.evaluator(value),
      locate: indexFunction(index),
      write: this.operands.storer(operand),
    }));
    const values = writers.map(() => NaN);
    return (frame) => {
      for (let k = 0; k < writers.length; k++) values[k] = writers[k]!.evaluate(frame);
      for (let k = 0; k < writers.length; k++)
        writers[k]!.write(frame, writers[k]!.locate(frame.counters), values[k]!);
    };
  }

  #compile(scalar: Scalar): Evaluate {
    const inputs = inputsOf(scalar).map((input) => this.#compiled.get(input)!);
    const compile = COMPILE[scalar.op] as (
      scalar: Scalar,
      inputs: readonly Evaluate[],
      compiler: Compiler,
    ) => Evaluate;
    const evaluate = compile(scalar, inputs, this);
    return this.#shared.has(scalar) ? remembered(evaluate) : evaluate;
  }
}

/** What occurs more than once and is worth remembering. */
function sharedAmong(roots: readonly Scalar[]): Set<Scalar> {
  const seen = new Set<Scalar>(roots);
  const shared = new Set<Scalar>();
  for (const scalar of scalarsIn(roots)) {
    for (const input of inputsOf(scalar)) {
      if (seen.has(input) && inputsOf(input).length > 0) shared.add(input);
      seen.add(input);
    }
  }
  return shared;
}

function remembered(evaluate: Evaluate): Evaluate {
  let iteration = -1;
  let value = 0;
  return (frame) => {
    if (iteration !== frame.iteration) {
      value = evaluate(frame);
      iteration = frame.iteration;
    }
    return value;
  };
}

type Compile<K extends ScalarOp> = (
  scalar: ScalarOf<K>,
  inputs: readonly Evaluate[],
  compiler: Compiler,
) => Evaluate;
const COMPILE: { readonly [K in ScalarOp]: Compile<K> } = {
  const: ({ dtype, value }) => {
    const element = CAST[dtype](value, 'float64');
    return () => element;
  },
  load: ({ operand, index }, _, { operands }) => operands.loader(operand, indexFunction(index)),
  index: ({ index }) => {
    const locate = indexFunction(index);
    return (frame) => locate(frame.counters) | 0;
  },
  inside: ({ index, low, high }) => {
    const locate = indexFunction(index);
    return (frame) => {
      const value = locate(frame.counters);
      return low <= value && value < high ? 1 : 0;
    };
  },
  gather: ({ dtype, operand, index, stride, extent }, [position], { operands }) => {
    const locate = indexFunction(index);
    const missing = DTYPES[dtype].isFloat ? NaN : 0;
    let chosen = NaN;
    const load = operands.loader(operand, (counters) => locate(counters) + chosen * stride);
    return (frame) => {
      chosen = position!(frame);
      return chosen >= 0 && chosen < extent ? load(frame) : missing;
    };
  },
  random: ({ dtype, index }, words) => {
    const locate = indexFunction(index);
    return (frame) => {
      const [key0, key1, low, high] = words.map((word) => word(frame)) as [number, number, number, number];
      const element = locate(frame.counters);
      const block = low + Math.floor(element / 4);
      const carried = (high + Math.floor(block / 2 ** 32)) >>> 0;
      const word = philox4x32([block >>> 0, carried, 0, 0], [key0, key1])[element % 4]!;
      return dtype === 'uint32' ? word : (word >>> 8) * 2 ** -24;
    };
  },
  unary: ({ dtype, kind }, [x]) => {
    const [apply, round] = [unaryFunction(kind), ROUND[dtype]];
    return (frame) => round(apply(x!(frame)));
  },
  binary: (scalar, [a, b]) => {
    const [apply, round] = [binaryFunction(scalar.kind, scalar.a.dtype), ROUND[scalar.dtype]];
    return (frame) => round(apply(a!(frame), b!(frame)));
  },
  where: (_, [condition, a, b]) => {
    return (frame) => (condition!(frame) !== 0 ? a!(frame) : b!(frame));
  },
  cast: ({ dtype, x }, [evaluate]) => {
    const [convert, from] = [CAST[dtype], x.dtype];
    return (frame) => convert(evaluate!(frame), from);
  },
  reduced: ({ reduction }) => {
    return (frame) => frame.reduced[reduction]!;
  },
  total: () => (frame) => frame.total,
};
