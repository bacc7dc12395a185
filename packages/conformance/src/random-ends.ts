/**
 * Random numbers at the ends of their interval, which a sample of a few million hardly meets: the state of
 * the generator is set to blocks, found by search, in which a word gives the uniform 0 or 1 − 2⁻²⁴. What a
 * logarithm, a quotient, a comparison or rounding makes of them, in every dtype, eager and compiled.
 */
import {
  compile,
  defaultGenerator,
  DTypeError,
  manualSeed,
  multinomial,
  rand,
  randint,
  randn,
  tensor,
} from '@firsthand/autograd';
import type { DType, Tensor } from '@firsthand/autograd';
import { fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import { Dropout } from '@firsthand/nn';
import { describe, expect, test } from 'vitest';
import { numbersOf } from './compare.ts';
import { philoxWords } from './oracle/philox.ts';
import type { GetDevice } from './get-device.ts';

const KEY = [1, 0] as const;
/** Word 3 of this block is below 2⁸: its uniform is 0. */
const BLOCK_OF_ZERO = 10_460_476;
/** Word 0 of this block has its upper 24 bits set: its uniform is 1 − 2⁻²⁴. */
const BLOCK_OF_ONE = 8_418_514;

/** The default generator draws from this block on. */
function startAt(block: number): void {
  defaultGenerator().state = { key: KEY, counter: [block, 0] };
}

const half = (x: number): number => fromFloat16Bits(toFloat16Bits(x));
const uniforms = (block: number, count: number): number[] =>
  philoxWords([block, 0], KEY, count).map((word) => Math.floor(word / 256) / 2 ** 24);

const MODES: { readonly [mode: string]: (draw: () => Tensor) => Tensor } = {
  eager: (draw) => draw(),
  compiled: (draw) => compile(draw)(),
};

/** What each dtype makes of a uniform. */
const ROUNDED: readonly (readonly [DType, (uniform: number) => number])[] = [
  ['float32', (uniform) => uniform],
  ['float64', (uniform) => uniform],
  ['float16', (uniform) => Math.min(half(uniform), 1 - 2 ** -11)],
];

function describeUniforms(device: GetDevice): void {
  test('the blocks give what is said of them', () => {
    expect(uniforms(BLOCK_OF_ZERO, 4)[3]).toBe(0);
    expect(uniforms(BLOCK_OF_ONE, 4)[0]).toBe(1 - 2 ** -24);
  });
  describe.each(Object.entries(MODES))('%s', (_, run) => {
    test.each(ROUNDED)('%s in [0, 1): the bits of a seed, and never 1', async (dtype, rounded) => {
      if (!device().supports(dtype)) return expect(() => rand([1], { dtype })).toThrow(DTypeError);
      for (const block of [BLOCK_OF_ZERO, BLOCK_OF_ONE, 0]) {
        startAt(block);
        const drawn = await numbersOf(run(() => rand([2000], { dtype })));
        expect(drawn).toEqual(uniforms(block, 2000).map(rounded));
      }
    });
    test.each(ROUNDED)('%s: below 1 and not below 0, always', async (dtype) => {
      if (!device().supports(dtype)) return;
      for (const block of [BLOCK_OF_ZERO, BLOCK_OF_ONE]) {
        startAt(block);
        const count = (draw: (x: Tensor) => Tensor): Tensor => run(() => draw(rand([4], { dtype })).sum());
        expect(await count((x) => x.lt(1)).item()).toBe(4);
        startAt(block);
        expect(await count((x) => x.lt(0)).item()).toBe(0);
      }
    });
    test.each(ROUNDED)('%s normals of the smallest and the largest uniform are finite', async (dtype) => {
      if (!device().supports(dtype)) return;
      startAt(BLOCK_OF_ONE);
      const [first] = await numbersOf(run(() => randn([1], { dtype })));
      const angle = 2 * Math.PI * uniforms(BLOCK_OF_ONE, 2)[1]!;
      const largest = Math.sqrt(48 * Math.log(2)) * Math.cos(angle);
      expect(Math.abs(first! - largest)).toBeLessThan(dtype === 'float16' ? 4e-3 : 1e-5);
      startAt(BLOCK_OF_ZERO);
      const normals = await numbersOf(run(() => randn([4], { dtype })));
      expect(Math.abs(normals[3]!)).toBe(0);
    });
  });
  test('a dtype that is no float is refused', () => {
    expect(() => rand([1], { dtype: 'int32' })).toThrow('rand: gives floats, not int32');
    expect(() => randn([1], { dtype: 'bool' })).toThrow('randn: gives floats, not bool');
  });
}

function describeIntegers(device: GetDevice): void {
  test('randint: low and high − 1 come out, high never, in every dtype that holds them', async () => {
    const ranges: readonly (readonly [DType, number, number])[] = [
      ['int32', -(2 ** 31), -(2 ** 31) + 3],
      ['int32', 2 ** 31 - 3, 2 ** 31],
      ['uint32', 2 ** 32 - 3, 2 ** 32],
      ['uint32', 0, 3],
      ['float32', 2 ** 24 - 2, 2 ** 24 + 1],
      ['float16', 2046, 2049],
      ['float16', -2048, -2045],
      ['float64', -(2 ** 40), -(2 ** 40) + 3],
      ['bool', 0, 2],
    ];
    for (const [dtype, low, high] of ranges) {
      if (!device().supports(dtype)) continue;
      manualSeed(5);
      const drawn = new Set(await numbersOf(randint(low, high, [200], { dtype })));
      expect([...drawn].toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: high - low }, (_, index) => low + index),
      );
    }
  });
  test('a range that the dtype does not hold whole is refused', () => {
    for (const [dtype, low, high] of [
      ['float16', 0, 2050],
      ['float32', 0, 2 ** 24 + 2],
      ['int32', 0, 2 ** 31 + 1 - 1 + 1],
      ['int32', 2 ** 31 - 1, 2 ** 31 + 1],
      ['uint32', -1, 3],
      ['bool', 0, 3],
    ] as const) {
      expect(() => randint(low, high, [1], { dtype }), `${dtype} [${low}, ${high})`).toThrow(/^randint: /);
    }
  });
}

