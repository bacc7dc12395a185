/**
 * Casts in registers, with the meaning of linalg's `convert`: floats truncate to integers and saturate, NaN
 * is 0; int32 and uint32 share their bits; bool is `≠ 0`; float16 is rounded to nearest, ties to even, once.
 */
import type { DType } from '@firsthand/linalg';
import type { Code } from '../assembler/code.ts';
import { REGISTERS, type Register } from './registers.ts';

type Conversion = (code: Code) => void;

const same: Conversion = () => {};
const one: Conversion = (code) => {
  code.f32x4(1).op('v128.and');
};

const CONVERSIONS: { readonly [From in Register]: { readonly [To in Register]: Conversion } } = {
  f32: {
    f32: same,
    f64: (code) => code.op('f64x2.promote_low_f32x4'),
    i32: (code) => code.op('i32x4.trunc_sat_f32x4_s'),
    u32: (code) => code.op('i32x4.trunc_sat_f32x4_u'),
    mask: (code) => code.f32x4(0).op('f32x4.ne'),
  },
  f64: {
    f32: (code) => code.op('f32x4.demote_f64x2_zero'),
    f64: same,
    i32: (code) => code.op('i32x4.trunc_sat_f64x2_s_zero'),
    u32: (code) => code.op('i32x4.trunc_sat_f64x2_u_zero'),
    mask: (code) => {
      code.f64x2(0).op('f64x2.ne');
      narrowMask(code);
    },
  },
  i32: {
    f32: (code) => code.op('f32x4.convert_i32x4_s'),
    f64: (code) => code.op('f64x2.convert_low_i32x4_s'),
    i32: same,
    u32: same,
    mask: (code) => code.i32x4(0).op('i32x4.ne'),
  },
  u32: {
    f32: (code) => code.op('f32x4.convert_i32x4_u'),
    f64: (code) => code.op('f64x2.convert_low_i32x4_u'),
    i32: same,
    u32: same,
    mask: (code) => code.i32x4(0).op('i32x4.ne'),
  },
  mask: {
    f32: one,
    f64: (code) => {
      one(code);
      code.op('f64x2.promote_low_f32x4');
    },
    i32: (code) => code.op('i32x4.neg'),
    u32: (code) => code.op('i32x4.neg'),
    mask: same,
  },
};

/** Converts the register on the stack from one dtype to another. */
export function convert(code: Code, from: DType, to: DType): void {
  if (from === to) return;
  if (to === 'float16') {
    if (from === 'float64') roundToOdd(code);
    CONVERSIONS[REGISTERS[from]].f32(code);
    if (from !== 'bool') roundToFloat16(code);
  } else {
    CONVERSIONS[REGISTERS[from]][REGISTERS[to]](code);
  }
}

/** A mask of two 64-bit lanes as one of 32-bit lanes, in the low two. */
export function narrowMask(code: Code): void {
  const mask = code.local('v128');
  code.tee(mask).get(mask).shuffle32([0, 2, 0, 2]).release(mask);
}

/** The low two lanes of a mask as 64-bit lanes. */
export function widenMask(code: Code): void {
  const mask = code.local('v128');
  code.tee(mask).get(mask).shuffle32([0, 0, 1, 1]).release(mask);
}

/**
 * The float16 nearest to each float32, as a float32. Adding a power of two 2¹³ times as large as x pushes out
 * the bits of x below float16's, rounding as every addition does; below 2⁻¹⁴, where float16 numbers are
 * evenly spaced, that power is the one for 2⁻¹⁴. From 65520, which rounds beyond the largest float16, numbers
 * become infinite.
 */
export function roundToFloat16(code: Code): void {
  const x = code.local('v128');
  const power = code.local('v128');
  const magnitude = code.local('v128');
  code
    .tee(x)
    .i32x4(0x7f800000)
    .op('v128.and')
    .i32x4(0x38800000)
    .op('i32x4.max_s')
    .i32x4(13 << 23)
    .op('i32x4.add')
    .set(power);
  code.f32x4(Infinity);
  code.op('f32x4.abs', x).tee(magnitude).op('f32x4.add', power).op('f32x4.sub', power);
  code.get(magnitude).f32x4(65520).op('f32x4.ge').op('v128.bitselect');
  code.get(x).i32x4(0x80000000).op('v128.and').op('v128.or');
  code.release(x, power, magnitude);
}

/**
 * float64 cut to the 24 bits of a float32, the last of them set where something was cut: rounding that to
 * float16 is as good as rounding once.
 */
function roundToOdd(code: Code): void {
  const x = code.local('v128');
  const cut = new Uint8Array(BigInt64Array.of(0x1fffffffn).buffer);
  const retained = cut.map((byte) => ~byte);
  const last = new Uint8Array(BigInt64Array.of(0x20000000n).buffer);
  code.tee(x).v128(retained).op('v128.and');
  code.get(x).v128(cut).op('v128.and').i32x4(0).op('i64x2.ne').v128(last).op('v128.and').op('v128.or');
  code.release(x);
}
