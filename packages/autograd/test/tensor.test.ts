/**
 * What a tensor is and does besides arithmetic: creation, reading, printing, gradients that accumulate,
 * errors at the call.
 */
import { createReference } from '@firsthand/runtime';
import { array } from '@firsthand/linalg';
import { describe, expect, expectTypeOf, test } from 'vitest';

import {
  arange,
  cat,
  chunk,
  DeviceError,
  DTypeError,
  einsum,
  eye,
  full,
  fullLike,
  GradientError,
  linspace,
  manualSeed,
  multinomial,
  noGrad,
  ones,
  onesLike,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  ShapeError,
  sort,
  split,
  StaleError,
  type Tensor,
  tensor,
  topk,
  type TypedArray,
  zeros,
  zerosLike,
} from '../src/index.ts';

test('elements are read into new memory, as a Blob and a transfer to a worker take it', async () => {
  const x = tensor([1, 2, 3], { dtype: 'float64' });
  const data = await x.data();
  expectTypeOf(data).toEqualTypeOf<TypedArray<ArrayBuffer>>();
  expectTypeOf<ReturnType<typeof x.dataSync>>().toEqualTypeOf<TypedArray<ArrayBuffer>>();
  const parts: BlobPart[] = [data];
  const moved: Transferable[] = [data.buffer];
  expect(new Blob(parts).size).toBe(24);
  structuredClone(data, { transfer: moved });
  expect(data).toHaveLength(0);
  expect(await x.toArray()).toEqual([1, 2, 3]);
});

