/**
 * How calls give an axis and a shape, the same way everywhere: an axis is a number, an array of numbers or an
 * options object, `x.sum(1)`, `x.sum([0, 1])`, `x.sum({ axis: 1, keepDims: true })`; a shape is an array or
 * numbers, `zeros([2, 3])`, `zeros(2, 3)`. Each is read by one parser, which refuses what it would otherwise
 * ignore.
 */
import { OptionError, ShapeError } from './errors.ts';
import { checkOptions, describeValue, isPlain, type OptionKeys } from './options.ts';
import { checkShape, type Shape } from './shape.ts';

/** Options among which is an axis. */
export interface AxisOptions {
  readonly axis?: number | readonly number[] | undefined;
}

/** Options of an operation along one axis. */
export interface OneAxis {
  readonly axis?: number | undefined;
}

/**
 * Which axes to reduce (all, if not given), and whether they stay with size 1 (they do not, if not given).
 */
export interface ReduceOptions extends AxisOptions {
  readonly keepDims?: boolean | undefined;
}

/** An axis, axes, or an options object: what reductions and their like take. */
export type AxisArgument<O extends AxisOptions = ReduceOptions> = Exclude<O['axis'], undefined> | O;

/** The options of a reduction, for {@link axisOptions}. */
export const REDUCE_KEYS: OptionKeys<ReduceOptions> = { axis: true, keepDims: 'boolean' };

/**
 * The options that an axis argument stands for: a number or an array is the axis.
 * @param keys all options that the operation has
 * @throws OptionError for a key that does not exist, or for what is no axis
 * @example
 * ```ts
 * import { axisOptions, REDUCE_KEYS } from '@firsthand/linalg';
 * console.log(axisOptions('sum', 1, REDUCE_KEYS)); // { axis: 1 }
 * console.log(axisOptions('sum', { axis: 1, keepDims: true }, REDUCE_KEYS)); // { axis: 1, keepDims: true }
 * ```
 */
export function axisOptions<O extends AxisOptions>(
  operation: string,
  argument: AxisArgument<O> | undefined,
  keys: OptionKeys<O>,
): O {
  if (argument === undefined) return {} as O;
  if (typeof argument === 'number') return { axis: argument } as unknown as O;
  if (Array.isArray(argument)) return { axis: checkAxes(operation, argument) } as unknown as O;
  if (!isPlain(argument)) throw noAxis(operation, argument);
  const options = checkOptions(operation, argument as O, keys);
  const { axis } = options;
  if (axis !== undefined && typeof axis !== 'number') checkAxes(operation, axis);
  return options;
}

function checkAxes(operation: string, axes: unknown): readonly number[] {
  if (!Array.isArray(axes)) throw noAxis(operation, axes);
  const wrong: unknown = axes.find((axis) => typeof axis !== 'number');
  if (wrong !== undefined) throw noAxis(operation, wrong);
  return axes as readonly number[];
}

function noAxis(operation: string, found: unknown): OptionError {
  return new OptionError({
    operation,
    problem: `the axis is ${describeValue(found)}`,
    expected: 'a number, an array of numbers or { axis }',
    remedy: `write ${operation}(1) or ${operation}({ axis: 1 })`,
  });
}

/** The key of an operation whose only option is the axis. */
export const AXIS_KEYS: OptionKeys<OneAxis> = { axis: true };

/**
 * As {@link axisOptions}, for an operation along one axis: an array of one number is that number. @throws
 * OptionError for several
 */
export function oneAxisOptions<O extends OneAxis>(
  operation: string,
  argument: AxisArgument<O> | undefined,
  keys: OptionKeys<O>,
): O {
  const options = axisOptions(operation, argument, keys);
  const axis = options.axis as number | readonly number[] | undefined;
  if (axis === undefined || typeof axis === 'number') return options;
  if (axis.length !== 1)
    throw new OptionError({ operation, problem: `${axis.length} axes are given`, expected: 'one axis' });
  return { ...options, axis: axis[0]! };
}

/**
 * The two axes that a transposition exchanges, the last two if not given.
 * @throws OptionError for an order of axes, as `transpose` takes elsewhere
 */
export function readExchange(operation: string, axes: readonly unknown[]): readonly [number, number] {
  const [first = -2, second = -1, ...rest] = axes;
  if (typeof first === 'number' && typeof second === 'number' && rest.length === 0) return [first, second];
  throw new OptionError({
    operation,
    problem: `${rest.length > 0 ? `${rest.length + 2} axes` : describeValue(typeof first === 'number' ? second : first)} where two axes are exchanged`,
    expected: 'two axes, or none for the last two',
    remedy: `write ${operation}(0, 1), or permute(…) for an order of all axes`,
  });
}

/** A shape as calls give it: one array, or its sizes. */
export type ShapeArguments = readonly [shape: Shape] | readonly number[];

/** A shape as calls give it, and options after it: `zeros([2, 3], { dtype })`, `zeros(2, 3, { dtype })`. */
export type ShapeAndOptions<O extends object> =
  | readonly [shape: Shape, options?: O | undefined]
  | readonly number[]
  | readonly [...sizes: readonly number[], options: O | undefined];

/**
 * The sizes that a call gives as one array or as numbers, negative ones included.
 * @throws ShapeError for anything else
 */
export function readSizes(operation: string, sizes: readonly unknown[]): readonly number[] {
  const list: unknown = sizes.length === 1 && Array.isArray(sizes[0]) ? sizes[0] : sizes;
  const wrong: unknown = (list as readonly unknown[]).find((size) => typeof size !== 'number');
  // [undefined].find(…) is undefined too.
  if (wrong === undefined && !(list as readonly unknown[]).includes(undefined)) return list as Shape;
  throw new ShapeError({
    operation,
    problem: `${describeValue(wrong)} is no size`,
    expected: `an array of numbers or numbers: ${operation}([2, 3]) or ${operation}(2, 3)`,
  });
}

/**
 * The shape and the options of a call like `zeros([2, 3], { dtype })` or `zeros(2, 3, { dtype })`.
 * @throws ShapeError for what is no shape
 * @throws OptionError for a key that does not exist
 */
export function readShape<O extends object>(
  operation: string,
  args: ShapeAndOptions<O>,
  keys: OptionKeys<O>,
): { readonly shape: Shape; readonly options: O } {
  const list: readonly unknown[] = args;
  const last = list.at(-1);
  // Behind one array, whatever comes is meant as options; behind numbers, what is no number.
  const hasOptions = Array.isArray(list[0]) ? list.length > 1 : list.length > 1 && typeof last !== 'number';
  if (Array.isArray(list[0])) checkCount(operation, list.length, 2, `${operation}([2, 3], { … })`);
  const sizes = readSizes(operation, hasOptions ? list.slice(0, -1) : list);
  return {
    shape: checkShape(operation, sizes),
    options: checkOptions(operation, hasOptions ? (last as O) : undefined, keys),
  };
}

/**
 * Refuses arguments that a call would ignore.
 * @param given how many there are
 * @param most how many the operation takes
 * @param call how it is called instead: `x.sum({ axis, keepDims })`
 * @throws OptionError if there are more
 */
export function checkCount(operation: string, given: number, most: number, call: string): void {
  if (given <= most) return;
  throw new OptionError({
    operation,
    problem: `${given} ${given === 1 ? 'argument' : 'arguments'}`,
    expected: most === 0 ? 'none' : `at most ${most}`,
    remedy: `write ${call}`,
  });
}
