/**
 * What is timed. A task says what to compute and nothing about how; every contender gets the same one with
 * the same numbers. Products are reckoned by their floating-point operations, everything else by the
 * milliseconds that it takes.
 */

/** Y = op(A)·op(B), with op a transposition or nothing; perhaps many at once, or one after the other. */
export interface MatmulTask {
  readonly kind: 'matmul';
  /** How many independent products; 1 is none but one, of matrices without a batch axis. */
  readonly batch: number;
  /** Y is (m, n). */
  readonly m: number;
  /** A is (m, k) and B (k, n), or transposed (k, m) and (n, k). */
  readonly k: number;
  readonly n: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** How often the result is multiplied with B: ((A·B)·B)·…; 1 is a single product. */
  readonly chain: number;
}

export type MapName = 'add' | 'exp' | 'gelu' | 'softmax' | 'layerNorm' | 'sum';

/**
 * An elementwise function, or one along the rows, of x: (rows, columns); or its gradient: from x and the
 * gradient g of the result, that of x.
 * - `add`: a + b of one shape. Its gradient is that of a bias, x: (rows, columns) + b: (columns), for b,
 *   since for equal shapes there is nothing to do.
 * - `gelu`: x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2.
 * - `layerNorm`: with weight and bias, ε = 1e-5. Its gradient is that of x, weight and bias.
 * - `sum`: of all elements. Its gradient is g, a scalar, in the shape of x.
 */
export interface MapTask {
  readonly kind: 'map';
  readonly map: MapName;
  readonly gradient: boolean;
  readonly rows: number;
  readonly columns: number;
}

/** The sizes of a GPT, as in nanoGPT's: T positions, C channels, vocabulary V. */
export interface GPTConfig {
  readonly vocabulary: number;
  readonly positions: number;
  readonly channels: number;
  readonly layers: number;
  readonly heads: number;
}

/**
 * Y = softmax(Q·Kᵀ/√D)·V for each head, without a mask, and from the gradient of Y those of Q, K and V. All
 * are (batch, heads, T, D).
 */
export interface AttentionTask {
  readonly kind: 'attention';
  readonly batch: number;
  readonly heads: number;
  /** T */
  readonly positions: number;
  /** D */
  readonly size: number;
}

/** A step: a batch goes in as typed arrays, the loss comes out as a number, the parameters have moved. */
export type TrainingTask = { readonly kind: 'training'; readonly batch: number } & (
  | { readonly model: 'mlp'; readonly inputs: number; readonly hidden: number; readonly classes: number }
  | ({ readonly model: 'cnn' } & CNNConfig)
  | { readonly model: 'gpt'; readonly config: GPTConfig }
);

/**
 * Square images of one channel go twice through a convolution (3×3, padding 1), relu and max-pooling (2×2),
 * then through a dense layer to the classes.
 */
export interface CNNConfig {
  /** Height and width of an image, a multiple of 4. */
  readonly size: number;
  /** Of the first and of the second convolution. */
  readonly channels: readonly [number, number];
  readonly classes: number;
}

/** The step of the network with one hidden layer. */
export type MLPTask = Extract<TrainingTask, { model: 'mlp' }>;

/**
 * What a contender costs besides the time of a step; it is measured from outside, without a request.
 * - `coldStart`: milliseconds from the start of a process to the first loss of the MLP, imports and compiling
 *   included.
 * - `bundle`: kilobytes, after gzip, that a page loads to train the MLP.
 * - `memory`: peak memory of a process in megabytes after some steps of the GPT.
 */
export interface FootprintTask {
  readonly kind: 'footprint';
  readonly of: 'coldStart' | 'bundle' | 'memory';
}

/** The work of a task. */
export type Work = MatmulTask | MapTask | AttentionTask | TrainingTask;

export type Group = 'matmul' | 'elementwise' | 'attention' | 'training' | 'footprint';

/** A task by name. */
export interface Task {
  /** As it is chosen on the command line. */
  readonly id: string;
  /** As it is shown. */
  readonly title: string;
  readonly group: Group;
  readonly work: Work | FootprintTask;
}

