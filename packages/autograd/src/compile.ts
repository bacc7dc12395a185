/**
 * `compile(f)` gives what `f` gives, and runs its graph as one program that is built once. The first call traces `f`; later
 * calls with the same structure copy arguments in, sample host values, and run. Everything the trace read or rebound is state:
 * it is read from the handles at each call and rebound after it.
 */
import { isGradientEnabled, type PlanReport } from '@firsthand/graph';
import { buildPlan, executablesOf, planFits, replay } from './plan.ts';
import type { Plan } from './plan.ts';
import { flatten } from './structure.ts';
import { areStatisticsSuppressed } from './statistics.ts';
import { currentTrace } from './trace.ts';

/** Plans for arguments of one structure, which differ in what their traces have read; the least recently used go first. */
const PLANS_PER_STRUCTURE = 16;

/** Options of `compile`. */
export interface CompileOptions {
  /** Bytes that the plans and the constants they captured may hold; the least recently used go first. */
  readonly maxBytes?: number;
}

/** What `compile` gives: a function like the one that was compiled, which knows the programs it has become. */
export interface CompiledFunction<A extends readonly unknown[], R> {
  (...args: A): R;
  /**
   * What the device runs, a report for each program that the function has been compiled to and still keeps, the most recently used last. There is more than one where calls differ in
   * structure, or in which variables may be updated in place. Empty before the first call, and for a function that has been called inside others only, whose programs it is part of.
   * @example
   * ```ts
   * import { compile, reportTable, type Tensor, tensor } from '@firsthand/autograd';
   * const double = compile((x: Tensor) => x.mul(2));
   * double(tensor([1, 2]));
   * double(tensor([1, 2, 3]));
   * double(tensor([4, 5]));
   * console.log(double.reports().map(({ kernels }) => kernels.at(-1)!.stores)); // [ 3, 2 ]
   * console.log(reportTable(double.reports().at(-1)!).split('\n')[0]); // kernel MFLOP MB
   * ```
   */
  reports(): readonly PlanReport[];
}

/**
 * A function with the values, effects and random numbers of `fn`, which is traced once per structure of the arguments and the state that it
 * reads, and replayed afterwards. Tensors, fields of modules and optimizers (`Guarded` objects) and arguments are followed, whatever
 * becomes of them. **A variable that `fn` has captured is not**: after `let beta = 1; const f = compile((x) => x.mul(beta)); beta = 2` the function still
 * multiplies by 1, and so it is with a captured list, or a captured tensor variable that stands for another tensor. Pass such a value as an argument, keep it
 * in a field of a module, or, for a tensor, give it its new value with `assign`.
 *
 * JavaScript side effects of `fn` happen only while it is traced. Asking for a value inside is an error. What the device makes of it is in its `reports()`.
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
): CompiledFunction<A, R> {
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
  const run = (...args: A): R => {
    // Inside another trace the function is part of it.
    if (currentTrace() !== null) return fn(...args);
    const { tensors, signature } = flatten(args);
    const key = `${signature}|${isGradientEnabled()}|${areStatisticsSuppressed()}`;
    const known = plans.get(key) ?? [];
    plans.delete(key);
    plans.set(key, known);
    const place = known.findIndex(planFits);
    if (place >= 0) {
      const [fitting] = place === 0 ? known : known.splice(place, 1);
      if (place > 0) known.unshift(fitting!);
      return replay(fitting!, tensors, null) as R;
    }
    const { plan, hosts } = buildPlan(fn as (...args: readonly unknown[]) => unknown, args, tensors);
    known.unshift(plan);
    bytes += plan.bytes;
    if (known.length > PLANS_PER_STRUCTURE) bytes -= known.pop()!.bytes;
    trim();
    return replay(plan, tensors, hosts) as R;
  };
  return Object.assign(run, { reports: () => executablesOf([...plans.values()].flat()).map((executable) => executable.report()) });
}
