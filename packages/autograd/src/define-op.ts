/**
 * Operations of one's own: a name, a body written with tensors, and, if the body's derivative is not good
 * enough, a derivative. The operation stays one in the graph, so that a device may have a kernel for it; all
 * others run the body.
 */
import { call, constant, operandOf, postOrder, withGradient, withRecorder } from '@firsthand/graph';
import type { Attrs, Composite, Node, Spec } from '@firsthand/graph';
import {
  checkCount,
  checkFunction,
  checkOptions,
  describeValue,
  DTypeError,
  equalShapes,
  formatShape,
  OptionError,
  ShapeError,
} from '@firsthand/linalg';
import { isPlain } from './guards.ts';
import { refuseAsynchronous } from './linearize.ts';
import { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';
import { operandNodes } from './operands.ts';

/** What an operation does: tensors, and perhaps attributes after them, to a tensor or several. */
export type OpBody = (...args: never[]) => Tensor | readonly Tensor[];

/** The tensors among a body's parameters: all, or all but the attributes at the end. */
type Operands<P extends readonly unknown[]> = P extends readonly [
  ...infer T extends readonly Tensor[],
  infer Last,
]
  ? Last extends Tensor
    ? P
    : T
  : P;
/** The attributes among a body's parameters. */
type AttrsOf<P extends readonly unknown[]> = P extends readonly [...(readonly Tensor[]), infer Last]
  ? Last extends Tensor
    ? object
    : Last
  : object;
type ResultsOf<R> = R extends Tensor ? readonly [Tensor] : R;
/** A result has no gradient where only others have reached the end; an only one always has. */
type GradientsOf<R> = R extends Tensor ? readonly [Tensor] : { readonly [I in keyof R]: Tensor | null };

/** What is known where a derivative is built. */
export interface OpContext<F extends OpBody> {
  readonly inputs: Operands<Parameters<F>>;
  readonly outputs: ResultsOf<ReturnType<F>>;
  readonly attrs: AttrsOf<Parameters<F>>;
}

/** An operation of one's own. */
export interface OpDefinition<F extends OpBody> {
  /** what errors, reports and kernels call it */
  readonly name: string;
  /**
   * The definition: a pure function of its tensors and attributes. Attributes are plain data (numbers,
   * strings, booleans, null, lists of numbers), and part of what a program is compiled for.
   */
  readonly body: F;
  /**
   * The gradients of the inputs, null where there is none, from those of the results. Without it the body is
   * differentiated. What it gives is differentiated again for higher derivatives.
   */
  readonly vjp?: (gradients: GradientsOf<ReturnType<F>>, context: OpContext<F>) => readonly (Tensor | null)[];
}

/** An operation of one's own: a function like its body, and what devices know it by. */
export type Operation<F extends OpBody> = F & {
  readonly composite: Composite<AttrsOf<Parameters<F>> & Attrs>;
};

/**
 * The operation as a function like its body.
 * @throws DTypeError if the body gives no tensors, or uses a tensor that is no argument: what it depends on
 *   must be passed
 * @example
 * ```ts
 * import { defineOp, tensor, type Tensor } from '@firsthand/autograd';
 * const bump = defineOp({
 *   name: 'bump',
 *   body: (x: Tensor, { width }: { width: number }) => x.square().mul(-width).exp(),
 *   vjp: ([g], { inputs: [x], outputs: [y], attrs }) => [g.mul(y).mul(x).mul(-2 * attrs.width)],
 * });
 * const x = tensor(1, { requiresGrad: true });
 * const y = bump(x, { width: 2 });
 * y.backward();
 * console.log(await y.item(), await x.grad?.item()); // 0.1353352814912796 -0.5413411259651184
 * ```
 */
export function defineOp<F extends OpBody>(definition: OpDefinition<F>): Operation<F> {
  const written = 'defineOp({ name, body, vjp })';
  checkCount('defineOp', arguments.length, 1, written);
  const { name, body, vjp } = checkOptions('defineOp', definition, DEFINITION_KEYS);
  checkFunction('defineOp', 'body', body, written);
  if (typeof name !== 'string') {
    throw new OptionError({
      operation: 'defineOp',
      problem: `name is ${describeValue(name)}`,
      expected: 'a string',
      remedy: `write ${written}`,
    });
  }
  let isList = false;
  const run = (attrs: Attrs, inputs: readonly Node[]): Node[] => {
    const tensors: unknown[] = inputs.map((input) => new Tensor(input));
    const given =
      Object.keys(attrs).length === 0 && tensors.length >= body.length ? tensors : [...tensors, attrs];
    const result = (body as unknown as (...all: unknown[]) => unknown)(...given);
    refuseAsynchronous(name, result);
    isList = Array.isArray(result);
    const list = isList ? (result as readonly unknown[]) : [result];
    return list.map((each) => {
      if (each instanceof Tensor) return each.read();
      throw new DTypeError({
        operation: name,
        problem: `the body gave ${describeValue(each)}`,
        expected: 'a tensor, or an array of tensors',
      });
    });
  };
  const specs = new Map<string, readonly Spec[]>();
  /** Shapes and dtypes of the results: what the body gives for constants of those of the inputs. */
  const infer = (attrs: Attrs, ...inputs: Spec[]): readonly Spec[] => {
    const key = JSON.stringify([attrs, inputs.map(({ shape, dtype }) => [shape, dtype])]);
    const known = specs.get(key);
    if (known !== undefined) return known;
    const stand = inputs.map(({ shape, dtype }) => constant(0, shape, dtype));
    // Not a part of the function that is traced: it is built for the first call only.
    const values = withRecorder(null, () => withGradient(false, () => run(attrs, stand)));
    requireClosed(name, values);
    const found = values.map(({ shape, dtype }) => ({ shape, dtype }));
    if (specs.size >= SPEC_CACHE_SIZE) specs.clear();
    specs.set(key, found);
    return found;
  };
  const derivative = (
    gs: readonly (Node | null)[],
    outs: readonly Node[],
    attrs: Attrs,
    ...inputs: Node[]
  ): (Node | null)[] => {
    const wrap = (nodes: readonly (Node | null)[]): unknown =>
      nodes.map((node) => (node === null ? null : new Tensor(node)));
    currentTrace()?.recorder.noteImpure();
    const context = { inputs: wrap(inputs), outputs: wrap(outs), attrs } as unknown as OpContext<F>;
    return gradientNodes(name, vjp!(wrap(gs) as GradientsOf<ReturnType<F>>, context), inputs);
  };
  const composite: Composite = {
    name,
    infer,
    body: (attrs, ...inputs) => run(attrs, inputs),
    ...(vjp === undefined ? {} : { vjp: derivative }),
  };
  const operation = (...args: unknown[]): Tensor | Tensor[] => {
    const last = args.at(-1);
    const hasAttrs = args.length > 0 && !(last instanceof Tensor);
    const operands = operandNodes((hasAttrs ? args.slice(0, -1) : args) as Tensor[], name);
    const results = call(composite, hasAttrs ? attributes(name, last) : {}, ...operands).map(
      (node) => new Tensor(node),
    );
    return isList ? results : results[0]!;
  };
  return Object.assign(operation as unknown as F, {
    composite: composite as unknown as Operation<F>['composite'],
  });
}

const DEFINITION_KEYS = { name: 'string', body: 'function', vjp: 'function' } as const;

/** Shapes that an operation remembers: a loop over ragged batches has some, and a mistake has any number. */
const SPEC_CACHE_SIZE = 256;

/**
 * @throws DTypeError if the values depend on more than constants: on a captured tensor, or on random numbers
 */
function requireClosed(name: string, values: readonly Node[]): void {
  const leaf = postOrder(values, (node) => node.inputs).find(
    ({ op, stored: buffer }) => op === 'leaf' || buffer !== null,
  );
  if (leaf === undefined) return;
  const found = leaf.op === 'leaf' ? (leaf.variable?.name ?? leaf.attrs.name) : null;
  const captured = found === null ? 'a tensor' : `"${found}"`;
  throw new DTypeError({
    operation: name,
    problem: `the body depends on ${captured} that is none of its arguments`,
    expected: 'an argument',
    remedy: 'pass it as an argument; random numbers too',
  });
}

/** Attributes as they may stand in a program's key. @throws DTypeError for what is no plain data */
function attributes(name: string, given: unknown): Attrs {
  const isValue = (value: unknown): boolean =>
    value === null ||
    ['number', 'string', 'boolean'].includes(typeof value) ||
    (Array.isArray(value) && value.every((each) => typeof each === 'number'));
  const isRecord = isPlain(given);
  const wrong: readonly [string, unknown] | undefined = isRecord
    ? Object.entries(given).find(([, value]) => !isValue(value))
    : ['the last argument', given];
  if (wrong === undefined) return given as Attrs;
  throw new DTypeError({
    operation: name,
    problem: `${wrong[0]} is ${describeValue(wrong[1])}`,
    expected: isRecord
      ? 'attributes that are numbers, strings, booleans, null or lists of numbers'
      : 'a tensor, or an object of attributes',
  });
}

/** @throws ShapeError, DTypeError unless there is a gradient of the right shape, or null, for each input */
function gradientNodes(
  name: string,
  gradients: readonly (Tensor | null)[],
  inputs: readonly Node[],
): (Node | null)[] {
  if (!Array.isArray(gradients) || gradients.length !== inputs.length) {
    throw new ShapeError({
      operation: name,
      problem: `vjp gave ${Array.isArray(gradients) ? `${gradients.length} gradients` : describeValue(gradients)}`,
      expected: `an array with a gradient, or null, for each of ${inputs.length} inputs`,
    });
  }
  return gradients.map((gradient: Tensor | null | undefined, index) => {
    if (gradient === null || gradient === undefined) return null;
    const node = operandNodes([gradient], `${name}: vjp`)[0]!;
    const { shape, dtype } = inputs[index]!;
    if (equalShapes(node.shape, shape) && node.dtype === dtype) return node;
    throw new ShapeError({
      operation: name,
      problem: `vjp gave input ${index}, ${dtype} ${formatShape(shape)}, the gradient ${node.dtype} ${formatShape(node.shape)}`,
      operands: [inputs[index]!, node].map(operandOf),
      expected: `${dtype} ${formatShape(shape)}`,
      remedy: 'sum over the axes that broadcasting has stretched',
    });
  });
}
