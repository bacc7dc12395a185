/**
 * Gradients of functions and of values: `grad` and `valueAndGrad` turn a function with one element into its
 * gradient, `gradients` differentiates an existing tensor. None of them touches `.grad`; their results
 * are nodes of the graph.
 */
import { add, constant, describe, GradientError, type Node, operandOf } from '@firsthand/graph';
import { checkCount, checkOptions } from '@firsthand/linalg';
import { gradient, variableLeaves } from './gradient.ts';
import {
  type Argnums,
  hasHistory,
  linearize,
  pullBack,
  released,
  requireFunction,
  scalarNode,
  splitAux,
  type TransformOptions,
  transformOptions,
  withResults,
} from './linearize.ts';
import { placedOn } from './stored.ts';
import { Tensor } from './tensor.ts';
import { shareProgram } from './companions.ts';
import { currentTrace } from './trace.ts';
import { derivativeOf, tensorsOf, type TensorsOf, variablesOf } from './tree.ts';
import { operandNode, seedNode } from './operands.ts';

/** A function of tensors. */
type TensorFunction<R = Tensor> = (...args: Tensor[]) => R;

/** The derivative with respect to argument `N` of a function of `A`. */
type DerivativeAt<A extends readonly unknown[], N> = N extends -1
  ? A extends readonly [...unknown[], infer Last]
    ? TensorsOf<Last>
    : TensorsOf<A[number]>
  : N extends keyof A
    ? TensorsOf<A[N]>
    : TensorsOf<A[number]>;

/**
 * The derivatives with respect to the arguments `N` of a function of `A`: one for a number, an array for an
 * array of numbers.
 */
export type DerivativesOf<A extends readonly unknown[], N extends Argnums> = N extends readonly number[]
  ? { -readonly [I in keyof N]: DerivativeAt<A, N[I]> }
  : DerivativeAt<A, N>;

type Without<N extends Argnums> = N | TransformOptions<N, false>;
type WithAux<N extends Argnums> = TransformOptions<N, true> & { readonly hasAux: true };

interface ValueAndGradients {
  readonly value: Tensor;
  /** What a function with `hasAux` gives beside the value, null for others. */
  readonly aux: unknown;
  readonly gradients: unknown;
}

/** The value and the gradients of `f`, as `operation` in error messages. */
export function differentiate(
  operation: string,
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  { argnums = 0, hasAux = false }: TransformOptions,
): ValueAndGradients {
  const { value, inputs, structure } = linearize(operation, f, args, argnums);
  const [main, aux] = hasAux ? splitAux(operation, value) : [value, null];
  const root = scalarNode(operation, main);
  const others = tensorsOf(aux).map((tensor) => tensor.read());
  const history = hasHistory([root, ...others], inputs);
  const found = pullBack([root], [constant(1, root.shape, root.dtype)], inputs, history);
  const [shown, ...rest] = released([root, ...others], history);
  if (currentTrace() === null) shareProgram(shown!, found);
  return {
    value: new Tensor(shown!),
    aux: withResults(aux, rest),
    gradients: structure(found.map((node) => new Tensor(node))),
  };
}

/**
 * The value and the gradient of a function with one element: `[value, gradient]`, or
 * `[[value, auxiliary], gradient]` with `hasAux`. Arguments and options are those of {@link grad}. Reading
 * one of the results computes the other along with it.
 * @throws as {@link grad}
 * @example
 * ```ts
 * import { type Tensor, tensor, valueAndGrad } from '@firsthand/autograd';
 * const loss = ({ w, b }: { w: Tensor; b: Tensor }, x: Tensor) => x.matmul(w).add(b).square().sum();
 * const params = { w: tensor([1, 2]), b: tensor(3) };
 * const [value, grads] = valueAndGrad(loss)(params, tensor([[1, 1]]));
 * console.log(await value.item(), await grads.w.toArray(), await grads.b.item()); // 36 [ 12, 12 ] 12
 * ```
 */
export function valueAndGrad(f: TensorFunction): (...args: Tensor[]) => [Tensor, Tensor];
export function valueAndGrad<const N extends Argnums>(
  f: TensorFunction,
  options: Without<N>,
): (...args: Tensor[]) => [Tensor, DerivativesOf<Tensor[], N>];
export function valueAndGrad<R, const N extends Argnums = 0>(
  f: TensorFunction<readonly [Tensor, R]>,
  options: WithAux<N>,
): (...args: Tensor[]) => [[Tensor, R], DerivativesOf<Tensor[], N>];
export function valueAndGrad<A extends readonly unknown[], const N extends Argnums = 0>(
  f: (...args: A) => Tensor,
  options?: Without<N>,
): (...args: A) => [Tensor, DerivativesOf<A, N>];
export function valueAndGrad<A extends readonly unknown[], R, const N extends Argnums = 0>(
  f: (...args: A) => readonly [Tensor, R],
  options: WithAux<N>,
): (...args: A) => [[Tensor, R], DerivativesOf<A, N>];
export function valueAndGrad(
  f: (...args: never[]) => unknown,
  given?: Argnums | TransformOptions,
): (...args: never[]) => [unknown, unknown] {
  checkCount('valueAndGrad', arguments.length, 2, 'valueAndGrad(f, { argnums, hasAux })');
  requireFunction('valueAndGrad', f);
  const options = transformOptions('valueAndGrad', given);
  return (...args: readonly unknown[]) => {
    const { value, aux, gradients: found } = differentiate('valueAndGrad', f, args, options);
    return [options.hasAux === true ? [value, aux] : value, found];
  };
}

