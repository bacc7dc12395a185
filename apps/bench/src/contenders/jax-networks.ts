/**
 * The networks in jax-js, as functions from parameters and a batch to logits. Embeddings are products with
 * one-hot rows, since the gradient of a lookup is not to be had inside jit.
 */
import { type GPTConfig, LAYER_NORM_EPSILON, type TrainingTask } from '../tasks.ts';
import type { Jax, JaxArray, Tree } from './jax-interface.ts';

type CNNTask = Extract<TrainingTask, { model: 'cnn' }>;

export function layerNorm({ numpy }: Jax, x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray {
  const centred = x.ref.sub(numpy.mean(x, -1, { keepdims: true }));
  const variance = numpy.mean(numpy.square(centred.ref), -1, { keepdims: true });
  return centred
    .div(numpy.sqrt(variance.add(LAYER_NORM_EPSILON)))
    .mul(weight)
    .add(bias);
}

/** x: (rows, in). Result: (rows, out). */
const linear = ({ numpy }: Jax, parameters: Tree, name: string, x: JaxArray): JaxArray =>
  numpy.matmul(x, parameters[`${name}.weight`]!.ref).add(parameters[`${name}.bias`]!.ref);

/** The logits of the network, of all rows: (rows, classes). Parameters are kept. */
type Logits = (parameters: Tree, x: JaxArray) => JaxArray;

/** The logits of a task's network. */
export function logitsOf(jax: Jax, task: TrainingTask): Logits {
  switch (task.model) {
    case 'mlp':
      return mlpLogits(jax);
    case 'cnn':
      return cnnLogits(jax, task);
    case 'gpt':
      return gptLogits(jax, task.batch, task.config);
  }
}

function mlpLogits(jax: Jax): Logits {
  return (parameters, x) => linear(jax, parameters, 'fc2', jax.nn.relu(linear(jax, parameters, 'fc1', x)));
}

/**
 * 3×3 with padding 1, as the sum of nine products, one for each tap of the filter: its own convolution
 * takes more than thirty times as long with its gradients. x: (batch, S, S, C), filter: (3, 3, C, outputs).
 * Result: (batch·S·S, outputs).
 */
function convolve({ numpy }: Jax, x: JaxArray, filter: JaxArray): JaxArray {
  const [batch, size, , channels] = x.shape as readonly [number, number, number, number];
  const outputs = filter.shape[3]!;
  const padded = numpy.pad(x, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const products = [0, 1, 2].flatMap((i) =>
    [0, 1, 2].map((j) => {
      const shifted = padded.ref
        .slice([], [i, i + size], [j, j + size])
        .reshape([batch * size * size, channels]);
      return numpy.matmul(shifted, filter.ref.slice([i, i + 1], [j, j + 1]).reshape([channels, outputs]));
    }),
  );
  padded.dispose();
  return products.reduce((sum, product) => sum.add(product));
}

/** x: (batch, S, S, 1), with channels last. */
function cnnLogits(jax: Jax, { batch, size, channels: [first, second] }: CNNTask): Logits {
  const { nn, numpy } = jax;
  const layer = (parameters: Tree, name: string, x: JaxArray, outputs: number, side: number): JaxArray => {
    const convolved = convolve(jax, x, parameters[`${name}.weight`]!).add(parameters[`${name}.bias`]!.ref);
    return numpy.max(nn.relu(convolved).reshape([batch, side / 2, 2, side / 2, 2, outputs]), [2, 4]);
  };
  return (parameters, x) => {
    const narrow = layer(parameters, 'conv1', x, first, size);
    const deep = layer(parameters, 'conv2', narrow, second, size / 2); // (batch, S/4, S/4, second)
    return linear(jax, parameters, 'fc', deep.reshape([batch, second * (size / 4) ** 2]));
  };
}

function gptLogits(
  jax: Jax,
  batch: number,
  { positions: T, channels: C, layers, heads: H, vocabulary }: GPTConfig,
): Logits {
  const { numpy: np, nn } = jax;
  const maskValues = Float32Array.from({ length: T * T }, (_, at) =>
    at % T > Math.floor(at / T) ? -1e9 : 0,
  );
  const mask = np.array(maskValues, { shape: [T, T] });
  const norm = (parameters: Tree, name: string, x: JaxArray): JaxArray =>
    layerNorm(jax, x, parameters[`${name}.weight`]!.ref, parameters[`${name}.bias`]!.ref);
  const attend = (parameters: Tree, name: string, x: JaxArray): JaxArray => {
    const [q, k, v] = np
      .split(linear(jax, parameters, `${name}.qkv`, x), 3, -1)
      .map((part) => part.reshape([batch, T, H, C / H])) as [JaxArray, JaxArray, JaxArray];
    // (B, H, T, T)
    const scores = np.matmul(q.transpose([0, 2, 1, 3]), k.transpose([0, 2, 3, 1])).mul(1 / Math.sqrt(C / H));
    const y = np.matmul(nn.softmax(scores.add(mask.ref), -1), v.transpose([0, 2, 1, 3])); // (B, H, T, C/H)
    // (B·T, C)
    return linear(jax, parameters, `${name}.projection`, y.transpose([0, 2, 1, 3]).reshape([batch * T, C]));
  };
  return (parameters, index) => {
    const embedded = np
      .matmul(nn.oneHot(index, vocabulary), parameters['tokens.weight']!.ref)
      .reshape([batch, T, C]);
    let x = embedded.add(parameters['positions.weight']!.ref).reshape([batch * T, C]); // (B·T, C)
    for (let layer = 0; layer < layers; layer++) {
      const name = `blocks.${layer}`;
      x = x.ref.add(attend(parameters, `${name}.attention`, norm(parameters, `${name}.norm1`, x)));
      const wide = nn.gelu(
        linear(jax, parameters, `${name}.expand`, norm(parameters, `${name}.norm2`, x.ref)),
        { approximate: true },
      );
      x = x.add(linear(jax, parameters, `${name}.contract`, wide)); // (B·T, C)
    }
    return np.matmul(norm(parameters, 'norm', x), parameters['head.weight']!.ref); // (B·T, V)
  };
}
