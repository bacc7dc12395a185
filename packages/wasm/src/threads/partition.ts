/**
 * The partition of a kernel among threads: each computes a range of one loop. The same instructions compute
 * an element in any range, so that results do not depend on the number of threads (rule 24). A vector
 * iteration of the loop is not split: it belongs to the range in which it starts.
 */
import type { Code, Local } from '../assembler/code.ts';

/** The partitioned loop: `chunks` chunks of `chunkSize` values, which cover its extent. */
export interface Partition {
  /** The axis of the loop, numbered by the kernel's kind. */
  readonly axis: number;
  readonly chunks: number;
  readonly chunkSize: number;
}

/** The range of one call: first ≤ value < end. */
export interface AxisRange {
  readonly axis: number;
  readonly first: Local;
  readonly end: Local;
}

/** The partition of an axis into chunks of at least `chunkSize` values; null if there is only one chunk. */
export function partitionAxis(axis: number, extent: number, chunkSize: number): Partition | null {
  const chunks = Math.ceil(extent / chunkSize);
  return chunks < 2 ? null : { axis, chunks, chunkSize };
}

/** Chunks from which threads get about equal ranges: more chunks are no better. */
const MANY_CHUNKS = 16;

/** The partition with the most even ranges; of equally good ones the first. */
export function mostEven(partitions: readonly (Partition | null)[]): Partition | null {
  const evenness = (partition: Partition | null): number =>
    partition === null ? 0 : Math.min(partition.chunks, MANY_CHUNKS);
  return partitions.reduce((best, each) => (evenness(each) > evenness(best) ? each : best), null);
}

/**
 * Calls `body` with the bounds of the iterations of `for (counter = from; counter < to; counter += step)`
 * that start in a range. The code that it emits is skipped if there are none.
 */
export function emitInRange(
  code: Code,
  range: AxisRange,
  from: number,
  to: number,
  step: number,
  body: (start: Local, stop: Local) => void,
): void {
  const [start, stop] = [code.local('i32'), code.local('i32')];
  // start = from + ⌈max(first − from, 0)/step⌉·step
  code.op('i32.sub', range.first, from).tee(start).i32(0).op('i32.gt_s', start, 0).op('select');
  if (step > 1) {
    code
      .op('i32.add', step - 1)
      .op('i32.div_u', step)
      .op('i32.mul', step);
  }
  code.op('i32.add', from).set(start);
  code.get(range.end).i32(to).op('i32.lt_s', range.end, to).op('select').set(stop);
  code.op('i32.lt_s', start, stop);
  code.if(() => body(start, stop));
  code.release(start, stop);
}
