/** The same with jax-js on its WebAssembly device, the step inside `jit`. */
import type { Jax, JaxArray, Tree } from '../contenders/jax-interface.ts';
import { asInputsFirst } from '../contenders/layout.ts';
import { startingParameters, trainingBatches } from '../inputs.ts';
import { ADAM, type MLPTask } from '../tasks.ts';

/** What the program takes of the library. */
export const JAX_NAMES = ['init', 'jit', 'nn', 'numpy', 'valueAndGrad'] as const;

export async function firstLoss(
  { init, jit, nn, numpy: np, valueAndGrad }: Pick<Jax, (typeof JAX_NAMES)[number]>,
  task: MLPTask,
): Promise<number> {
  await init('wasm');
  const { rate, beta1, beta2, epsilon } = ADAM;
  const parameters = startingParameters(task).map(asInputsFirst);
  const names = parameters.map(({ name }) => name);
  const lossOf = (tree: Tree, x: JaxArray, y: JaxArray): JaxArray => {
    const hidden = nn.relu(np.matmul(x, tree['fc1.weight']!).add(tree['fc1.bias']!));
    const logs = nn.logSoftmax(np.matmul(hidden, tree['fc2.weight']!).add(tree['fc2.bias']!), -1);
    return np.sum(logs.mul(nn.oneHot(y, task.classes))).mul(-1 / task.batch);
  };
  // At the first step the running means are the gradient and its square: their corrections undo the factors.
  const step = jit(
    (tree: Tree, means: Tree, squares: Tree, x: JaxArray, y: JaxArray): [JaxArray, Tree, Tree, Tree] => {
      const [loss, gradients] = valueAndGrad(lossOf)(
        Object.fromEntries(names.map((name) => [name, tree[name]!.ref])),
        x,
        y,
      );
      const next: Record<string, JaxArray>[] = [{}, {}, {}];
      for (const name of names) {
        const g = gradients[name]!;
        const mean = means[name]!.mul(beta1).add(g.ref.mul(1 - beta1));
        const square = squares[name]!.mul(beta2).add(np.square(g).mul(1 - beta2));
        const move = mean.ref.mul(1 / (1 - beta1)).div(np.sqrt(square.ref.mul(1 / (1 - beta2))).add(epsilon));
        next[0]![name] = tree[name]!.sub(move.mul(rate));
        next[1]![name] = mean;
        next[2]![name] = square;
      }
      return [loss, next[0]!, next[1]!, next[2]!];
    },
  );
  const arrays = (valuesOf: (values: Float32Array<ArrayBuffer>) => Float32Array): Tree =>
    Object.fromEntries(
      parameters.map(({ name, shape, values }) => [name, np.array(valuesOf(values), { shape })]),
    );
  const zeros = (values: Float32Array): Float32Array => new Float32Array(values.length);
  const [batch] = trainingBatches(task);
  const [x, y] = [
    np.array(batch!.x, { shape: [task.batch, task.inputs] }),
    np.array(batch!.y, { shape: [task.batch] }),
  ];
  const [loss] = step(
    arrays((values) => values),
    arrays(zeros),
    arrays(zeros),
    x,
    y,
  );
  return (await loss.data())[0]!;
}
