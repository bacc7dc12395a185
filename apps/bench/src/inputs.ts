/**
 * The numbers that go in: the same for every contender, in whichever process, since each task's come from a
 * generator with a seed of its own. The generator belongs to this program (mulberry32), so that nothing of
 * what is measured takes part.
 */
import type { AttentionTask, CNNConfig, GPTConfig, MapTask, MatmulTask, TrainingTask } from './tasks.ts';

/** Numbers in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Numbers in ±bound. */
export function uniform(seed: number, size: number, bound = 1): Float32Array<ArrayBuffer> {
  const next = generator(seed);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = (2 * next() - 1) * bound;
  return values;
}

/** A and B. In a chain, B has entries of variance 1/k, so that the result keeps its size. */
export function matmulInputs({
  batch,
  m,
  k,
  n,
  chain,
}: MatmulTask): readonly [a: Float32Array<ArrayBuffer>, b: Float32Array<ArrayBuffer>] {
  return [uniform(1, batch * m * k), uniform(2, batch * k * n, chain > 1 ? Math.sqrt(3 / k) : 1)];
}

/** What a map, or attention, gets: one or more arguments, and the gradient of its result. */
export interface MapInputs {
  /** x: (rows, columns), and a second argument as large, or weight and bias: (columns). */
  readonly operands: readonly {
    readonly shape: readonly number[];
    readonly values: Float32Array<ArrayBuffer>;
  }[];
  /** g, of the result's shape. */
  readonly upstream: { readonly shape: readonly number[]; readonly values: Float32Array<ArrayBuffer> };
}

/** The operands of a map or of its gradient, in their order. */
export function mapInputs({ map, gradient, rows, columns }: MapTask): MapInputs {
  const full = (seed: number, bound?: number) => ({
    shape: [rows, columns],
    values: uniform(seed, rows * columns, bound),
  });
  const row = (seed: number) => ({ shape: [columns], values: uniform(seed, columns) });
  const operands = {
    add: () => [full(1), gradient ? row(2) : full(2)],
    exp: () => [full(1, 4)],
    gelu: () => [full(1, 4)],
    softmax: () => [full(1, 4)],
    layerNorm: () => [full(1, 2), row(2), row(3)],
    sum: () => [full(1)],
  }[map]();
  return { operands, upstream: map === 'sum' ? { shape: [], values: Float32Array.of(0.5) } : full(9) };
}

/**
 * Queries, keys and values, and the gradient of the result, all (batch, heads, T, D). Scores have a standard
 * deviation of 4/3.
 */
export function attentionInputs({ batch, heads, positions, size }: AttentionTask): MapInputs {
  const shape = [batch, heads, positions, size];
  const values = (seed: number, bound: number): MapInputs['upstream'] => ({
    shape,
    values: uniform(seed, batch * heads * positions * size, bound),
  });
  return { operands: [1, 2, 3].map((seed) => values(seed, 2)), upstream: values(9, 1) };
}

/**
 * A parameter's shape and how it begins: uniform in ±bound, or with a constant. Weights of linear layers are
 * (out, in), of convolutions (out, in, 3, 3).
 */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: { readonly bound: number } | { readonly value: number };
}

const ONES = { value: 1 } as const;
const ZEROS = { value: 0 } as const;

function linear(name: string, inputs: number, outputs: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], start: { bound: 1 / Math.sqrt(inputs) } },
    { name: `${name}.bias`, shape: [outputs], start: ZEROS },
  ];
}

function convolution(name: string, inputs: number, outputs: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs, 3, 3], start: { bound: 1 / Math.sqrt(9 * inputs) } },
    { name: `${name}.bias`, shape: [outputs], start: ZEROS },
  ];
}

/** The parameters of the convolutional network, by the names that its modules give them in `cnn.ts`. */
function cnnSpecs({ size, channels: [first, second], classes }: CNNConfig): ParameterSpec[] {
  return [
    ...convolution('conv1', 1, first),
    ...convolution('conv2', first, second),
    ...linear('fc', second * (size / 4) ** 2, classes),
  ];
}

