/**
 * What a device reaches at best, and how near its kernels come to that: a kernel can be no faster than its
 * arithmetic at full speed, nor than its memory. Williams, Waterman and Patterson, "Roofline: an insightful
 * visual performance model for multicore architectures", 2009.
 */
import type { Ceiling, KernelReport, PlanReport } from '@firsthand/runtime';

/** What a device reaches at best. */
export interface Roofline {
  /** On multiply-adds in registers; each is two operations. */
  readonly flopsPerSecond: number;
  /** On a copy from memory to memory, with what is read and what is written. */
  readonly bytesPerSecond: number;
  /** On a copy within the fastest cache. */
  readonly cachedBytesPerSecond: number;
  /** The shortest time that the clock tells from none, s. */
  readonly resolution: number;
}

/**
 * A report with the times of its kernels, and each kernel's share of the roofline: max(flops/flopsPerSecond,
 * bytes/bytesPerSecond)/seconds. A kernel that takes less time than its bytes do from memory has found them
 * in caches: its share is that of the caches' rate. A time that the clock is too coarse for is 0, and gives
 * no share.
 * @param seconds by kernel, in the order of the report
 */
export function withTimes(report: PlanReport, seconds: ArrayLike<number>, roofline: Roofline): PlanReport {
  const kernels = report.kernels.map((kernel, number) => {
    const taken = seconds[number]!;
    return { ...kernel, seconds: taken, ...(taken > 0 ? shareOf(kernel, taken, roofline) : {}) };
  });
  return { ...report, kernels, resolution: roofline.resolution };
}

function shareOf(
  { flops, bytes }: KernelReport,
  seconds: number,
  { flopsPerSecond, bytesPerSecond, cachedBytesPerSecond }: Roofline,
): { readonly share: number; readonly ceiling: Ceiling } {
  const isFromMemory = bytes / bytesPerSecond <= seconds;
  const computing = flops / flopsPerSecond;
  const moving = bytes / (isFromMemory ? bytesPerSecond : cachedBytesPerSecond);
  if (computing >= moving) return { share: computing / seconds, ceiling: 'arithmetic' };
  return { share: moving / seconds, ceiling: isFromMemory ? 'memory' : 'caches' };
}
