/**
 * `compile(f)` gives what `f` gives, and runs its graph as one program that is built once. The first call traces `f`; later
 * calls with the same structure copy arguments in, sample host values, and run. Everything the trace read or rebound is state:
 * it is read from the handles at each call and rebound after it.
 */
import { isGradientEnabled } from '@firsthand/graph';
import { buildPlan, planFits, replay } from './plan.ts';
import type { Plan } from './plan.ts';
import { flatten } from './structure.ts';
import { areStatisticsSuppressed } from './statistics.ts';
import { currentTrace } from './trace.ts';

/** Options of `compile`. */
export interface CompileOptions {
  /** Bytes that the plans and the constants they captured may hold; the least recently used go first. */
  readonly maxBytes?: number;
}

/**
 * A function with the values, effects and random numbers of `fn`. JavaScript side effects of `fn` happen only while it is
 * traced, which is once per structure of the arguments and state it depends on. Asking for a value inside is an error.
 * @example
 * ```ts
 * import { compile, type Tensor, tensor } from '@firsthand/autograd';
 * const w = tensor([1, 2], { requiresGrad: true });
 * const step = compile((x: Tensor) => {
 *   const loss = w.mul(x).sum();
 *   loss.backward();
 *   w.assign(w.sub(w.grad!.mul(0.1)));
 *   w.grad = null; // last: the gradient is used here, and never stored
 *   return loss;
 * });
 * console.log(await step(tensor([1, 1])).item()); // 3
 * console.log(await step(tensor([1, 1])).item()); // 2.799999952316284
 * ```
 */
export function compile<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  { maxBytes = 2 ** 28 }: CompileOptions = {},
): (...args: A) => R {
  /** In order of use. */
  const plans = new Map<string, Plan[]>();
  let bytes = 0;
  const trim = (): void => {
    for (const [key, list] of plans) {
      if (bytes <= maxBytes || plans.size === 1) return;
      plans.delete(key);
      for (const plan of list) bytes -= plan.bytes;
    }
  };
  return (...args) => {
    // Inside another trace the function is part of it.
    if (currentTrace() !== null) return fn(...args);
    const { tensors, signature } = flatten(args);
    const key = `${signature}|${isGradientEnabled()}|${areStatisticsSuppressed()}`;
    const known = plans.get(key) ?? [];
    plans.delete(key);
    plans.set(key, known);
    const fitting = known.find(planFits);
    if (fitting !== undefined) return replay(fitting, tensors, null) as R;
    const { plan, hosts } = buildPlan(fn as (...args: readonly unknown[]) => unknown, args, tensors);
    known.push(plan);
    bytes += plan.bytes;
    trim();
    return replay(plan, tensors, hosts) as R;
  };
}
