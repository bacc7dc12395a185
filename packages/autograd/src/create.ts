/**
 * Tensors from nothing or from host data. Data is copied to the device at once; constants, ranges and random
 * numbers are nodes that the device makes when a program needs them.
 */
import {
  add,
  boxMuller,
  cast,
  constant,
  DeviceError,
  eq,
  expand,
  hostLeaf,
  iota,
  isFloat,
  leaf,
  minimum,
  mul,
  node,
  operandOf,
  random,
  reshape,
  shrink,
  storedAttributes,
  tracked,
} from '@firsthand/graph';
import { checkDevice, getDefaultDevice, runtimeOf } from '@firsthand/runtime';
import type { DType, HostValue, Leaf, Node, Shape } from '@firsthand/graph';
import type { Device } from '@firsthand/runtime';
import {
  arange as counted,
  readArray,
  checkCount,
  checkFunction,
  checkDType,
  checkOptions,
  describeValue,
  DTypeError,
  formatShape,
  Generator,
  OptionError,
  readRange,
  readShape,
  readSizes,
  ShapeError,
  sizeOf,
  linspace as spaced,
} from '@firsthand/linalg';
import type { Data, NDArray, OptionKeys, RangeArguments, ShapeAndOptions } from '@firsthand/linalg';
import { Tensor } from './tensor.ts';
import { currentTrace, noteNumber } from './trace.ts';
import { operandNode } from './operands.ts';
import { guardData, placedOn, requireSupport, storedLeaf } from './stored.ts';

/** Where a new tensor lives, what it holds, and what it is called. */
export interface CreateOptions {
  /** float32 by default, or what the data's own type says. */
  readonly dtype?: DType | undefined;
  /** The default device, unless another is named. */
  readonly device?: Device | undefined;
  /** Whether `backward` accumulates a gradient in this tensor. */
  readonly requiresGrad?: boolean | undefined;
  /** What error messages call it. */
  readonly name?: string | undefined;
}

/** Where state lives, what it holds, and what it is called: it has no gradient. */
export type StateOptions = Omit<CreateOptions, 'requiresGrad'>;

/** As {@link CreateOptions}, with a shape to lay the data out in. */
export interface DataOptions extends CreateOptions {
  readonly shape?: Shape | undefined;
}

/** As {@link CreateOptions}, with the distance of neighbours: 1 by default. */
export interface RangeOptions extends CreateOptions {
  readonly step?: number | undefined;
}

export const CREATE_KEYS: OptionKeys<CreateOptions> = {
  dtype: true,
  device: true,
  requiresGrad: 'boolean',
  name: 'string',
};
const STATE_KEYS: OptionKeys<StateOptions> = { dtype: true, device: true, name: 'string' };
const DATA_KEYS: OptionKeys<DataOptions> = { ...CREATE_KEYS, shape: true };
const RANGE_KEYS: OptionKeys<RangeOptions> = { ...CREATE_KEYS, step: 'number' };

/**
 * Checks what options alone cannot say: that the dtype is one and the device is a device. @throws OptionError
 */
function checkCreate<O extends CreateOptions>(operation: string, options: O): O {
  const { dtype, device } = options;
  if (dtype !== undefined) checkDType(operation, dtype);
  if (device !== undefined) checkDevice(operation, device);
  return options;
}

/** The shape and the options of a call: `zeros([2, 3], { dtype })`, `zeros(2, 3, { dtype })`. */
function readCreate(
  operation: string,
  args: ShapeAndOptions<CreateOptions>,
): { readonly shape: Shape; readonly options: CreateOptions } {
  const { shape, options } = readShape(operation, args, CREATE_KEYS);
  return { shape, options: checkCreate(operation, options) };
}

/**
 * A tensor with a copy of the data: numbers nested once per axis, a typed array, an `NDArray`, an array read
 * from a file, or another tensor, of whose value it is a copy without history. Numbers become float32,
 * booleans bool; arrays and tensors keep their dtype, of typed arrays `Float64Array` is float64 and small
 * integers (bytes too) are int32; `dtype` converts. Another device's tensor has to be fetched first:
 * `await x.to(device)`.
 * @param options.shape the shape to lay the elements out in, row by row
 * @throws ShapeError for ragged nesting or a shape that does not fit; DTypeError if the device lacks the
 *   dtype, or for what is no
 *   data; DeviceError for a tensor of another device than the one that is named
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { array } from '@firsthand/linalg';
 * const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
 * x.mul(x).sum().backward();
 * console.log(await x.grad?.toArray()); // [ [ 2, 4 ], [ 6, 8 ] ]
 * console.log(tensor(array([1, 2]), { dtype: 'int32' }).dtype); // int32
 * console.log(tensor(new Uint8Array(6), { shape: [2, 3] }).dtype); // int32
 * console.log(await tensor(x, { shape: [4] }).toArray()); // [ 1, 2, 3, 4 ]
 * ```
 */
