/**
 * Derivatives as functions of functions. The results of a transform are nodes of the same graph, so
 * transforms compose: `hessian` is the `jacobian` of `grad`. Running statistics are not updated inside a
 * transform.
 */
import {
  add,
  constant,
  isGradientEnabled,
  mul,
  oneHot,
  reshape,
  stack,
  sum,
  tracked,
  withGradient,
} from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import {
  checkCount,
  checkFunction,
  checkOptions,
  describeValue,
  DTypeError,
  equalShapes,
  formatShape,
  type OptionKeys,
  ShapeError,
  sizeOf,
} from '@firsthand/linalg';
import { type DerivativesOf, differentiate } from './grad.ts';
import {
  type Argnums,
  type ArgnumsOptions,
  hasHistory,
  linearize,
  pullBack,
  released,
  requireFunction,
  resultNodes,
  splitAux,
  type TransformOptions,
  withResults,
} from './linearize.ts';
import { isPlain } from './guards.ts';
import { placedOn } from './stored.ts';
import { Tensor } from './tensor.ts';
import { mapTree, type TensorsOf, tensorsOf } from './tree.ts';
import { seedNode } from './operands.ts';

/** A function of tensors. */
type TensorFunction<R = Tensor> = (...args: Tensor[]) => R;

/**
 * For each tensor of `tree` the leaf of `beside` at its path: a tensor, or null for zero. @throws DTypeError
 * with the path of another value
 */
function besideEach(operation: string, noun: string, tree: unknown, beside: unknown): (Tensor | null)[] {
  const found: (Tensor | null)[] = [];
  mapTree(
    tree,
    (leaf, path, other) => {
      if (leaf instanceof Tensor) found.push(tensorOrNull(operation, noun, other, path));
    },
    beside,
  );
  return found;
}

function tensorOrNull(operation: string, noun: string, value: unknown, path: string): Tensor | null {
  if (value instanceof Tensor || value === null) return value;
  throw new DTypeError({
    operation,
    problem: `the ${noun}${path === '' ? '' : ` at ${path}`} is ${describeValue(value)}`,
    expected: `a tensor for each tensor, or null where the ${noun} is zero`,
  });
}

/** Options of {@link vjp}, after the function's arguments. */
export type VjpOptions = TransformOptions;

/**
 * Whether the last argument is options, and none of the function's own: it has only their keys, and no
 * tensors.
 */
function isVjpOptions(value: unknown): value is VjpOptions {
  const keys: OptionKeys<VjpOptions> = { argnums: true, hasAux: true };
  if (!isPlain(value)) return false;
  const names = Object.keys(value);
  return (
    names.length > 0 && names.every((name) => Object.hasOwn(keys, name)) && tensorsOf(value).length === 0
  );
}

/**
 * The value of `f`, and the function that takes a gradient of the value to gradients of the arguments: g ↦
 * gᵀJ. The value may be a structure of tensors; its gradient has that structure, with null for zero.
 * Structures of arguments are as for `grad`.
 * @param rest the arguments, and after them perhaps `{ argnums, hasAux }`; without `argnums` all arguments
 *   are differentiated.
 *   With `hasAux`, the function gives `[value, auxiliary]`, and this one `[value, pull, auxiliary]`
 * @throws DTypeError for an argument that has no derivative, or a result that is no tensor
 * @example
 * ```ts
 * import { tensor, vjp } from '@firsthand/autograd';
 * const [value, pull] = vjp((a, b) => a.mul(b), tensor([1, 2]), tensor([3, 4]));
 * const [da, db] = pull(tensor([1, 10]));
 * console.log(await value.toArray()); // [ 3, 8 ]
 * console.log(await da!.toArray(), await db!.toArray()); // [ 3, 40 ] [ 1, 20 ]
 * ```
 */
