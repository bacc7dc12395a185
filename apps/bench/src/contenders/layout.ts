/** Linear layers in the layout of TensorFlow and of JAX, whose weights are (in, out), where torch's and this project's are (out, in). */
import type { StartingParameter } from '../inputs.ts';

/** The parameter, with the weight of a linear layer transposed. Embeddings, which are looked up by rows, and vectors stay. */
export function asInputsFirst(parameter: StartingParameter): StartingParameter {
  const { name, shape, values } = parameter;
  const isTable = name === 'tokens.weight' || name === 'positions.weight';
  if (shape.length !== 2 || isTable) return parameter;
  const [outputs, inputs] = shape as readonly [number, number];
  const transposed = Float32Array.from({ length: values.length }, (_, at) => values[(at % outputs) * inputs + Math.floor(at / outputs)]!);
  return { ...parameter, shape: [inputs, outputs], values: transposed };
}
