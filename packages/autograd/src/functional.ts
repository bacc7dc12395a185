/**
 * Derivatives as functions of functions. Each transform gives nodes of the same graph, so transforms nest: `hessian` is the
 * `jacobian` of `grad`. Running statistics are not updated inside a transform.
 */
import { constant, mul, oneHot, reshape, sum, tracked, withGradient, stack as stackNodes } from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import { normalizeAxis, ShapeError, sizeOf } from '@firsthand/linalg';
import { stack } from './functions.ts';
import { gradient } from './gradient.ts';
import { withoutStatistics } from './statistics.ts';
import { Tensor } from './tensor.ts';
import { seedNode } from './value.ts';

type TensorFunction = (...args: Tensor[]) => Tensor;

/** Runs `f` on copies of the arguments that require gradients. */
function linearize(f: TensorFunction, args: readonly Tensor[]): { readonly inputs: readonly Node[]; readonly value: Node } {
  return withGradient(true, () =>
    withoutStatistics(() => {
      const inputs = args.map((arg) => tracked(arg.read()));
      return { inputs, value: f(...inputs.map((input) => new Tensor(input))).read() };
    }),
  );
}

/** Gradients with respect to the inputs; zeros for those that the value does not depend on. */
function pullBack(value: Node, seed: Node, inputs: readonly Node[]): readonly Node[] {
  return withGradient(true, () => {
    const gradients = gradient(value, seed, inputs);
    return inputs.map((input) => gradients.get(input) ?? constant(0, input.shape, input.dtype));
  });
}

/** `value` and the gradient of `f`, a function with one element, with respect to its first argument. */
export function valueAndGrad(f: TensorFunction): (...args: Tensor[]) => [Tensor, Tensor] {
  return (...args) => {
    const [first, ...rest] = args;
    if (first === undefined) throw new ShapeError('grad: the function has no argument to differentiate');
    const { inputs, value } = linearize((x) => f(x, ...rest), [first]);
    const [gradientOfFirst] = pullBack(value, seedNode(value, undefined), inputs);
    return [new Tensor(value), new Tensor(gradientOfFirst!)];
  };
}

/**
 * The gradient of `f`, a function with one element, with respect to its first argument.
 * @throws ShapeError if the result has several elements
 * @example
 * ```ts
 * import { grad, tensor } from '@firsthand/autograd';
 * const cube = grad((x) => x.pow(3).sum());
 * console.log(await cube(tensor([2])).item()); // 12
 * console.log(await grad((x) => cube(x).sum())(tensor([2])).item()); // 12
 * ```
 */
export function grad(f: TensorFunction): TensorFunction {
  const both = valueAndGrad(f);
  return (...args) => both(...args)[1];
}

/** The value of `f`, and the function that takes a gradient of the value to gradients of the arguments: g ↦ gᵀJ. */
export function vjp(f: TensorFunction, ...primals: Tensor[]): [Tensor, (cotangent: Tensor) => Tensor[]] {
  const { inputs, value } = linearize(f, primals);
  return [new Tensor(value), (cotangent) => pullBack(value, seedNode(value, cotangent.read()), inputs).map((each) => new Tensor(each))];
}

/**
 * The value of `f` and its directional derivative J·v. The map u ↦ uᵀJ is linear in u, so its own gradient in the direction v
 * is J·v: two reverse passes need no forward-mode rules.
 */
export function jvp(f: TensorFunction, primals: readonly Tensor[], tangents: readonly Tensor[]): [Tensor, Tensor] {
  if (primals.length !== tangents.length)
    throw new ShapeError(`jvp: ${primals.length} primals need as many tangents, got ${tangents.length}`);
  const { inputs, value } = linearize(f, primals);
  const tangent = withGradient(true, () => {
    const u = tracked(constant(0, value.shape, value.dtype));
    const rows = pullBack(value, u, inputs);
    const products = rows.map((row, index) => sum(mul(row, tangents[index]!.read())));
    const total = products.reduce((a, b) => new Tensor(a).add(new Tensor(b)).read());
    return pullBack(total, constant(1, [], total.dtype), [u])[0]!;
  });
  return [new Tensor(value), new Tensor(tangent)];
}

/** Hessian of `f` (one element) times v, without forming the Hessian: the gradient of ∇f·v (Pearlmutter 1994). */
export function hvp(f: TensorFunction, primal: Tensor, vector: Tensor): Tensor {
  return grad((x) => grad(f)(x).mul(vector).sum())(primal);
}

/** All derivatives of the elements of `f` with respect to its first argument. Result: (…shape of the value, …shape of the argument). */
export function jacobian(f: TensorFunction): TensorFunction {
  return (...args) => {
    const [first, ...rest] = args;
    if (first === undefined) throw new ShapeError('jacobian: the function has no argument to differentiate');
    const { inputs, value } = linearize((x) => f(x, ...rest), [first]);
    const count = sizeOf(value.shape);
    if (count === 0) return new Tensor(constant(0, [...value.shape, ...first.shape], value.dtype));
    const rows = Array.from({ length: count }, (_, element) => {
      const seed = reshape(oneHot(constant(element, [], 'int32'), count, value.dtype), value.shape);
      return pullBack(value, seed, inputs)[0]!;
    });
    return new Tensor(reshape(stackNodes(rows, 0), [...value.shape, ...first.shape]));
  };
}

/** Second derivatives of `f` (one element) with respect to its first argument: (…shape, …shape). */
export function hessian(f: TensorFunction): TensorFunction {
  return jacobian(grad(f));
}

/** Applies `f` to each slice of its arguments along `axis`, and stacks the results along `outAxis`, the first by default. */
export function vmap(
  f: TensorFunction,
  { axis = 0, outAxis = 0 }: { readonly axis?: number; readonly outAxis?: number } = {},
): TensorFunction {
  return (...args) =>
    withoutStatistics(() => {
      const extents = args.map((arg) => arg.shape[normalizeAxis('vmap', axis, arg.ndim)]!);
      const [extent] = extents;
      if (extent === undefined || extent === 0 || extents.some((each) => each !== extent)) {
        throw new ShapeError(`vmap: the arguments have ${extents.join(', ')} slices along axis ${axis}; they must agree, and be 1 or more`);
      }
      const results = Array.from({ length: extent }, (_, index) =>
        f(...args.map((arg) => arg.slice(axis, index, index + 1).squeeze(axis))),
      );
      return stack(results, outAxis);
    });
}

/** Runs `fn` without recording for gradients. @throws TypeError for an asynchronous function */
export function noGrad<T>(fn: () => T): T {
  const result = withGradient(false, fn);
  if (result instanceof Promise) {
    throw new TypeError(
      'noGrad: the function is asynchronous, and the part after its first await would be recorded; build values inside, await them outside',
    );
  }
  return result;
}
