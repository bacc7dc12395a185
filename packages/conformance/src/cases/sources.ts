/**
 * Values from nothing and from the host: leaves, constants, indices, random numbers, and conversions between
 * dtypes.
 */
import { arange, eye, full, grad, linspace, rand, randint, randn, Tensor, tensor } from '@firsthand/autograd';
import type { DType } from '@firsthand/autograd';
import { iota, leaf, random } from '@firsthand/graph';
import { describe, expect, test } from 'vitest';
import { expectExact, expectValues, numbersOf, toTensor } from '../compare.ts';
import { dense, filled, map, sum, vector } from '../oracle/dense.ts';
import { philox, philoxWords } from '../oracle/philox.ts';
import { samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';

const { NaN: nan } = Number;
const inf = Infinity;

/** What a conversion gives for these floats. */
const FLOATS = [0, -0, 0.4, -0.6, 1.5, -1.5, 2.5, 3e9, -3e9, 5e9, inf, -inf, nan];
const CAST_CASES: { readonly [K in DType]: (x: number) => number } = {
  float32: Math.fround,
  // They come from float32.
  float64: Math.fround,
  // All of these but the large ones are exact, or have the nearest half-precision number below.
  float16: (x) =>
    Math.abs(x) > 65_520 ? Math.sign(x) * inf : x === 0.4 ? 0.39990234375 : x === -0.6 ? -0.60009765625 : x,
  int32: (x) => (Number.isNaN(x) ? 0 : Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), Math.trunc(x))) + 0),
  uint32: (x) => (Number.isNaN(x) ? 0 : Math.min(2 ** 32 - 1, Math.max(0, Math.trunc(x))) + 0),
  bool: (x) => (x === 0 ? 0 : 1),
};

export function describeLeaf(device: GetDevice): void {
  test.each(Object.keys(CAST_CASES) as DType[])('%s data comes back as it went in', async (dtype) => {
    if (!device().supports(dtype)) return expectMissing(device, dtype);
    const x = vector(...[1, 0, 1, 1].map((each) => (dtype === 'bool' ? each : each * 3)));
    const t = toTensor(x, dtype);
    expect(t.dtype).toBe(dtype);
    await expectValues(t, x);
  });
  test('data is copied, in and out', async () => {
    const source = Float32Array.of(1, 2);
    const x = tensor(source, { shape: [2] });
    source[0] = 9;
    const copy = await x.data();
    copy[1] = 9;
    expect([...(await x.data())]).toEqual([1, 2]);
  });
  test('typed arrays keep their type, bytes become int32, booleans bool', () => {
    expect(tensor(Float32Array.of(1)).dtype).toBe('float32');
    expect(tensor(Int32Array.of(1)).dtype).toBe('int32');
    expect(tensor(Uint8Array.of(1)).dtype).toBe('int32');
    expect(tensor([true]).dtype).toBe('bool');
  });
}

function expectMissing(device: GetDevice, dtype: DType): void {
  expect(() => toTensor(vector(1), dtype)).toThrow(`the ${device().name} device has no ${dtype}`);
}

export function describeConstant(device: GetDevice): void {
  test.each([0, -0, 1.5, -2, inf, nan])('%d at every place', async (value) => {
    await expectExact(full([2, 0], value), filled([2, 0], value));
    await expectExact(full([2, 2], value), filled([2, 2], value));
    if (device().supports('float64'))
      await expectExact(full([], value, { dtype: 'float64' }), filled([], value));
  });
  test('0 and −0 are different programs', async () => {
    await expectExact(full([1], 0).reciprocal(), vector(inf));
    await expectExact(full([1], -0).reciprocal(), vector(-inf));
  });
}

export function describeIota(): void {
  test.each([
    [[4], 0],
    [[2, 3], 0],
    [[2, 3], 1],
    [[2, 0], 0],
  ] as const)('indices in %j along %j', async (shape, axis) => {
    await expectValues(
      new Tensor(iota(shape, axis)),
      dense(shape, (index) => index[axis]!),
    );
  });
  test('arange, linspace, eye', async () => {
    await expectValues(arange(5), vector(0, 1, 2, 3, 4));
    await expectValues(arange(2, 9, { step: 3 }), vector(2, 5, 8));
    await expectValues(arange(5, 0, { step: -2, dtype: 'int32' }), vector(5, 3, 1));
    await expectValues(arange(3, 3), vector());
    await expectValues(linspace(-1, 1, 5), vector(-1, -0.5, 0, 0.5, 1));
    await expectValues(linspace(3, 7, 1), vector(3));
    await expectValues(linspace(-10, 10, 4, { dtype: 'int32' }), vector(-10, -3, 3, 10));
    await expectValues(linspace(0, 100, 101, { dtype: 'uint32' }).narrow(0, 29, 1), vector(29));
    await expectExact(linspace(-0.3, 0.3, 7).narrow(0, 3, 1), vector(0));
    await expectExact(linspace(0, 4096, 3, { dtype: 'float16' }), vector(0, 2048, 4096));
    await expectExact(
      arange(-1, 1, 0.1),
      vector(...Array.from({ length: 20 }, (_, i) => Math.fround(-1 + i * 0.1))),
    );
    await expectExact(arange(1, 4100, 2, { dtype: 'float16' }).narrow(0, 2048, 1), vector(4096));
    for (const count of [50, 98, 99])
      expect((await linspace(0, 1, count).data()).at(-1), 'the end itself').toBe(1);
    await expectValues(
      eye(2, 3),
      dense([2, 3], ([i, j]) => (i === j ? 1 : 0)),
    );
  });
}

