/**
 * The tasks in jax-js, on whichever of its devices is the default: everything inside `jit`, gradients by
 * `vjp` and `valueAndGrad`, AdamW written out (its library of optimizers is not in the registry). Weights of
 * linear layers are (in, out), as JAX has them, and images have their channels last.
 *
 * AᵀBᵀ is written as (BA)ᵀ, which its compiler takes to the fast product; both factors transposed it does
 * not.
 */
import type { Contender, Prepared } from '../contender.ts';
import { attentionInputs, mapInputs, matmulInputs, startingParameters, trainingBatches } from '../inputs.ts';
import {
  ADAM,
  type AttentionTask,
  type MapName,
  type MapTask,
  type MatmulTask,
  type TrainingTask,
  WEIGHT_DECAY,
} from '../tasks.ts';
import type { Jax, JaxArray, Tree } from './jax-interface.ts';
import { layerNorm, logitsOf } from './jax-networks.ts';
import { asChannelsLast } from './layout.ts';

export function jaxContender(jax: Jax): Contender {
  return {
    async prepare(work) {
      switch (work.kind) {
        case 'matmul':
          return prepareMatmul(jax, work);
        case 'map':
          return prepareMap(jax, work);
        case 'attention':
          return prepareAttention(jax, work);
        case 'training':
          return prepareTraining(jax, work);
      }
    },
  };
}

function prepareOperation(
  jax: Jax,
  operation: (...operands: JaxArray[]) => JaxArray[],
  operands: readonly JaxArray[],
): Prepared {
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
  const batched = (rows: number, columns: number): number[] =>
    batch === 1 ? [rows, columns] : [batch, rows, columns];
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
    const [value, ...gradients] = valueAndGradients(jax, fn, at, g);
    value.dispose();
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

/** The value of a function, and from the gradient of that the gradients of its operands. */
function valueAndGradients(
  jax: Jax,
  fn: (...given: JaxArray[]) => JaxArray,
  at: readonly JaxArray[],
  g: JaxArray,
): [JaxArray, ...JaxArray[]] {
  const [value, backward] = jax.vjp(fn, at);
  const gradients = backward(g);
  backward.dispose();
  return [value, ...gradients];
}

function prepareAttention(jax: Jax, task: AttentionTask): Prepared {
  const { numpy: np, nn } = jax;
  const { operands, upstream } = attentionInputs(task);
  const attend = (q: JaxArray, k: JaxArray, v: JaxArray): JaxArray => {
    const scores = np.matmul(q, np.matrixTranspose(k)).mul(1 / Math.sqrt(task.size)); // (batch, heads, T, T)
    return np.matmul(nn.softmax(scores, -1), v);
  };
  const forwardAndBackward = (g: JaxArray, ...given: JaxArray[]): JaxArray[] =>
    valueAndGradients(jax, (...[q, k, v]) => attend(q!, k!, v!), given, g);
  return prepareOperation(
    jax,
    forwardAndBackward,
    [upstream, ...operands].map(({ values, shape }) => np.array(values, { shape })),
  );
}

interface AdamState {
  readonly parameters: Tree;
  readonly means: Tree;
  readonly squares: Tree;
}

/** Images have their channel last, and all rows of a text are one axis. */
function shapeOfInputs(task: TrainingTask): readonly number[] {
  switch (task.model) {
    case 'mlp':
      return [task.batch, task.inputs];
    case 'cnn':
      return [task.batch, task.size, task.size, 1];
    case 'gpt':
      return [task.batch * task.config.positions];
  }
}

function prepareTraining(jax: Jax, task: TrainingTask): Prepared {
  const { numpy: np, nn } = jax;
  const { rate, beta1, beta2, epsilon } = ADAM;
  const retained = 1 - rate * WEIGHT_DECAY[task.model];
  const logits = logitsOf(jax, task);
  const classes = task.model === 'gpt' ? task.config.vocabulary : task.classes;
  const xShape = shapeOfInputs(task);
  const rows = task.model === 'gpt' ? task.batch * task.config.positions : task.batch;

  const lossOf = (parameters: Tree, x: JaxArray, y: JaxArray): JaxArray => {
    const logs = nn.logSoftmax(logits(parameters, x), -1); // (rows, classes)
    for (const each of Object.values(parameters)) each.dispose();
    return np.sum(logs.mul(nn.oneHot(y, classes))).mul(-1 / rows);
  };

  /** corrections: 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ), scalars that change from step to step. */
  const step = jax.jit(
    (
      state: AdamState,
      x: JaxArray,
      y: JaxArray,
      first: JaxArray,
      second: JaxArray,
    ): [JaxArray, AdamState] => {
      const names = Object.keys(state.parameters);
      const refs = Object.fromEntries(names.map((name) => [name, state.parameters[name]!.ref]));
      const [loss, gradients] = jax.valueAndGrad(lossOf)(refs, x, y);
      const next = { parameters: {}, means: {}, squares: {} } as {
        [K in keyof AdamState]: Record<string, JaxArray>;
      };
      for (const name of names) {
        const g = gradients[name]!;
        const mean = state.means[name]!.mul(beta1).add(g.ref.mul(1 - beta1));
        const square = state.squares[name]!.mul(beta2).add(np.square(g).mul(1 - beta2));
        const move = mean.ref.mul(first.ref).div(np.sqrt(square.ref.mul(second.ref)).add(epsilon));
        next.parameters[name] = state.parameters[name]!.mul(retained).sub(move.mul(rate));
        next.means[name] = mean;
        next.squares[name] = square;
      }
      first.dispose();
      second.dispose();
      return [loss, next];
    },
  );

  const starting = startingParameters(task).map((parameter) => asChannelsLast(parameter, task));
  const arrays = (valuesOf: (values: Float32Array) => Float32Array): Tree =>
    Object.fromEntries(
      starting.map(({ name, shape, values }) => [name, np.array(valuesOf(values), { shape })]),
    );
  const zeros = (values: Float32Array): Float32Array => new Float32Array(values.length);
  let state: AdamState = {
    parameters: arrays((values) => values),
    means: arrays(zeros),
    squares: arrays(zeros),
  };
  const batches = trainingBatches(task);
  let count = 0;
  const losses: number[] = [];
  return {
    async run() {
      const { x, y } = batches[count++ % batches.length]!;
      const correction = (beta: number): JaxArray =>
        np.array(Float32Array.of(1 / (1 - beta ** count)), { shape: [] });
      const [loss, next] = step(
        state,
        np.array(x, { shape: xShape }),
        np.array(y, { shape: [rows] }),
        correction(beta1),
        correction(beta2),
      );
      state = next;
      losses.push((await loss.data())[0]!);
    },
    outputs: async () => [Float32Array.from(losses)],
    release() {
      for (const tree of [state.parameters, state.means, state.squares])
        for (const each of Object.values(tree)) each.dispose();
    },
  };
}
