/**
 * The tasks in jax-js, on whichever of its devices is the default: everything inside `jit`, gradients by `vjp` and `valueAndGrad`, AdamW written out (its library of optimizers
 * is not in the registry). Weights of linear layers are (in, out), as JAX has them. An array that goes into a function is consumed; `.ref` keeps it.
 *
 * Embeddings are products with one-hot rows, since the gradient of a lookup is not to be had inside jit. AᵀBᵀ is written as (BA)ᵀ, which its compiler takes to the fast product; both factors transposed it does not.
 */
import type { Contender, Prepared } from '../contender.ts';
import { mapInputs, matmulInputs, startingParameters, trainingBatches } from '../inputs.ts';
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

interface JaxArray {
  /** The same array, with one more owner. */
  readonly ref: JaxArray;
  readonly shape: readonly number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(permutation?: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
  dataSync(): Float32Array;
  blockUntilReady(): Promise<unknown>;
  dispose(): void;
}

/** Arrays by name, which JAX's functions take and give as they are. */
type Tree = Readonly<Record<string, JaxArray>>;

/** The part of the interface that is used here. */
export interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): string;
  jit<F>(fn: F): F;
  vjp(
    fn: (...operands: JaxArray[]) => JaxArray,
    operands: readonly JaxArray[],
  ): [JaxArray, ((g: JaxArray) => JaxArray[]) & { dispose(): void }];
  valueAndGrad<A extends readonly unknown[]>(
    fn: (parameters: Tree, ...rest: A) => JaxArray,
  ): (parameters: Tree, ...rest: A) => [JaxArray, Tree];
  nn: {
    relu(x: JaxArray): JaxArray;
    gelu(x: JaxArray, options: { readonly approximate: boolean }): JaxArray;
    softmax(x: JaxArray, axis: number): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    oneHot(index: JaxArray, classes: number): JaxArray;
  };
  numpy: {
    array(values: Float32Array | Int32Array, options: { readonly shape: readonly number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    matrixTranspose(x: JaxArray): JaxArray;
    add(a: JaxArray, b: JaxArray): JaxArray;
    exp(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    sum(x: JaxArray): JaxArray;
    mean(x: JaxArray, axis: number, options: { readonly keepdims: boolean }): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
    take(x: JaxArray, index: JaxArray, axis: number): JaxArray;
  };
}

export function jaxContender(jax: Jax): Contender {
  return {
    async prepare(work) {
      switch (work.kind) {
        case 'matmul':
          return prepareMatmul(jax, work);
        case 'map':
          return prepareMap(jax, work);
        case 'training':
          return prepareTraining(jax, work);
      }
    },
  };
}

function prepareOperation(jax: Jax, operation: (...operands: JaxArray[]) => JaxArray[], operands: readonly JaxArray[]): Prepared {
  const compiled = jax.jit(operation);
  let last: JaxArray[] = [];
  const free = (): void => {
    for (const each of last) each.dispose();
    last = [];
  };
  return {
    async run() {
      free();
      last = compiled(...operands.map((each) => each.ref));
      for (const each of last) await each.blockUntilReady();
    },
    outputs: () => Promise.all(last.map(async (each) => Float32Array.from(await each.ref.data()))),
    release() {
      free();
      for (const each of operands) each.dispose();
    },
  };
}

function prepareMatmul(jax: Jax, task: MatmulTask): Prepared {
  const { matmul, matrixTranspose, array } = jax.numpy;
  const { batch, m, k, n, transposeA, transposeB, chain } = task;
  const [aValues, bValues] = matmulInputs(task);
  const batched = (rows: number, columns: number): number[] => (batch === 1 ? [rows, columns] : [batch, rows, columns]);
  const multiply = (a: JaxArray, b: JaxArray): JaxArray[] => {
    if (transposeA && transposeB) return [matrixTranspose(matmul(b, a))];
    let product = transposeA ? matrixTranspose(a) : a;
    const right = transposeB ? matrixTranspose(b) : b;
    for (let link = 0; link < chain; link++) product = matmul(product, link + 1 < chain ? right.ref : right);
    return [product];
  };
  return prepareOperation(jax, multiply, [
    array(aValues, { shape: transposeA ? batched(k, m) : batched(m, k) }),
    array(bValues, { shape: transposeB ? batched(n, k) : batched(k, n) }),
  ]);
}

function layerNorm({ numpy }: Jax, x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray {
  const centred = x.ref.sub(numpy.mean(x, -1, { keepdims: true }));
  const variance = numpy.mean(numpy.square(centred.ref), -1, { keepdims: true });
  return centred
    .div(numpy.sqrt(variance.add(LAYER_NORM_EPSILON)))
    .mul(weight)
    .add(bias);
}

const MAPS: { readonly [K in MapName]: (jax: Jax, ...operands: JaxArray[]) => JaxArray } = {
  add: ({ numpy }, a, b) => numpy.add(a, b),
  exp: ({ numpy }, x) => numpy.exp(x),
  gelu: ({ nn }, x) => nn.gelu(x, { approximate: true }),
  softmax: ({ nn }, x) => nn.softmax(x, -1),
  layerNorm: (jax, x, weight, bias) => layerNorm(jax, x, weight, bias),
  sum: ({ numpy }, x) => numpy.sum(x),
};

function prepareMap(jax: Jax, task: MapTask): Prepared {
  const { operands, upstream } = mapInputs(task);
  const { array } = jax.numpy;
  const arrays = operands.map(({ values, shape }) => array(values, { shape }));
  const map = (...given: JaxArray[]): JaxArray => MAPS[task.map](jax, ...given);
  if (!task.gradient) return prepareOperation(jax, (...given) => [map(...given)], arrays);
  const pull = (fn: (...given: JaxArray[]) => JaxArray, at: readonly JaxArray[], g: JaxArray): JaxArray[] => {
    const [value, backward] = jax.vjp(fn, at);
    value.dispose();
    const gradients = backward(g);
    backward.dispose();
    return gradients;
  };
  const gradient = (g: JaxArray, ...given: JaxArray[]): JaxArray[] => {
    if (task.map !== 'add') return pull(map, given, g);
    const [x, bias] = given as [JaxArray, JaxArray];
    return pull((b) => map(x, b), [bias], g);
  };
  const g = array(upstream.values, { shape: upstream.shape });
  return prepareOperation(jax, gradient, [g, ...arrays]);
}

/** x: (rows, in). Result: (rows, out). */
const linear = ({ numpy }: Jax, parameters: Tree, name: string, x: JaxArray): JaxArray =>
  numpy.matmul(x, parameters[`${name}.weight`]!.ref).add(parameters[`${name}.bias`]!.ref);

/** The logits of the network, of all rows: (rows, classes). Parameters are kept. */
type Logits = (parameters: Tree, x: JaxArray) => JaxArray;

function mlpLogits(jax: Jax): Logits {
  return (parameters, x) => linear(jax, parameters, 'fc2', jax.nn.relu(linear(jax, parameters, 'fc1', x)));
}

function gptLogits(jax: Jax, batch: number, { positions: T, channels: C, layers, heads: H, vocabulary }: GPTConfig): Logits {
  const { numpy: np, nn } = jax;
  const maskValues = Float32Array.from({ length: T * T }, (_, at) => (at % T > Math.floor(at / T) ? -1e9 : 0));
  const mask = np.array(maskValues, { shape: [T, T] });
  const norm = (parameters: Tree, name: string, x: JaxArray): JaxArray =>
    layerNorm(jax, x, parameters[`${name}.weight`]!.ref, parameters[`${name}.bias`]!.ref);
  const attend = (parameters: Tree, name: string, x: JaxArray): JaxArray => {
    const [q, k, v] = np.split(linear(jax, parameters, `${name}.qkv`, x), 3, -1).map((part) => part.reshape([batch, T, H, C / H])) as [
      JaxArray,
      JaxArray,
      JaxArray,
    ];
    const scores = np.matmul(q.transpose([0, 2, 1, 3]), k.transpose([0, 2, 3, 1])).mul(1 / Math.sqrt(C / H)); // (B, H, T, T)
    const y = np.matmul(nn.softmax(scores.add(mask.ref), -1), v.transpose([0, 2, 1, 3])); // (B, H, T, C/H)
    return linear(jax, parameters, `${name}.projection`, y.transpose([0, 2, 1, 3]).reshape([batch * T, C])); // (B·T, C)
  };
  return (parameters, index) => {
    const embedded = np.matmul(nn.oneHot(index, vocabulary), parameters['tokens.weight']!.ref).reshape([batch, T, C]);
    let x = embedded.add(parameters['positions.weight']!.ref).reshape([batch * T, C]); // (B·T, C)
    for (let layer = 0; layer < layers; layer++) {
      const name = `blocks.${layer}`;
      x = x.ref.add(attend(parameters, `${name}.attention`, norm(parameters, `${name}.norm1`, x)));
      const wide = nn.gelu(linear(jax, parameters, `${name}.expand`, norm(parameters, `${name}.norm2`, x.ref)), { approximate: true });
      x = x.add(linear(jax, parameters, `${name}.contract`, wide)); // (B·T, C)
    }
    return np.matmul(norm(parameters, 'norm', x), parameters['head.weight']!.ref); // (B·T, V)
  };
}

interface AdamState {
  readonly parameters: Tree;
  readonly means: Tree;
  readonly squares: Tree;
}

function prepareTraining(jax: Jax, task: TrainingTask): Prepared {
  const { numpy: np, nn } = jax;
  const { rate, beta1, beta2, epsilon } = ADAM;
  const kept = 1 - rate * WEIGHT_DECAY[task.model];
  const logitsOf = task.model === 'mlp' ? mlpLogits(jax) : gptLogits(jax, task.batch, task.config);
  const classes = task.model === 'mlp' ? task.classes : task.config.vocabulary;

  const lossOf = (parameters: Tree, x: JaxArray, y: JaxArray): JaxArray => {
    const rows = task.model === 'mlp' ? task.batch : task.batch * task.config.positions;
    const logs = nn.logSoftmax(logitsOf(parameters, x), -1); // (rows, classes)
    for (const each of Object.values(parameters)) each.dispose();
    return np.sum(logs.mul(nn.oneHot(y, classes))).mul(-1 / rows);
  };

  /** corrections: 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ), scalars that change from step to step. */
  const step = jax.jit((state: AdamState, x: JaxArray, y: JaxArray, first: JaxArray, second: JaxArray): [JaxArray, AdamState] => {
    const names = Object.keys(state.parameters);
    const refs = Object.fromEntries(names.map((name) => [name, state.parameters[name]!.ref]));
    const [loss, gradients] = jax.valueAndGrad(lossOf)(refs, x, y);
    const next = { parameters: {}, means: {}, squares: {} } as { [K in keyof AdamState]: Record<string, JaxArray> };
    for (const name of names) {
      const g = gradients[name]!;
      const mean = state.means[name]!.mul(beta1).add(g.ref.mul(1 - beta1));
      const square = state.squares[name]!.mul(beta2).add(np.square(g).mul(1 - beta2));
      const move = mean.ref.mul(first.ref).div(np.sqrt(square.ref.mul(second.ref)).add(epsilon));
      next.parameters[name] = state.parameters[name]!.mul(kept).sub(move.mul(rate));
      next.means[name] = mean;
      next.squares[name] = square;
    }
    first.dispose();
    second.dispose();
    return [loss, next];
  });

  const starting = startingParameters(task).map(asInputsFirst);
  const arrays = (valuesOf: (values: Float32Array) => Float32Array): Tree =>
    Object.fromEntries(starting.map(({ name, shape, values }) => [name, np.array(valuesOf(values), { shape })]));
  const zeros = (values: Float32Array): Float32Array => new Float32Array(values.length);
  let state: AdamState = { parameters: arrays((values) => values), means: arrays(zeros), squares: arrays(zeros) };
  const batches = trainingBatches(task);
  const xShape = task.model === 'mlp' ? [task.batch, task.inputs] : [task.batch * task.config.positions];
  let count = 0;
  const losses: number[] = [];
  return {
    async run() {
      const { x, y } = batches[count++ % batches.length]!;
      const correction = (beta: number): JaxArray => np.array(Float32Array.of(1 / (1 - beta ** count)), { shape: [] });
      const [loss, next] = step(
        state,
        np.array(x, { shape: xShape }),
        np.array(y, { shape: [y.length] }),
        correction(beta1),
        correction(beta2),
      );
      state = next;
      losses.push((await loss.data())[0]!);
    },
    outputs: async () => [Float32Array.from(losses)],
    release() {
      for (const tree of [state.parameters, state.means, state.squares]) for (const each of Object.values(tree)) each.dispose();
    },
  };
}
