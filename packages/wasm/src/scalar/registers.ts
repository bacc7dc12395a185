/**
 * Between memory and registers. In a register each element has a lane: float32 and float16 are f32x4,
 * integers i32x4, bool an i32x4 mask (0 or −1), float64 f64x2, beside which all others use the two low lanes.
 * In memory float16 is 16 bits and bool a byte that is 0 or 1; so a load is some raw bytes, decoded, and a
 * store encoded bytes.
 */
import { DTYPES, fromFloat16Bits, toFloat16Bits, type DType } from '@firsthand/linalg';
import type { Code, Local } from '../assembler/code.ts';
import type { LaneMemoryInstruction, MemoryInstruction } from '../assembler/instructions.ts';

/** Formats of elements in registers. */
export type Register = 'f32' | 'f64' | 'i32' | 'u32' | 'mask';

/** The register of each dtype. */
export const REGISTERS: { readonly [K in DType]: Register } = {
  float32: 'f32',
  float64: 'f64',
  float16: 'f32',
  int32: 'i32',
  uint32: 'u32',
  bool: 'mask',
};

/** Bytes of an element in memory. */
export function bytesOf(dtype: DType): number {
  return DTYPES[dtype].bytes;
}

/** The element of a dtype that a number becomes; float32 is rounded when it is written. */
export function elementOf(dtype: DType, value: number): number {
  return dtype === 'float16' ? fromFloat16Bits(toFloat16Bits(value)) : value;
}

/** Pushes a number in all lanes, as its dtype is in registers. */
export function putConstant(code: Code, dtype: DType, value: number): void {
  const register = REGISTERS[dtype];
  if (register === 'f64') code.f64x2(value);
  else if (register === 'f32') code.f32x4(elementOf(dtype, value));
  else code.i32x4(register === 'mask' ? (value === 0 ? 0 : -1) : value);
}

/** The address of an element: a local, and a constant offset that is never negative. */
export interface ElementAddress {
  readonly address: Local;
  readonly offset: number;
}

type AccessBytes = 1 | 2 | 4 | 8 | 16;
type LaneBytes = Exclude<AccessBytes, 16>;

/**
 * The instruction that loads a number of bytes into the low end of a register; the bytes above do not matter.
 */
const FIRST: { readonly [K in AccessBytes]: MemoryInstruction } = {
  1: 'v128.load8_splat',
  2: 'v128.load16_splat',
  4: 'v128.load32_zero',
  8: 'v128.load64_zero',
  16: 'v128.load',
};
const SPLAT: { readonly [K in LaneBytes]: MemoryInstruction } = {
  1: 'v128.load8_splat',
  2: 'v128.load16_splat',
  4: 'v128.load32_splat',
  8: 'v128.load64_splat',
};
const LOAD_LANE: { readonly [K in LaneBytes]: LaneMemoryInstruction } = {
  1: 'v128.load8_lane',
  2: 'v128.load16_lane',
  4: 'v128.load32_lane',
  8: 'v128.load64_lane',
};
const STORE_LANE: { readonly [K in LaneBytes]: LaneMemoryInstruction } = {
  1: 'v128.store8_lane',
  2: 'v128.store16_lane',
  4: 'v128.store32_lane',
  8: 'v128.store64_lane',
};

/**
 * 1 to 16 bytes as accesses of powers of two, largest first: 12 is 8 and 4. Each is aligned to its size.
 */
function accessesOf(bytes: number): { readonly size: AccessBytes; readonly at: number }[] {
  const accesses: { size: AccessBytes; at: number }[] = [];
  let at = 0;
  for (const size of [16, 8, 4, 2, 1] as const) {
    if ((bytes & size) === 0) continue;
    accesses.push({ size, at });
    at += size;
  }
  return accesses;
}

/** Pushes the registers of `lanes` contiguous elements. */
export function loadContiguous(
  code: Code,
  dtype: DType,
  lanes: number,
  { address, offset }: ElementAddress,
): void {
  const [first, ...rest] = accessesOf(lanes * bytesOf(dtype));
  for (const _ of rest) code.get(address);
  code.get(address).memory(FIRST[first!.size], offset);
  for (const { size, at } of rest) code.laneMemory(LOAD_LANE[size as LaneBytes], at / size, offset + at);
  decode(code, dtype);
}

