/**
 * Memoised assignments: a function that is traced again does not build the new values of its variables twice.
 * An optimizer's updates are the most of a training step's nodes.
 */
import { checkCount } from '@firsthand/linalg';
import type { Handle } from '@firsthand/runtime';
import { currentTrace } from './trace.ts';
import { Value } from './value.ts';

/**
 * Runs `build`, which assigns values to the variables and has no other effect. Inside `compile`, if an
 * earlier trace has run it with the same nodes in the variables and operands, the variables get the nodes of
 * then and `build` is not run, so that tracing a function again costs less.
 * @param operands the other values that the assignments depend on: tensors, and anything else, compared by
 *   `Object.is`
 * @example
 * ```ts
 * import { memoizedAssignments, tensor } from '@firsthand/autograd';
 * const [w, rate] = [tensor([1, 2]), tensor(0.5)];
 * memoizedAssignments([w], [rate], () => w.assign(w.sub(w.mul(rate))));
 * console.log(await w.toArray()); // [ 0.5, 1 ]
 * ```
 */
export function memoizedAssignments(
  variables: readonly Handle[],
  operands: readonly unknown[],
  build: () => void,
): void {
  checkCount('memoizedAssignments', arguments.length, 3, 'memoizedAssignments(variables, operands, build)');
  const trace = currentTrace();
  const key =
    trace === null
      ? []
      : [...variables, ...operands].map((each): unknown => (each instanceof Value ? each.read() : each));
  // The nodes of a variable that was made inside belong to one trace.
  if (trace === null || !variables.every((variable) => trace.hasAdopted(variable))) {
    build();
    return;
  }
  const values = trace.memo(key, () => {
    build();
    return variables.map(({ node }) => node);
  });
  variables.forEach((variable, index) => {
    variable.node = values[index]!;
  });
}
