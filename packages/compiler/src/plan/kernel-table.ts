/**
 * The distinct kernels of a plan. Kernels that are equal part by part become one object, so that the target
 * plans and emits each once, however often an unrolled loop or a repeated layer runs it. Comparing two
 * kernels costs a fraction of printing or planning one.
 */
import { listAt } from '../support/lists.ts';
import type { Kernel, KernelPlan, Target } from '../ir/kernel.ts';

/** A distinct kernel with the target's plan for it. */
export interface KernelEntry<P extends KernelPlan> {
  readonly kernel: Kernel;
  readonly plan: P;
}

/** The distinct kernels of a plan, found by their operands and compared part by part. */
export class KernelTable<P extends KernelPlan> {
  readonly #target: Pick<Target<P>, 'plan'>;
  readonly #entries = new Map<string, KernelEntry<P>[]>();

  constructor(target: Pick<Target<P>, 'plan'>) {
    this.#target = target;
  }

  /** The entry of the kernel equal to this one, which is planned and entered if it is the first. */
  entry(kernel: Kernel): KernelEntry<P> {
    let key = kernel.kind as string;
    for (const { dtype, length, access } of kernel.operands) key += ` ${dtype}${length}${access}`;
    const alike = listAt(this.#entries, key);
    let entry = alike.find((each) => isEqual(each.kernel, kernel, new Map()));
    if (entry === undefined) alike.push((entry = { kernel, plan: this.#target.plan(kernel) }));
    return entry;
  }
}

/**
 * Whether two values are the same, or lists or records of equal values.
 * @param equal pairs that have been found to be equal: expressions share parts, and may be exponentially long
 *   as trees
 */
function isEqual(a: unknown, b: unknown, equal: Map<unknown, unknown>): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (equal.get(a) === b) return true;
  const keys = Object.keys(a) as (keyof object)[];
  const isSame =
    keys.length === Object.keys(b).length && keys.every((key) => key in b && isEqual(a[key], b[key], equal));
  if (isSame) equal.set(a, b);
  return isSame;
}