export function tensor(data: Data | Tensor, options?: DataOptions): Tensor {
  checkCount('tensor', arguments.length, 2, "tensor(data, { dtype: 'float32', requiresGrad: true })");
  return tensorOf(data, checkCreate('tensor', checkOptions('tensor', options, DATA_KEYS)));
}

function tensorOf(data: Data | Tensor, options: DataOptions): Tensor {
  if (data instanceof Tensor) return copyOf(data, options);
  if (Array.isArray(data) && data[0] instanceof Tensor) {
    const remedy = 'join them with stack([…]) or cat([…])';
    throw new DTypeError({
      operation: 'tensor',
      problem: 'an array of tensors is no data',
      expected: 'numbers',
      remedy,
    });
  }
  const { dtype, shape } = options;
  guardData(data);
  // The device copies what is uploaded.
  return stored('tensor', readArray('tensor', data, { dtype, shape, copy: false }), options);
}

/** The value of another tensor, without history. Its storage is shared until one of the two is updated. */
function copyOf(source: Tensor, { shape, dtype, device = source.device, ...options }: DataOptions): Tensor {
  if (device !== source.device) {
    throw new DeviceError({
      operation: 'tensor',
      problem: `the data is a tensor on ${source.device.name}`,
      operands: [operandOf(source.node)],
      expected: `a tensor on ${device.name}`,
      remedy: 'fetch it with await x.to(device)',
    });
  }
  let value = source.detach();
  if (dtype !== undefined && dtype !== value.dtype) value = value.cast(dtype);
  if (shape !== undefined) value = value.reshape(shape);
  if (options.requiresGrad !== true && options.name === undefined) return value;
  return lazy('tensor', value.read('tensor'), { ...options, device });
}

function stored(
  operation: string,
  values: NDArray,
  { device = getDefaultDevice(), requiresGrad = false, name }: CreateOptions,
): Tensor {
  return new Tensor(
    storedLeaf(operation, values, device, requiresGrad, name ?? null),
    name ?? null,
  ).asVariable();
}

/**
 * A variable whose updates overwrite its storage at once, without keeping the generation before: what
 * optimizers keep. It has its value from the start, so that compiled steps find it.
 */
export function stateVariable(data: Data, options?: StateOptions): Tensor {
  checkCount('stateVariable', arguments.length, 2, 'stateVariable(data, { dtype, device, name })');
  const { dtype, device = getDefaultDevice(), name } = checkOptions('stateVariable', options, STATE_KEYS);
  return new Tensor(
    storedLeaf('tensor', readArray('tensor', data, { dtype, copy: false }), device, false, name ?? null),
    name ?? null,
    true,
  );
}

/** A lazy value; as a leaf with storage if it requires a gradient. */
function lazy(
  operation: string,
  made: Node,
  { device = getDefaultDevice(), requiresGrad = false, name }: CreateOptions,
): Tensor {
  requireSupport(operation, device, made);
  const value = placedOn(made, device);
  if (!requiresGrad) return new Tensor(value, name ?? null);
  // Inside compile each call makes the value anew.
  if (currentTrace() !== null) return new Tensor(tracked(value), name ?? null).asVariable();
  runtimeOf(device).realize([value]);
  const created = leaf(storedAttributes(value, name ?? null), device, { requiresGrad });
  created.stored = value.stored;
  return new Tensor(created, name ?? null).asVariable();
}

/**
 * Every element is `value`.
 * @param shape sizes, or the one size of a vector
 * @throws ShapeError for what is no shape
 */
export function full(shape: Shape | number, value: number, options?: CreateOptions): Tensor {
  checkCount('full', arguments.length, 3, 'full([2, 3], value, { dtype })');
  return filled(
    'full',
    readSizes('full', [shape]),
    noteNumber(checkValue('full', value)),
    checkCreate('full', checkOptions('full', options, CREATE_KEYS)),
  );
}

