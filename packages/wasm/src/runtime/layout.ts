/**
 * Where a run finds what it works on. All runs share one working region, and nothing in it lives longer than
 * the run:
 *
 * ```text
 * table of addresses | small outputs | tables of kernels | the plan's arena | arguments that lie on the host, copied for this run
 * ```
 *
 * The table has the addresses of the arguments, then those of the outputs. A kernel with very many operands
 * is given their addresses in a table of its own, which the run fills.
 */
import type { Plan } from '@firsthand/compiler';
import { DTYPES } from '@firsthand/linalg';
import type { DType } from '@firsthand/linalg';
import { takesTable } from './plan-kernel.ts';
import { blockSize } from '../memory/heap.ts';

/** Outputs of at most so many bytes are moved to the host when a run ends: no finalizer has to free them. */
const SMALL_OUTPUT_BYTES = 256;

/** An array before it exists. */
export interface ArraySpec {
  readonly dtype: DType;
  readonly length: number;
}

/** Offsets in the working region, in bytes. */
export interface Layout {
  /** What the plan knows of each argument; null for those that it does not read. */
  readonly arguments: readonly (ArraySpec | null)[];
  /**
   * For each output where its elements stand until the run ends; null for those that have a block of their
   * own.
   */
  readonly smallOutputs: readonly (number | null)[];
  /** For each kernel where the addresses of its operands stand; null where they are parameters. */
  readonly tables: readonly (number | null)[];
  readonly arena: number;
  /** Bytes before the arguments that a run copies. */
  readonly bytes: number;
}

/** The bytes of an array's elements. */
export function bytesOf({ dtype, length }: ArraySpec): number {
  return length * DTYPES[dtype].bytes;
}

/** The layout of a plan's working region. */
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
    // A buffer may be a part of an argument: the longest is all of it.
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
