/**
 * `compile(f)` has the values and effects of `f`, and runs its graph as one program that is built once. The
 * first call traces `f`; later calls with the same structure copy arguments in, sample host values, and run.
 * Handles that the trace read or rebound are state: read at each call, and rebound after it.
 */
import { isGradientEnabled } from '@firsthand/graph';
import { type PlanReport } from '@firsthand/runtime';
import { checkCount, checkFunction, checkOptions, OptionError, type OptionKeys } from '@firsthand/linalg';
import { PlanCache } from './plan-cache.ts';
import { executablesOf, replay } from './replay.ts';
import { areStatisticsSuppressed } from './statistics.ts';
import { flatten } from './structure.ts';
import { currentTrace } from './trace.ts';

/** Options of `compile`. */
export interface CompileOptions {
  /** Bytes that the plans and the constants they captured may hold; the least recently used go first. */
  readonly maxBytes?: number;
  /**
   * n: at every n-th call the function is traced once more, and the call throws a `CaptureError` if the trace
   * differs from the compiled one, because a variable that it has captured has changed. For debugging: the
   * side effects of its JavaScript happen again, too. 0 (never) if not given.
   */
  readonly verify?: number;
}

const OPTION_KEYS: OptionKeys<CompileOptions> = { maxBytes: 'number', verify: 'number' };

/** A compiled function: called as the plain one, with reports of its programs. */
export interface CompiledFunction<A extends readonly unknown[], R> {
  (...args: A): R;
  /**
   * A report for each program of the function that is still cached, the most recently used last. There is
   * more than one where calls differ in structure, or in which variables may be updated in place. Empty
   * before the first call, and for a function that has been called inside others only, whose programs it is
   * part of.
   * @example
   * ```ts
   * import { compile, type Tensor, tensor } from '@firsthand/autograd';
   * const double = compile((x: Tensor) => x.mul(2));
   * double(tensor([1, 2]));
   * double(tensor([1, 2, 3]));
   * double(tensor([4, 5]));
   * console.log(double.reports().map(({ kernels }) => kernels.at(-1)!.stores)); // [ 3, 2 ]
   * ```
   */
  reports(): readonly PlanReport[];
}

/**
 * A function with the values, effects and random numbers of `fn`, which is traced once per structure of the
 * arguments and the state that it reads, and replayed afterwards. Tensors, fields of modules and optimizers
 * (`Guarded` objects) and arguments are followed, whatever becomes of them. **A variable that `fn` has
 * captured is not**: after `let beta = 1; const f = compile((x) => x.mul(beta)); beta = 2` the function still
 * multiplies by 1, and so it is with a captured list, or a captured tensor variable that stands for another
 * tensor. Pass such a value as an argument, keep it in a field of a module, or, for a tensor, give it its new
 * value with `assign`; `{ verify: 1 }` finds such variables.
 *
 * A number among the arguments is a value of the run: `fn` is traced again for a number that has not been
 * seen lately, and shares the program of the numbers before unless the number decides what is computed (a
 * shape, a branch, an axis, an exponent).
 *
 * JavaScript side effects of `fn` happen only while it is traced. Asking for a value inside is an error. What
 * the device makes of it is in its `reports()`.
 * @throws OptionError for what is no function; the calls, for data that would be frozen into the program
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
  options: CompileOptions = {},
): CompiledFunction<A, R> {
  checkCount('compile', arguments.length, 2, 'compile(f, { maxBytes, verify })');
  const { maxBytes = 2 ** 28, verify = 0 } = checkOptions<CompileOptions>('compile', options, OPTION_KEYS);
  checkFunction('compile', 'what is to be compiled', fn, 'compile(f)');
  if (!Number.isInteger(verify) || verify < 0) {
    throw new OptionError({
      operation: 'compile',
      problem: `verify is ${verify}`,
      expected: 'a whole number of calls',
    });
  }
  const traced = fn as (...args: readonly unknown[]) => unknown;
  let calls = 0;
  /** In order of use. */
  const structures = new Map<string, PlanCache>();
  let bytes = 0;
  const run = (...args: A): R => {
    // Inside another trace the function is part of it.
    if (currentTrace() !== null) return fn(...args);
    const { tensors, numbers, signature } = flatten(args);
    const key = `${signature}|${isGradientEnabled()}|${areStatisticsSuppressed()}`;
    const structure = structures.get(key) ?? new PlanCache(verify > 0);
    structures.delete(key);
    structures.set(key, structure);
    const known = structure.find(numbers);
    if (known !== null) {
      const isVerified = verify > 0 && ++calls % verify === 0;
      return replay(
        known,
        tensors,
        isVerified ? structure.verify(traced, { args, tensors, numbers }, known) : null,
      ) as R;
    }
    const before = structure.bytes;
    const { plan, hosts } = structure.trace(traced, { args, tensors, numbers });
    bytes += structure.bytes - before;
    for (const [oldest, { bytes: freed }] of structures) {
      if (bytes <= maxBytes || structures.size === 1) break;
      structures.delete(oldest);
      bytes -= freed;
    }
    return replay(plan, tensors, hosts) as R;
  };
  const reports = (): readonly PlanReport[] =>
    executablesOf([...structures.values()].flatMap((structure) => structure.plans())).map((executable) =>
      executable.report(),
    );
  return Object.assign(run, { reports });
}
