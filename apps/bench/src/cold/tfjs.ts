/** The same with TensorFlow.js on its WebAssembly backend. */
import { asInputsFirst } from '../contenders/layout.ts';
import type { Tf } from '../contenders/tfjs-interface.ts';
import { startingParameters, trainingBatches } from '../inputs.ts';
import { ADAM, type MLPTask } from '../tasks.ts';

/** What the program takes of the library. */
export const TFJS_NAMES = [
  'add',
  'losses',
  'matMul',
  'oneHot',
  'relu',
  'setBackend',
  'tensor',
  'tidy',
  'train',
  'variable',
  'variableGrads',
] as const;

export async function firstLoss(tf: Pick<Tf, (typeof TFJS_NAMES)[number]>, task: MLPTask): Promise<number> {
  await tf.setBackend('wasm');
  const [weight1, bias1, weight2, bias2] = startingParameters(task)
    .map(asInputsFirst)
    .map(({ name, shape, values }) => tf.variable(tf.tensor(values, shape), true, name));
  const { rate, beta1, beta2, epsilon } = ADAM;
  const optimizer = tf.train.adam(rate, beta1, beta2, epsilon);
  const [batch] = trainingBatches(task);
  const loss = tf.tidy(() => {
    const x = tf.tensor(batch!.x, [task.batch, task.inputs]);
    const y = tf.oneHot(tf.tensor(batch!.y, [task.batch], 'int32'), task.classes);
    const { value, grads } = tf.variableGrads(() => {
      const hidden = tf.relu(tf.add(tf.matMul(x, weight1!), bias1!));
      return tf.losses.softmaxCrossEntropy(y, tf.add(tf.matMul(hidden, weight2!), bias2!));
    });
    optimizer.applyGradients(grads);
    return value;
  });
  return (await loss.data())[0]!;
}
