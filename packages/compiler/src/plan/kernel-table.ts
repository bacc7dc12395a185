/**
 * The distinct kernels of a program, or of all programs of a device. Kernels that are equal part by part
 * become one object, so that the target plans and emits each once, however often an unrolled loop, a repeated
 * layer or another program runs it. Comparing two kernels costs a fraction of printing or planning one.
 */
import type { Kernel, KernelPlan, Target } from '../ir/kernel.ts';

/** A distinct kernel with the target's plan for it. */
export interface KernelEntry<P extends KernelPlan> {
  readonly kernel: Kernel;
  readonly plan: P;
}

/** Kernels that a table holds; the least recently used are dropped. Plans hold their own kernels. */
const CAPACITY = 4096;

/** Distinct kernels, found by their operands and compared part by part. */
export class KernelTable<P extends KernelPlan> {
  readonly #target: Pick<Target<P>, 'plan'>;
  /** In order of use. */
  readonly #entries = new Map<string, KernelEntry<P>[]>();
  #size = 0;

  constructor(target: Pick<Target<P>, 'plan'>) {
    this.#target = target;
  }

  /** The entry of the kernel equal to this one, which is planned and entered if it is the first. */
  entry(kernel: Kernel): KernelEntry<P> {
    let key = kernel.kind as string;
    for (const { dtype, length, access } of kernel.operands) key += ` ${dtype}${length}${access}`;
    const alike = this.#entries.get(key) ?? [];
    let entry = alike.find((each) => isEqual(each.kernel, kernel, new Map()));
    if (entry === undefined) {
      alike.push((entry = { kernel, plan: this.#target.plan(kernel) }));
      this.#size++;
    }
    this.#entries.delete(key);
    this.#entries.set(key, alike);
    for (const [oldest, { length }] of this.#entries) {
      if (this.#size <= CAPACITY || oldest === key) break;
      this.#entries.delete(oldest);
      this.#size -= length;
    }
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
