/**
 * argmax and argmin: the index of the first largest or smallest element of a row, or of its first NaN. Each
 * lane keeps the best value so far and its index; a later element replaces it only if it is better. Between
 * lanes of equal values, the smaller index wins.
 */
import type { ArgReduceKind, DType } from '@firsthand/graph';
import {
  isPartial,
  limitsOf,
  newLocals,
  putLaneMask,
  type Accumulator,
  type AccumulatorOptions,
} from './accumulator.ts';
import type { Code, Local } from '../assembler/code.ts';
import type { Instruction } from '../assembler/instructions.ts';
import { widenMask, narrowMask } from '../scalar/convert.ts';
import { putConstant, REGISTERS, type Register } from '../scalar/registers.ts';

/**
 * The index of a lane that no element has replaced: all its elements are the worst value there is, and the
 * first of them is at 0.
 */
const NOWHERE = 2 ** 31 - 1;

/**
 * For integers whether a is better than b; for floats whether a is not better than b, which is false where a
 * is NaN.
 */
const COMPARE: { readonly [K in ArgReduceKind]: { readonly [R in Register]: Instruction } } = {
  argmax: { f32: 'f32x4.le', f64: 'f64x2.le', i32: 'i32x4.gt_s', u32: 'i32x4.gt_u', mask: 'i32x4.gt_u' },
  argmin: { f32: 'f32x4.ge', f64: 'f64x2.ge', i32: 'i32x4.lt_s', u32: 'i32x4.lt_u', mask: 'i32x4.lt_u' },
};

/** A candidate: values, and positions in lanes as wide. */
interface Best {
  readonly value: Local;
  readonly position: Local;
}

/** Pushes a mask: where a is better than b, or NaN while b is not. */
function putBetter(code: Code, kind: ArgReduceKind, dtype: DType, a: Local, b: Local): void {
  const register = REGISTERS[dtype];
  code.get(a).get(b).op(COMPARE[kind][register]);
  if (register !== 'f32' && register !== 'f64') return;
  code
    .op('v128.not')
    .get(b)
    .get(b)
    .op(register === 'f32' ? 'f32x4.eq' : 'f64x2.eq')
    .op('v128.and');
}

/** Pushes a mask: where a and b are equal, or both NaN. */
function putEqual(code: Code, dtype: DType, a: Local, b: Local): void {
  const register = REGISTERS[dtype];
  if (register !== 'f32' && register !== 'f64') {
    code.op('i32x4.eq', a, b);
    return;
  }
  const shape = register === 'f32' ? 'f32x4' : 'f64x2';
  code.op(`${shape}.eq`, a, b);
  code.op(`${shape}.ne`, a, a).op(`${shape}.ne`, b, b).op('v128.and').op('v128.or');
}

/** The accumulator of argmax and argmin. */
export function extremePosition(options: AccumulatorOptions, kind: ArgReduceKind): Accumulator {
  const { code, reduction, vectors, lanesAreRows, putPositions } = options;
  const { dtype } = reduction.value;
  const bests = newLocals(code, vectors).map((value): Best => ({ value, position: code.local('v128') }));
  const [mask, other] = [code.local('v128'), { value: code.local('v128'), position: code.local('v128') }];
  const worst = limitsOf(dtype)[kind === 'argmax' ? 0 : 1];

  /** Takes values and positions where the mask on the stack is set. */
  const replace = (best: Best, value: Local, putPosition: () => void): void => {
    code.set(mask);
    code.op('v128.bitselect', value, best.value, mask).set(best.value);
    putPosition();
    code.op('v128.bitselect', best.position, mask).set(best.position);
  };
  const merge = (best: Best, next: Best): void => {
    putBetter(code, kind, dtype, next.value, best.value);
    putEqual(code, dtype, next.value, best.value);
    code.op('i32x4.lt_s', next.position, best.position).op('v128.and').op('v128.or');
    replace(best, next.value, () => code.get(next.position));
  };
  const mergeRotated = (best: Best, lanes: readonly [number, number, number, number]): void => {
    code.get(best.value).get(best.value).shuffle32(lanes).set(other.value);
    code.get(best.position).get(best.position).shuffle32(lanes).set(other.position);
    merge(best, other);
  };

  return {
    isLongSum: false,
    begin: () => {
      for (const { value, position } of bests) {
        putConstant(code, dtype, worst);
        code.set(value).i32x4(NOWHERE).set(position);
      }
    },
    add: (vector, value, lanes) => {
      const best = bests[vector]!;
      putBetter(code, kind, dtype, value, best.value);
      if (isPartial(options, lanes)) {
        putLaneMask(code, dtype, lanes);
        code.op('v128.and');
      }
      replace(best, value, () => {
        putPositions(vector);
        if (dtype === 'float64') widenMask(code);
      });
    },
    flush: () => {},
    result: () => {
      if (!lanesAreRows) {
        const [first, ...rest] = bests;
        for (const next of rest) merge(first!, next);
        mergeRotated(first!, [2, 3, 0, 1]);
        if (dtype !== 'float64') mergeRotated(first!, [1, 0, 3, 2]);
      }
      return (lanesAreRows ? bests : bests.slice(0, 1)).map(({ position }) => {
        code.get(position).get(position).i32x4(NOWHERE).op('i32x4.ne').op('v128.and');
        if (dtype === 'float64') narrowMask(code);
        code.set(position);
        return position;
      });
    },
    release: () =>
      code.release(
        mask,
        other.value,
        other.position,
        ...bests.flatMap(({ value, position }) => [value, position]),
      ),
  };
}