/** Adam with decoupled weight decay, in the GPT's step; the others have none. */
export const ADAM = { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
export const WEIGHT_DECAY: { readonly [K in TrainingTask['model']]: number } = { mlp: 0, cnn: 0, gpt: 0.01 };

export const LAYER_NORM_EPSILON = 1e-5;

const product = (m: number, k: number, n: number): MatmulTask => ({
  kind: 'matmul',
  batch: 1,
  m,
  k,
  n,
  transposeA: false,
  transposeB: false,
  chain: 1,
});

const matmul = (id: string, title: string, work: MatmulTask): Task => ({
  id: `matmul/${id}`,
  title,
  group: 'matmul',
  work,
});

const MATMULS: readonly Task[] = [
  ...[64, 128, 256, 512, 1024].map((size) => matmul(`${size}`, `${size}³`, product(size, size, size))),
  matmul('64-chain', '64³, 16 in a row', { ...product(64, 64, 64), chain: 16 }),
  matmul('256x384x1536', '256×384×1536', product(256, 384, 1536)),
  matmul('batched', '32 × (64×64×256)', { ...product(64, 64, 256), batch: 32 }),
  matmul('512-AtB', 'AᵀB 512³', { ...product(512, 512, 512), transposeA: true }),
  matmul('512-ABt', 'ABᵀ 512³', { ...product(512, 512, 512), transposeB: true }),
  matmul('512-AtBt', 'AᵀBᵀ 512³', { ...product(512, 512, 512), transposeA: true, transposeB: true }),
];

const MAP_TITLES: readonly (readonly [MapName, string, number, number])[] = [
  ['add', 'add', 1000, 1000],
  ['exp', 'exp', 1000, 1000],
  ['gelu', 'gelu (tanh)', 1000, 1000],
  ['softmax', 'softmax', 512, 1024],
  ['layerNorm', 'layer norm', 512, 768],
  ['sum', 'sum', 1000, 1000],
];

const MAPS: readonly Task[] = MAP_TITLES.flatMap(([map, name, rows, columns]) => {
  const size = rows === 1000 ? '1M' : `${rows}×${columns}`;
  const task = (gradient: boolean): Task => ({
    id: `elementwise/${map}${gradient ? '-gradient' : ''}`,
    title: gradient ? `  its gradient` : `${name} ${size}`,
    group: 'elementwise',
    work: { kind: 'map', map, gradient, rows, columns },
  });
  return [task(false), task(true)];
});

const ATTENTIONS: readonly Task[] = [64, 512, 2048].map((positions) => ({
  id: `attention/${positions}`,
  title: `T = ${positions}`,
  group: 'attention',
  work: { kind: 'attention', batch: 1, heads: 4, positions, size: 64 },
}));

const TRAINING: readonly Task[] = [
  {
    id: 'training/mlp',
    title: 'MLP 784-128-10',
    group: 'training',
    work: { kind: 'training', model: 'mlp', batch: 64, inputs: 784, hidden: 128, classes: 10 },
  },
  {
    id: 'training/cnn',
    title: 'CNN 1-16-32-10',
    group: 'training',
    work: { kind: 'training', model: 'cnn', batch: 32, size: 28, channels: [16, 32], classes: 10 },
  },
  {
    id: 'training/gpt',
    title: 'GPT, 818k',
    group: 'training',
    work: {
      kind: 'training',
      model: 'gpt',
      batch: 8,
      config: { vocabulary: 65, positions: 64, channels: 128, layers: 4, heads: 4 },
    },
  },
];

const FOOTPRINTS: readonly Task[] = [
  {
    id: 'footprint/cold-start',
    title: 'start to first loss, ms',
    group: 'footprint',
    work: { kind: 'footprint', of: 'coldStart' },
  },
  {
    id: 'footprint/bundle',
    title: 'page that trains, kB gzip',
    group: 'footprint',
    work: { kind: 'footprint', of: 'bundle' },
  },
  {
    id: 'footprint/memory',
    title: 'memory of the GPT, MB',
    group: 'footprint',
    work: { kind: 'footprint', of: 'memory' },
  },
];

export const TASKS: readonly Task[] = [...MATMULS, ...MAPS, ...ATTENTIONS, ...TRAINING, ...FOOTPRINTS];

/** Those of the comparison on the GPU: large enough to have something to do there. */
const ON_THE_GPU: ReadonlySet<string> = new Set([
  ...['256', '512', '1024', '256x384x1536', 'batched'].map((name) => `matmul/${name}`),
  ...['gelu', 'softmax', 'layerNorm'].map((name) => `elementwise/${name}`),
  ...['mlp', 'gpt'].map((name) => `training/${name}`),
]);

export const PAGE_TASKS: readonly Task[] = TASKS.filter(({ id }) => ON_THE_GPU.has(id));

/** Floating-point operations of the products in a task; null where products are not what it consists of. */
export function flopsOf(work: Task['work']): number | null {
  switch (work.kind) {
    case 'matmul':
      return 2 * work.batch * work.m * work.k * work.n * work.chain;
    case 'map':
    case 'footprint':
      return null;
    case 'attention':
      // Two products forward, four backward
      return 3 * 2 * 2 * work.batch * work.heads * work.positions ** 2 * work.size;
    case 'training':
      return trainingFlops(work);
  }
}

function trainingFlops(task: TrainingTask): number {
  switch (task.model) {
    case 'mlp':
      return mlpFlops(task);
    case 'cnn':
      return cnnFlops(task.batch, task);
    case 'gpt':
      return gptFlops(task.batch, task.config);
  }
}

/** Forward, and twice as much backward, without the gradient of the images. */
function mlpFlops({ batch, inputs, hidden, classes }: Extract<TrainingTask, { model: 'mlp' }>): number {
  return 2 * batch * (2 * inputs * hidden + 3 * hidden * classes);
}

/** The same: the second convolution has a quarter of the first one's pixels. */
function cnnFlops(batch: number, { size, channels: [first, second], classes }: CNNConfig): number {
  const [whole, half, quarter] = [size ** 2, (size / 2) ** 2, (size / 4) ** 2];
  return 2 * batch * (2 * whole * first * 9 + 3 * half * second * first * 9 + 3 * quarter * second * classes);
}

function gptFlops(batch: number, { vocabulary, positions, channels, layers }: GPTConfig): number {
  const weights = layers * 12 * channels * channels + channels * vocabulary;
  // For one token: q·k for all keys, and the weighted sum of their values
  const attention = layers * 2 * positions * channels;
  return 3 * 2 * batch * positions * (weights + attention);
}
