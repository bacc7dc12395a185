/** Plans a kernel of any kind, once: what it needs, which invocations compute what, and how to emit it. */
import type { Kernel, KernelKind } from '@firsthand/compiler';
import { SUBGROUPS_DIRECTIVE } from '../emit/module.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { ShaderPlan } from '../emit/shader.ts';
import { planMatmul } from '../matmul/plan-matmul.ts';
import { planCustomKernel, type Definitions } from './custom-kernel.ts';
import { planLoop } from './loop.ts';
import { planScan } from './scan.ts';
import { planScatter } from './scatter.ts';
import { planSort } from './sort.ts';

type Planner<K extends Kernel> = (kernel: K, profile: AdapterProfile, definitions: Definitions) => ShaderPlan;

const PLANNERS: { readonly [K in KernelKind]: Planner<Extract<Kernel, { readonly kind: K }>> } = {
  loop: planLoop,
  contract: planMatmul,
  scan: planScan,
  scatter: planScatter,
  sort: planSort,
  custom: planCustomKernel,
};

/** Plans a kernel for an adapter. */
export function planKernel(
  kernel: Kernel,
  profile: AdapterProfile,
  definitions: Definitions = new Map(),
): ShaderPlan {
  const plan = (PLANNERS[kernel.kind] as Planner<Kernel>)(kernel, profile, definitions);
  if (profile.subgroups?.directive !== false) return plan;
  const emit: ShaderPlan['emit'] = (layout) =>
    plan.emit(layout).map((shader) => ({ ...shader, wgsl: shader.wgsl.replace(SUBGROUPS_DIRECTIVE, '') }));
  return { ...plan, emit };
}
