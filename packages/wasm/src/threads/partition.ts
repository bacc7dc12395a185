/**
 * How the work of one kernel is divided among threads: one of its loops runs over a part of its range in
 * each. An element is computed by the same instructions whoever computes it, so the number of threads changes
 * no bit (rule 24). Steps of a loop are never torn: each belongs to the part in which it begins.
 */
import type { Code, Local } from '../assembler/code.ts';

/** The loop that is divided: `units` pieces of `grain` values each, together at least its extent. */
export interface Partition {
  /** The number of the loop's axis, in the words of the kernel. */
  readonly axis: number;
  readonly chunks: number;
  readonly chunkSize: number;
}

/** What one call works on: first ≤ value < end. */
export interface AxisRange {
  readonly axis: number;
  readonly first: Local;
  readonly end: Local;
}

/** The division of an axis into pieces of at least `grain` values; null where there is but one. */
export function partitionAxis(axis: number, extent: number, chunkSize: number): Partition | null {
  const chunks = Math.ceil(extent / chunkSize);
  return chunks < 2 ? null : { axis, chunks: chunks, chunkSize: chunkSize };
}

/**
 * The one of which a team gets the evenest shares: many pieces are as good as very many; then the one that
 * comes first.
 */
export function mostEven(partitions: readonly (Partition | null)[]): Partition | null {
  const shares = (partition: Partition | null): number =>
    partition === null ? 0 : Math.min(partition.chunks, MANY);
  return partitions.reduce((best, each) => (shares(each) > shares(best) ? each : best), null);
}

const MANY = 16;

/**
 * Calls `body` with the bounds of those rounds of `for (counter = from; counter < to; counter += step)` that
 * belong to a part, and skips what it emits where there are none.
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
  code
    .get(range.first)
    .i32(from)
    .op('i32.sub')
    .tee(start)
    .i32(0)
    .get(start)
    .i32(0)
    .op('i32.gt_s')
    .op('select');
  if (step > 1) {
    code
      .i32(step - 1)
      .op('i32.add')
      .i32(step)
      .op('i32.div_u')
      .i32(step)
      .op('i32.mul');
  }
  code.i32(from).op('i32.add').set(start);
  code.get(range.end).i32(to).get(range.end).i32(to).op('i32.lt_s').op('select').set(stop);
  code.get(start).get(stop).op('i32.lt_s');
  code.if(() => body(start, stop));
  code.release(start, stop);
}
