/**
 * The multiply-add of each dtype: elements per vector, how one element is broadcast to all lanes, and the
 * instructions. Vectors may be partly used: the last columns of a matrix are loaded and stored lane by
 * lane, so that nothing beyond them is touched.
 */
import type { DType } from '@firsthand/graph';
import type { Code, Local } from '../assembler/code.ts';
import type { Instruction, MemoryInstruction } from '../assembler/instructions.ts';

/** The instructions for one dtype. */
export interface Arithmetic {
  /** Elements of a vector. */
  readonly lanes: number;
  /** Bytes of an element. */
  readonly bytes: 4 | 8;
  /** Loads one element into all lanes. */
  readonly splat: MemoryInstruction;
  readonly multiply: Instruction;
  readonly add: Instruction;
  /** a·b + c with one rounding, where the engine has it. */
  readonly fused: Instruction | null;
}

const FLOAT32 = {
  lanes: 4,
  bytes: 4,
  splat: 'v128.load32_splat',
  multiply: 'f32x4.mul',
  add: 'f32x4.add',
  fused: 'f32x4.relaxed_madd',
} as const;
const FLOAT64 = {
  lanes: 2,
  bytes: 8,
  splat: 'v128.load64_splat',
  multiply: 'f64x2.mul',
  add: 'f64x2.add',
  fused: 'f64x2.relaxed_madd',
} as const;
const INTEGER = {
  lanes: 4,
  bytes: 4,
  splat: 'v128.load32_splat',
  multiply: 'i32x4.mul',
  add: 'i32x4.add',
  fused: null,
} as const;
const KINDS: { readonly [K in DType]?: Arithmetic } = {
  float32: FLOAT32,
  float64: FLOAT64,
  int32: INTEGER,
  uint32: INTEGER,
};

/**
 * The arithmetic of sums of products.
 * @param relaxedSimd whether multiply-adds may be fused
 * @throws Error for a dtype that contract kernels don't have
 */
export function arithmeticOf(dtype: DType, relaxedSimd: boolean): Arithmetic {
  const arithmetic = KINDS[dtype];
  if (arithmetic === undefined)
    throw new Error(`contract kernels sum float32, float64, int32 and uint32, not ${dtype}`);
  return relaxedSimd ? arithmetic : { ...arithmetic, fused: null };
}

/** sum += a·b */
export function emitMultiplyAdd(
  code: Code,
  { multiply, add, fused }: Arithmetic,
  sum: Local,
  a: Local,
  b: Local,
): void {
  if (fused === null) code.get(sum).get(a).get(b).op(multiply).op(add).set(sum);
  else code.get(a).get(b).get(sum).op(fused).set(sum);
}

/** Pushes the first `lanes` elements at address + offset, and zeros. */
export function emitLoad(
  code: Code,
  { lanes: all, bytes }: Arithmetic,
  address: Local,
  offset: number,
  lanes: number,
): void {
  if (lanes === all) code.get(address).memory('v128.load', offset);
  else if (lanes * bytes === 4) code.get(address).memory('v128.load32_zero', offset);
  else if (lanes * bytes === 8) code.get(address).memory('v128.load64_zero', offset);
  else
    code
      .get(address)
      .get(address)
      .memory('v128.load64_zero', offset)
      .laneMemory('v128.load32_lane', 2, offset + 8);
}

/** Stores the first `lanes` elements of a vector at address + offset. */
export function emitStore(
  code: Code,
  { lanes: all, bytes }: Arithmetic,
  address: Local,
  offset: number,
  value: Local,
  lanes: number,
): void {
  if (lanes === all) {
    code.get(address).get(value).memory('v128.store', offset);
    return;
  }
  if (lanes * bytes >= 8) code.get(address).get(value).laneMemory('v128.store64_lane', 0, offset);
  if (lanes * bytes !== 8) {
    const lane = lanes - 1;
    code
      .get(address)
      .get(value)
      .laneMemory('v128.store32_lane', lane, offset + lane * bytes);
  }
}
