/**
 * Random numbers as a stream: a Philox key that never changes and a 64-bit counter of blocks of four words.
 * Drawing reads the blocks from the counter on and moves it past them, so key and counter are the whole
 * state, and equal states give equal numbers for ever.
 */
import { checkCount, readShape, readSizes, type ShapeAndOptions } from './arguments.ts';
import { maximum, minimum } from './binary.ts';
import { checkDType, encode, type DType } from './dtype.ts';
import { FirsthandError } from './errors.ts';
import { floatsWithin, roundToFloat, type FloatType } from './float-range.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain } from './operands.ts';
import { checkNumber, checkOptions, describeValue, type OptionKeys } from './options.ts';
import { philox4x32, randomBits } from './philox.ts';
import { checkShape, sizeOf, type Shape } from './shape.ts';

/** All there is to a generator, fit for JSON. */
export interface GeneratorState {
  /** the Philox key, two unsigned 32-bit words */
  readonly key: readonly [number, number];
  /** the next unused block of four words, as [low, high] 32-bit words */
  readonly counter: readonly [number, number];
}

/** What uniform numbers may be told: the interval [low, high), [0, 1) if not given, and the type. */
export interface UniformOptions {
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly dtype?: DType | undefined;
}

/** What normal numbers may be told: mean and standard deviation, 0 and 1 if not given, and the type. */
export interface NormalOptions {
  readonly mean?: number | undefined;
  readonly std?: number | undefined;
  readonly dtype?: DType | undefined;
}

/** What whole numbers may be told: how many, one if not given, and the type. */
export interface IntegerOptions {
  readonly shape?: Shape | number | undefined;
  readonly dtype?: 'int32' | 'uint32' | undefined;
}

const UNIFORM_KEYS: OptionKeys<UniformOptions> = { low: 'number', high: 'number', dtype: true };
const NORMAL_KEYS: OptionKeys<NormalOptions> = { mean: 'number', std: 'number', dtype: true };
const INTEGER_KEYS: OptionKeys<IntegerOptions> = { shape: true, dtype: ['int32', 'uint32'] };

const TWO_32 = 2 ** 32;
const isWord = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < TWO_32;

/**
 * A stream of random numbers that its seed determines.
 * @example
 * ```ts
 * import { Generator } from '@firsthand/linalg';
 * const random = new Generator(42);
 * const saved = random.state;
 * const x = random.normal([2, 3]);
 * random.state = saved;
 * console.log(String(random.normal([2, 3])) === String(x)); // true
 * ```
 */
export class Generator {
  private key: readonly [number, number];
  private counter: readonly [number, number] = [0, 0];

  /**
   * @param seed a whole number from 0 to 2⁵³ − 1, or a bigint from 0 to 2⁶⁴ − 1: the Philox key
   * @throws FirsthandError for another seed
   */
  constructor(seed: number | bigint) {
    checkCount('new Generator', arguments.length, 1, 'new Generator(seed)');
    const valid =
      typeof seed === 'bigint' ? seed >= 0n && seed < 1n << 64n : Number.isSafeInteger(seed) && seed >= 0;
    if (!valid) {
      throw new FirsthandError({
        operation: 'new Generator',
        problem: `seed ${describeValue(seed)} is not a whole number from 0 to 2^53 - 1, nor a bigint below 2^64`,
        expected: 'a whole number from 0 to 2^53 - 1',
      });
    }
    const wide = BigInt(seed);
    this.key = [Number(wide & 0xffffffffn), Number(wide >> 32n)];
  }

  /** Key and counter; setting it continues from there. */
  get state(): GeneratorState {
    return { key: this.key, counter: this.counter };
  }

  /** @throws FirsthandError unless key and counter are pairs of unsigned 32-bit words */
  set state(state: GeneratorState) {
    for (const words of [state.key, state.counter]) {
      if (words?.length !== 2 || !words.every(isWord)) {
        const expected = 'a key and a counter, two unsigned 32-bit words each';
        throw new FirsthandError({
          operation: 'Generator',
          problem: `${JSON.stringify(state)} is not a state`,
          expected,
        });
      }
    }
    this.key = [state.key[0], state.key[1]];
    this.counter = [state.counter[0], state.counter[1]];
  }

