/**
 * Reductions in registers. Each vector of a block has an accumulator of its own, which hides the latency of
 * an addition and shortens the chain of roundings; long float sums are flushed into float64 every so often.
 * At the end the accumulators of a row are combined; where each lane is a row, there is nothing to combine.
 */
import type { ArgReduceKind, DType, ReduceKind } from '@firsthand/graph';
import {
  acrossLanes,
  isPartial,
  limitsOf,
  newLocals,
  putLaneMask,
  type Accumulator,
  type AccumulatorOptions,
} from './accumulator.ts';
import { instructionOf } from '../scalar/arithmetic.ts';
import type { Code, Local } from '../assembler/code.ts';
import type { Instruction } from '../assembler/instructions.ts';
import { roundToFloat16 } from '../scalar/convert.ts';
import { extremePosition } from './extreme.ts';
import { putConstant } from '../scalar/registers.ts';

/** Combines several registers in the first of them. */
function combineRegisters(code: Code, locals: readonly Local[], combine: Instruction): void {
  for (let width = 1; width < locals.length; width *= 2) {
    for (let index = 0; index + width < locals.length; index += 2 * width) {
      code
        .get(locals[index]!)
        .get(locals[index + width]!)
        .op(combine)
        .set(locals[index]!);
    }
  }
}

/** Pushes the register, with the identity in lanes that do not count. */
function putCounting(options: AccumulatorOptions, value: Local, lanes: number, identity: number): void {
  const { code, reduction } = options;
  code.get(value);
  if (!isPartial(options, lanes)) return;
  putConstant(code, reduction.value.dtype, identity);
  putLaneMask(code, reduction.value.dtype, lanes);
  code.op('v128.bitselect');
}

/** By one instruction in the dtype's own registers: everything but sums and products of float32. */
function plain(options: AccumulatorOptions, combine: Instruction, identity: number): Accumulator {
  const { code, reduction, vectors, lanesAreRows } = options;
  const { dtype } = reduction.value;
  const current = newLocals(code, vectors);
  // A running sum of float64 numbers is flushed too, into another float64.
  const flushed = newLocals(code, combine === 'f64x2.add' ? (lanesAreRows ? vectors : 1) : 0);
  const clear = (locals: readonly Local[]): void => {
    for (const local of locals) {
      putConstant(code, dtype, identity);
      code.set(local);
    }
  };
  const flush = (): void => {
    if (flushed.length === 0) return;
    if (!lanesAreRows) combineRegisters(code, current, combine);
    flushed.forEach((local, index) => code.get(local).get(current[index]!).op(combine).set(local));
    clear(current);
  };
  return {
    isLongSum: flushed.length > 0,
    begin: () => clear([...current, ...flushed]),
    add: (vector, value, lanes) => {
      code.get(current[vector]!);
      putCounting(options, value, lanes, identity);
      code.op(combine).set(current[vector]!);
    },
    flush,
    result: () => {
      flush();
      const results = flushed.length > 0 ? flushed : current;
      if (lanesAreRows) return results;
      if (flushed.length === 0) combineRegisters(code, current, combine);
      acrossLanes(code, dtype, results[0]!, combine);
      return [results[0]!];
    },
    release: () => code.release(...current, ...flushed),
  };
}

/** Two registers of float64 for the four lanes of a float32 register. */
interface Wide {
  readonly low: Local;
  readonly high: Local;
}

/** Combines the four lanes of `value` into two registers of float64. */
function widenInto(code: Code, { low, high }: Wide, value: Local, combine: 'f64x2.add' | 'f64x2.mul'): void {
  code.get(low).op('f64x2.promote_low_f32x4', value).op(combine).set(low);
  code
    .get(high)
    .get(value)
    .get(value)
    .shuffle32([2, 3, 2, 3])
    .op('f64x2.promote_low_f32x4')
    .op(combine)
    .set(high);
}