export function describeRandom(): void {
  test('the oracle reproduces the published vectors', () => {
    expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const ones = 0xffffffff;
    expect(philox([ones, ones, ones, ones], [ones, ones])).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    expect(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });
  test.each([
    [[0, 0], [0, 0], [8]],
    [
      [0xffffffff, 7],
      [1, 2],
      [3, 5],
    ],
    [[0xffffffff, 0xffffffff], [0xdeadbeef, 0xcafe], [6]],
    [[3, 0], [9, 9], [0]],
  ] as const)(
    'counter %j, key %j, shape %j: the published algorithm, bit for bit',
    async (counter, key, shape) => {
      const words = (values: readonly number[]): Tensor => toTensor(vector(...values), 'uint32');
      const bits = philoxWords(
        [counter[0], counter[1]],
        [key[0], key[1]],
        shape.reduce<number>((size, extent) => size * extent, 1),
      );
      await expectExact(new Tensor(random(words(key).read(), words(counter).read(), shape, 'uint32')), {
        shape,
        data: bits,
      });
      await expectExact(new Tensor(random(words(key).read(), words(counter).read(), shape, 'float32')), {
        shape,
        data: bits.map((word) => Math.floor(word / 256) / 2 ** 24),
      });
    },
  );
  test('uniforms, normals and integers have the right moments', async () => {
    const count = 20_000;
    const moments = async (t: Tensor): Promise<[number, number]> => {
      const values = await numbersOf(t);
      const mean = sum(values) / count;
      return [mean, sum(values.map((value) => (value - mean) ** 2)) / count];
    };
    // Five standard errors of the mean: √(variance/n).
    const [uniformMean, uniformVariance] = await moments(rand([count]));
    expect(Math.abs(uniformMean - 0.5)).toBeLessThan(0.0103);
    expect(Math.abs(uniformVariance - 1 / 12)).toBeLessThan(0.003);
    const [normalMean, normalVariance] = await moments(randn([count]));
    expect(Math.abs(normalMean)).toBeLessThan(0.036);
    expect(Math.abs(normalVariance - 1)).toBeLessThan(0.05);
    const drawn = new Set(await numbersOf(randint(-2, 3, [500])));
    expect([...drawn].toSorted((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  });
}

export function describeCast(device: GetDevice): void {
  describe.each(Object.keys(CAST_CASES) as DType[])('to %s', (dtype) => {
    test('from float32', async () => {
      if (!device().supports(dtype)) return expectMissing(device, dtype);
      const x = vector(...FLOATS.map(Math.fround));
      await expectValues(
        toTensor(x, 'float32').cast(dtype),
        map(vector(...FLOATS), (value) => CAST_CASES[dtype](value)),
      );
    });
    test('from integers and bool', async () => {
      if (!device().supports(dtype)) return expectMissing(device, dtype);
      const x = vector(0, 1, 3, 100);
      await expectValues(
        toTensor(x, 'int32').cast(dtype),
        map(x, (value) => CAST_CASES[dtype](value)),
      );
      await expectValues(
        toTensor(x, 'uint32').cast(dtype),
        map(x, (value) => CAST_CASES[dtype](value)),
      );
      await expectValues(toTensor(vector(0, 1), 'bool').cast(dtype), vector(0, 1));
    });
  });
  test('int32 ↔ uint32 keeps the bits', async () => {
    await expectValues(toTensor(vector(-1), 'int32').cast('uint32'), vector(2 ** 32 - 1));
    await expectValues(toTensor(vector(2 ** 32 - 1), 'uint32').cast('int32'), vector(-1));
  });
  test('the gradient comes back in the dtype of the operand', async () => {
    if (!device().supports('float64')) return expectMissing(device, 'float64');
    const x = toTensor(samples([3], -1, 1), 'float32');
    const slope = grad((each) => each.cast('float64').square().sum())(x);
    expect(slope.dtype).toBe('float32');
    await expectValues(
      slope,
      map(samples([3], -1, 1), (value) => 2 * Math.fround(value)),
    );
  });
  test('a leaf of integers has no gradient', () => {
    const attrs = {
      role: 'stored',
      name: null,
      shape: [1],
      dtype: 'int32',
      host: null,
      sample: null,
    } as const;
    expect(() => leaf(attrs, device(), { requiresGrad: true })).toThrow(
      'only floating-point values have gradients',
    );
  });
}