  /**
   * Sets blocks aside for a caller that computes their numbers itself.
   * @param blocks how many blocks of four words, a whole number below 2⁵³
   * @returns the counter before, as [low, high]: the first of the blocks
   */
  advance(blocks: number): readonly [number, number] {
    checkCount('advance', arguments.length, 1, 'generator.advance(blocks)');
    if (!(Number.isSafeInteger(blocks) && blocks >= 0)) {
      const problem = `the number of blocks is ${describeValue(blocks)}`;
      throw new FirsthandError({ operation: 'advance', problem, expected: 'a whole number of at least 0' });
    }
    const before = this.counter;
    const low = before[0] + (blocks % TWO_32);
    this.counter = [low >>> 0, (before[1] + Math.floor(blocks / TWO_32) + Math.floor(low / TWO_32)) >>> 0];
    return before;
  }

  /**
   * A new generator, independent of this one's later numbers: its key is the first two words of the next
   * block.
   */
  split(): Generator {
    checkCount('split', arguments.length, 0, 'generator.split()');
    const [low, high] = this.advance(1);
    const [first, second] = philox4x32([low, high, 0, 0], [this.key[0], this.key[1]]);
    const child = new Generator(0);
    child.state = { key: [first, second], counter: [0, 0] };
    return child;
  }

  private words(count: number): Uint32Array {
    return randomBits(this.key, this.advance(Math.ceil(count / 4)), count);
  }

