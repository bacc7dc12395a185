// Kernels compiled one by one into a memory of their own, and run beside the compiler's interpreter, which
// evaluates the same kernel in plain loops and double precision.
import { printKernel, runKernel, type Kernel } from '@firsthand/compiler';
import { DTYPES, fromFloat16Bits, type DType, type TypedArray } from '@firsthand/linalg';
import { expect } from 'vitest';
import type { Callee } from '../../src/assembler/code.ts';
import { Module } from '../../src/assembler/module.ts';
import { TILES } from '../../src/matmul/tile-sizes.ts';
import { emitKernel, functionsOf, kernelSignature, planKernel } from '../../src/runtime/plan-kernel.ts';
import { FLOAT64_IMPORTS, scalarImports, type Float64Import } from '../../src/math/functions.ts';
import type { Partition } from '../../src/threads/partition.ts';
import { expectSameByRanges } from './ranges.ts';

const PAGE = 65536;
const GUARD = 0xa5;
/** Bytes that no kernel may change, between arrays. */
const GAP = 64;

/** A kernel's function over a memory, and that of its parts, if it can be divided. */
interface CompiledKernel {
  readonly division: Partition | null;
  instantiate(memory: WebAssembly.Memory): {
    readonly [name in 'kernel' | 'part']: (...addresses: readonly number[]) => void;
  };
}

/**
 * Compiles a kernel; what the engine says about a module that is not valid becomes the error, with the
 * kernel.
 */
function compileKernel(kernel: Kernel): CompiledKernel {
  const tile = TILES[0]!;
  const plan = planKernel(kernel, tile);
  const module = new Module({ initial: 1, maximum: PAGE, shared: false });
  const functions = new Map(
    [...functionsOf(kernel, plan)].map((name): [Float64Import, Callee] => {
      const params = Array.from({ length: FLOAT64_IMPORTS[name] }, () => 'f64' as const);
      return [name, module.importFunction(name, { params, results: ['f64'] })];
    }),
  );
  const define = (): Callee => {
    throw new Error('only composites are made of other kernels');
  };
  const tools = { features: { relaxedSimd: false }, functions, module, define };
  const emit = (name: string, division: Partition | null): void => {
    const signature = kernelSignature(kernel.operands.length, division !== null);
    module.function(
      name,
      signature,
      (code, params) => emitKernel(code, kernel.operands.length, plan, params, tools, division),
      {
        exported: true,
      },
    );
  };
  const division = plan.partition;
  emit('kernel', null);
  if (division !== null) emit('part', division);
  const bytes = module.toBytes();
  let compiled: WebAssembly.Module;
  try {
    compiled = new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new Error(`${String(cause)}\n${printKernel(kernel)}`, { cause });
  }
  return {
    division,
    instantiate: (memory) => {
      const { exports } = new WebAssembly.Instance(compiled, { env: { memory, ...scalarImports() } });
      return exports as ReturnType<CompiledKernel['instantiate']>;
    },
  };
}

/** Views of a memory, one per operand. */
function layOut(
  kernel: Kernel,
  scratch: number,
): { readonly addresses: readonly number[]; readonly pages: number } {
  // The first array starts at address 0 and the last ends where the memory does, so that a read outside of
  // them traps.
  const sizes = kernel.operands.map(({ dtype, length }) => length * DTYPES[dtype].bytes);
  const order = sizes.map((_, operand) => operand);
  const addresses: number[] = [];
  let end = 0;
  for (const operand of order.slice(0, -1)) {
    addresses[operand] = Math.ceil(end / 16) * 16;
    end = addresses[operand] + sizes[operand]! + GAP;
  }
  const scratchAt = Math.ceil(end / 16) * 16;
  end = scratchAt + scratch + GAP;
  const last = order.at(-1);
  const pages = Math.ceil((end + (last === undefined ? 0 : sizes[last]! + 16)) / PAGE);
  if (last !== undefined) addresses[last] = pages * PAGE - sizes[last]!;
  return { addresses: [...addresses, scratchAt], pages };
}

/**
 * Runs a compiled kernel on copies of the arrays.
 * @param aliases operand → the operand whose memory it shares
 * @returns the arrays afterwards
 */
export function runCompiled(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  aliases: ReadonlyMap<number, number> = new Map(),
): TypedArray[] {
  const { scratch } = planKernel(kernel, TILES[0]!);
  const { addresses, pages } = layOut(kernel, scratch);
  const operandAddresses = addresses.map(
    (address, operand) => addresses[aliases.get(operand) ?? operand] ?? address,
  );
  const memory = new WebAssembly.Memory({ initial: pages, maximum: PAGE });
  const all = new Uint8Array(memory.buffer).fill(GUARD);
  const viewOf = (operand: number): Uint8Array => {
    const { dtype, length } = kernel.operands[operand]!;
    return new Uint8Array(memory.buffer, operandAddresses[operand], length * DTYPES[dtype].bytes);
  };
  arrays.forEach((array, operand) => {
    if (!aliases.has(operand))
      viewOf(operand).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  });
  const before = all.slice();
  const { division, instantiate } = compileKernel(kernel);
  const run = instantiate(memory);
  run.kernel(...operandAddresses);
  if (division !== null) {
    const start = operandAddresses.at(-1)!;
    expectSameByRanges(run.part, division, operandAddresses, {
      memory: all,
      before,
      scratch: [start, start + scratch],
    });
  }
  const results = arrays.map((array, operand) => {
    const copy = array.slice();
    new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength).set(viewOf(operand));
    return copy;
  });
  arrays.forEach((_, operand) => viewOf(operand).fill(GUARD));
  new Uint8Array(memory.buffer, operandAddresses.at(-1), scratch).fill(GUARD);
  const changed = all.findIndex((byte) => byte !== GUARD);
  if (changed >= 0)
    expect.fail(
      `the kernel wrote byte ${changed}, outside of all arrays (${operandAddresses.join(', ')})\n${printKernel(kernel)}`,
    );
  return results;
}

/** By how much results may differ from the interpreter's: relative to its result, and at least so much. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

const EXACT: Tolerance = { relative: 0, absolute: 0 };

/** The numbers that an array stands for. */
function numbersOf(array: TypedArray, dtype: DType): number[] {
  return Array.from(array, (stored) => (dtype === 'float16' ? fromFloat16Bits(stored) : stored));
}

function differs(actual: number, expected: number, { relative, absolute }: Tolerance): boolean {
  if (Number.isNaN(expected)) return !Number.isNaN(actual);
  if (actual === expected)
    return (
      actual === 0 && relative === 0 && absolute === 0 && Object.is(actual, -0) !== Object.is(expected, -0)
    );
  return (
    !(Math.abs(actual - expected) <= absolute + relative * Math.abs(expected)) ||
    !Number.isFinite(actual) ||
    !Number.isFinite(expected)
  );
}

/**
 * Runs a kernel both ways and compares all arrays; without a tolerance they must be equal, signs of zeros
 * included.
 */
export function expectSame(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  tolerance: Tolerance = EXACT,
): void {
  const expected = arrays.map((array) => array.slice());
  runKernel(kernel, expected);
  const actual = runCompiled(kernel, arrays);
  kernel.operands.forEach(({ dtype }, operand) => {
    const [got, wanted] = [numbersOf(actual[operand]!, dtype), numbersOf(expected[operand]!, dtype)];
    const wrong = wanted.findIndex((value, index) => differs(got[index]!, value, tolerance));
    if (wrong < 0) return;
    expect.fail(
      `operand ${operand} [${wrong}] is ${got[wrong]}, expected ${wanted[wrong]}\n${printKernel(kernel)}`,
    );
  });
}
