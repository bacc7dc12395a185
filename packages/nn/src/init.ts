/**
 * Initial values: functions from a shape to an array, drawn on the host from the default generator, so that a seed gives the same model on
 * every device. For a weight (out, in, …kernel), fan in is in·∏kernel and fan out is out·∏kernel; the variance is chosen so that signals
 * (fan in) or gradients (fan out) keep their size from layer to layer.
 */
import { defaultGenerator, type DType, type Shape } from '@firsthand/autograd';
import {
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

/** The factor by which a nonlinearity shrinks signals, to be made up for by the weights. slope: of leakyRelu on the negative side. */
export function gain(nonlinearity: Nonlinearity, slope = 0.01): number {
  return GAINS[nonlinearity](slope);
}

function fans(operation: string, shape: Shape): { readonly fanIn: number; readonly fanOut: number } {
  const [outputs, inputs, ...kernel] = shape;
  if (outputs === undefined || inputs === undefined) {
    throw new ShapeError(
      `${operation}: needs a weight of two axes or more (out, in, …kernel), got ${formatShape(shape)}; use uniform or normal`,
    );
  }
  return { fanIn: inputs * sizeOf(kernel), fanOut: outputs * sizeOf(kernel) };
}

/** Uniform in [low, high), by default [0, 1). */
export function uniform(
  shape: Shape,
  { low = 0, high = 1, dtype, generator = defaultGenerator() }: InitOptions & { readonly low?: number; readonly high?: number } = {},
): NDArray {
  return generator.uniform(shape, { low, high, dtype });
}

/** Normal, by default with mean 0 and standard deviation 1. */
export function normal(
  shape: Shape,
  { mean = 0, std = 1, dtype, generator = defaultGenerator() }: InitOptions & { readonly mean?: number; readonly std?: number } = {},
): NDArray {
  return generator.normal(shape, { mean, std, dtype });
}

/** All 0. */
export function zeros(shape: Shape, { dtype = 'float32' }: { readonly dtype?: DType | undefined } = {}): NDArray {
  return full(shape, 0, { dtype });
}

/** All 1. */
export function ones(shape: Shape, { dtype = 'float32' }: { readonly dtype?: DType | undefined } = {}): NDArray {
  return full(shape, 1, { dtype });
}

/** Beyond so many standard deviations from the point of highest density lies nothing that these numbers could show. */
const REACH = 8;

/**
 * Normal, limited to [low, high] (by default ±2, not in units of `std`, as in torch): uniform proposals z, accepted with probability
 * e^((m² − z²)/2) where m is the point of the interval that is nearest to the mean (Robert 1995).
 * @throws FirsthandError unless low < high and std > 0, or if the dtype has no number between them
 */
export function truncNormal(
  shape: Shape,
  {
    mean = 0,
    std = 1,
    low = -2,
    high = 2,
    dtype = 'float32',
    generator = defaultGenerator(),
  }: InitOptions & { readonly mean?: number; readonly std?: number; readonly low?: number; readonly high?: number } = {},
): NDArray {
  if (!(low < high && std > 0)) throw new FirsthandError(`truncNormal: needs low < high and std > 0, got [${low}, ${high}] and ${std}`);
  if (!DTYPES[dtype].isFloat) throw new DTypeError(`truncNormal: gives floats, not ${dtype}`);
  const ends = floatsWithin(low, high, dtype as FloatType, true);
  if (ends === null)
    throw new FirsthandError(`truncNormal: there is no ${dtype} number in [${low}, ${high}]; use a wider dtype or other bounds`);
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
export function xavierUniform(shape: Shape, { gain: factor = 1, ...options }: InitOptions & { readonly gain?: number } = {}): NDArray {
  const { fanIn, fanOut } = fans('xavierUniform', shape);
  const bound = factor * Math.sqrt(6 / (fanIn + fanOut));
  return uniform(shape, { ...options, low: -bound, high: bound });
}

/** Normal with standard deviation gain·√(2/(fan in + fan out)) (Glorot & Bengio 2010). gain: 1 if not given. */
export function xavierNormal(shape: Shape, { gain: factor = 1, ...options }: InitOptions & { readonly gain?: number } = {}): NDArray {
  const { fanIn, fanOut } = fans('xavierNormal', shape);
  return normal(shape, { ...options, std: factor * Math.sqrt(2 / (fanIn + fanOut)) });
}

/** Options of the initialisers of He et al. */
export interface KaimingOptions extends InitOptions {
  /** whether signals (fanIn, the default) or gradients (fanOut) keep their size */
  readonly mode?: 'fanIn' | 'fanOut';
  /** what follows the weights; leakyRelu if not given */
  readonly nonlinearity?: Nonlinearity;
  /** of leakyRelu on the negative side; 0 if not given, which is relu */
  readonly slope?: number;
}

function kaimingScale(operation: string, shape: Shape, { mode = 'fanIn', nonlinearity = 'leakyRelu', slope = 0 }: KaimingOptions): number {
  const fan = fans(operation, shape)[mode];
  return fan === 0 ? 0 : gain(nonlinearity, slope) / Math.sqrt(fan);
}

/** Uniform with bound gain·√(3/fan) (He et al. 2015). */
export function kaimingUniform(shape: Shape, options: KaimingOptions = {}): NDArray {
  const bound = Math.sqrt(3) * kaimingScale('kaimingUniform', shape, options);
  return uniform(shape, { dtype: options.dtype, generator: options.generator, low: -bound, high: bound });
}

/** Normal with standard deviation gain/√fan (He et al. 2015). */
export function kaimingNormal(shape: Shape, options: KaimingOptions = {}): NDArray {
  return normal(shape, { dtype: options.dtype, generator: options.generator, std: kaimingScale('kaimingNormal', shape, options) });
}