export function vjp(f: TensorFunction, ...rest: Tensor[]): [Tensor, (cotangent: Tensor) => Tensor[]];
export function vjp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  ...rest: A
): [R, (cotangent: TensorsOf<R>) => { -readonly [I in keyof A]: TensorsOf<A[I]> }];
export function vjp<A extends readonly unknown[], R, Aux, const N extends Argnums>(
  f: (...args: A) => readonly [R, Aux],
  ...rest: [...A, { readonly argnums: N; readonly hasAux: true }]
): [R, (cotangent: TensorsOf<R>) => DerivativesOf<A, N>, Aux];
export function vjp<A extends readonly unknown[], R, Aux>(
  f: (...args: A) => readonly [R, Aux],
  ...rest: [...A, { readonly hasAux: true }]
): [R, (cotangent: TensorsOf<R>) => { -readonly [I in keyof A]: TensorsOf<A[I]> }, Aux];
export function vjp<A extends readonly unknown[], R, const N extends Argnums>(
  f: (...args: A) => R,
  ...rest: [...A, { readonly argnums: N; readonly hasAux?: false }]
): [R, (cotangent: TensorsOf<R>) => DerivativesOf<A, N>];
export function vjp(f: (...args: never[]) => unknown, ...rest: unknown[]): unknown[] {
  const last = rest.at(-1);
  const hasOptions = isVjpOptions(last);
  const args = hasOptions ? rest.slice(0, -1) : rest;
  const { argnums = args.map((_, index) => index), hasAux = false } = hasOptions ? last : {};
  const { value: result, inputs, structure } = linearize('vjp', f, args, argnums);
  const [value, aux] = hasAux ? splitAux('vjp', result) : [result, null];
  const nodes = resultNodes('vjp', value);
  const others = tensorsOf(aux).map((tensor) => tensor.read());
  const outside = hasHistory([...nodes, ...others], inputs);
  const shown = released([...nodes, ...others], outside);
  const pull = (...cotangents: readonly unknown[]): unknown => {
    checkCount('vjp', cotangents.length, 1, 'pull(cotangent)');
    const [cotangent] = cotangents;
    const seeds = besideEach('vjp', 'cotangent', value, cotangent).map((seed, index) =>
      seed === null ? null : seedNode('vjp', nodes[index]!, seed.read()),
    );
    const history = isGradientEnabled() && (outside || seeds.some((seed) => seed?.requiresGrad === true));
    return structure(pullBack(nodes, seeds, inputs, history).map((node) => new Tensor(node)));
  };
  const visible = withResults(value, shown);
  return hasAux ? [visible, pull, withResults(aux, shown.slice(nodes.length))] : [visible, pull];
}

/**
 * The value of `f` and its directional derivative J·v. The map u ↦ uᵀJ is linear in u, so its own gradient in
 * the direction v is J·v: two reverse passes need no forward-mode rules.
 * @param primals the arguments, structures as for `grad`; the value may be a structure of tensors too
 * @param tangents one for each argument, of its structure (a map by path for a module); null where the
 *   direction is zero
 * @throws ShapeError if the tangents do not fit the arguments, DTypeError if a tangent is no tensor
 * @example
 * ```ts
 * import { jvp, tensor } from '@firsthand/autograd';
 * const [value, tangent] = jvp((a, b) => a.mul(b), [tensor([1, 2]), tensor([3, 4])], [tensor([1, 1]), null]);
 * console.log(await value.toArray(), await tangent.toArray()); // [ 3, 8 ] [ 3, 4 ]
 * ```
 */