  /**
   * `count` numbers in [0, 1): 24 bits of one word each for float32, 53 bits of two words each (high, low)
   * for float64.
   */
  private units(count: number, wide: boolean): Float64Array {
    const words = this.words(wide ? 2 * count : count);
    const units = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      units[i] = wide
        ? ((words[2 * i]! >>> 5) * 2 ** 26 + (words[2 * i + 1]! >>> 6)) * 2 ** -53
        : (words[i]! >>> 8) * 2 ** -24;
    }
    return units;
  }

  /**
   * Uniform numbers in [low, high), which never give `high`: a number that rounds to a value outside of the
   * interval becomes the nearest one inside.
   * @param options.low 0 if not given
   * @param options.high 1 if not given; where it equals `low`, all numbers are `low`
   * @param options.dtype float32 if not given
   * @throws FirsthandError unless low ≤ high and both are in the type's range, or if the type has no number
   *   between them
   */
  uniform(...shapeAndOptions: ShapeAndOptions<UniformOptions>): NDArray {
    const { shape, options } = readShape('uniform', shapeAndOptions, UNIFORM_KEYS);
    const { low = 0, high = 1, dtype = 'float32' } = options;
    checkDomain('uniform', { shape, dtype: checkDType('uniform', dtype) }, 'float');
    const { least, largest } = uniformEnds(low, high, dtype as FloatType);
    const units = this.units(sizeOf(shape), dtype === 'float64');
    const width = high - low;
    const spread = Number.isFinite(width)
      ? (u: number) => low + width * u
      : (u: number) => low * (1 - u) + high * u;
    const values = store(units.map(spread), shape, dtype);
    // [0, 1) holds every float32 and float64 unit already.
    if (low === 0 && high === 1 && dtype !== 'float16') return values;
    return minimum(maximum(values, least), largest);
  }

  /**
   * Normally distributed numbers, by the method of Box and Muller: two uniforms u, v give √(−2 ln(1 − u)) ·
   * cos 2πv and · sin 2πv, the elements 2i and 2i + 1; 1 − u is never 0.
   * @param options.mean 0 if not given
   * @param options.std the standard deviation, 1 if not given
   * @param options.dtype float32 if not given
   */
  normal(...shapeAndOptions: ShapeAndOptions<NormalOptions>): NDArray {
    const { shape, options } = readShape('normal', shapeAndOptions, NORMAL_KEYS);
    const { mean = 0, std = 1, dtype = 'float32' } = options;
    checkDomain('normal', { shape, dtype: checkDType('normal', dtype) }, 'float');
    const count = sizeOf(shape);
    const units = this.units(2 * Math.ceil(count / 2), dtype === 'float64');
    const values = new Float64Array(count);
    for (let i = 0; i < count; i += 2) {
      const radius = std * Math.sqrt(-2 * Math.log(1 - units[i]!));
      const angle = 2 * Math.PI * units[i + 1]!;
      values[i] = mean + radius * Math.cos(angle);
      values[i + 1] = mean + radius * Math.sin(angle); // dropped beyond an odd count
    }
    return store(values, shape, dtype);
  }

  /**
   * Whole numbers from low up to, not including, high, each equally likely.
   * @param options.shape sizes, or one size; [] if not given
   * @param options.dtype int32 if not given, or uint32
   * @throws FirsthandError if the range is empty or wider than 2³², or the type cannot hold it
   */
  integers(low: number, high: number, options?: IntegerOptions): NDArray {
    checkCount('integers', arguments.length, 3, 'integers(low, high, { shape })');
    const { shape: sizes = [], dtype = 'int32' } = checkOptions('integers', options, INTEGER_KEYS);
    const shape = checkShape('integers', readSizes('integers', [sizes]));
    const range = checkNumber('integers', 'high', high) - checkNumber('integers', 'low', low);
    const holds = encode[dtype](low) === low && encode[dtype](high - 1) === high - 1;
    if (!Number.isInteger(low) || !Number.isInteger(high) || range < 1 || !holds) {
      const expected = `whole numbers low < high that ${dtype} holds`;
      throw new FirsthandError({
        operation: 'integers',
        problem: `[${low}, ${high}) is not a range of ${dtype} values`,
        expected,
      });
    }
    const values = this.below(sizeOf(shape), () => range);
    return store(
      values.map((value) => low + value),
      shape,
      dtype,
    );
  }

  /**
   * `count` whole numbers, the i-th of them below range(i) ≤ 2³²; words beyond the last full multiple of the
   * range are drawn again.
   */
  private below(count: number, range: (i: number) => number): Float64Array {
    const values = new Float64Array(count);
    for (let filled = 0; filled < count;) {
      for (const word of this.words(count - filled)) {
        const bound = range(filled);
        if (word < TWO_32 - (TWO_32 % bound)) values[filled++] = word % bound;
      }
    }
    return values;
  }

  /**
   * The numbers 0 … n − 1 in random order, every order equally likely (Fisher and Yates).
   * @returns int32, shape [n]
   */
  permutation(n: number): NDArray {
    checkCount('permutation', arguments.length, 1, 'generator.permutation(n)');
    const order = Int32Array.from({ length: sizeOf(checkShape('permutation', [n])) }, (_, i) => i);
    const partners = this.below(Math.max(0, n - 1), (i) => n - i);
    partners.forEach((partner, i) => {
      const last = n - 1 - i;
      [order[last], order[partner]] = [order[partner]!, order[last]!];
    });
    return NDArray.packed(order, [n], 'int32');
  }
}

/** The smallest and the largest number that `uniform` gives. @throws FirsthandError if there is none */
function uniformEnds(
  low: number,
  high: number,
  dtype: FloatType,
): { readonly least: number; readonly largest: number } {
  if (!(low <= high && Number.isFinite(low) && Number.isFinite(high))) {
    throw new FirsthandError({
      operation: 'uniform',
      problem: `[${low}, ${high}) is no interval`,
      expected: 'finite numbers with low ≤ high',
    });
  }
  if (![low, high].every((bound) => Number.isFinite(roundToFloat(bound, dtype)))) {
    throw new FirsthandError({
      operation: 'uniform',
      problem: `[${low}, ${high}) reaches beyond the range of ${dtype}`,
      expected: `bounds within the range of ${dtype}`,
      remedy: 'use a wider dtype',
    });
  }
  if (low === high) return { least: low, largest: low };
  const ends = floatsWithin(low, high, dtype, false);
  if (ends !== null) return ends;
  throw new FirsthandError({
    operation: 'uniform',
    problem: `there is no ${dtype} number in [${low}, ${high})`,
    expected: 'wider bounds',
    remedy: "use dtype: 'float32' or 'float64', or wider bounds",
  });
}

function store(values: Float64Array, shape: Shape, dtype: DType): NDArray {
  return NDArray.packed(values, [...shape], 'float64').astype(dtype);
}
