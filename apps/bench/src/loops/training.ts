/**
 * The networks in plain loops, put together from `layers.ts` and `convolution.ts`: forward, backward and
 * Adam.
 */
import type { StartingParameter, TrainingBatch } from '../inputs.ts';
import { type CNNConfig, type GPTConfig, type TrainingTask, WEIGHT_DECAY } from '../tasks.ts';
import { convolution, maxPool } from './convolution.ts';
import {
  adamStep,
  attention,
  crossEntropy,
  geluLayer,
  layerNorm,
  linear,
  lookup,
  relu,
  type Result,
  sum,
  Variable,
} from './layers.ts';

/** Gradients by variable, and the loss. */
type Pass = (variable: (name: string) => Variable, batch: TrainingBatch) => number;

/**
 * A function that takes one training step and returns the loss before it.
 * @param parameters what training begins with; they are copied
 */
export function createStep(
  task: TrainingTask,
  parameters: readonly StartingParameter[],
): (batch: TrainingBatch) => number {
  const variables = new Map(parameters.map(({ name, values }) => [name, new Variable(values)]));
  const variable = (name: string): Variable => {
    const found = variables.get(name);
    if (found === undefined) throw new Error(`there is no parameter ${name}`);
    return found;
  };
  const pass = passOf(task);
  let steps = 0;
  return (batch) => {
    const loss = pass(variable, batch);
    adamStep(variables.values(), ++steps, WEIGHT_DECAY[task.model]);
    return loss;
  };
}

function passOf(task: TrainingTask): Pass {
  switch (task.model) {
    case 'mlp':
      return mlpPass;
    case 'cnn':
      return cnnPass(task.batch, task);
    case 'gpt':
      return gptPass(task.batch, task.config);
  }
}

const mlpPass: Pass = (variable, { x, y }) => {
  const rows = y.length;
  const hidden = linear(x as Float32Array, rows, variable('fc1.weight'), variable('fc1.bias'));
  const active = relu(hidden.y);
  const logits = linear(active.y, rows, variable('fc2.weight'), variable('fc2.bias'));
  const { loss, gradient } = crossEntropy(logits.y, y);
  hidden.backward(active.backward(logits.backward(gradient)));
  return loss;
};

/** One after the other, and backward in the opposite order. */
function sequence(x: Float32Array, ...layers: readonly ((x: Float32Array) => Result)[]): Result {
  const results: Result[] = [];
  for (const layer of layers) results.push(layer(results.at(-1)?.y ?? x));
  return {
    y: results.at(-1)!.y,
    backward: (g) => results.reduceRight((slope, result) => result.backward(slope), g),
  };
}

/** x + layers(x). */
const residual =
  (...layers: readonly ((x: Float32Array) => Result)[]) =>
  (x: Float32Array): Result => {
    const inner = sequence(x, ...layers);
    return { y: sum(x, inner.y), backward: (g) => sum(g, inner.backward(g)) };
  };

function cnnPass(batch: number, { size, channels: [first] }: CNNConfig): Pass {
  return (variable, { x, y }) => {
    const convolve = (name: string, channels: number, side: number) => (h: Float32Array) =>
      convolution(h, { batch, channels, size: side }, variable(`${name}.weight`), variable(`${name}.bias`));
    const body = sequence(
      x as Float32Array,
      convolve('conv1', 1, size),
      relu,
      (h) => maxPool(h, size),
      convolve('conv2', first, size / 2),
      relu,
      (h) => maxPool(h, size / 2),
      (h) => linear(h, batch, variable('fc.weight'), variable('fc.bias')),
    );
    const { loss, gradient } = crossEntropy(body.y, y);
    body.backward(gradient);
    return loss;
  };
}

function gptPass(batch: number, { positions, channels, layers, heads }: GPTConfig): Pass {
  const rows = batch * positions;
  const order = Int32Array.from({ length: rows }, (_, row) => row % positions);
  return (variable, { x, y }) => {
    const norm = (name: string) => (h: Float32Array) =>
      layerNorm(h, rows, variable(`${name}.weight`), variable(`${name}.bias`));
    const dense = (name: string) => (h: Float32Array) =>
      linear(h, rows, variable(`${name}.weight`), variable(`${name}.bias`));
    const tokens = lookup(x as Int32Array, variable('tokens.weight'), channels);
    const embeddings = lookup(order, variable('positions.weight'), channels);
    const blocks = Array.from({ length: layers }, (_, layer) => `blocks.${layer}`).flatMap((block) => [
      residual(
        norm(`${block}.norm1`),
        dense(`${block}.attention.qkv`),
        (qkv) => attention(qkv, { batch, positions, channels, heads }),
        dense(`${block}.attention.projection`),
      ),
      residual(norm(`${block}.norm2`), dense(`${block}.expand`), geluLayer, dense(`${block}.contract`)),
    ]);
    const head = (h: Float32Array): Result => linear(h, rows, variable('head.weight'), null);
    const body = sequence(sum(tokens.y, embeddings.y), ...blocks, norm('norm'), head);
    const { loss, gradient } = crossEntropy(body.y, y);
    const g = body.backward(gradient);
    tokens.backward(g);
    embeddings.backward(g);
    return loss;
  };
}
