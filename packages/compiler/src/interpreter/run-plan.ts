/**
 * Plans in order of their kernels, over one arena. Everything that a run has not yet written is filled with
 * NaN (bytes 0xff), so that a value which is read too early, or was overwritten too early, shows as a wrong
 * number.
 */
import type { DType, TypedArray } from '@firsthand/graph';
import { DTYPES } from '@firsthand/linalg';
import type { BufferLocation, Plan } from '../ir/kernel.ts';
import { prepareKernel } from './run-kernel.ts';

/** A byte that makes NaN of every float. */
const POISON = 0xff;

/** A new array of poison. */
export function poisoned(dtype: DType, length: number): TypedArray {
  const bytes = new Uint8Array(length * DTYPES[dtype].bytes).fill(POISON);
  return viewOf(bytes.buffer, dtype, 0, length);
}

function viewOf(buffer: ArrayBuffer, dtype: DType, offset: number, length: number): TypedArray {
  const View = DTYPES[dtype].constructor as new (
    buffer?: ArrayBuffer | number,
    offset?: number,
    length?: number,
  ) => TypedArray;
  return new View(buffer, offset, length);
}

/**
 * Runs a plan: what it writes are the arrays of its outputs, which for an update in place are those of
 * arguments.
 */
export type RunPlan = (args: readonly TypedArray[], outputs: readonly TypedArray[]) => void;

/** Prepares the kernels of a plan once for many runs. */
export function preparePlan(plan: Plan): RunPlan {
  const kernels = plan.kernels.map(({ kernel, buffers }) => ({ run: prepareKernel(kernel), buffers }));
  return (args, outputs) => {
    const arena = new Uint8Array(plan.arenaBytes).fill(POISON);
    const arrayAt = (location: BufferLocation, dtype: DType, length: number): TypedArray => {
      if (location.kind === 'arena') return viewOf(arena.buffer, dtype, location.offset, length);
      const array = location.kind === 'argument' ? args[location.argument]! : outputs[location.output]!;
      const first = location.offset / DTYPES[dtype].bytes;
      return array.length === length ? array : array.subarray(first, first + length);
    };
    const arrays = plan.buffers.map(({ location, dtype, length }) => arrayAt(location, dtype, length));
    for (const { run, buffers } of kernels) run(buffers.map((number) => arrays[number]!));
  };
}
