/**
 * The plans of a compiled function for arguments of one structure, a cache in order of use. A plan is found
 * by the numbers among the arguments, then by its guards. A miss traces the function again; the trace reuses
 * the nodes of earlier traces as long as it builds the same.
 */
import { TraceTree } from '@firsthand/graph';
import type { HostValue } from '@firsthand/graph';
import { Guards } from './guards.ts';
import { planFits, tracePlan } from './plan.ts';
import type { Call, TracedGraph, Plan } from './plan.ts';
import { requireSamePlan } from './verify.ts';

/** Plans for the same numbers, which differ in their guards; the least recently used are dropped first. */
const PLANS_PER_NUMBERS = 16;
/** Plans in all. */
const PLANS = 256;
/** Nodes of the trace tree, beside four times those of the latest trace, before it is dropped. */
const EXTRA_STEPS = 20_000;

/** The plans for arguments that differ in numbers and in values of tensors only. */
export class PlanCache {
  /** By numbers, in order of use. */
  readonly #plans = new Map<string | number, Plan[]>();
  #traces = new TraceTree<TracedGraph>();
  #guards: Guards | null = null;
  /** The number of plans of each traced graph. */
  readonly #uses = new Map<TracedGraph, number>();
  #count = 0;
  #traceCount = 0;
  /** Bytes of memory that the plans and their graphs keep alive, an estimate. */
  bytes = 0;
  readonly #keepsData: boolean;

  /** @param keepsData whether plans keep a copy of host data, so that they can be verified */
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
   * @throws CaptureError if the function builds another graph, or the same with other numbers
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

  /** Adds a plan to the count of its graph, or removes one. */
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
