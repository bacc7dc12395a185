/** What a plan does, kernel by kernel, in the words that every device reports in. */
import type { PlanReport } from '@firsthand/runtime';
import { DTYPES } from '@firsthand/linalg';
import type { Plan, PlannedKernel } from '../ir/kernel.ts';
import { trafficOf } from './traffic.ts';

/**
 * The report of a plan.
 * @param device the device's name
 * @param sourceOf what the device runs for a kernel, as text
 */
export function reportOf(
  plan: Plan,
  device: string,
  sourceOf: (kernel: PlannedKernel) => string,
): PlanReport {
  const kernels = plan.kernels.map((planned) => {
    const { name, nodes, boundary } = planned;
    return { name, nodes, ...trafficOf(planned.kernel), boundary, source: sourceOf(planned) };
  });
  const outputs = plan.outputs.reduce(
    (sum, { into, dtype, length }) => (into === null ? sum + length * DTYPES[dtype].bytes : sum),
    0,
  );
  return { device, kernels, peakBytes: plan.arenaBytes + outputs };
}
