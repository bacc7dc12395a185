/**
 * The layout of the workspace, the region of linear memory that all runs share. Nothing in it outlives a run:
 *
 * ```text
 * address table | small outputs | address tables of kernels | arena | copied arguments
 * ```
 *
 * The address table has the addresses of the arguments, then those of the outputs. A kernel with very many
 * operands takes its addresses from a table of its own. Arguments on the host are copied behind the plan's
 * arena.
 */
import type { Plan } from '@firsthand/compiler';
import { DTYPES } from '@firsthand/linalg';
import type { DType } from '@firsthand/linalg';
import { takesTable } from './plan-kernel.ts';
import { blockSize } from '../memory/heap.ts';

/** Outputs of at most these bytes are moved to the host after a run: no finalizer has to free them. */
const SMALL_OUTPUT_BYTES = 256;

/** An array before it exists. */
export interface ArraySpec {
  readonly dtype: DType;
  readonly length: number;
}

/** Byte offsets in the workspace. */
export interface Layout {
  /** The arguments; null for those that the plan does not read. */
  readonly arguments: readonly (ArraySpec | null)[];
  /** The offset of each small output; null for the outputs that have a block. */
  readonly smallOutputs: readonly (number | null)[];
  /** The offset of each kernel's address table; null for kernels whose addresses are parameters. */
  readonly tables: readonly (number | null)[];
  readonly arena: number;
  /** Bytes without the copied arguments. */
  readonly bytes: number;
}

/** The bytes of an array's elements. */
export function bytesOf({ dtype, length }: ArraySpec): number {
  return length * DTYPES[dtype].bytes;
}

/** The layout for a plan. */
export function layoutOf({ buffers, kernels, outputs, arenaBytes }: Plan): Layout {
  const read = new Set<number>();
  for (const planned of kernels) {
    for (const number of planned.buffers) {
      const { location } = buffers[number]!;
      if (location.kind === 'argument') read.add(location.argument);
    }
  }
  const specs: (ArraySpec | null)[] = [];
  const recordArgument = (argument: number, { dtype, length }: ArraySpec): void => {
    while (specs.length <= argument) specs.push(null);
    // A buffer may be a slice of an argument; the longest is all of it.
    if (length > (specs[argument]?.length ?? -1)) specs[argument] = { dtype, length };
  };
  for (const buffer of buffers) {
    if (buffer.location.kind === 'argument' && read.has(buffer.location.argument))
      recordArgument(buffer.location.argument, buffer);
  }
  for (const output of outputs) if (output.into !== null) recordArgument(output.into, output);
  let end = blockSize(4 * (specs.length + outputs.length));
  const smallOutputs = outputs.map((output) => {
    if (output.into !== null || bytesOf(output) > SMALL_OUTPUT_BYTES) return null;
    const start = end;
    end += blockSize(bytesOf(output));
    return start;
  });
  const tables = kernels.map((planned) => {
    if (!takesTable(planned.buffers.length)) return null;
    const start = end;
    end += blockSize(4 * planned.buffers.length);
    return start;
  });
  return {
    arguments: specs,
    smallOutputs: smallOutputs,
    tables,
    arena: end,
    bytes: end + blockSize(arenaBytes),
  };
}
