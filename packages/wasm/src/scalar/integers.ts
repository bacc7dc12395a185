/**
 * Division, remainder and powers of integers, for which WebAssembly has no vector instructions. The quotient
 * of two 32-bit integers in float64 is never rounded across an integer, so that its truncation is exact;
 * powers are by squaring, all lanes at once.
 */
import type { Code, Local } from '../assembler/code.ts';

/** Integer operations that are no single instruction. */
export type IntegerKind = 'div' | 'mod' | 'pow';

type Rule = (code: Code, isSigned: boolean, a: Local, b: Local) => void;

/** Leaves ⌊a/b⌉ of two lanes, truncated, in the low lanes; a lane of b that is 0 gives anything. */
function divideLow(code: Code, isSigned: boolean, a: () => void, b: () => void): void {
  const widen = isSigned ? 'f64x2.convert_low_i32x4_s' : 'f64x2.convert_low_i32x4_u';
  a();
  code.op(widen);
  b();
  code
    .op(widen)
    .op('f64x2.div')
    .op(isSigned ? 'i32x4.trunc_sat_f64x2_s_zero' : 'i32x4.trunc_sat_f64x2_u_zero');
}

/** Truncated; by 0 it is 0. The lowest int32 by −1, which is no int32, wraps, as −a does. */
const quotient: Rule = (code, isSigned, a, b) => {
  const high = (x: Local) => (): unknown => code.get(x).get(x).shuffle32([2, 3, 2, 3]);
  if (isSigned) code.op('i32x4.neg', a);
  divideLow(
    code,
    isSigned,
    () => code.get(a),
    () => code.get(b),
  );
  divideLow(code, isSigned, high(a), high(b));
  code.shuffle32([0, 1, 4, 5]);
  if (isSigned) code.get(b).i32x4(-1).op('i32x4.eq').op('v128.bitselect');
  code.get(b).i32x4(0).op('i32x4.ne').op('v128.and');
};

const remainder: Rule = (code, isSigned, a, b) => {
  const rest = code.local('v128');
  code.get(a).get(b);
  quotient(code, isSigned, a, b);
  code.op('i32x4.mul').op('i32x4.sub').set(rest).get(rest);
  if (isSigned) {
    // the divisor is added where the signs differ and something is left
    code.op('v128.xor', rest, b).op('i32x4.shr_s', 31).get(rest).i32x4(0).op('i32x4.ne').op('v128.and');
    code.op('v128.and', b).op('i32x4.add');
  }
  code.get(b).i32x4(0).op('i32x4.ne').op('v128.and').release(rest);
};

/**
 * Modulo 2³². A negative exponent gives 1/x^|b| truncated: 0 unless x is ±1, whose powers depend on the
 * exponent's last bit alone.
 */
const power: Rule = (code, isSigned, a, b) => {
  const [result, base, rest] = [code.local('v128'), code.local('v128'), code.local('v128')];
  code.i32x4(1).set(result).get(a).set(base).get(b).set(rest);
  code.loop((again) => {
    code.op('i32x4.mul', result, base).get(result);
    code.i32x4(0).get(rest).i32x4(1).op('v128.and').op('i32x4.sub').op('v128.bitselect').set(result);
    code.op('i32x4.mul', base, base).set(base);
    code.op('i32x4.shr_u', rest, 1).tee(rest).op('v128.any_true').branchIf(again);
  });
  code.get(result);
  if (isSigned)
    code
      .get(b)
      .i32x4(0)
      .op('i32x4.ge_s')
      .op('i32x4.abs', a)
      .i32x4(1)
      .op('i32x4.eq')
      .op('v128.or')
      .op('v128.and');
  code.release(result, base, rest);
};

const RULES: { readonly [K in IntegerKind]: Rule } = { div: quotient, mod: remainder, pow: power };

/** Pushes the result; `isSigned` says whether the lanes are int32 or uint32. */
export function emitInteger(code: Code, kind: IntegerKind, isSigned: boolean, a: Local, b: Local): void {
  RULES[kind](code, isSigned, a, b);
}
