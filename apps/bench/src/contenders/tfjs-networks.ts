/** The networks in TensorFlow.js, written with operations, as this project's and jax-js's are. */
import { startingParameters } from '../inputs.ts';
import { type GPTConfig, LAYER_NORM_EPSILON, type TrainingTask } from '../tasks.ts';
import { asChannelsLast } from './layout.ts';
import { convolve, convolveImages } from './tfjs-convolution.ts';
import type { Tf, TfTensor, TfVariable } from './tfjs-interface.ts';

type CNNTask = Extract<TrainingTask, { model: 'cnn' }>;

export function gelu(tf: Tf, x: TfTensor): TfTensor {
  const cubic = tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI))), 1));
}

export function layerNorm(tf: Tf, x: TfTensor, weight: TfTensor, bias: TfTensor): TfTensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), LAYER_NORM_EPSILON));
  return tf.add(tf.mul(tf.mul(centred, scale), weight), bias);
}

/** A parameter by its name. */
export type Parameters = (name: string) => TfVariable;

/** The variables with the values from which every contender begins. */
export function createParameters(
  tf: Tf,
  task: TrainingTask,
): { readonly get: Parameters; readonly all: readonly TfVariable[] } {
  const variables = new Map(
    startingParameters(task).map((parameter) => {
      const { name, shape, values } = asChannelsLast(parameter, task);
      return [name, tf.variable(tf.tensor(values, shape), true, name)] as const;
    }),
  );
  const get: Parameters = (name) => {
    const variable = variables.get(name);
    if (variable === undefined) throw new Error(`there is no parameter ${name}`);
    return variable;
  };
  return { get, all: [...variables.values()] };
}

/** x: (rows, in). Result: (rows, out). */
const linear = (tf: Tf, get: Parameters, name: string, x: TfTensor): TfTensor =>
  tf.add(tf.matMul(x, get(`${name}.weight`)), get(`${name}.bias`));

/** x: (batch, inputs). Result: (batch, classes). */
export function mlpLogits(tf: Tf, get: Parameters, x: TfTensor): TfTensor {
  return linear(tf, get, 'fc2', tf.relu(linear(tf, get, 'fc1', x)));
}

/** x: (batch, S, S, 1). Result: (batch, classes). */
export function cnnLogits(
  tf: Tf,
  get: Parameters,
  { batch, size, channels: [, second] }: CNNTask,
  x: TfTensor,
): TfTensor {
  const layer = (name: string, convolved: TfTensor): TfTensor =>
    tf.maxPool(tf.relu(tf.add(convolved, get(`${name}.bias`))), 2, 2, 'valid');
  const narrow = layer('conv1', convolveImages(tf, x, get('conv1.weight')));
  const deep = layer('conv2', convolve(tf, narrow, get('conv2.weight'))); // (batch, S/4, S/4, second)
  return linear(tf, get, 'fc', tf.reshape(deep, [batch, second * (size / 4) ** 2]));
}

/**
 * oneHot: (B·T, V). Result: (B·T, V). The layers work on (B·T, C), since products of two axes are faster
 * there than of three.
 */
export function gptLogits(
  tf: Tf,
  get: Parameters,
  batch: number,
  config: GPTConfig,
  mask: TfTensor,
  oneHot: TfTensor,
): TfTensor {
  const { positions: T, channels: C, layers, heads: H } = config;
  const norm = (name: string, x: TfTensor): TfTensor =>
    layerNorm(tf, x, get(`${name}.weight`), get(`${name}.bias`));
  const attend = (name: string, x: TfTensor): TfTensor => {
    const [q, k, v] = tf
      .split(linear(tf, get, `${name}.qkv`, x), 3, -1)
      .map((part) => tf.reshape(part, [batch, T, H, C / H])) as [TfTensor, TfTensor, TfTensor];
    const keys = tf.transpose(k, [0, 2, 3, 1]); // (B, H, C/H, T)
    // (B, H, T, T)
    const scores = tf.mul(tf.matMul(tf.transpose(q, [0, 2, 1, 3]), keys), 1 / Math.sqrt(C / H));
    const y = tf.matMul(tf.softmax(tf.add(scores, mask)), tf.transpose(v, [0, 2, 1, 3])); // (B, H, T, C/H)
    // (B·T, C)
    return linear(tf, get, `${name}.projection`, tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batch * T, C]));
  };
  const embedded = tf.reshape(tf.matMul(oneHot, get('tokens.weight')), [batch, T, C]);
  let x = tf.reshape(tf.add(embedded, get('positions.weight')), [batch * T, C]); // (B·T, C)
  for (let layer = 0; layer < layers; layer++) {
    const name = `blocks.${layer}`;
    x = tf.add(x, attend(`${name}.attention`, norm(`${name}.norm1`, x)));
    const wide = gelu(tf, linear(tf, get, `${name}.expand`, norm(`${name}.norm2`, x))); // (B·T, 4C)
    x = tf.add(x, linear(tf, get, `${name}.contract`, wide));
  }
  return tf.matMul(norm('norm', x), get('head.weight')); // (B·T, V)
}

/** 0 where a query may look, and a large negative number where it may not: (T, T). */
export function causalMask(tf: Tf, positions: number): TfTensor {
  const values = Float32Array.from({ length: positions ** 2 }, (_, at) =>
    at % positions > Math.floor(at / positions) ? -1e9 : 0,
  );
  return tf.tensor(values, [positions, positions]);
}
