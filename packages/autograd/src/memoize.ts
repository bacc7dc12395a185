/**
 * Assignments that a function makes again and again: a trace that follows the course of an earlier one need
 * not build their values again.
 */
import { checkCount } from '@firsthand/linalg';
import type { Handle } from '@firsthand/runtime';
import { currentTrace } from './trace.ts';
import { Value } from './value.ts';

/**
 * Runs `build`, which assigns values to the variables, and does nothing else. Inside `compile`, where it has
 * assigned to these variables before, and they and the operands were what they are now, the variables get the
 * values of then, and `build` is not run: so a function that is traced again, for another number, costs less.
 * @param operands what the values depend on besides the variables themselves: tensors, and anything else,
 *   which is compared as by `Object.is`
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
  // What was made inside has nodes that belong to one trace.
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