describe('creation', () => {
  test('takes numbers, booleans, nested and typed arrays', async () => {
    expect(tensor([1, 2]).dtype).toBe('float32');
    expect(tensor([true, false]).dtype).toBe('bool');
    expect(tensor(Int32Array.of(1)).dtype).toBe('int32');
    expect(tensor(Float64Array.of(1)).dtype).toBe('float64');
    expect(tensor(Uint8Array.of(255)).dtype).toBe('int32');
    expect(await tensor(Uint8Array.of(255), { dtype: 'float32' }).item()).toBe(255);
    expect(tensor(5).shape).toEqual([]);
    expect(tensor(new Float32Array(6), { shape: [2, 3] }).shape).toEqual([2, 3]);
    expect(() => tensor([[1], [2, 3]])).toThrow(ShapeError);
    expect(() => tensor(new Float32Array(5), { shape: [2, 3] })).toThrow(ShapeError);
  });

  test('takes arrays of every kind', async () => {
    const view = array([
      [1, 2],
      [3, 4],
    ]).transpose();
    expect(await tensor(view).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(tensor(array([1], { dtype: 'int32' })).dtype).toBe('int32');
    expect(tensor(array([1]), { dtype: 'float64' }).dtype).toBe('float64');
    expect(await tensor(view, { shape: [4] }).toArray()).toEqual([1, 3, 2, 4]);
    const fromFile = { data: Uint8Array.of(0, 255), shape: [2, 1], dtype: 'uint8' } as const;
    expect([tensor(fromFile).dtype, await tensor(fromFile).toArray()]).toEqual(['int32', [[0], [255]]]);
    expect(await tensor({ data: Uint16Array.of(0x3c00), shape: [], dtype: 'float16' }).item()).toBe(1);
    expect(await tensor([Float32Array.of(1, 2), Float32Array.of(3, 4)]).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const { device } = zeros([]);
    expect(() => tensor('1' as unknown as number, { device })).toThrow(DTypeError);
  });

  test('copies a tensor: its value of now, without history', async () => {
    const w = tensor([1, 2], { requiresGrad: true, name: 'w' });
    const copies = [
      tensor(w),
      tensor(w.mul(1)),
      tensor(w, { requiresGrad: true, name: 'v' }),
      tensor(w, { dtype: 'int32', shape: [2, 1] }),
    ];
    expect(copies.map(({ requiresGrad, name, dtype, shape }) => [requiresGrad, name, dtype, shape])).toEqual([
      [false, null, 'float32', [2]],
      [false, null, 'float32', [2]],
      [true, 'v', 'float32', [2]],
      [false, null, 'int32', [2, 1]],
    ]);
    w.assign(w.mul(10));
    copies[2]!.assign([5, 6]);
    w.assign(w.add(1));
    expect(await w.toArray()).toEqual([11, 21]);
    expect(await Promise.all(copies.map((copy) => copy.toArray()))).toEqual([
      [1, 2],
      [1, 2],
      [5, 6],
      [[1], [2]],
    ]);
    copies[2]!.square().sum().backward();
    expect([await copies[2]!.grad!.toArray(), w.grad]).toEqual([[10, 12], null]);
    expect(() => tensor(w, { device: createReference() })).toThrow(DeviceError);
    expect(() => tensor([w, w] as unknown as number[])).toThrow('join them with stack');
  });

  test('assign takes data, in the dtype and shape of the tensor', async () => {
    const w = zeros([2, 2]);
    w.assign([
      [1, 2],
      [3, 4],
    ]);
    expect(await w.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    w.assign(Float64Array.of(5, 6, 7, 8));
    expect([w.dtype, await w.toArray()]).toEqual([
      'float32',
      [
        [5, 6],
        [7, 8],
      ],
    ]);
    w.assign(array([1, 2, 3, 4], { dtype: 'int32' }).reshape([2, 2]));
    expect(await w.sum().item()).toBe(10);
    expect(() => w.assign([1, 2])).toThrow(ShapeError);
    expect(() => w.assign(Float32Array.of(1))).toThrow(ShapeError);
    expect(await w.sum().item()).toBe(10);
  });

  test('copies its data, and gives copies', async () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data);
    data[0] = 9;
    const read = await x.data();
    read[1] = 9;
    expect(await x.toArray()).toEqual([1, 2]);
  });

  test('makes constants, ranges and the identity', async () => {
    expect(await zeros([2]).toArray()).toEqual([0, 0]);
    expect(await ones([2], { dtype: 'int32' }).toArray()).toEqual([1, 1]);
    expect(await full([2], 0.5).toArray()).toEqual([0.5, 0.5]);
    expect(await arange(3).toArray()).toEqual([0, 1, 2]);
    expect(await arange(1, 2, { step: 0.25 }).toArray()).toEqual([1, 1.25, 1.5, 1.75]);
    expect(await arange(2, 0, { step: -1, dtype: 'int32' }).toArray()).toEqual([2, 1]);
    expect(await linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(await eye(2, 3).toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(await zeros([0, 3]).sum().item()).toBe(0);
  });

  test('like another tensor: its shape, dtype and device, or what options say', async () => {
    const like = tensor([[1, 2]], { dtype: 'float64', requiresGrad: true });
    for (const make of [zerosLike, onesLike, randLike, randnLike]) {
      expect([make(like).shape, make(like).dtype, make(like).requiresGrad]).toEqual([
        [1, 2],
        'float64',
        false,
      ]);
      expect(make(like, { dtype: 'float32', requiresGrad: true })).toMatchObject({
        dtype: 'float32',
        requiresGrad: true,
      });
    }
    expect(await fullLike(like, 3).toArray()).toEqual([[3, 3]]);
    expect(await onesLike(tensor([1, 2], { dtype: 'int32' })).toArray()).toEqual([1, 1]);
    expect(() => randnLike(tensor([1], { dtype: 'int32' }))).toThrow(
      'randnLike: int32 holds no fractions; needs a floating-point dtype',
    );
    const elsewhere = createReference();
    expect(zerosLike(tensor([1], { device: elsewhere })).device).toBe(elsewhere);
    const made = [
      zeros([2], { device: elsewhere }),
      arange(0, 2, { device: elsewhere }),
      eye(2, 2, { device: elsewhere }),
    ];
    expect(made.map(({ device }) => device)).toEqual([elsewhere, elsewhere, elsewhere]);
    expect(await made[0]!.add(ones([2])).toArray()).toEqual([1, 1]);
  });

  test('the same seed gives the same numbers, another one others', async () => {
    const draw = async (seed: number): Promise<unknown> => {
      manualSeed(seed);
      return [await rand([3]).toArray(), await randn([3]).toArray(), await randint(0, 10, [5]).toArray()];
    };
    expect(await draw(3)).toEqual(await draw(3));
    expect(await draw(3)).not.toEqual(await draw(4));
  });

  test('random numbers have the moments of their distribution', async () => {
    manualSeed(5);
    const n = 40_000;
    const uniform = rand([n]);
    const normal = randn([n]);
    const dice = randint(1, 7, [n]).cast('float32');
    // Four standard errors of the mean: σ/√n·4.
    expect(Math.abs((await uniform.mean().item()) - 0.5)).toBeLessThan(
      (4 * Math.sqrt(1 / 12)) / Math.sqrt(n),
    );
    expect(Math.abs(await normal.mean().item())).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs((await normal.square().mean().item()) - 1)).toBeLessThan(
      (4 * Math.sqrt(2)) / Math.sqrt(n),
    );
    expect(Math.abs((await dice.mean().item()) - 3.5)).toBeLessThan((4 * Math.sqrt(35 / 12)) / Math.sqrt(n));
    expect(await dice.min().item()).toBe(1);
    expect(await dice.max().item()).toBe(6);
  });

  test('multinomial draws in proportion, and without replacement each position once', async () => {
    manualSeed(6);
    const weights = tensor([0, 1, 3]);
    const drawn = [...(await multinomial(weights, 4000, { replacement: true }).data())];
    expect(drawn.filter((each) => each === 0)).toHaveLength(0);
    const share = drawn.filter((each) => each === 2).length / 4000;
    expect(Math.abs(share - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / 4000));
    expect([...(await multinomial(tensor([[1, 1, 1, 1]]), 4).data())].sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3,
    ]);
    expect((await multinomial(weights, 0).data()).length).toBe(0);
    expect(() => multinomial(weights, 4)).toThrow('multinomial: cannot draw 4 of 3 without replacement');
    expect(() => multinomial(weights, -1)).toThrow('multinomial: cannot draw -1 of 3');
    expect(() => multinomial(weights, 1.5)).toThrow('multinomial: cannot draw 1.5 of 3');
    expect(() => multinomial(zeros([2, 0]), 0)).toThrow('multinomial: cannot draw 0 of 0');
  });
});

describe('operations', () => {
  const x = tensor([
    [3, 1, 2],
    [6, 5, 4],
  ]);

  test('indexing, joining, cutting', async () => {
    expect(await cat([x, x.slice(1, 0, 1)], 1).toArray()).toEqual([
      [3, 1, 2, 3],
      [6, 5, 4, 6],
    ]);
    expect(await Promise.all(split(x, [1, 2], 1).map((each) => each.toArray()))).toEqual([
      [[3], [6]],
      [
        [1, 2],
        [5, 4],
      ],
    ]);
    expect(chunk(x, 2, 1).map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 1],
    ]);
    expect(await x.slice(1, -2).toArray()).toEqual([
      [1, 2],
      [5, 4],
    ]);
    expect(await x.slice(1, 0, 3, 2).toArray()).toEqual([
      [3, 2],
      [6, 4],
    ]);
    expect(await x.roll(1, 1).toArray()).toEqual([
      [2, 3, 1],
      [4, 6, 5],
    ]);
    expect(await x.tril().toArray()).toEqual([
      [3, 0, 0],
      [6, 5, 0],
    ]);
    expect(await x.indexSelect(1, tensor([2, 2], { dtype: 'int32' })).toArray()).toEqual([
      [2, 2],
      [4, 4],
    ]);
    expect(await x.argmax({ axis: 1 }).toArray()).toEqual([0, 0]);
    expect(await x.argmin().item()).toBe(1);
    expect(await sort(x, 1).values.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await topk(x, 2, 1).indices.toArray()).toEqual([
      [0, 2],
      [0, 1],
    ]);
    expect(await x.gt(2).any({ axis: 0 }).toArray()).toEqual([true, true, true]);
    expect(await x.gt(2).all({ axis: 0 }).toArray()).toEqual([true, false, false]);
    expect(await x.gt(2).sum().item()).toBe(4);
  });

  test('einsum', async () => {
    expect(await einsum('ij->ji', x).toArray()).toEqual([
      [3, 6],
      [1, 5],
      [2, 4],
    ]);
    expect(await einsum('ij,ij->i', x, x).toArray()).toEqual([14, 77]);
    expect(await einsum('ij,kj', x, x).toArray()).toEqual([
      [14, 31],
      [31, 77],
    ]);
    expect(await einsum('i,j->ij', tensor([1, 2]), tensor([3, 4])).toArray()).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect(() => einsum('ij,jk->ik', x, x)).toThrow('einsum: axis "j" of "ij,jk->ik" has sizes 3 and 2');
    expect(() => einsum('ij->ik', x)).toThrow('einsum: the result of "ij->ik"');
  });

  test('a row without any finite score gives softmax 0 and log-sum-exp −∞', async () => {
    const masked = tensor([
      [-Infinity, -Infinity],
      [1e4, 1e4],
    ]);
    expect(await masked.softmax().toArray()).toEqual([
      [0, 0],
      [0.5, 0.5],
    ]);
    expect(await masked.logSoftmax().slice(0, 0, 1).toArray()).toEqual([[-Infinity, -Infinity]]);
    expect(await masked.logsumexp({ axis: 1 }).slice(0, 0, 1).toArray()).toEqual([-Infinity]);
  });
});