/** The parameters of the GPT, by the names that its modules give them in `gpt.ts`. */
function gptSpecs({ vocabulary, positions, channels, layers }: GPTConfig): ParameterSpec[] {
  const small = { bound: 0.02 * Math.sqrt(3) }; // standard deviation 0.02
  const norm = (name: string): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [channels], start: ONES },
    { name: `${name}.bias`, shape: [channels], start: ZEROS },
  ];
  const block = (name: string): ParameterSpec[] => [
    ...norm(`${name}.norm1`),
    ...linear(`${name}.attention.qkv`, channels, 3 * channels),
    ...linear(`${name}.attention.projection`, channels, channels),
    ...norm(`${name}.norm2`),
    ...linear(`${name}.expand`, channels, 4 * channels),
    ...linear(`${name}.contract`, 4 * channels, channels),
  ];
  return [
    { name: 'tokens.weight', shape: [vocabulary, channels], start: small },
    { name: 'positions.weight', shape: [positions, channels], start: small },
    ...Array.from({ length: layers }, (_, layer) => block(`blocks.${layer}`)).flat(),
    ...norm('norm'),
    { name: 'head.weight', shape: [vocabulary, channels], start: small },
  ];
}

export function parameterSpecs(task: TrainingTask): readonly ParameterSpec[] {
  if (task.model === 'gpt') return gptSpecs(task.config);
  if (task.model === 'cnn') return cnnSpecs(task);
  return [...linear('fc1', task.inputs, task.hidden), ...linear('fc2', task.hidden, task.classes)];
}

/** A parameter with its first values. */
export interface StartingParameter extends ParameterSpec {
  readonly values: Float32Array<ArrayBuffer>;
}

/** The parameters from which every contender begins. */
export function startingParameters(task: TrainingTask): readonly StartingParameter[] {
  return parameterSpecs(task).map((spec, index) => {
    const size = spec.shape.reduce((product, extent) => product * extent, 1);
    const values =
      'bound' in spec.start
        ? uniform(100 + index, size, spec.start.bound)
        : new Float32Array(size).fill(spec.start.value);
    return { ...spec, values };
  });
}

/**
 * One batch. MLP: x (batch, inputs), y (batch). CNN: x (batch, 1, size, size), y (batch). GPT: x and y
 * (batch, positions), the token that follows each.
 */
export interface TrainingBatch {
  readonly x: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  readonly y: Int32Array<ArrayBuffer>;
}

/** The shapes of x and y in a batch. */
export function batchShapes(task: TrainingTask): readonly [x: readonly number[], y: readonly number[]] {
  switch (task.model) {
    case 'mlp':
      return [[task.batch, task.inputs], [task.batch]];
    case 'cnn':
      return [[task.batch, 1, task.size, task.size], [task.batch]];
    case 'gpt':
      return [
        [task.batch, task.config.positions],
        [task.batch, task.config.positions],
      ];
  }
}

const BATCHES = 4;

/** The batches that training goes through, again and again. */
export function trainingBatches(task: TrainingTask): readonly TrainingBatch[] {
  return Array.from({ length: BATCHES }, (_, index): TrainingBatch => {
    const next = generator(1000 + index);
    const integers = (size: number, limit: number) =>
      Int32Array.from({ length: size }, () => Math.floor(next() * limit));
    if (task.model !== 'gpt') {
      const size = batchShapes(task)[0].reduce((product, extent) => product * extent, 1);
      return { x: uniform(2000 + index, size), y: integers(task.batch, task.classes) };
    }
    const { vocabulary, positions } = task.config;
    const text = integers(task.batch * (positions + 1), vocabulary);
    const part = (from: number) =>
      Int32Array.from({ length: task.batch * positions }, (_, at) => {
        const [sequence, position] = [Math.floor(at / positions), at % positions];
        return text[sequence * (positions + 1) + position + from]!;
      });
    return { x: part(0), y: part(1) };
  });
}
