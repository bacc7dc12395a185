/**
 * The plans of a compiled function for arguments of one structure. They are found by the numbers among the
 * arguments, and by their guards; a number that has not been seen is traced again, on the courses of earlier
 * traces.
 */
import { TraceTree } from '@firsthand/graph';
import type { HostValue } from '@firsthand/graph';
import { Guards } from './guards.ts';
import { planFits, tracePlan } from './plan.ts';
import type { Call, TracedGraph, Plan } from './plan.ts';
import { requireSamePlan } from './verify.ts';

/**
 * Plans for the same numbers, which differ in what their traces have read; the least recently used go first.
 */
const PLANS_PER_NUMBERS = 16;
/** Plans in all. */
const PLANS = 256;
/** Nodes that courses may hold beside those of the latest one. */
const EXTRA_STEPS = 20_000;

/** Arguments of one structure: all but the numbers and the values of tensors is the same. */
export class PlanCache {
  /** By numbers, in order of use. */
  readonly #plans = new Map<string | number, Plan[]>();
  #traces = new TraceTree<TracedGraph>();
  #guards: Guards | null = null;
  /** How many plans each course has. */
  readonly #uses = new Map<TracedGraph, number>();
  #count = 0;
  #traceCount = 0;
  /** What the plans and their courses keep alive, roughly. */
  bytes = 0;
  readonly #keepsData: boolean;

  /** @param keepsData whether plans keep the host data in them, so that they can be verified */
  constructor(keepsData: boolean) {
    this.#keepsData = keepsData;
  }

  /** The plan that fits, or null. */
  find(numbers: readonly number[]): Plan | null {
    const key = keyOf(numbers);
    const plans = this.#plans.get(key);
    const index = plans?.findIndex(planFits) ?? -1;
    if (plans === undefined || index < 0) return null;
    if (this.#plans.size > 1) {
      this.#plans.delete(key);
      this.#plans.set(key, plans);
    }
    const plan = plans[index]!;
    if (index > 0) plans.unshift(...plans.splice(index, 1));
    return plan;
  }

  /** Traces the function for these arguments, and keeps the plan. */
  trace(
    fn: (...args: readonly unknown[]) => unknown,
    call: Call,
  ): { readonly plan: Plan; readonly hosts: readonly HostValue[] } {
    if (this.#guards?.hold() === false) this.#guards = null;
    const isTracedAgain = this.#traceCount++ > 0 || call.numbers.length > 0;
    const traced = tracePlan(fn, call, this.#traces, new Guards(this.#guards), {
      isTracedAgain,
      keepsData: this.#keepsData,
    });
    this.#guards ??= traced.plan.guards;
    this.#keep(keyOf(call.numbers), traced.plan);
    return traced;
  }

  /**
   * Traces the function once more for a plan that fits.
   * @returns the host values that the trace has sampled
   * @throws CaptureError if the function has become another
   */
  verify(fn: (...args: readonly unknown[]) => unknown, call: Call, plan: Plan): readonly HostValue[] {
    const again = tracePlan(fn, call, this.#traces, new Guards(), {
      isTracedAgain: true,
      keepsData: this.#keepsData,
    });
    requireSamePlan(plan, again.plan);
    return again.hosts;
  }

  #keep(key: string | number, plan: Plan): void {
    const plans = this.#plans.get(key) ?? [];
    this.#plans.delete(key);
    this.#plans.set(key, plans);
    plans.unshift(plan);
    this.#use(plan, 1);
    if (plans.length > PLANS_PER_NUMBERS) this.#use(plans.pop()!, -1);
    for (const [oldest, dropped] of this.#plans) {
      if (this.#count <= PLANS || this.#plans.size === 1) break;
      this.#plans.delete(oldest);
      for (const each of dropped) this.#use(each, -1);
    }
    if (this.#traces.size > EXTRA_STEPS + 4 * plan.graph.size) this.#traces = new TraceTree();
  }

  /** Counts a plan of a course, or one less. */
  #use({ graph }: Plan, change: 1 | -1): void {
    const uses = (this.#uses.get(graph) ?? 0) + change;
    if (uses === 1 && change === 1) this.bytes += graph.bytes;
    if (uses === 0) this.bytes -= graph.bytes;
    if (uses === 0) this.#uses.delete(graph);
    else this.#uses.set(graph, uses);
    this.#count += change;
  }

  plans(): readonly Plan[] {
    return [...this.#plans.values()].flat();
  }
}

/** A key for the numbers, in which 0 and −0 differ. */
function keyOf(numbers: readonly number[]): string | number {
  const [first] = numbers;
  if (first === undefined) return '';
  if (numbers.length === 1) return Object.is(first, -0) ? '-0' : first;
  return numbers.map((value) => (Object.is(value, -0) ? '-0' : value)).join();
}