export function jvp(
  f: TensorFunction,
  primals: readonly Tensor[],
  tangents: readonly (Tensor | null)[],
): [Tensor, Tensor];
export function jvp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...A],
  tangents: { readonly [I in keyof A]: TensorsOf<A[I]> | null },
): [R, TensorsOf<R>];
export function jvp(
  f: (...args: never[]) => unknown,
  primals: readonly unknown[],
  tangents: readonly unknown[],
): [unknown, unknown] {
  checkCount('jvp', arguments.length, 3, 'jvp(f, primals, tangents)');
  if (!Array.isArray(primals) || !Array.isArray(tangents) || primals.length !== tangents.length) {
    const given: readonly unknown[] = Array.isArray(primals) ? primals : [];
    throw new ShapeError({
      operation: 'jvp',
      problem:
        Array.isArray(primals) && Array.isArray(tangents)
          ? `${primals.length} primals and ${tangents.length} tangents`
          : undefined,
      operands: given.filter((each) => each instanceof Tensor),
      expected: 'an array of primals and an array with a tangent for each',
      remedy: 'write jvp(f, [x, y], [dx, dy])',
    });
  }
  const moving = tangents.flatMap((tangent, index) => (tangent === null ? [] : [index]));
  if (moving.length === 0)
    throw new ShapeError({
      operation: 'jvp',
      problem: 'all tangents are null',
      expected: 'a direction for one argument',
    });
  const { value, variables, inputs } = linearize(
    'jvp',
    f,
    primals,
    moving,
    moving.map((index) => tangents[index] as unknown),
  );
  const nodes = resultNodes('jvp', value);
  const directions = variables.map(({ beside, path, tensor }) => {
    const tangent = tensorOrNull('jvp', 'tangent', beside, path);
    if (tangent === null || (equalShapes(tangent.shape, tensor.shape) && tangent.dtype === tensor.dtype))
      return tangent?.read() ?? null;
    throw new ShapeError({
      operation: 'jvp',
      problem: 'a tangent differs from its primal',
      operands: [tangent, tensor],
      expected: `${tensor.dtype} ${formatShape(tensor.shape)}`,
    });
  });
  const outside = hasHistory(nodes, inputs);
  const history =
    isGradientEnabled() && (outside || directions.some((direction) => direction?.requiresGrad === true));
  const results = withGradient(true, () => {
    const seeds = nodes.map(({ shape, dtype, device }) =>
      tracked(placedOn(constant(0, shape, dtype), device)),
    );
    const rows = pullBack(nodes, seeds, inputs);
    /** Σ row·direction, by dtype. */
    const totals = new Map<string, Node>();
    rows.forEach((row, index) => {
      const direction = directions[index];
      if (direction === null || direction === undefined) return;
      const product = sum(mul(row, direction));
      const total = totals.get(product.dtype);
      totals.set(product.dtype, total === undefined ? product : add(total, product));
    });
    const scalars = [...totals.values()];
    return pullBack(
      scalars,
      scalars.map(({ dtype }) => constant(1, [], dtype)),
      seeds,
      history,
    );
  });
  return [withResults(value, released(nodes, outside)), withResults(value, results)];
}

/**
 * The Hessian of `f` (one element) times v, without forming the Hessian: the gradient of ∇f·v (Pearlmutter
 * 1994).
 * @param primal the argument, a structure as for `grad`
 * @param vector of its structure
 */
export function hvp(f: TensorFunction, primal: Tensor, vector: Tensor): Tensor;
export function hvp<T>(f: (x: T) => Tensor, primal: T, vector: TensorsOf<T>): TensorsOf<T>;
export function hvp(f: (x: never) => Tensor, primal: unknown, vector: unknown): unknown {
  checkCount('hvp', arguments.length, 3, 'hvp(f, primal, vector)');
  const directional = (x: unknown): Tensor => {
    const slope = differentiate('hvp', f, [x], {}).gradients;
    const products: Tensor[] = [];
    mapTree(
      slope,
      (leaf, path, other) => {
        const direction = leaf instanceof Tensor ? tensorOrNull('hvp', 'vector', other, path) : null;
        if (direction !== null) products.push((leaf as Tensor).mul(direction).sum());
      },
      vector,
    );
    const [first, ...rest] = products;
    if (first === undefined)
      throw new DTypeError({
        operation: 'hvp',
        problem: 'the vector has no tensor',
        expected: 'a tensor in it',
      });
    return rest.reduce((total, each) => total.add(each.cast(total.dtype)), first);
  };
  return differentiate('hvp', directional, [primal], {}).gradients;
}

/** All derivatives of a result, in its structure, each part in that of the arguments. */
type JacobianOf<R, A extends readonly unknown[], N extends Argnums> = R extends Tensor
  ? DerivativesOf<A, N>
  : R extends ReadonlyMap<infer K, infer V>
    ? Map<K, JacobianOf<V, A, N>>
    : { -readonly [K in keyof R]: JacobianOf<R[K], A, N> };

const ARGNUMS_KEYS: OptionKeys<ArgnumsOptions> = { argnums: true };

