/**
 * Initial values: functions from a shape to an array, drawn on the host from the default generator, so that a
 * seed gives the same model on every device. For a weight (out, in, …kernel), fan in is in·∏kernel and fan
 * out is out·∏kernel; the variance is chosen so that signals (fan in) or gradients (fan out) keep their size
 * from layer to layer.
 */
import { defaultGenerator, type DType, type Shape } from '@firsthand/autograd';
import {
  checkChoice,
  checkCount,
  checkDType,
  checkOptions,
  checkShape,
  describeValue,
  DTypeError,
  DTYPES,
  FirsthandError,
  floatsWithin,
  type FloatType,
  formatShape,
  full,
  type Generator,
  maximum,
  minimum,
  NDArray,
  OptionError,
  type OptionKeys,
  readSizes,
  ShapeError,
  sizeOf,
} from '@firsthand/linalg';

/** Options of every initialiser. */
export interface InitOptions {
  /** float32 if not given */
  readonly dtype?: DType | undefined;
  /** where numbers come from; the default generator if not given */
  readonly generator?: Generator | undefined;
}

/** What follows the weights, for {@link gain}. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu';

const GAINS: { readonly [K in Nonlinearity]: (slope: number) => number } = {
  linear: () => 1,
  sigmoid: () => 1,
  tanh: () => 5 / 3,
  relu: () => Math.SQRT2,
  leakyRelu: (slope) => Math.sqrt(2 / (1 + slope * slope)),
};

/**
 * The factor by which a nonlinearity shrinks signals, to be made up for by the weights. slope: of leakyRelu
 * on the negative side.
 */
export function gain(nonlinearity: Nonlinearity, slope = 0.01): number {
  checkCount('gain', arguments.length, 2, "init.gain('leakyRelu', slope)");
  return GAINS[checkChoice('gain', 'the nonlinearity', nonlinearity, NONLINEARITIES)](slope);
}

function fans(operation: string, shape: Shape): { readonly fanIn: number; readonly fanOut: number } {
  const [outputs, inputs, ...kernel] = shape;
  if (outputs === undefined || inputs === undefined) {
    const expected = 'a weight of two axes or more (out, in, …kernel)';
    throw new ShapeError({
      operation,
      problem: `needs ${expected}, got ${formatShape(shape)}`,
      expected,
      remedy: 'use uniform or normal',
    });
  }
  return { fanIn: inputs * sizeOf(kernel), fanOut: outputs * sizeOf(kernel) };
}

