/**
 * Costs of scalar expressions in vector instructions: rough numbers that decide how far a loop is unrolled,
 * which axis is vectorised, and what is cached.
 */
import {
  bodiesOf,
  coefficientOf,
  scalarsIn,
  type Index,
  type Kernel,
  type Scalar,
  type ScalarOf,
  type ScalarOp,
  type Store,
} from '@firsthand/compiler';
import { BINARY_TRAITS, sizeOf, UNARY_TRAITS } from '@firsthand/linalg';

const CHEAP = 1;
/** An access of each lane by itself. */
const SCATTERED = 5;
const RANDOM = 40;

const COSTS: { readonly [K in ScalarOp]: (scalar: ScalarOf<K>) => number } = {
  const: () => 0,
  load: () => CHEAP,
  index: () => CHEAP,
  inside: () => CHEAP,
  gather: () => 2 * SCATTERED,
  random: () => RANDOM,
  unary: ({ kind }) => UNARY_TRAITS[kind].cost,
  binary: ({ kind }) => BINARY_TRAITS[kind].cost,
  where: () => CHEAP,
  cast: () => CHEAP,
  reduced: () => 0,
  total: () => 0,
};

/** The cost of an operation, without its inputs. */
function costOf(scalar: Scalar): number {
  return (COSTS[scalar.op] as (scalar: Scalar) => number)(scalar);
}

/** The cost of some expressions, each subexpression counted once. */
export function costOfAll(roots: readonly Scalar[]): number {
  return scalarsIn(roots).reduce((sum, scalar) => sum + costOf(scalar), 0);
}

/** The cost of an expression with its subexpressions. */
export function costOfTree(scalar: Scalar): number {
  return costOfAll([scalar]);
}

/** Lanes of a register: of float32, which most kernels compute with. */
const LANES = 4;

/** The cost of a whole kernel; composites are custom kernels only where there is much to compute. */
export function costOfKernel(kernel: Kernel): number {
  if (kernel.kind === 'custom') return Number.MAX_VALUE;
  return bodiesOf(kernel).reduce((sum, { extents, values, accumulations, targets }) => {
    return sum + (sizeOf(extents) / LANES) * (costOfAll(values) + accumulations + targets.length);
  }, 0);
}

/**
 * The cost of the loads and stores of some expressions if an axis is vectorised: contiguous, broadcast, or
 * each lane by itself.
 */
export function accessCost(roots: readonly Scalar[], stores: readonly Store[], axis: number): number {
  const costOfAccess = (index: Index): number => {
    const step = coefficientOf(index, axis);
    return step === 1 ? CHEAP : step === 0 ? CHEAP / 4 : SCATTERED;
  };
  let cost = 0;
  for (const scalar of scalarsIn(roots)) {
    if (scalar.op === 'load') cost += costOfAccess(scalar.index);
    // Where the gathered index differs between lanes, each lane has an address of its own anyway.
    if (scalar.op === 'gather')
      cost += dependsOnAxis(scalar.position, axis) ? SCATTERED : costOfAccess(scalar.index);
  }
  for (const { index } of stores) cost += coefficientOf(index, axis) === 1 ? CHEAP : SCATTERED;
  return cost;
}

/** Whether an expression changes along an axis. */
export function dependsOnAxis(scalar: Scalar, axis: number): boolean {
  return scalarsIn([scalar]).some((each) => 'index' in each && coefficientOf(each.index, axis) !== 0);
}
