/**
 * What a device reaches at best, and how near its kernels come to that: a kernel can be no faster than its arithmetic at full speed, nor than its memory. Williams, Waterman and
 * Patterson, "Roofline: an insightful visual performance model for multicore architectures", 2009.
 */
import type { PlanReport } from '@firsthand/graph';

/** What a device reaches at best. */
export interface Roofline {
  /** On multiply-adds in registers; each is two operations. */
  readonly flopsPerSecond: number;
  /** On a copy from memory to memory, with what is read and what is written. */
  readonly bytesPerSecond: number;
}

/**
 * A report with the times of its kernels, and each kernel's share of the roofline: max(flops/flopsPerSecond, bytes/bytesPerSecond)/seconds. A time that the clock is too coarse for is 0, and
 * gives no share.
 * @param seconds by kernel, in the order of the report
 */
export function withTimes(report: PlanReport, seconds: ArrayLike<number>, { flopsPerSecond, bytesPerSecond }: Roofline): PlanReport {
  const kernels = report.kernels.map((kernel, number) => {
    const taken = seconds[number]!;
    const least = Math.max(kernel.flops / flopsPerSecond, kernel.bytes / bytesPerSecond);
    return { ...kernel, seconds: taken, ...(taken > 0 ? { share: least / taken } : {}) };
  });
  return { ...report, kernels };
}
