/**
 * The tasks in TensorFlow.js 4.22, on whichever of its backends is set. Networks are written with operations, as this project's and jax-js's are.
 * Weights of linear layers are (in, out), as TensorFlow has them.
 *
 * Three things are written the way that is fast there: a transposed factor is transposed first, since the transposing product is a plain
 * loop on the WebAssembly backend; embeddings are products with one-hot rows, since that backend lacks the kernel for the gradient of a lookup; and
 * AdamW is Adam after the decay, since there is no AdamW.
 */
import type { Contender, Prepared } from '../contender.ts';
import { mapInputs, matmulInputs, type StartingParameter, startingParameters, trainingBatches } from '../inputs.ts';
import {
  ADAM,
  type GPTConfig,
  LAYER_NORM_EPSILON,
  type MapName,
  type MapTask,
  type MatmulTask,
  type TrainingTask,
  WEIGHT_DECAY,
} from '../tasks.ts';
import { asInputsFirst } from './layout.ts';

interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface TfVariable extends TfTensor {
  assign(value: TfTensor): void;
}

type Operand = TfTensor | number;

/** The part of the interface that is used here. */
export interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy<T>(fn: () => T): T;
  dispose(tensors: unknown): void;
  tensor(values: Float32Array | Int32Array, shape?: readonly number[], dtype?: string): TfTensor;
  variable(value: TfTensor, trainable: boolean, name: string): TfVariable;
  add(a: Operand, b: Operand): TfTensor;
  sub(a: Operand, b: Operand): TfTensor;
  mul(a: Operand, b: Operand): TfTensor;
  exp(x: TfTensor): TfTensor;
  tanh(x: TfTensor): TfTensor;
  relu(x: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  softmax(x: TfTensor): TfTensor;
  sum(x: TfTensor): TfTensor;
  mean(x: TfTensor, axis?: number, keepDims?: boolean): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  transpose(x: TfTensor, permutation?: readonly number[]): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  oneHot(index: TfTensor, depth: number): TfTensor;
  losses: { softmaxCrossEntropy(oneHot: TfTensor, logits: TfTensor): TfTensor };
  grads(fn: (...operands: TfTensor[]) => TfTensor): (operands: readonly TfTensor[], upstream: TfTensor) => TfTensor[];
  variableGrads(fn: () => TfTensor): { readonly value: TfTensor; readonly grads: Readonly<Record<string, TfTensor>> };
  train: {
    adam(
      rate: number,
      beta1: number,
      beta2: number,
      epsilon: number,
    ): { applyGradients(gradients: Readonly<Record<string, TfTensor>>): void };
  };
}

/** @param flush makes the backend begin what it has only taken down so far */
export function tfjsContender(tf: Tf, flush: () => void): Contender {
  return {
    async prepare(work) {
      switch (work.kind) {
        case 'matmul':
          return prepareMatmul(tf, work, flush);
        case 'map':
          return prepareMap(tf, work, flush);
        case 'training':
          return prepareTraining(tf, work);
      }
    },
  };
}

function prepareOperation(tf: Tf, operation: () => readonly TfTensor[], operands: readonly TfTensor[], flush: () => void): Prepared {
  let last: readonly TfTensor[] = [];
  return {
    run() {
      tf.dispose(last);
      last = operation();
      flush();
    },
    outputs: () => Promise.all(last.map((each) => each.data())),
    release() {
      tf.dispose([...last, ...operands]);
    },
  };
}

function prepareMatmul(tf: Tf, task: MatmulTask, flush: () => void): Prepared {
  const { batch, m, k, n, transposeA, transposeB, chain } = task;
  const [aValues, bValues] = matmulInputs(task);
  const batched = (rows: number, columns: number): number[] => (batch === 1 ? [rows, columns] : [batch, rows, columns]);
  const a = tf.tensor(aValues, transposeA ? batched(k, m) : batched(m, k));
  const b = tf.tensor(bValues, transposeB ? batched(n, k) : batched(k, n));
  const multiply = (): TfTensor => {
    const right = transposeB ? tf.transpose(b) : b;
    let product = tf.matMul(transposeA ? tf.transpose(a) : a, right);
    for (let link = 1; link < chain; link++) product = tf.matMul(product, right);
    return product;
  };
  return prepareOperation(tf, () => [tf.tidy(multiply)], [a, b], flush);
}

function gelu(tf: Tf, x: TfTensor): TfTensor {
  const cubic = tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI))), 1));
}

function layerNorm(tf: Tf, x: TfTensor, weight: TfTensor, bias: TfTensor): TfTensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), LAYER_NORM_EPSILON));
  return tf.add(tf.mul(tf.mul(centred, scale), weight), bias);
}

