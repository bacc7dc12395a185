/**
 * `functionalCall`: a model as a function of its parameters, for transforms over parameters: per-example
 * gradients, meta-learning, ensembles.
 */
import { substitute, Tensor } from '@firsthand/autograd';
import { DTYPES, equalShapes, formatShape } from '@firsthand/linalg';
import { StateDictError } from './errors.ts';
import type { Module } from './module.ts';

/**
 * Tensors by path: flat, `{ 'fc1.weight': w }`, or nested, `{ fc1: { weight: w } }`, in objects, maps and
 * arrays.
 */
export type ParameterValues =
  | ReadonlyMap<string, Tensor | ParameterValues>
  | readonly (Tensor | ParameterValues)[]
  | { readonly [name: string]: Tensor | ParameterValues };

function flatten(values: ParameterValues, path = ''): [string, Tensor][] {
  const entries: [string, Tensor | ParameterValues][] =
    values instanceof Map ? [...values] : Object.entries(values);
  return entries.flatMap(([key, value]): [string, Tensor][] => {
    const name = path === '' ? key : `${path}.${key}`;
    return value instanceof Tensor ? [[name, value]] : flatten(value, name);
  });
}

/** Why a value cannot stand for a tensor of the model, or null. */
function mismatch(name: string, parameter: Tensor, given: Tensor): string | null {
  if (!equalShapes(parameter.shape, given.shape))
    return `${name} (${formatShape(parameter.shape)}, given ${formatShape(given.shape)})`;
  return DTYPES[parameter.dtype].isFloat === DTYPES[given.dtype].isFloat
    ? null
    : `${name} (${parameter.dtype}, given ${given.dtype})`;
}

/**
 * `model.forward(...inputs)` with other values substituted for the model's tensors. Then, or after an error,
 * the model has its own again. Gradients flow into the values. Running statistics among them are not updated.
 * @param values for every parameter that is not frozen, by the paths of `namedParameters`; for frozen ones
 *   and
 *   buffers as needed. A tensor with several paths in the model is given once
 * @throws StateDictError if a parameter is missing, a name is not the model's, or a shape differs
 * @example
 * ```ts
 * import { grad, tensor, vmap } from '@firsthand/autograd';
 * import { functionalCall, Linear } from '@firsthand/nn';
 * const model = new Linear(2, 1, { bias: false });
 * const loss = (parameters: { weight: ReturnType<typeof tensor> }, x: ReturnType<typeof tensor>) =>
 *   functionalCall(model, parameters, x).square().sum();
 * const perExample = vmap(grad(loss), { axis: [null, 0] }); // a gradient for each example
 * const gradients = perExample({ weight: tensor([[1, 1]]) }, tensor([[1, 0], [2, 1]]));
 * console.log(await gradients.weight.toArray()); // [ [ [ 2, 0 ] ], [ [ 12, 6 ] ] ]
 * ```
 */
export function functionalCall<M extends Module>(
  model: M,
  values: ParameterValues,
  ...inputs: Parameters<M['forward']>
): ReturnType<M['forward']> {
  const state = model.stateDict();
  const substitutes = new Map<Tensor, Tensor>();
  const unexpected: string[] = [];
  const mismatched: string[] = [];
  for (const [name, value] of flatten(values)) {
    const target = state.get(name);
    if (target === undefined) {
      unexpected.push(name);
      continue;
    }
    const known = substitutes.get(target);
    const problem =
      known === undefined || known === value
        ? mismatch(name, target, value)
        : `${name} (shared, given twice)`;
    if (problem !== null) mismatched.push(problem);
    substitutes.set(target, value);
  }
  const missing = [...model.namedParameters()].flatMap(([name, parameter]) =>
    parameter.requiresGrad && !substitutes.has(parameter) ? [name] : [],
  );
  if (missing.length + unexpected.length + mismatched.length > 0) {
    throw new StateDictError({ missing, unexpected, mismatched }, 'functionalCall', {
      subject: 'the values do not fit the model',
      expected: 'the parameters by their paths',
      remedy: 'pass the parameters by their paths, as new Map([...model.namedParameters(), …]) does',
    });
  }
  return substitute(substitutes, () =>
    (model.forward as (...all: readonly unknown[]) => ReturnType<M['forward']>)(...inputs),
  );
}