/** @throws OptionError for what is no number: the third size of a shape that is not an array, say */
function checkValue(operation: string, value: number): number {
  if (typeof value === 'number') return value;
  throw new OptionError({ operation, problem: `the value is ${describeValue(value)}`, expected: 'a number' });
}

function filled(operation: string, shape: Shape, value: number, options: CreateOptions): Tensor {
  return lazy(operation, constant(value, shape, options.dtype ?? 'float32'), options);
}

/**
 * Every element is 0: `zeros([2, 3])` or `zeros(2, 3)`, with options behind.
 * @throws ShapeError for what is no shape
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * console.log(zeros([2, 3]).shape, zeros(2, 3, { dtype: 'int32' }).dtype); // [ 2, 3 ] int32
 * ```
 */
export function zeros(...shapeAndOptions: ShapeAndOptions<CreateOptions>): Tensor {
  const { shape, options } = readCreate('zeros', shapeAndOptions);
  return filled('zeros', shape, 0, options);
}

/**
 * Every element is 1: `ones([2, 3])` or `ones(2, 3)`, with options behind. @throws ShapeError for what is no
 * shape
 */
export function ones(...shapeAndOptions: ShapeAndOptions<CreateOptions>): Tensor {
  const { shape, options } = readCreate('ones', shapeAndOptions);
  return filled('ones', shape, 1, options);
}

// ---- like another tensor: its shape, dtype and device, unless options say otherwise

/** The shape, and the options with dtype and device of another tensor. */
function readLike(
  operation: string,
  like: Tensor,
  args: readonly unknown[],
): { readonly shape: Shape; readonly options: CreateOptions } {
  const { shape, dtype } = operandNode(like, operation, 'the tensor');
  checkCount(operation, args.length, 1, `${operation}(x, { dtype })`);
  const options = checkCreate(
    operation,
    checkOptions(operation, args[0] as CreateOptions | undefined, CREATE_KEYS),
  );
  return { shape, options: { dtype, device: like.device, ...options } };
}

/** Every element is `value`; shape, dtype and device are those of `like`. */
export function fullLike(
  like: Tensor,
  value: number,
  ...options: readonly [options?: CreateOptions]
): Tensor {
  const read = readLike('fullLike', like, options);
  return filled('fullLike', read.shape, checkValue('fullLike', value), read.options);
}

/** Every element is 0; shape, dtype and device are those of `like`. */
export function zerosLike(like: Tensor, ...options: readonly [options?: CreateOptions]): Tensor {
  const read = readLike('zerosLike', like, options);
  return filled('zerosLike', read.shape, 0, read.options);
}

/** Every element is 1; shape, dtype and device are those of `like`. */
export function onesLike(like: Tensor, ...options: readonly [options?: CreateOptions]): Tensor {
  const read = readLike('onesLike', like, options);
  return filled('onesLike', read.shape, 1, read.options);
}

/**
 * Uniform in [0, 1); shape, dtype and device are those of `like`. @throws DTypeError for integers and bools
 */
export function randLike(like: Tensor, ...options: readonly [options?: CreateOptions]): Tensor {
  const read = readLike('randLike', like, options);
  return rand(read.shape, randomLike('randLike', like, read.options));
}

/** Standard normal; shape, dtype and device are those of `like`. @throws DTypeError for integers and bools */
export function randnLike(like: Tensor, ...options: readonly [options?: CreateOptions]): Tensor {
  const read = readLike('randnLike', like, options);
  return randn(read.shape, randomLike('randnLike', like, read.options));
}

function randomLike(operation: string, like: Tensor, options: CreateOptions): CreateOptions {
  const { dtype = 'float32' } = options;
  if (isFloat(dtype)) return options;
  const [expected, remedy] = ['a floating-point dtype', "write { dtype: 'float32' }"];
  throw new DTypeError({
    operation,
    problem: `${dtype} holds no fractions`,
    operands: [like],
    expected,
    remedy,
  });
}

/**
 * start, start + step, … before stop: `arange(stop)` from 0, `arange(start, stop)`,
 * `arange(start, stop, step)`, with options behind.
 * @throws ShapeError if the range has no end
 */
