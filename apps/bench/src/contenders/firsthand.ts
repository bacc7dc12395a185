/**
 * This project, used as its README says. Operations and training steps are compiled functions; the same
 * training step is there uncompiled too, which builds its graph anew at every step and finds the program that
 * it had.
 */
import {
  attention,
  compile,
  type Device,
  layerNorm,
  type PlanReport,
  realize,
  setDefaultDevice,
  type Tensor,
  tensor,
  vjp,
} from '@firsthand/autograd';
import { array } from '@firsthand/linalg';
import { loss, type Module } from '@firsthand/nn';
import { AdamW } from '@firsthand/optim';
import { CNN } from '../cnn.ts';
import type { Contender, Notes, Prepared } from '../contender.ts';
import { GPT } from '../gpt.ts';
import {
  attentionInputs,
  batchShapes,
  mapInputs,
  matmulInputs,
  startingParameters,
  trainingBatches,
} from '../inputs.ts';
import { MLP } from '../mlp.ts';
import {
  ADAM,
  type AttentionTask,
  LAYER_NORM_EPSILON,
  type MapName,
  type MapTask,
  type MatmulTask,
  type TrainingTask,
  WEIGHT_DECAY,
  type Work,
} from '../tasks.ts';

/** A task as compiled functions, which say what the device runs for it. */
export interface PreparedPrograms extends Prepared {
  /** The program that ran last is at the end. */
  reports(): readonly PlanReport[];
}

/** Makes a task ready on the default device, compiled. */
export function preparePrograms(work: Work): PreparedPrograms {
  switch (work.kind) {
    case 'matmul':
      return prepareMatmul(work);
    case 'map':
      return prepareMap(work);
    case 'attention':
      return prepareAttention(work);
    case 'training': {
      const step = compile(plainStep(work));
      return { ...prepareTraining(work, step), reports: () => step.reports() };
    }
  }
}

/**
 * @param options.compiled whether everything is compiled, or there are training steps only and these are not
 */
export function createFirsthand(device: Device, { compiled }: { readonly compiled: boolean }): Contender {
  const made = observePlans(device);
  setDefaultDevice(device);
  return {
    async prepare(work) {
      const before = { ...made };
      const notes = (): Notes => ({
        plans: made.plans - before.plans,
        planMilliseconds: made.milliseconds - before.milliseconds,
        peakBytes: device.memory().peak,
      });
      if (compiled) return { ...preparePrograms(work), notes };
      return work.kind === 'training' ? { ...prepareTraining(work, plainStep(work)), notes } : null;
    },
  };
}

/** Counts the programs that the device prepares, and the milliseconds that this takes, from now on. */
function observePlans(device: Device): { plans: number; milliseconds: number } {
  const observed = { plans: 0, milliseconds: 0 };
  const prepare = device.prepare.bind(device);
  device.prepare = (program) => {
    const start = performance.now();
    const executable = prepare(program);
    observed.milliseconds += performance.now() - start;
    observed.plans++;
    return executable;
  };
  return observed;
}

/** An operation on tensors that are there already. What it gives is freed before it is computed again. */
function prepareOperation(
  operation: (...operands: Tensor[]) => readonly Tensor[],
  operands: readonly Tensor[],
): PreparedPrograms {
  const compiled = compile(operation);
  let last: readonly Tensor[] = [];
  const free = (): void => {
    for (const each of last) each.dispose();
    last = [];
  };
  return {
    run() {
      free();
      last = compiled(...operands);
      return realize(...last);
    },
    outputs: () => Promise.all(last.map(async (each) => Float32Array.from(await each.data()))),
    reports: () => compiled.reports(),
    release() {
      free();
      for (const each of operands) each.dispose();
    },
  };
}

function prepareMatmul(task: MatmulTask): PreparedPrograms {
  const { batch, m, k, n, transposeA, transposeB, chain } = task;
  const [a, b] = matmulInputs(task);
  const batched = (rows: number, columns: number): number[] =>
    batch === 1 ? [rows, columns] : [batch, rows, columns];
  const multiply = (x: Tensor, y: Tensor): Tensor[] => {
    const right = transposeB ? y.transpose() : y; // (…, k, n)
    let product = (transposeA ? x.transpose() : x).matmul(right); // (…, m, n)
    for (let link = 1; link < chain; link++) product = product.matmul(right);
    return [product];
  };
  return prepareOperation(multiply, [
    tensor(a, { shape: transposeA ? batched(k, m) : batched(m, k) }),
    tensor(b, { shape: transposeB ? batched(n, k) : batched(k, n) }),
  ]);
}

