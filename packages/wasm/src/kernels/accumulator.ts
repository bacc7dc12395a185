/**
 * The interface of reductions in registers: start, add vector after vector, and give the result, one per row
 * or, where each lane is a row, one per lane.
 */
import type { Reduction } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import type { Code, Local } from '../assembler/code.ts';
import type { Instruction } from '../assembler/instructions.ts';

/** A reduction while it is emitted. */
export interface Accumulator {
  /** Whether it is a sum of floats, whose accumulators must be flushed every so often. */
  readonly isLongSum: boolean;
  /** Sets the accumulators to the identity. */
  begin(): void;
  /** Adds the first `lanes` lanes of one vector of the block. */
  add(vector: number, value: Local, lanes: number): void;
  /** Flushes the accumulators of a long sum; nothing for other reductions. */
  flush(): void;
  /**
   * The results: one per vector of the block where lanes are rows, else one, in all lanes. They are valid
   * until `release`.
   */
  result(): readonly Local[];
  /** Gives the locals back. */
  release(): void;
}

/** How a reduction is accumulated. */
export interface AccumulatorOptions {
  readonly code: Code;
  readonly reduction: Reduction;
  /** The number of vectors of a block. */
  readonly vectors: number;
  /** Whether each lane is a row, so that lanes are never combined. */
  readonly lanesAreRows: boolean;
  /** Whether `flush` is called during the loops; where lanes are rows, after the last addition too. */
  readonly isLong: boolean;
  /** Pushes the positions of a vector's elements among the columns, as i32x4. */
  readonly putPositions: (vector: number) => void;
}

/** Lanes that a register has for a dtype. */
function lanesOf(dtype: DType): 2 | 4 {
  return dtype === 'float64' ? 2 : 4;
}

/** Pushes a mask of the first lanes. */
export function putLaneMask(code: Code, dtype: DType, lanes: number): void {
  const bytes = 16 / lanesOf(dtype);
  code.v128(Array.from({ length: 16 }, (_, byte) => (byte < lanes * bytes ? 255 : 0)));
}

/** Whether a vector leaves some lanes of the register unused, which must then not count. */
export function isPartial({ reduction, lanesAreRows }: AccumulatorOptions, lanes: number): boolean {
  return !lanesAreRows && lanes < lanesOf(reduction.value.dtype);
}

/** Combines all lanes; the result is in all lanes. `combine` takes two registers from the stack. */
export function acrossLanes(code: Code, dtype: DType, value: Local, combine: Instruction): void {
  if (dtype !== 'float64')
    code.get(value).get(value).get(value).shuffle32([2, 3, 0, 1]).op(combine).set(value);
  const neighbour = dtype === 'float64' ? ([2, 3, 0, 1] as const) : ([1, 0, 3, 2] as const);
  code.get(value).get(value).get(value).shuffle32(neighbour).op(combine).set(value);
}

/** New locals for registers. */
export function newLocals(code: Code, count: number): readonly Local[] {
  return Array.from({ length: count }, () => code.local('v128'));
}

const LIMITS: { readonly [K in DType]: readonly [least: number, largest: number] } = {
  float32: [-Infinity, Infinity],
  float64: [-Infinity, Infinity],
  float16: [-Infinity, Infinity],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  bool: [0, 1],
};

/** The smallest and the largest number that a dtype has. */
export function limitsOf(dtype: DType): readonly [least: number, largest: number] {
  return LIMITS[dtype];
}
