/**
 * The ceiling: a WebAssembly function that multiplies and adds in registers and touches no memory. It has as
 * many multiplications and additions as the products of a task, so that its time is the least that the task
 * could take with these instructions.
 *
 * Twelve sums, each its own chain of dependent instructions, hide the latency of two units; with factor and
 * summand they take 14 of the 16 registers of x86-64. s ← s·½ + 1 stays below 2, so that no number becomes
 * subnormal.
 */
import type { Contender } from '../contender.ts';
import { flopsOf } from '../tasks.ts';

export type ProbeInstructions = 'mul-add' | 'madd';

const CHAINS = 12;
const LANES = 4;
/** Of one turn of the loop: a multiplication and an addition in each lane of each chain. */
export const FLOPS_PER_ITERATION: number = 2 * CHAINS * LANES;

/** "\0asm", version 1. */
const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
// Opcodes and types by their names in the specification of WebAssembly and of its relaxed SIMD.
const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const VOID = 0x40;
const BLOCK_LOOP = 0x03;
const BR_IF = 0x0d;
const END = 0x0b;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const I32_CONST = 0x41;
const F32_CONST = 0x43;
const I32_SUB = 0x6b;
const F32_ADD = 0x92;
const SIMD = 0xfd;
const F32X4_SPLAT = 0x13;
const F32X4_EXTRACT_LANE = 0x1f;
const F32X4_ADD = 0xe4;
const F32X4_MUL = 0xe6;
const F32X4_RELAXED_MADD = 0x105;

/** An unsigned number in LEB128: seven bits a byte, the lowest first. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const simd = (opcode: number): number[] => [SIMD, ...leb(opcode)];
const list = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
const section = (id: number, content: readonly number[]): number[] => [
  id,
  ...leb(content.length),
  ...content,
];

/** A module that exports `run(turns: i32): f32`, the sum of the first lanes. */
export function assembleProbe(instructions: ProbeInstructions): Uint8Array<ArrayBuffer> {
  const iterations = 0;
  const sums = Array.from({ length: CHAINS }, (_, chain) => 1 + chain);
  const factor = 1 + CHAINS;
  const summand = 2 + CHAINS;
  const get = (local: number): number[] => [LOCAL_GET, ...leb(local)];
  const splat = (bytes: readonly number[], local: number): number[] => [
    F32_CONST,
    ...bytes,
    ...simd(F32X4_SPLAT),
    LOCAL_SET,
    ...leb(local),
  ];
  const iteration = (sum: number): number[] =>
    instructions === 'madd'
      ? [...get(sum), ...get(factor), ...get(summand), ...simd(F32X4_RELAXED_MADD), LOCAL_SET, ...leb(sum)]
      : [
          ...get(sum),
          ...get(factor),
          ...simd(F32X4_MUL),
          ...get(summand),
          ...simd(F32X4_ADD),
          LOCAL_SET,
          ...leb(sum),
        ];
  const countDown = (local: number): number[] => [
    ...get(local),
    I32_CONST,
    1,
    I32_SUB,
    LOCAL_TEE,
    ...leb(local),
    BR_IF,
    0,
  ];
  const lane = (sum: number): number[] => [...get(sum), ...simd(F32X4_EXTRACT_LANE), 0];
  const code = [
    ...leb(1),
    ...leb(CHAINS + 2),
    V128,
    ...splat([0, 0, 0, 0x3f], factor), // 0.5
    ...splat([0, 0, 0x80, 0x3f], summand), // 1
    BLOCK_LOOP,
    VOID,
    ...sums.flatMap(iteration),
    ...countDown(iterations),
    END,
    ...lane(sums[0]!),
    ...sums.slice(1).flatMap((sum) => [...lane(sum), F32_ADD]),
    END,
  ];
  const name = [...new TextEncoder().encode('run')];
  return Uint8Array.from([
    ...PREAMBLE,
    ...section(1, list([[0x60, 1, I32, 1, F32]])),
    ...section(3, list([[0]])),
    ...section(7, list([[...leb(name.length), ...name, 0, 0]])),
    ...section(10, list([[...leb(code.length), ...code]])),
  ]);
}

/** @returns the probe's function, or null where the engine has not got the instructions */
export async function createProbeFunction(
  instructions: ProbeInstructions,
): Promise<((iterations: number) => number) | null> {
  const bytes = assembleProbe(instructions);
  if (!WebAssembly.validate(bytes)) return null;
  const { instance } = await WebAssembly.instantiate(bytes);
  return instance.exports['run'] as (iterations: number) => number;
}

export async function createProbe(instructions: ProbeInstructions): Promise<Contender> {
  const probe = await createProbeFunction(instructions);
  return {
    async prepare(work) {
      const flops = flopsOf(work);
      if (probe === null || flops === null) return null;
      const iterations = Math.ceil(flops / FLOPS_PER_ITERATION);
      return {
        run() {
          probe(iterations);
        },
        outputs: async () => [],
        release() {},
      };
    },
  };
}