function describeMultinomial(device: GetDevice): void {
  const floats: readonly DType[] = ['float32', 'float64', 'float16'];
  describe.each(Object.entries(MODES))('%s', (_, run) => {
    const draw = async (
      weights: readonly number[],
      dtype: DType,
      count: number,
      replacement: boolean,
    ): Promise<number[]> =>
      numbersOf(run(() => multinomial(tensor([...weights], { dtype }), count, { replacement })));

    test.each(floats)('%s: a class of weight 0 is not drawn where its uniform is 0', async (dtype) => {
      if (!device().supports(dtype)) return;
      for (const nothing of [0, -0, -1, -Infinity, NaN]) {
        startAt(BLOCK_OF_ZERO);
        expect(await draw([0, 1, 0, nothing], dtype, 1, true), `${nothing}`).toEqual([1]);
        startAt(BLOCK_OF_ZERO);
        expect(await draw([0, 1, 0, nothing], dtype, 1, false), `${nothing}`).toEqual([1]);
      }
      // A class that may be drawn is, since 0 gives it the largest score of all.
      startAt(BLOCK_OF_ZERO);
      expect(await draw([1, 1, 1, 1], dtype, 1, true)).toEqual([3]);
    });

    test.each(floats)('%s: where nothing is left, the position is −1', async (dtype) => {
      if (!device().supports(dtype)) return;
      for (const block of [BLOCK_OF_ZERO, BLOCK_OF_ONE, 3]) {
        startAt(block);
        expect(await draw([0, 0, 0, 0], dtype, 2, true)).toEqual([-1, -1]);
        startAt(block);
        expect(await draw([NaN, -1, 0, 0], dtype, 1, true)).toEqual([-1]);
        startAt(block);
        const drawn = await draw([0, 3, 0, 1], dtype, 4, false);
        expect([drawn.slice(0, 2).toSorted((a, b) => a - b), drawn.slice(2)]).toEqual([
          [1, 3],
          [-1, -1],
        ]);
      }
    });

    test.each(floats)('%s: the smallest weights count', async (dtype) => {
      if (!device().supports(dtype)) return;
      // float16's smallest number is subnormal; float32's smallest normal number is taken, because devices
      // may flush those below.
      const least = dtype === 'float16' ? 2 ** -24 : 2 ** -126;
      startAt(BLOCK_OF_ZERO);
      expect(await draw([0, least, 0, 0], dtype, 3, true)).toEqual([1, 1, 1]);
      startAt(BLOCK_OF_ZERO);
      const drawn = await draw([least, 0, 0, least], dtype, 64, true);
      expect(new Set(drawn)).toEqual(new Set([0, 3]));
    });
  });

  test('probabilities are the weights’, in float16 too', async () => {
    const count = 20_000;
    const weights = [1, 2, 0, 4, 1];
    for (const dtype of ['float32', 'float16'] as const) {
      manualSeed(8);
      const drawn = await numbersOf(multinomial(tensor([weights], { dtype }), count, { replacement: true }));
      weights.forEach((weight, position) => {
        const share = drawn.filter((each) => each === position).length / count;
        const p = weight / 8;
        // Five standard deviations.
        expect(Math.abs(share - p), `${dtype}, class ${position}`).toBeLessThanOrEqual(
          5 * Math.sqrt((p * (1 - p)) / count),
        );
      });
    }
  });

  test('all but one of a vocabulary masked: that one, whatever the random numbers are', async () => {
    // The word that is 0 falls on a masked class.
    const weights = new Float32Array(400);
    weights[123] = 1e-3;
    startAt(BLOCK_OF_ZERO - 50);
    const drawn = await multinomial(tensor(weights, { shape: [1, 400] }), 20, { replacement: true }).data();
    expect([...drawn]).toEqual(Array.from({ length: 20 }, () => 123));
  });

  test('what cannot be drawn is refused', () => {
    expect(() => multinomial(tensor([1, 2]), 3)).toThrow(
      'multinomial: cannot draw 3 of 2 without replacement',
    );
    expect(() => multinomial(tensor([1, 2]), 1.5, { replacement: true })).toThrow(
      'multinomial: cannot draw 1.5 of 2',
    );
    expect(() => multinomial(tensor([1, 2], { dtype: 'int32' }), 1)).toThrow(
      'multinomial: needs a floating-point operand',
    );
  });
}