describe('gradients', () => {
  test('accumulate, and are dropped by null', async () => {
    const w = tensor([1, 2], { requiresGrad: true });
    for (let i = 0; i < 3; i++) w.square().sum().backward();
    expect(await w.grad!.toArray()).toEqual([6, 12]);
    w.grad = null;
    w.sum().backward();
    expect(await w.grad!.toArray()).toEqual([1, 1]);
  });

  test('reach every leaf, through detach not at all, and retained values', async () => {
    const a = tensor([2], { requiresGrad: true });
    const b = tensor([3], { requiresGrad: true });
    const hidden = a.mul(b);
    hidden.retainGrad();
    hidden.mul(b.detach()).sum().backward();
    expect([await a.grad!.item(), await b.grad!.item(), await hidden.grad!.item()]).toEqual([9, 6, 3]);
  });

  test('take a seed', async () => {
    const a = tensor([1, 2], { requiresGrad: true });
    a.square().backward(tensor([1, 10]));
    expect(await a.grad!.toArray()).toEqual([2, 40]);
    expect(() => a.square().backward()).toThrow('backward: float32 [2] has several elements');
    expect(() => a.square().backward(tensor([1]))).toThrow(ShapeError);
  });

  test('stop at frozen leaves and under noGrad', () => {
    const a = tensor([1], { requiresGrad: true });
    a.requiresGrad = false;
    expect(() => a.mul(2).backward()).toThrow(GradientError);
    a.requiresGrad = true;
    expect(noGrad(() => a.mul(2)).requiresGrad).toBe(false);
    expect(() => noGrad(async () => a)).toThrow('noGrad: the function is asynchronous');
    expect(() => {
      a.mul(2).requiresGrad = false;
    }).toThrow('requiresGrad: can be set on leaves only');
  });

  test('a gradient that is assigned must fit', () => {
    const a = tensor([1, 2], { requiresGrad: true });
    expect(() => {
      a.grad = tensor([1]);
    }).toThrow(ShapeError);
    expect(() => a.assign(tensor([1, 2], { dtype: 'int32' }))).toThrow(DTypeError);
  });
});