/** Float64 accumulators as float32 results: rounded once. */
function narrow(
  options: AccumulatorOptions,
  wides: readonly Wide[],
  combine: 'f64x2.add' | 'f64x2.mul',
): readonly Local[] {
  const { code, reduction, lanesAreRows } = options;
  if (!lanesAreRows) {
    combineRegisters(
      code,
      wides.flatMap(({ low, high }) => [low, high]),
      combine,
    );
    acrossLanes(code, 'float64', wides[0]!.low, combine);
  }
  return (lanesAreRows ? wides : wides.slice(0, 1)).map(({ low, high }) => {
    code.op('f32x4.demote_f64x2_zero', low);
    if (lanesAreRows) code.op('f32x4.demote_f64x2_zero', high).shuffle32([0, 1, 4, 5]);
    else code.set(low).get(low).get(low).shuffle32([0, 0, 0, 0]);
    if (reduction.dtype === 'float16') roundToFloat16(code);
    code.set(low);
    return low;
  });
}

const newWides = (code: Code, count: number): Wide[] =>
  Array.from({ length: count }, () => ({ low: code.local('v128'), high: code.local('v128') }));

/** Sums of float32: in float32 for a while, then flushed into float64. */
function floatSum(options: AccumulatorOptions): Accumulator {
  const { code, reduction, vectors, lanesAreRows, isLong } = options;
  const current = newLocals(code, vectors);
  // A short sum of each lane by itself needs no float64.
  const wides = newWides(code, !lanesAreRows ? 1 : isLong ? vectors : 0);
  const clear = (locals: readonly Local[]): void => {
    for (const local of locals) code.i32x4(0).set(local);
  };
  const flush = (): void => {
    if (!lanesAreRows) combineRegisters(code, current, 'f32x4.add');
    wides.forEach((wide, index) => widenInto(code, wide, current[index]!, 'f64x2.add'));
    clear(current);
  };
  return {
    isLongSum: true,
    begin: () => clear([...current, ...wides.flatMap(({ low, high }) => [low, high])]),
    add: (vector, value, lanes) => {
      code.get(current[vector]!);
      putCounting(options, value, lanes, 0);
      code.op('f32x4.add').set(current[vector]!);
    },
    flush,
    result: () => {
      if (!lanesAreRows) flush();
      if (wides.length > 0) return narrow(options, wides, 'f64x2.add');
      if (reduction.dtype === 'float16') {
        for (const local of current) {
          code.get(local);
          roundToFloat16(code);
          code.set(local);
        }
      }
      return current;
    },
    release: () => code.release(...current, ...wides.flatMap(({ low, high }) => [low, high])),
  };
}

/** Products of float32 in float64, where an intermediate overflow does no harm. */
function floatProduct(options: AccumulatorOptions): Accumulator {
  const { code, vectors } = options;
  const wides = newWides(code, vectors);
  const value = code.local('v128');
  return {
    isLongSum: false,
    begin: () => {
      for (const { low, high } of wides) code.f64x2(1).set(low).f64x2(1).set(high);
    },
    add: (vector, factor, lanes) => {
      putCounting(options, factor, lanes, 1);
      code.set(value);
      widenInto(code, wides[vector]!, value, 'f64x2.mul');
    },
    flush: () => {},
    result: () => narrow(options, wides, 'f64x2.mul'),
    release: () => code.release(value, ...wides.flatMap(({ low, high }) => [low, high])),
  };
}

const isFloat32 = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float16';

const ACCUMULATORS: {
  readonly [K in ReduceKind | ArgReduceKind]: (options: AccumulatorOptions, dtype: DType) => Accumulator;
} = {
  sum: (options, dtype) =>
    isFloat32(dtype) ? floatSum(options) : plain(options, instructionOf('add', dtype), 0),
  prod: (options, dtype) =>
    isFloat32(dtype) ? floatProduct(options) : plain(options, instructionOf('mul', dtype), 1),
  max: (options, dtype) => plain(options, instructionOf('maximum', dtype), limitsOf(dtype)[0]),
  min: (options, dtype) => plain(options, instructionOf('minimum', dtype), limitsOf(dtype)[1]),
  argmax: (options) => extremePosition(options, 'argmax'),
  argmin: (options) => extremePosition(options, 'argmin'),
};

/** The accumulator of a reduction. */
export function accumulatorOf(options: AccumulatorOptions): Accumulator {
  const { kind, value } = options.reduction;
  return ACCUMULATORS[kind](options, value.dtype);
}