function argnumsOf(operation: string, options: Argnums | ArgnumsOptions | undefined): Argnums {
  if (typeof options === 'number' || Array.isArray(options)) return options as Argnums;
  return checkOptions(operation, options as ArgnumsOptions, ARGNUMS_KEYS).argnums ?? 0;
}

/**
 * All derivatives of the elements of `f` with respect to an argument, the first if not given: (…shape of the
 * value, …shape of the argument). Structures and `argnums` are as for `grad`; the value may be a structure of
 * tensors too, and each of its tensors is then replaced by a structure of derivatives.
 * @throws DTypeError for an argument that has no derivative, or a result that is no tensor
 */
export function jacobian(f: TensorFunction): TensorFunction;
export function jacobian<const N extends Argnums>(
  f: TensorFunction,
  options: N | ArgnumsOptions<N>,
): (...args: Tensor[]) => DerivativesOf<Tensor[], N>;
export function jacobian<A extends readonly unknown[], R, const N extends Argnums = 0>(
  f: (...args: A) => R,
  options?: N | ArgnumsOptions<N>,
): (...args: A) => JacobianOf<R, A, N>;
export function jacobian(
  f: (...args: never[]) => unknown,
  options?: Argnums | ArgnumsOptions,
): (...args: never[]) => unknown {
  checkCount('jacobian', arguments.length, 2, 'jacobian(f, { argnums })');
  requireFunction('jacobian', f);
  const argnums = argnumsOf('jacobian', options);
  return (...args: readonly unknown[]) => {
    const { value, inputs, structure } = linearize('jacobian', f, args, argnums);
    const nodes = resultNodes('jacobian', value);
    const history = hasHistory(nodes, inputs);
    let next = 0;
    return mapTree(value, (leaf) =>
      leaf instanceof Tensor ? structure(jacobianOf(nodes[next++]!, inputs, history)) : leaf,
    );
  };
}

/** The derivatives of one value's elements with respect to each input. */
function jacobianOf(value: Node, inputs: readonly Node[], history: boolean): Tensor[] {
  const count = sizeOf(value.shape);
  const rows = Array.from({ length: count }, (_, element) => {
    const seed = reshape(oneHot(constant(element, [], 'int32'), count, value.dtype), value.shape);
    return pullBack([value], [seed], inputs, history);
  });
  return inputs.map(({ shape, dtype }, index) => {
    const whole = [...value.shape, ...shape];
    if (count === 0) return new Tensor(constant(0, whole, dtype));
    return new Tensor(
      reshape(
        stack(
          rows.map((row) => row[index]!),
          0,
        ),
        whole,
      ),
    );
  });
}

/**
 * Second derivatives of `f` (one element) with respect to an argument, the first if not given: (…shape,
 * …shape). For a structure of tensors, or several `argnums`, it is the structure of `grad` with that
 * structure again in place of each tensor.
 */
export function hessian(f: TensorFunction): TensorFunction;
export function hessian<A extends readonly unknown[], const N extends Argnums = 0>(
  f: (...args: A) => Tensor,
  options?: N | ArgnumsOptions<N>,
): (...args: A) => JacobianOf<DerivativesOf<A, N>, A, N>;
export function hessian(
  f: (...args: never[]) => Tensor,
  options?: Argnums | ArgnumsOptions,
): (...args: never[]) => unknown {
  checkCount('hessian', arguments.length, 2, 'hessian(f, { argnums })');
  requireFunction('hessian', f);
  const argnums = argnumsOf('hessian', options);
  const slope = (...args: readonly unknown[]): unknown =>
    differentiate('hessian', f, args, { argnums }).gradients;
  return jacobian(slope as (...args: never[]) => unknown, argnums);
}

/**
 * Runs `fn` without recording for gradients. @throws TypeError for an asynchronous function, whose part after
 * its first await would be recorded
 */
export function noGrad<T>(fn: () => T): T {
  checkCount('noGrad', arguments.length, 1, 'noGrad(() => …)');
  checkFunction('noGrad', 'what is to be run', fn, 'noGrad(() => …)');
  const result = withGradient(false, fn);
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new TypeError(
      'noGrad: the function is asynchronous, and the part after its first await would be recorded; build values inside, await them outside',
    );
  }
  return result;
}