describe('handles', () => {
  test('a disposed tensor throws when used; what reads it still works', async () => {
    const x = tensor([1, 2], { name: 'x' });
    const y = x.mul(2);
    x.dispose();
    expect(() => x.add(1)).toThrow(StaleError);
    expect(await y.toArray()).toEqual([2, 4]);
  });

  test('print their shape, and values only when they are at hand', async () => {
    const x = tensor([1, 2], { name: 'x' });
    expect(String(x.toString())).toBe('Tensor "x" float32 [2] on reference\n[1. 2.]');
    const y = x.add(1);
    expect(y.toString()).toBe('Tensor float32 [2] on reference (not computed)');
    await y.data();
    expect(y.toString()).toContain('[2. 3.]');
  });

  test('are no numbers', () => {
    const x = tensor([1]) as unknown as number;
    for (const run of [() => x + x, () => x * 2, () => +x, () => x < 1, () => x + '']) {
      expect(run).toThrow('write a.add(b) for a + b');
      expect(run).toThrow(TypeError);
    }
  });

  test('print in template strings, and as text in JSON', () => {
    const x = tensor([1, 2], { name: 'x' });
    expect(`${x as unknown as string}`).toBe(x.toString());
    expect(String(x)).toBe('Tensor "x" float32 [2] on reference\n[1. 2.]');
    expect(JSON.stringify({ x: x.add(1) })).toBe('{"x":"Tensor float32 [2] on reference (not computed)"}');
  });

  test('item needs one element', async () => {
    await expect(tensor([1, 2]).item()).rejects.toThrow('item: needs one element, got float32 [2]');
    expect(tensor([4]).itemSync()).toBe(4);
  });

  test('a long chain builds, differentiates and runs', async () => {
    const x = tensor([1], { requiresGrad: true });
    let y: Tensor = x;
    for (let i = 0; i < 100_000; i++) y = y.mul(1);
    y.sum().backward();
    expect(await x.grad!.item()).toBe(1);
  });

  test('values cannot be read on a device that is gone', async () => {
    const { createReference } = await import('@firsthand/runtime');
    const device = createReference();
    const x = tensor([1], { device });
    device.dispose();
    await expect(x.add(1).data()).rejects.toThrow(DeviceError);
  });
});
