/**
 * All parameters as one vector, and back, for optimizers that treat them as a whole (line searches, Hessian
 * methods) and for comparisons.
 */
import { cat, effectGroup, noGrad, type Tensor } from '@firsthand/autograd';
import { checkCount, ShapeError } from '@firsthand/linalg';

/**
 * The elements of the tensors one after the other, in row-major order; gradients flow into them.
 * @param parameters of one dtype, at least one
 * @returns (number of elements)
 * @throws ShapeError if there are none, DTypeError if dtypes differ
 * @example
 * ```ts
 * import { Linear, parametersToVector, vectorToParameters } from '@firsthand/nn';
 * const model = new Linear(2, 1);
 * vectorToParameters(parametersToVector(model.parameters()).mul(0).add(1), model.parameters());
 * console.log(await model.weight.toArray(), await model.bias!.toArray()); // [ [ 1, 1 ] ] [ 1 ]
 * ```
 */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  checkCount('parametersToVector', arguments.length, 1, 'parametersToVector(model.parameters())');
  const parts = [...parameters].map((parameter) => parameter.flatten());
  if (parts.length === 0)
    throw new ShapeError({
      operation: 'parametersToVector',
      problem: 'there are no parameters',
      expected: 'parameters',
      remedy: 'pass model.parameters()',
    });
  return cat(parts);
}

/**
 * Gives the tensors the elements of a vector, one after the other. All of them change together.
 * @throws ShapeError unless the vector has as many elements as they, DTypeError if dtypes differ; nothing has
 *   changed then
 */
export function vectorToParameters(vector: Tensor, parameters: Iterable<Tensor>): void {
  checkCount('vectorToParameters', arguments.length, 2, 'vectorToParameters(vector, model.parameters())');
  const targets = [...parameters];
  const total = targets.reduce((sum, { size }) => sum + size, 0);
  if (vector.ndim !== 1 || vector.size !== total) {
    throw new ShapeError({
      operation: 'vectorToParameters',
      operands: [vector],
      expected: `a vector of ${total} elements, as the parameters have`,
    });
  }
  noGrad(() => {
    let start = 0;
    const parts = targets.map((target) => {
      const part = vector.narrow(0, start, target.size).reshape([...target.shape]);
      start += target.size;
      return part;
    });
    effectGroup(() => targets.forEach((target, index) => target.assign(parts[index]!)));
  });
}