/**
 * The gradient of a function with one element, as a function of the same arguments.
 *
 * It has the structure of the argument, which may be a tensor, arrays, plain objects and maps of tensors, or
 * a module, for which it is a map by path of the parameters that are not frozen. What is no tensor there (a
 * number, a name) has null. Gradients are nodes of the graph: they can be differentiated again, and `.grad`
 * stays as it is.
 * @param options which arguments, the first if not given: a number or an array of numbers, then the result is
 *   an array;
 *   or `{ argnums, hasAux }`: with `hasAux` the function gives `[value, auxiliary]`, and this one
 *   `[gradient, auxiliary]`
 * @throws ShapeError if the function's result has several elements; DTypeError if it is no floating-point
 *   tensor, or if there is
 *   a tensor of integers or bools, or no tensor at all, among the variables; OptionError for other
 *   options
 * @example
 * ```ts
 * import { grad, tensor } from '@firsthand/autograd';
 * const cube = grad((x) => x.pow(3).sum());
 * console.log(await cube(tensor([2])).item()); // 12
 * console.log(await grad((x) => cube(x).sum())(tensor([2])).item()); // 12
 * const [da, db] = grad((a, b) => a.mul(b).sum(), [0, 1])(tensor([2]), tensor([5]));
 * console.log(await da.item(), await db.item()); // 5 2
 * ```
 */
export function grad(f: TensorFunction): TensorFunction;
export function grad<const N extends Argnums>(
  f: TensorFunction,
  options: Without<N>,
): (...args: Tensor[]) => DerivativesOf<Tensor[], N>;
export function grad<R, const N extends Argnums = 0>(
  f: TensorFunction<readonly [Tensor, R]>,
  options: WithAux<N>,
): (...args: Tensor[]) => [DerivativesOf<Tensor[], N>, R];
export function grad<A extends readonly unknown[], const N extends Argnums = 0>(
  f: (...args: A) => Tensor,
  options?: Without<N>,
): (...args: A) => DerivativesOf<A, N>;
export function grad<A extends readonly unknown[], R, const N extends Argnums = 0>(
  f: (...args: A) => readonly [Tensor, R],
  options: WithAux<N>,
): (...args: A) => [DerivativesOf<A, N>, R];
export function grad(
  f: (...args: never[]) => unknown,
  given?: Argnums | TransformOptions,
): (...args: never[]) => unknown {
  checkCount('grad', arguments.length, 2, 'grad(f, { argnums, hasAux })');
  requireFunction('grad', f);
  const options = transformOptions('grad', given);
  return (...args: readonly unknown[]) => {
    const { aux, gradients: found } = differentiate('grad', f, args, options);
    return options.hasAux === true ? [found, aux] : found;
  };
}

/** Options of {@link gradients}. */
export interface GradientsOptions {
  /** the gradient of what follows with respect to the value, of its shape; 1 for a single element */
  readonly seed?: Tensor | undefined;
}

/**
 * The gradients of a tensor with respect to tensors that it was computed from, as torch's `autograd.grad`
 * with `create_graph`: they are nodes of the graph and can be differentiated again, and `.grad` stays as it
 * is. It works inside `compile`, too.
 * @param wrt a tensor, or arrays, objects and maps of tensors, or a module: each a leaf that requires a
 *   gradient, or computed from one
 * @returns gradients in the structure of `wrt`; zeros for a tensor that the value does not depend on
 * @throws ShapeError if the value has several elements and there is no seed, GradientError for a tensor that
 *   requires no gradient
 * @example
 * ```ts
 * import { gradients, onesLike, tensor } from '@firsthand/autograd';
 * const x = tensor([1, 2, 3], { requiresGrad: true });
 * const u = x.pow(3);
 * const ux = gradients(u, x, { seed: onesLike(u) });
 * const uxx = gradients(ux.sum(), x);
 * console.log(await ux.toArray(), await uxx.toArray(), x.grad); // [ 3, 12, 27 ] [ 6, 12, 18 ] null
 * ```
 */
export function gradients<const T>(value: Tensor, wrt: T, options: GradientsOptions = {}): TensorsOf<T> {
  checkCount('gradients', arguments.length, 3, 'gradients(value, wrt, { seed })');
  const { seed } = checkOptions<GradientsOptions>('gradients', options, { seed: true });
  const root = operandNode(value, 'gradients', 'the value');
  const start = seedNode(
    'gradients',
    root,
    seed === undefined ? undefined : operandNode(seed, 'gradients', 'the seed'),
  );
  const variables = variablesOf(wrt);
  if (variables.length === 0) {
    throw new GradientError({
      operation: 'gradients',
      problem: 'there is no tensor to differentiate with respect to',
      expected: 'a tensor',
    });
  }
  const targets = variables.map(({ tensor, path }) => {
    const node = tensor.read();
    if (node.requiresGrad) return node;
    throw new GradientError({
      operation: 'gradients',
      problem: `${path === '' ? '' : `${path}, `}${describe(node)} requires no gradient`,
      operands: [operandOf(node)],
      expected: 'requiresGrad: true',
      remedy: 'make it with requiresGrad: true, before the value is computed from it',
    });
  });
  // A variable that was updated since has another node; the value was computed from an earlier leaf of it.
  const earlier = variableLeaves(root);
  const found = gradient(root, start, [...targets, ...earlier]);
  const totals = variables.map(({ tensor }, index) => {
    const nodes = new Set([targets[index]!, ...earlier.filter(({ variable }) => variable === tensor)]);
    const terms = [...nodes].flatMap((node) => found.get(node) ?? []);
    const total =
      terms.length === 0 ? zerosLike(targets[index]!) : terms.reduce((sum, term) => add(sum, term));
    return placedOn(total, targets[index]!.device);
  });
  return derivativeOf(
    wrt,
    totals.map((node) => new Tensor(node)),
  ) as TensorsOf<T>;
}

const zerosLike = ({ shape, dtype }: Node): Node => constant(0, shape, dtype);
