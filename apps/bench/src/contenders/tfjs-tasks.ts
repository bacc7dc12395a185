/**
 * The tasks in TensorFlow.js 4.22, on whichever of its backends is set. Weights of linear layers are (in,
 * out) and images have their channels last, as TensorFlow has them.
 *
 * Some things are written the way that is fast there: a transposed factor is transposed first, since the
 * transposing product is a plain loop on the WebAssembly backend; embeddings are products with one-hot rows,
 * since that backend lacks the kernel for the gradient of a lookup; the gradients of a convolution are
 * convolutions, since it lacks the kernel for that of a filter (`tfjs-convolution.ts`); and AdamW is Adam
 * after the decay, since there is no AdamW.
 */
import type { Contender, Prepared } from '../contender.ts';
import { attentionInputs, mapInputs, matmulInputs, trainingBatches } from '../inputs.ts';
import {
  ADAM,
  type AttentionTask,
  type MapName,
  type MapTask,
  type MatmulTask,
  type TrainingTask,
  WEIGHT_DECAY,
} from '../tasks.ts';
import type { Tf, TfTensor } from './tfjs-interface.ts';
import {
  causalMask,
  cnnLogits,
  createParameters,
  gelu,
  gptLogits,
  layerNorm,
  mlpLogits,
} from './tfjs-networks.ts';

/** @param flush makes the backend begin what it has only taken down so far */
export function tfjsContender(tf: Tf, flush: () => void): Contender {
  return {
    async prepare(work) {
      switch (work.kind) {
        case 'matmul':
          return prepareMatmul(tf, work, flush);
        case 'map':
          return prepareMap(tf, work, flush);
        case 'attention':
          return prepareAttention(tf, work, flush);
        case 'training':
          return prepareTraining(tf, work);
      }
    },
  };
}

function prepareOperation(
  tf: Tf,
  operation: () => readonly TfTensor[],
  operands: readonly TfTensor[],
  flush: () => void,
): Prepared {
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
  const batched = (rows: number, columns: number): number[] =>
    batch === 1 ? [rows, columns] : [batch, rows, columns];
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
    task.map === 'add'
      ? tf.grads((bias) => map(tensors[0]!, bias))([tensors[1]!], g)
      : tf.grads(map)(tensors, g);
  return prepareOperation(
    tf,
    () => tf.tidy(() => (task.gradient ? gradient() : [map(...tensors)])),
    [...tensors, g],
    flush,
  );
}

function prepareAttention(tf: Tf, task: AttentionTask, flush: () => void): Prepared {
  const { operands, upstream } = attentionInputs(task);
  const tensors = operands.map(({ values, shape }) => tf.tensor(values, shape));
  const g = tf.tensor(upstream.values, upstream.shape);
  const attend = (q: TfTensor, k: TfTensor, v: TfTensor): TfTensor => {
    // (batch, heads, T, T)
    const scores = tf.mul(tf.matMul(q, tf.transpose(k, [0, 1, 3, 2])), 1 / Math.sqrt(task.size));
    return tf.matMul(tf.softmax(scores), v);
  };
  const forwardAndBackward = (): readonly TfTensor[] => {
    const values: TfTensor[] = [];
    const gradients = tf.grads((...[q, k, v]) => {
      const value = tf.keep(attend(q!, k!, v!));
      values.push(value);
      return value;
    })(tensors, g);
    return [...values, ...gradients];
  };
  return prepareOperation(tf, () => tf.tidy(forwardAndBackward), [...tensors, g], flush);
}

function prepareTraining(tf: Tf, task: TrainingTask): Prepared {
  const { rate, beta1, beta2, epsilon } = ADAM;
  const parameters = createParameters(tf, task);
  const optimizer = tf.train.adam(rate, beta1, beta2, epsilon);
  const retained = 1 - rate * WEIGHT_DECAY[task.model];
  const mask = task.model === 'gpt' ? causalMask(tf, task.config.positions) : null;
  const classes = task.model === 'gpt' ? task.config.vocabulary : task.classes;
  const oneHot = (index: Int32Array): TfTensor =>
    tf.oneHot(tf.tensor(index, [index.length], 'int32'), classes);
  const logitsOf = (x: Float32Array | Int32Array): TfTensor => {
    switch (task.model) {
      case 'mlp':
        return mlpLogits(tf, parameters.get, tf.tensor(x, [task.batch, task.inputs]));
      case 'cnn':
        return cnnLogits(tf, parameters.get, task, tf.tensor(x, [task.batch, task.size, task.size, 1]));
      case 'gpt':
        return gptLogits(tf, parameters.get, task.batch, task.config, mask!, oneHot(x as Int32Array));
    }
  };
  const batches = trainingBatches(task);
  let count = 0;
  const losses: number[] = [];
  return {
    async run() {
      const { x, y } = batches[count++ % batches.length]!;
      const loss = tf.tidy(() => {
        const { value, grads } = tf.variableGrads(() =>
          tf.losses.softmaxCrossEntropy(oneHot(y), logitsOf(x)),
        );
        if (retained !== 1) for (const each of parameters.all) each.assign(tf.mul(each, retained));
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