export function arange(...rangeAndOptions: RangeArguments<RangeOptions>): Tensor {
  const { start, step, count, options } = readRange('arange', rangeAndOptions, RANGE_KEYS);
  const { dtype = 'float32', ...rest } = checkCreate('arange', options);
  const isWhole = Number.isInteger(start) && Number.isInteger(step);
  const isSmall = Math.abs(start) < 2 ** 31 && Math.abs(start + count * step) < 2 ** 31;
  if (isWhole && !isFloat(dtype) && dtype !== 'bool')
    return lazy('arange', add(mul(cast(iota([count], 0), dtype), step), start), rest);
  if (isWhole && isSmall) return lazy('arange', cast(add(mul(iota([count], 0), step), start), dtype), rest);
  // Fractions are counted in double precision on the host, and rounded once.
  return stored('arange', counted(start, start + count * step, step, { dtype }).slice({ stop: count }), rest);
}

/**
 * `count` numbers at equal distances, both ends included: counted from the nearer end in double precision,
 * and rounded once; integer dtypes truncate.
 */
export function linspace(start: number, stop: number, count: number, options?: CreateOptions): Tensor {
  checkCount('linspace', arguments.length, 4, 'linspace(start, stop, count, { dtype })');
  const { dtype = 'float32', ...rest } = checkCreate(
    'linspace',
    checkOptions('linspace', options, CREATE_KEYS),
  );
  return stored('linspace', spaced(start, stop, count, { dtype }), rest);
}

/**
 * Ones on the diagonal: `eye(3)`, `eye(2, 3)` or `eye([2, 3])`, with options behind. @throws ShapeError
 * unless there are one or two sizes
 */
export function eye(...shapeAndOptions: ShapeAndOptions<CreateOptions>): Tensor {
  const { shape: sizes, options } = readCreate('eye', shapeAndOptions);
  if (sizes.length !== 1 && sizes.length !== 2) {
    const problem = `${formatShape(sizes)} is no matrix`;
    throw new ShapeError({ operation: 'eye', problem, expected: 'rows, and columns if they differ' });
  }
  const { dtype = 'float32' } = options;
  const shape = [sizes[0]!, sizes.at(-1)!];
  return lazy('eye', cast(eq(iota(shape, 0), iota(shape, 1)), dtype), options);
}

// ---- random numbers

let generator: Generator | null = null;

/** The generator that random tensors and initialisers draw from. */
export function defaultGenerator(): Generator {
  checkCount('defaultGenerator', arguments.length, 0, 'defaultGenerator()');
  generator ??= new Generator(0);
  return generator;
}

/** Starts the default generator anew: the same seed gives the same numbers, on every device. */
export function manualSeed(seed: number): void {
  checkCount('manualSeed', arguments.length, 1, 'manualSeed(seed)');
  generator = new Generator(seed);
}

/**
 * A number, or a short list of numbers, that the host gives to each run: it is sampled now, and inside
 * `compile` again at every call, without compiling anything anew. Learning rates are host values.
 * @param options dtype, float32 if not given, and device
 * @example
 * ```ts
 * import { compile, hostValue, type Tensor, tensor } from '@firsthand/autograd';
 * const settings = { rate: 0.5 };
 * const scale = compile((x: Tensor) => x.mul(hostValue(() => settings.rate)));
 * console.log(await scale(tensor([2])).item()); // 1
 * settings.rate = 3;
 * console.log(await scale(tensor([2])).item(), scale.reports().length); // 6 1
 * ```
 */
export function hostValue(sample: () => HostValue, options?: StateOptions): Tensor {
  checkCount('hostValue', arguments.length, 2, 'hostValue(sample, { dtype, device, name })');
  const {
    dtype = 'float32',
    device = getDefaultDevice(),
    name,
  } = checkOptions('hostValue', options, STATE_KEYS);
  checkFunction('hostValue', 'the sample', sample, 'hostValue(() => 1)');
  return new Tensor(hostNode(sample, dtype, device), name ?? null);
}

function hostNode(sample: () => HostValue, dtype: DType, device: Device): Leaf {
  const trace = currentTrace();
  if (trace === null) return hostLeaf(sample, dtype, device);
  const created = trace.guards.pause(() => hostLeaf(sample, dtype, device));
  trace.addHost(created);
  return created;
}

/** @throws DTypeError for a dtype that is no float */
function requireFloatType(operation: string, dtype: DType): void {
  if (isFloat(dtype)) return;
  const remedy = 'use randint for whole numbers';
  throw new DTypeError({
    operation,
    problem: `gives floats, not ${dtype}`,
    expected: 'a floating-point dtype',
    remedy,
  });
}