/** Pushes one element in all lanes. */
export function loadSplat(code: Code, dtype: DType, { address, offset }: ElementAddress): void {
  code.get(address).memory(SPLAT[bytesOf(dtype) as LaneBytes], offset);
  decode(code, dtype);
}

/** Pushes the elements at several addresses, one per lane. */
export function loadLanes(code: Code, dtype: DType, elements: readonly ElementAddress[]): void {
  const size = bytesOf(dtype) as LaneBytes;
  const [first, ...rest] = elements;
  for (const { address } of rest.toReversed()) code.get(address);
  code.get(first!.address).memory(FIRST[size], first!.offset);
  rest.forEach(({ offset }, index) => code.laneMemory(LOAD_LANE[size], index + 1, offset));
  decode(code, dtype);
}

/** Stores the first lanes of a register contiguously. */
export function storeContiguous(
  code: Code,
  dtype: DType,
  lanes: number,
  { address, offset }: ElementAddress,
  value: Local,
): void {
  const raw = encode(code, dtype, value);
  for (const { size, at } of accessesOf(lanes * bytesOf(dtype))) {
    code.get(address).get(raw);
    if (size === 16) code.memory('v128.store', offset);
    else code.laneMemory(STORE_LANE[size], at / size, offset + at);
  }
  if (raw !== value) code.release(raw);
}

/** Stores each lane of a register at its address. */
export function storeLanes(
  code: Code,
  dtype: DType,
  elements: readonly ElementAddress[],
  value: Local,
): void {
  const raw = encode(code, dtype, value);
  elements.forEach(({ address, offset }, lane) => {
    code
      .get(address)
      .get(raw)
      .laneMemory(STORE_LANE[bytesOf(dtype) as LaneBytes], lane, offset);
  });
  if (raw !== value) code.release(raw);
}

/** Converts raw elements in the low bytes of the register on the stack to the format of their dtype. */
function decode(code: Code, dtype: DType): void {
  if (dtype === 'bool') {
    code.i32x4(0).op('i8x16.ne').op('i16x8.extend_low_i8x16_s').op('i32x4.extend_low_i16x8_s');
  } else if (dtype === 'float16') {
    code.op('i32x4.extend_low_i16x8_u');
    decodeFloat16(code);
  }
}

/**
 * The raw elements of a register, in its low bytes: the register itself, or a local for the caller to
 * release.
 */
function encode(code: Code, dtype: DType, value: Local): Local {
  if (dtype !== 'bool' && dtype !== 'float16') return value;
  const raw = code.local('v128');
  if (dtype === 'bool') {
    code
      .op('i16x8.narrow_i32x4_s', value, value)
      .tee(raw)
      .op('i8x16.narrow_i16x8_s', raw)
      .op('i8x16.abs')
      .set(raw);
  } else {
    encodeFloat16(code, value);
    code.tee(raw).op('i16x8.narrow_i32x4_u', raw).set(raw);
  }
  return raw;
}

/**
 * The numbers that 16 bits in each i32 lane stand for. Moved to where float32 has exponent and fraction they
 * are a float32 that is too small by 2¹¹², subnormal ones too; infinities and NaN have the largest exponent
 * on either side.
 */
function decodeFloat16(code: Code): void {
  const bits = code.local('v128');
  const magnitude = code.local('v128');
  code
    .tee(bits)
    .i32x4(0x7fff)
    .op('v128.and')
    .op('i32x4.shl', 13)
    .tee(magnitude)
    .f32x4(2 ** 112)
    .op('f32x4.mul');
  code.get(magnitude).i32x4(0x0f7fffff).op('i32x4.gt_s').i32x4(0x7f800000).op('v128.and').op('v128.or');
  code.get(bits).i32x4(0x8000).op('v128.and').op('i32x4.shl', 16).op('v128.or');
  code.release(bits, magnitude);
}

/** The 16 bits, in each i32 lane, of float32 numbers that are float16 numbers already. NaN gives 0x7e00. */
function encodeFloat16(code: Code, value: Local): void {
  code.i32x4(0x7e00);
  code
    .op('f32x4.abs', value)
    .f32x4(2 ** -112)
    .op('f32x4.mul')
    .op('i32x4.shr_u', 13)
    .i32x4(0x7c00)
    .op('i32x4.min_u');
  code.op('i32x4.shr_u', value, 16).i32x4(0x8000).op('v128.and').op('v128.or');
  code.op('f32x4.ne', value, value).op('v128.bitselect');
}