const MAPS: { readonly [K in MapName]: (tf: Tf, ...operands: TfTensor[]) => TfTensor } = {
  add: (tf, a, b) => tf.add(a, b),
  exp: (tf, x) => tf.exp(x),
  gelu: (tf, x) => gelu(tf, x),
  softmax: (tf, x) => tf.softmax(x),
  layerNorm: (tf, x, weight, bias) => layerNorm(tf, x, weight, bias),
  sum: (tf, x) => tf.sum(x),
};

function prepareMap(tf: Tf, task: MapTask, flush: () => void): Prepared {
  const { operands, upstream } = mapInputs(task);
  const tensors = operands.map(({ values, shape }) => tf.tensor(values, shape));
  const g = tf.tensor(upstream.values, upstream.shape);
  const map = (...given: TfTensor[]): TfTensor => MAPS[task.map](tf, ...given);
  const gradient = (): TfTensor[] =>
    task.map === 'add' ? tf.grads((bias) => map(tensors[0]!, bias))([tensors[1]!], g) : tf.grads(map)(tensors, g);
  return prepareOperation(tf, () => tf.tidy(() => (task.gradient ? gradient() : [map(...tensors)])), [...tensors, g], flush);
}

type Parameters = (name: string) => TfVariable;

function createParameters(
  tf: Tf,
  parameters: readonly StartingParameter[],
): { readonly get: Parameters; readonly all: readonly TfVariable[] } {
  const variables = new Map(
    parameters.map((parameter) => {
      const { name, shape, values } = asInputsFirst(parameter);
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

function mlpLogits(tf: Tf, get: Parameters, x: TfTensor): TfTensor {
  return linear(tf, get, 'fc2', tf.relu(linear(tf, get, 'fc1', x)));
}

/** oneHot: (B·T, V). Result: (B·T, V). The layers work on (B·T, C), since products of two axes are faster there than of three. */
function gptLogits(tf: Tf, get: Parameters, batch: number, config: GPTConfig, mask: TfTensor, oneHot: TfTensor): TfTensor {
  const { positions: T, channels: C, layers, heads: H } = config;
  const norm = (name: string, x: TfTensor): TfTensor => layerNorm(tf, x, get(`${name}.weight`), get(`${name}.bias`));
  const attend = (name: string, x: TfTensor): TfTensor => {
    const [q, k, v] = tf.split(linear(tf, get, `${name}.qkv`, x), 3, -1).map((part) => tf.reshape(part, [batch, T, H, C / H])) as [
      TfTensor,
      TfTensor,
      TfTensor,
    ];
    const keys = tf.transpose(k, [0, 2, 3, 1]); // (B, H, C/H, T)
    const scores = tf.mul(tf.matMul(tf.transpose(q, [0, 2, 1, 3]), keys), 1 / Math.sqrt(C / H)); // (B, H, T, T)
    const y = tf.matMul(tf.softmax(tf.add(scores, mask)), tf.transpose(v, [0, 2, 1, 3])); // (B, H, T, C/H)
    return linear(tf, get, `${name}.projection`, tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batch * T, C])); // (B·T, C)
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
function causalMask(tf: Tf, positions: number): TfTensor {
  const values = Float32Array.from({ length: positions ** 2 }, (_, at) => (at % positions > Math.floor(at / positions) ? -1e9 : 0));
  return tf.tensor(values, [positions, positions]);
}

function prepareTraining(tf: Tf, task: TrainingTask): Prepared {
  const { rate, beta1, beta2, epsilon } = ADAM;
  const parameters = createParameters(tf, startingParameters(task));
  const optimizer = tf.train.adam(rate, beta1, beta2, epsilon);
  const kept = 1 - rate * WEIGHT_DECAY[task.model];
  const mask = task.model === 'gpt' ? causalMask(tf, task.config.positions) : null;
  const lossOf = (x: Float32Array | Int32Array, y: Int32Array): TfTensor => {
    if (task.model === 'mlp') {
      const logits = mlpLogits(tf, parameters.get, tf.tensor(x, [task.batch, task.inputs]));
      return tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor(y, [y.length], 'int32'), task.classes), logits);
    }
    const { vocabulary } = task.config;
    const oneHot = (index: Int32Array): TfTensor => tf.oneHot(tf.tensor(index, [index.length], 'int32'), vocabulary);
    return tf.losses.softmaxCrossEntropy(oneHot(y), gptLogits(tf, parameters.get, task.batch, task.config, mask!, oneHot(x as Int32Array)));
  };
  const batches = trainingBatches(task);
  let count = 0;
  const losses: number[] = [];
  return {
    async run() {
      const { x, y } = batches[count++ % batches.length]!;
      const loss = tf.tidy(() => {
        const { value, grads } = tf.variableGrads(() => lossOf(x, y));
        if (kept !== 1) for (const each of parameters.all) each.assign(tf.mul(each, kept));
        optimizer.applyGradients(grads);
        return value;
      });
      losses.push((await loss.data())[0]!);
      loss.dispose();
    },
    outputs: async () => [Float32Array.from(losses)],
    release() {
      tf.dispose(parameters.all);
    },
  };
}