/**
 * Philox4x32-10 (Salmon et al. 2011): a pure function of a key and a counter, both host values. One block
 * gives four words.
 */
function randomNode(shape: Shape, dtype: 'uint32' | 'float32', device: Device): Node {
  const blocks = Math.ceil(sizeOf(shape) / 4);
  const key = hostNode(() => [...defaultGenerator().state.key], 'uint32', device);
  const counter = hostNode(() => [...defaultGenerator().advance(blocks)], 'uint32', device);
  return random(key, counter, shape, dtype);
}

/** The largest float16 below 1. Uniforms that are nearer to 1 would be rounded to 1. */
const LARGEST_HALF_BELOW_ONE = 1 - 2 ** -11;

/**
 * Uniform in [0, 1): 24 random bits times 2⁻²⁴, which float32 and float64 hold; rounded for float16, but
 * never to 1.
 * @throws DTypeError for a dtype that is no float
 */
export function rand(...shapeAndOptions: ShapeAndOptions<CreateOptions>): Tensor {
  const { shape, options } = readCreate('rand', shapeAndOptions);
  const { dtype = 'float32' } = options;
  requireFloatType('rand', dtype);
  const uniform = randomNode(shape, 'float32', options.device ?? getDefaultDevice());
  return lazy(
    'rand',
    cast(dtype === 'float16' ? minimum(uniform, LARGEST_HALF_BELOW_ONE) : uniform, dtype),
    options,
  );
}

/** Standard normal, between ±5.8: √(−2 ln 2⁻²⁴). @throws DTypeError for a dtype that is no float */
export function randn(...shapeAndOptions: ShapeAndOptions<CreateOptions>): Tensor {
  const { shape, options } = readCreate('randn', shapeAndOptions);
  const { dtype = 'float32' } = options;
  requireFloatType('randn', dtype);
  const device = options.device ?? getDefaultDevice();
  const count = sizeOf(shape);
  const pairs = randomNode([2, count], 'float32', device);
  const row = (index: number): Node => reshape(shrink(pairs, [index, 0], [index + 1, count]), shape);
  return lazy('randn', cast(boxMuller(row(0), row(1)), dtype), options);
}

/** The whole numbers that each dtype holds, one and all: from the first to the last. */
const WHOLE_NUMBERS: { readonly [K in DType]: readonly [number, number] } = {
  float64: [-(2 ** 53), 2 ** 53],
  float32: [-(2 ** 24), 2 ** 24],
  float16: [-(2 ** 11), 2 ** 11],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  bool: [0, 1],
};

/**
 * Whole numbers in [low, high), int32 if not said otherwise. The modulo bias is below (high − low)·2⁻³².
 * @throws ShapeError unless low and high are whole numbers and there are 1 to 2³¹ of them; DTypeError if the
 *   dtype cannot hold each of them
 */
export function randint(
  low: number,
  high: number,
  ...shapeAndOptions: ShapeAndOptions<CreateOptions>
): Tensor {
  const { shape, options } = readCreate('randint', shapeAndOptions);
  const { dtype = 'int32' } = options;
  const range = high - low;
  if (!Number.isInteger(low) || !Number.isInteger(high) || range < 1 || range > 2 ** 31) {
    const problem = `[${low}, ${high}) is no range of whole numbers with 1 to 2³¹ of them`;
    const [expected, remedy] = ['whole numbers low < high', 'write randint(low, high, shape)'];
    throw new ShapeError({ operation: 'randint', problem, expected, remedy });
  }
  const [first, last] = WHOLE_NUMBERS[dtype];
  if (low < first || high - 1 > last) {
    const expected = `each whole number from ${first} to ${last}`;
    const problem = `${dtype} holds ${expected}, not those of [${low}, ${high})`;
    throw new DTypeError({ operation: 'randint', problem, expected, remedy: 'use another dtype' });
  }
  const bits = randomNode(shape, 'uint32', options.device ?? getDefaultDevice());
  const offset = node('binary', { kind: 'mod' }, [bits, expand(constant(range, [], 'uint32'), shape)]);
  const holds = ([from, to]: readonly [number, number]): boolean => from <= low && high - 1 <= to;
  const whole = holds(WHOLE_NUMBERS.int32) ? 'int32' : holds(WHOLE_NUMBERS.uint32) ? 'uint32' : dtype;
  return lazy('randint', cast(add(cast(offset, whole), low), dtype), options);
}
