/**
 * Tensors from nothing or from host data. Data is copied to the device at once; constants, ranges and random numbers are nodes
 * that the device makes when a program needs them.
 */
import {
  add,
  boxMuller,
  cast,
  constant,
  DeviceError,
  eq,
  expand,
  getDefaultDevice,
  hostLeaf,
  iota,
  isFloat,
  leaf,
  minimum,
  mul,
  node,
  placed,
  random,
  reshape,
  runtimeOf,
  shrink,
  storedAttributes,
  tracked,
  where,
} from '@firsthand/graph';
import type { Device, DType, HostValue, Leaf, Node, Shape } from '@firsthand/graph';
import { array, type Data, DTypeError, Generator, type NDArray, ShapeError, sizeOf } from '@firsthand/linalg';
import { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';
import { guardData, requireSupport, storedLeaf } from './value.ts';

/** Where a new tensor lives, what it holds, and what it is called. */
export interface CreateOptions {
  /** float32 by default, or what the data's own type says. */
  readonly dtype?: DType;
  /** The default device, unless another is named. */
  readonly device?: Device;
  /** Whether `backward` accumulates a gradient in this tensor. */
  readonly requiresGrad?: boolean;
  /** What error messages call it. */
  readonly name?: string;
}

/**
 * A tensor with a copy of the data: numbers nested once per axis, a typed array, an `NDArray`, an array read from a file, or another
 * tensor, of whose value it is a copy without history. Numbers become float32, booleans bool; arrays and tensors keep their dtype,
 * of typed arrays `Float64Array` is float64 and small integers (bytes too) are int32; `dtype` converts. Another device's tensor has
 * to be fetched first: `await x.to(device)`.
 * @param options.shape the shape to lay the elements out in, row by row
 * @throws ShapeError for ragged nesting or a shape that does not fit; DTypeError if the device lacks the dtype, or for what is no
 *   data; DeviceError for a tensor of another device than the one that is named
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { array } from '@firsthand/linalg';
 * const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
 * x.mul(x).sum().backward();
 * console.log(await x.grad?.toArray()); // [ [ 2, 4 ], [ 6, 8 ] ]
 * console.log(tensor(array([1, 2]), { dtype: 'int32' }).dtype, tensor(new Uint8Array(6), { shape: [2, 3] }).dtype); // int32 int32
 * console.log(await tensor(x, { shape: [4] }).toArray()); // [ 1, 2, 3, 4 ]
 * ```
 */
export function tensor(data: Data | Tensor, options: CreateOptions & { readonly shape?: Shape | undefined } = {}): Tensor {
  if (data instanceof Tensor) return copyOf(data, options);
  if (Array.isArray(data) && data[0] instanceof Tensor) {
    throw new DTypeError('tensor: an array of tensors is no data; join them with stack([…]) or cat([…])');
  }
  const { dtype, shape } = options;
  guardData(data);
  // The device copies what is uploaded.
  return stored(array(data, { dtype, shape, copy: false }), options);
}

/** The value of another tensor, without history. Its storage is shared until one of the two is updated. */
function copyOf(
  source: Tensor,
  { shape, dtype, device = source.device, ...options }: CreateOptions & { readonly shape?: Shape | undefined },
): Tensor {
  if (device !== source.device) {
    throw new DeviceError(`tensor: the data is a tensor on ${source.device.name}; fetch it with await x.to(device)`);
  }
  let value = source.detach();
  if (dtype !== undefined && dtype !== value.dtype) value = value.cast(dtype);
  if (shape !== undefined) value = value.reshape(...shape);
  if (options.requiresGrad !== true && options.name === undefined) return value;
  return lazy(value.read(), { ...options, device });
}

function stored(values: NDArray, { device = getDefaultDevice(), requiresGrad = false, name }: CreateOptions): Tensor {
  return new Tensor(storedLeaf(values, device, requiresGrad, name ?? null), name ?? null).owned();
}

/**
 * A variable whose updates overwrite its storage at once, without keeping the generation before: what optimizers keep.
 * It has its value from the start, so that compiled steps find it.
 */
export function stateVariable(values: NDArray, { device = getDefaultDevice(), name }: CreateOptions = {}): Tensor {
  return new Tensor(storedLeaf(values, device, false, name ?? null), name ?? null, true);
}

/** A lazy value; as a leaf with storage if it requires a gradient. */
function lazy(made: Node, { device = getDefaultDevice(), requiresGrad = false, name }: CreateOptions): Tensor {
  requireSupport(device, made.dtype);
  const value = device === getDefaultDevice() ? made : placed(made, device);
  if (!requiresGrad) return new Tensor(value, name ?? null);
  // Inside compile each call makes the value anew.
  if (currentTrace() !== null) return new Tensor(tracked(value), name ?? null).owned();
  runtimeOf(device).realize([value]);
  const created = leaf(storedAttributes(value, name ?? null), device, { requiresGrad });
  created.cell = value.cell;
  return new Tensor(created, name ?? null).owned();
}

/** Every element is `value`. */
export function full(shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  return lazy(constant(value, shape, options.dtype ?? 'float32'), options);
}
/** Every element is 0. */
export const zeros = (shape: Shape, options?: CreateOptions): Tensor => full(shape, 0, options);
/** Every element is 1. */
export const ones = (shape: Shape, options?: CreateOptions): Tensor => full(shape, 1, options);

// ---- like another tensor: its shape, dtype and device, unless options say otherwise

const likeOptions = <O extends CreateOptions>({ dtype, device }: Tensor, options: O): O => ({ dtype, device, ...options });

/** Every element is `value`; shape, dtype and device are those of `like`. */
export const fullLike = (like: Tensor, value: number, options: CreateOptions = {}): Tensor =>
  full(like.shape, value, likeOptions(like, options));
/** Every element is 0; shape, dtype and device are those of `like`. */
export const zerosLike = (like: Tensor, options?: CreateOptions): Tensor => fullLike(like, 0, options);
/** Every element is 1; shape, dtype and device are those of `like`. */
export const onesLike = (like: Tensor, options?: CreateOptions): Tensor => fullLike(like, 1, options);
/** Uniform in [0, 1); shape, dtype and device are those of `like`. @throws DTypeError for integers and bools */
export const randLike = (like: Tensor, options: CreateOptions = {}): Tensor =>
  rand(like.shape, randomLike('randLike', likeOptions(like, options)));
/** Standard normal; shape, dtype and device are those of `like`. @throws DTypeError for integers and bools */
export const randnLike = (like: Tensor, options: CreateOptions = {}): Tensor =>
  randn(like.shape, randomLike('randnLike', likeOptions(like, options)));

function randomLike(operation: string, options: CreateOptions): CreateOptions {
  const { dtype = 'float32' } = options;
  if (isFloat(dtype)) return options;
  throw new DTypeError({
    operation,
    problem: `${dtype} holds no fractions`,
    expected: 'a floating-point dtype',
    remedy: "write { dtype: 'float32' }",
  });
}

/** start, start + step, … before stop; with one bound, from 0 to it. */
export function arange(
  start: number,
  stop?: number,
  { step = 1, dtype = 'float32', ...options }: CreateOptions & { readonly step?: number } = {},
): Tensor {
  const from = stop === undefined ? 0 : start;
  const count = Math.max(0, Math.ceil(((stop ?? start) - from) / step));
  if (!Number.isFinite(count)) throw new ShapeError(`arange: from ${from} to ${stop ?? start} in steps of ${step} has no end`);
  const indices = cast(iota([count], 0), dtype);
  return lazy(add(mul(indices, step), from), options);
}

/** `count` numbers at equal distances, both ends included. */
export function linspace(start: number, stop: number, count: number, { dtype = 'float32', ...options }: CreateOptions = {}): Tensor {
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  const index = iota([count], 0);
  const line = add(mul(cast(index, dtype), step), start);
  // Rounding may miss the last one by a little.
  return lazy(where(eq(index, count - 1), count > 1 ? stop : start, line), options);
}

/** Ones on the diagonal. */
export function eye(rows: number, columns: number = rows, { dtype = 'float32', ...options }: CreateOptions = {}): Tensor {
  const shape = [rows, columns];
  return lazy(cast(eq(iota(shape, 0), iota(shape, 1)), dtype), options);
}

// ---- random numbers

let generator: Generator | null = null;

/** The generator that random tensors and initialisers draw from. */
export function defaultGenerator(): Generator {
  generator ??= new Generator(0);
  return generator;
}

/** Starts the default generator anew: the same seed gives the same numbers, on every device. */
export function manualSeed(seed: number): void {
  generator = new Generator(seed);
}

/**
 * A host value as a leaf, sampled now; inside `compile` it is sampled again at every call. It is part of no program's key.
 */
export function hostNode(sample: () => HostValue, dtype: DType, device: Device): Leaf {
  const trace = currentTrace();
  if (trace === null) return hostLeaf(sample, dtype, device);
  const created = trace.guards.pause(() => hostLeaf(sample, dtype, device));
  trace.addHost(created);
  return created;
}

/** @throws DTypeError for a dtype that is no float */
function requireFloatType(operation: string, dtype: DType): void {
  if (!isFloat(dtype)) throw new DTypeError(`${operation}: gives floats, not ${dtype}; use randint for whole numbers`);
}

/** Philox4x32-10 (Salmon et al. 2011): a pure function of a key and a counter, both host values. One block gives four words. */
function randomNode(shape: Shape, dtype: 'uint32' | 'float32', device: Device): Node {
  const blocks = Math.ceil(sizeOf(shape) / 4);
  const key = hostNode(() => [...defaultGenerator().state.key], 'uint32', device);
  const counter = hostNode(() => [...defaultGenerator().advance(blocks)], 'uint32', device);
  return random(key, counter, shape, dtype);
}

/** The largest float16 below 1. Uniforms that are nearer to 1 would be rounded to 1. */
const LARGEST_HALF_BELOW_ONE = 1 - 2 ** -11;

/**
 * Uniform in [0, 1): 24 random bits times 2⁻²⁴, which float32 and float64 hold; rounded for float16, but never to 1.
 * @throws DTypeError for a dtype that is no float
 */
export function rand(shape: Shape, { dtype = 'float32', ...options }: CreateOptions = {}): Tensor {
  requireFloatType('rand', dtype);
  const uniform = randomNode(shape, 'float32', options.device ?? getDefaultDevice());
  return lazy(cast(dtype === 'float16' ? minimum(uniform, LARGEST_HALF_BELOW_ONE) : uniform, dtype), options);
}

/** Standard normal, between ±5.8: √(−2 ln 2⁻²⁴). @throws DTypeError for a dtype that is no float */
export function randn(shape: Shape, { dtype = 'float32', ...options }: CreateOptions = {}): Tensor {
  requireFloatType('randn', dtype);
  const device = options.device ?? getDefaultDevice();
  const count = sizeOf(shape);
  const pairs = randomNode([2, count], 'float32', device);
  const row = (index: number): Node => reshape(shrink(pairs, [index, 0], [index + 1, count]), shape);
  return lazy(cast(boxMuller(row(0), row(1)), dtype), options);
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
 * @throws ShapeError unless low and high are whole numbers and there are 1 to 2³¹ of them; DTypeError if the dtype cannot hold each of them
 */
export function randint(low: number, high: number, shape: Shape, { dtype = 'int32', ...options }: CreateOptions = {}): Tensor {
  const range = high - low;
  if (!Number.isInteger(low) || !Number.isInteger(high) || range < 1 || range > 2 ** 31) {
    throw new ShapeError(`randint: [${low}, ${high}) is no range of whole numbers with 1 to 2³¹ of them`);
  }
  const [first, last] = WHOLE_NUMBERS[dtype];
  if (low < first || high - 1 > last) {
    throw new DTypeError(
      `randint: ${dtype} holds each whole number from ${first} to ${last}, not those of [${low}, ${high}); use another dtype`,
    );
  }
  const bits = randomNode(shape, 'uint32', options.device ?? getDefaultDevice());
  const offset = node('binary', { kind: 'mod' }, [bits, expand(constant(range, [], 'uint32'), shape)]);
  const holds = ([from, to]: readonly [number, number]): boolean => from <= low && high - 1 <= to;
  const whole = holds(WHOLE_NUMBERS.int32) ? 'int32' : holds(WHOLE_NUMBERS.uint32) ? 'uint32' : dtype;
  return lazy(cast(add(cast(offset, whole), low), dtype), options);
}