/** Options of {@link uniform}: the interval [low, high), [0, 1) if not given. */
export interface UniformInitOptions extends InitOptions {
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

/** Options of {@link normal}: mean and standard deviation, 0 and 1 if not given. */
export interface NormalInitOptions extends InitOptions {
  readonly mean?: number | undefined;
  readonly std?: number | undefined;
}

/** Options of {@link truncNormal}: as {@link NormalInitOptions}, and the bounds, ±2 if not given. */
export interface TruncNormalOptions extends NormalInitOptions {
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

/** Options of the initialisers of Glorot & Bengio: the factor of the bound or deviation, 1 if not given. */
export interface XavierOptions extends InitOptions {
  readonly gain?: number | undefined;
}

const INIT_KEYS: OptionKeys<InitOptions> = { dtype: true, generator: true };
const DTYPE_KEYS: OptionKeys<Pick<InitOptions, 'dtype'>> = { dtype: true };
const UNIFORM_KEYS: OptionKeys<UniformInitOptions> = { ...INIT_KEYS, low: 'number', high: 'number' };
const NORMAL_KEYS: OptionKeys<NormalInitOptions> = { ...INIT_KEYS, mean: 'number', std: 'number' };
const TRUNC_KEYS: OptionKeys<TruncNormalOptions> = { ...UNIFORM_KEYS, ...NORMAL_KEYS };
const XAVIER_KEYS: OptionKeys<XavierOptions> = { ...INIT_KEYS, gain: 'number' };

/**
 * The options of an initialiser, checked.
 * @param given how many arguments it was called with
 */
function initOptions<O extends InitOptions>(
  operation: string,
  shape: Shape,
  options: O | undefined,
  keys: OptionKeys<O>,
  given: number,
): O {
  checkCount(operation, given, 2, `init.${operation}([2, 3], { ${Object.keys(keys).join(', ')} })`);
  checkShape(operation, readSizes(operation, [shape]));
  const { dtype, generator } = checkOptions(operation, options, keys);
  if (dtype !== undefined) checkDType(operation, dtype);
  if (generator !== undefined && typeof generator?.uniform !== 'function') {
    const problem = `generator is ${describeValue(generator)}`;
    throw new OptionError({
      operation,
      problem,
      expected: 'a Generator',
      remedy: 'write new Generator(seed)',
    });
  }
  return options ?? ({} as O);
}

/** Uniform in [low, high), by default [0, 1). */
export function uniform(shape: Shape, options?: UniformInitOptions): NDArray {
  const { generator = defaultGenerator(), ...interval } = initOptions(
    'uniform',
    shape,
    options,
    UNIFORM_KEYS,
    arguments.length,
  );
  return generator.uniform(shape, interval);
}

/** Normal, by default with mean 0 and standard deviation 1. */
export function normal(shape: Shape, options?: NormalInitOptions): NDArray {
  const { generator = defaultGenerator(), ...moments } = initOptions(
    'normal',
    shape,
    options,
    NORMAL_KEYS,
    arguments.length,
  );
  return generator.normal(shape, moments);
}

/** All 0. */
export function zeros(shape: Shape, options?: Pick<InitOptions, 'dtype'>): NDArray {
  const { dtype } = initOptions('zeros', shape, options, DTYPE_KEYS, arguments.length);
  return full(shape, 0, { dtype });
}

/** All 1. */
export function ones(shape: Shape, options?: Pick<InitOptions, 'dtype'>): NDArray {
  const { dtype } = initOptions('ones', shape, options, DTYPE_KEYS, arguments.length);
  return full(shape, 1, { dtype });
}

/** Standard deviations from the point of highest density beyond which the probability, 1e−15, is ignored. */
const REACH = 8;

/**
 * Normal, limited to [low, high] (by default ±2, not in units of `std`, as in torch): uniform proposals z,
 * accepted with probability e^((m² − z²)/2) where m is the point of the interval that is nearest to the mean
 * (Robert 1995).
 * @throws FirsthandError unless low < high and std > 0, or if the dtype has no number between them
 */
export function truncNormal(shape: Shape, options?: TruncNormalOptions): NDArray {
  const given = initOptions('truncNormal', shape, options, TRUNC_KEYS, arguments.length);
  const { mean = 0, std = 1, low = -2, high = 2, dtype = 'float32', generator = defaultGenerator() } = given;
  const operation = 'truncNormal';
  if (!(low < high && std > 0)) {
    const expected = 'low < high and std > 0';
    throw new FirsthandError({
      operation,
      problem: `needs ${expected}, got [${low}, ${high}] and ${std}`,
      expected,
    });
  }
  if (!DTYPES[dtype].isFloat)
    throw new DTypeError({
      operation,
      problem: `gives floats, not ${dtype}`,
      expected: 'a floating-point dtype',
    });
  const ends = floatsWithin(low, high, dtype as FloatType, true);
  if (ends === null) {
    const problem = `there is no ${dtype} number in [${low}, ${high}]`;
    throw new FirsthandError({
      operation,
      problem,
      expected: 'bounds with a number between',
      remedy: 'use a wider dtype or other bounds',
    });
  }
  const from = (low - mean) / std;
  const to = (high - mean) / std;
  const mode = Math.min(Math.max(0, from), to);
  const start = Math.max(from, mode - REACH);
  const width = Math.min(to, mode + REACH) - start;
  const count = sizeOf(shape);
  const values = new Float64Array(count);
  for (let filled = 0; filled < count;) {
    const draws = generator.uniform([count - filled, 2], { dtype: 'float64' }).data;
    for (let i = 0; i < draws.length; i += 2) {
      const z = start + width * draws[i]!;
      if (draws[i + 1]! < Math.exp((mode * mode - z * z) / 2)) values[filled++] = mean + std * z;
    }
  }
  const rounded = NDArray.packed(values, shape, 'float64').astype(dtype);
  return minimum(maximum(rounded, ends.least), ends.largest);
}

/** Uniform with bound gain·√(6/(fan in + fan out)) (Glorot & Bengio 2010). gain: 1 if not given. */
export function xavierUniform(shape: Shape, options?: XavierOptions): NDArray {
  const { gain: factor = 1, ...rest } = initOptions(
    'xavierUniform',
    shape,
    options,
    XAVIER_KEYS,
    arguments.length,
  );
  const { fanIn, fanOut } = fans('xavierUniform', shape);
  const bound = factor * Math.sqrt(6 / (fanIn + fanOut));
  return uniform(shape, { ...rest, low: -bound, high: bound });
}

/**
 * Normal with standard deviation gain·√(2/(fan in + fan out)) (Glorot & Bengio 2010). gain: 1 if not given.
 */
export function xavierNormal(shape: Shape, options?: XavierOptions): NDArray {
  const { gain: factor = 1, ...rest } = initOptions(
    'xavierNormal',
    shape,
    options,
    XAVIER_KEYS,
    arguments.length,
  );
  const { fanIn, fanOut } = fans('xavierNormal', shape);
  return normal(shape, { ...rest, std: factor * Math.sqrt(2 / (fanIn + fanOut)) });
}

/** Options of the initialisers of He et al. */
export interface KaimingOptions extends InitOptions {
  /** whether signals (fanIn, the default) or gradients (fanOut) keep their size */
  readonly mode?: 'fanIn' | 'fanOut' | undefined;
  /** what follows the weights; leakyRelu if not given */
  readonly nonlinearity?: Nonlinearity | undefined;
  /** of leakyRelu on the negative side; 0 if not given, which is relu */
  readonly slope?: number | undefined;
}

const NONLINEARITIES: readonly Nonlinearity[] = ['linear', 'sigmoid', 'tanh', 'relu', 'leakyRelu'];
const KAIMING_KEYS: OptionKeys<KaimingOptions> = {
  ...INIT_KEYS,
  mode: ['fanIn', 'fanOut'],
  nonlinearity: NONLINEARITIES,
  slope: 'number',
};

function kaimingScale(
  operation: string,
  shape: Shape,
  { mode = 'fanIn', nonlinearity = 'leakyRelu', slope = 0 }: KaimingOptions,
): number {
  const fan = fans(operation, shape)[mode];
  return fan === 0 ? 0 : gain(nonlinearity, slope) / Math.sqrt(fan);
}

/** Uniform with bound gain·√(3/fan) (He et al. 2015). */
export function kaimingUniform(shape: Shape, options?: KaimingOptions): NDArray {
  const given = initOptions('kaimingUniform', shape, options, KAIMING_KEYS, arguments.length);
  const bound = Math.sqrt(3) * kaimingScale('kaimingUniform', shape, given);
  return uniform(shape, { dtype: given.dtype, generator: given.generator, low: -bound, high: bound });
}

/** Normal with standard deviation gain/√fan (He et al. 2015). */
export function kaimingNormal(shape: Shape, options?: KaimingOptions): NDArray {
  const given = initOptions('kaimingNormal', shape, options, KAIMING_KEYS, arguments.length);
  return normal(shape, {
    dtype: given.dtype,
    generator: given.generator,
    std: kaimingScale('kaimingNormal', shape, given),
  });
}