type MapFunction = (...operands: Tensor[]) => Tensor;

const MAPS: { readonly [K in MapName]: MapFunction } = {
  add: (a, b) => a.add(b),
  exp: (x) => x.exp(),
  gelu: (x) => x.gelu('tanh'),
  softmax: (x) => x.softmax(-1),
  layerNorm: (x, weight, bias) => layerNorm(x, weight.shape, { weight, bias, eps: LAYER_NORM_EPSILON }),
  sum: (x) => x.sum(),
};

function prepareMap(task: MapTask): PreparedPrograms {
  const { operands, upstream } = mapInputs(task);
  const tensors = operands.map(({ values, shape }) => tensor(values, { shape }));
  const map = MAPS[task.map];
  if (!task.gradient) return prepareOperation((...given) => [map(...given)], tensors);
  const gradient = (g: Tensor, ...given: Tensor[]): readonly Tensor[] => {
    if (task.map === 'add') return vjp((bias) => map(given[0]!, bias), given[1]!)[1](g);
    return vjp(map, ...given)[1](g);
  };
  return prepareOperation(gradient, [tensor(upstream.values, { shape: upstream.shape }), ...tensors]);
}

function prepareAttention(task: AttentionTask): PreparedPrograms {
  const { operands, upstream } = attentionInputs(task);
  const forwardAndBackward = (g: Tensor, ...given: Tensor[]): readonly Tensor[] => {
    const [y, pull] = vjp(
      (q: Tensor, k: Tensor, v: Tensor) => attention(q, k, v),
      ...(given as [Tensor, Tensor, Tensor]),
    );
    return [y, ...pull(g)];
  };
  return prepareOperation(
    forwardAndBackward,
    [upstream, ...operands].map(({ values, shape }) => tensor(values, { shape })),
  );
}

type Network = Module & { forward(x: Tensor): Tensor };

function emptyNetwork(task: TrainingTask): Network {
  switch (task.model) {
    case 'mlp':
      return new MLP(task.inputs, task.hidden, task.classes);
    case 'cnn':
      return new CNN(task);
    case 'gpt':
      return new GPT(task.config);
  }
}

/** The network with the values from which every contender begins. */
export function createNetwork(task: TrainingTask): Network {
  const network = emptyNetwork(task);
  network.loadStateDict(
    new Map(startingParameters(task).map(({ name, shape, values }) => [name, array(values, { shape })])),
  );
  return network;
}

/** A training step as a function from a batch to the loss before it. */
export function createStep(network: Network, task: TrainingTask): (x: Tensor, y: Tensor) => Tensor {
  const { rate, beta1, beta2, epsilon } = ADAM;
  const settings = {
    lr: rate,
    betas: [beta1, beta2],
    eps: epsilon,
    weightDecay: WEIGHT_DECAY[task.model],
  } as const;
  const optimizer = new AdamW(network.parameters(), settings);
  return (x, y) => {
    const value = loss.crossEntropy(network.forward(x), y);
    value.backward();
    optimizer.step();
    optimizer.zeroGrad(); // last: gradients that are used and dropped in one step are never stored
    return value;
  };
}

/** A step on a network of its own, which is not compiled. */
function plainStep(task: TrainingTask): (x: Tensor, y: Tensor) => Tensor {
  return createStep(createNetwork(task), task);
}

function prepareTraining(task: TrainingTask, step: (x: Tensor, y: Tensor) => Tensor): Prepared {
  const [xShape, yShape] = batchShapes(task);
  const batches = trainingBatches(task);
  let count = 0;
  const losses: number[] = [];
  return {
    async run() {
      const { x, y } = batches[count++ % batches.length]!;
      const inputs = [tensor(x, { shape: xShape }), tensor(y, { shape: yShape })] as const;
      const value = step(...inputs);
      losses.push(await value.item());
      for (const each of [value, ...inputs]) each.dispose();
    },
    outputs: async () => [Float32Array.from(losses)],
    release() {},
  };
}
