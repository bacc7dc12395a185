/**
 * Parameters in the layouts of TensorFlow and of JAX: weights of linear layers are (in, out), where torch's
 * and this project's are (out, in); and TensorFlow has the channels of images last.
 */
import type { StartingParameter } from '../inputs.ts';
import type { TrainingTask } from '../tasks.ts';

/** Axis i of the result is axis order[i] of the given. */
function permuted(
  parameter: StartingParameter,
  shape: readonly number[],
  order: readonly number[],
): StartingParameter {
  const strides = shape.map((_, axis) =>
    shape.slice(axis + 1).reduce((product, extent) => product * extent, 1),
  );
  const extents = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const values = parameter.values.map((_, at) => {
    let [rest, from] = [at, 0];
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      from += (rest % extents[axis]!) * steps[axis]!;
      rest = Math.floor(rest / extents[axis]!);
    }
    return parameter.values[from]!;
  });
  return { ...parameter, shape: extents, values };
}

/**
 * The parameter, with the weight of a linear layer transposed. Embeddings, which are looked up by rows,
 * filters and vectors stay.
 */
export function asInputsFirst(parameter: StartingParameter): StartingParameter {
  const { name, shape } = parameter;
  const isTable = name === 'tokens.weight' || name === 'positions.weight';
  return shape.length !== 2 || isTable ? parameter : permuted(parameter, shape, [1, 0]);
}

/**
 * As `asInputsFirst`; besides, filters are (3, 3, in, out), and the dense layer behind them takes images
 * whose channels are last.
 */
export function asChannelsLast(parameter: StartingParameter, task: TrainingTask): StartingParameter {
  const { name, shape } = parameter;
  if (shape.length === 4) return permuted(parameter, shape, [2, 3, 1, 0]);
  if (task.model !== 'cnn' || name !== 'fc.weight') return asInputsFirst(parameter);
  const [channels, pixels] = [task.channels[1], (task.size / 4) ** 2];
  const weight = permuted(parameter, [task.classes, channels, pixels], [2, 1, 0]);
  return { ...weight, shape: [pixels * channels, task.classes] };
}