function describeDropout(device: GetDevice): void {
  const floats: readonly DType[] = ['float32', 'float64', 'float16'];
  test.each(floats)('%s: near 0 and 1, values and gradients are those of the mask', async (dtype) => {
    if (!device().supports(dtype)) return;
    for (const p of [2 ** -24, 1e-3, 0.5, 1 - 2 ** -11, 1 - 2 ** -20, 1 - 2 ** -24]) {
      for (const block of [BLOCK_OF_ZERO, BLOCK_OF_ONE]) {
        startAt(block);
        const x = tensor([2 ** -8, 2 ** -8, 2 ** -8, 2 ** -8], { dtype, requiresGrad: true });
        const y = new Dropout(p).forward(x);
        y.sum().backward();
        const retained = uniforms(block, 4).map((uniform) => uniform >= p);
        const scale = 1 / (1 - p);
        const expected = (value: number): number[] => retained.map((each) => (each ? value * scale : 0));
        const near = (found: readonly number[], wanted: readonly number[]): void =>
          wanted.forEach((value, position) => {
            // A gradient beyond 65504 is no float16.
            const exact = dtype === 'float16' ? half(value) : value;
            expect(found[position], `p ${p}, block ${block}, element ${position}`).toSatisfy(
              (each: number) => each === exact || Math.abs(each - exact) <= 2 ** -10 * Math.abs(exact),
            );
          });
        near(await numbersOf(y), expected(2 ** -8));
        near(await numbersOf(x.grad!), expected(1));
      }
    }
  });
}

export function describeRandomEnds(device: GetDevice): void {
  describe('uniforms and normals', () => {
    describeUniforms(device);
  });
  describe('whole numbers', () => {
    describeIntegers(device);
  });
  describe('multinomial', () => {
    describeMultinomial(device);
  });
  describe('dropout', () => {
    describeDropout(device);
  });
}
