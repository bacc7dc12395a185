/**
 * The reference device: every output has a storage of its own, memory is counted and given back, composites
 * are their bodies.
 */
import { expect, test } from 'vitest';

import {
  attention,
  call,
  type Composite,
  DeviceError,
  iota,
  layerNorm,
  matmul,
  mul,
  neg,
  type Node,
  reshape,
  transpose,
} from '@firsthand/graph';
import { bufferOf, createReference, type Device, Handle, runtimeOf } from '../src/index.ts';
import { stored } from './support.ts';

const read = async (device: Device, node: Node): Promise<number[]> => [
  ...(await runtimeOf(device).read(node)),
];

test('views and repeated outputs are copied', async () => {
  const device = createReference();
  const x = stored([1, 2, 3, 4], [2, 2], 'float32', device);
  const turned = transpose(x);
  const again = reshape(x, [4]);
  runtimeOf(device).realize([turned, again]);
  expect(await read(device, turned)).toEqual([1, 3, 2, 4]);
  expect(await read(device, again)).toEqual([1, 2, 3, 4]);
  expect(new Set([x, turned, again].map((node) => bufferOf(node)!.storage)).size).toBe(3);
});

test('an update that copies a variable gives it a storage of its own', async () => {
  const device = createReference();
  const source = new Handle(stored([1, 2], [2], 'float32', device));
  const target = new Handle(stored([0, 0], [2], 'float32', device));
  runtimeOf(device).assign(target, source.node, 'update');
  expect(await read(device, target.node)).toEqual([1, 2]);
  expect(bufferOf(target.node)!.storage).not.toBe(bufferOf(source.node)!.storage);
});

test('the matrix product’s kernel agrees with its body', async () => {
  const values = async (device: Device): Promise<number[]> => {
    const a = stored(
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      [2, 3, 4],
      'float32',
      device,
    );
    const b = stored(
      Float32Array.from({ length: 20 }, (_, i) => Math.cos(i)),
      [4, 5],
      'float32',
      device,
    );
    return read(device, matmul(a, b));
  };
  const whole = await values(createReference());
  const inlined = await values(createReference({ kernels: new Map() }));
  whole.forEach((value, index) => expect(value).toBeCloseTo(inlined[index]!, 5));
});

test('live bytes are the storages, and the peak counts intermediates once', async () => {
  const device = createReference();
  const x = stored(new Float32Array(1000), [1000], 'float32', device);
  expect(device.memory()).toEqual({ live: 4000, peak: 4000 });
  const y = neg(neg(neg(mul(x, x))));
  runtimeOf(device).realize([y]);
  // x and y; at any time one intermediate is read while the next is written.
  expect(device.memory().live).toBe(8000);
  expect(device.memory().peak).toBe(12_000);
  bufferOf(y)!.storage.dispose();
  bufferOf(y)!.storage.dispose();
  expect(device.memory().live).toBe(4000);
});

test('a body that breaks infer’s promise is found', async () => {
  const device = createReference();
  const broken: Composite = { name: 'broken', infer: (_, x) => [x], body: (_, x) => [reshape(x, [4, 1])] };
  const [value] = call(broken, {}, stored([1, 2, 3, 4], [2, 2], 'float32', device));
  await expect(read(device, value!)).rejects.toThrow(
    'broken: output 0 of the body is float32 [4, 1], infer promised float32 [2, 2]',
  );
});

test('a disposed device and foreign storages are refused', async () => {
  const device = createReference();
  const x = stored([1], [1], 'float32', device);
  device.dispose();
  await expect(read(device, neg(x))).rejects.toThrow(DeviceError);
});

test('report names what a program computes', () => {
  const device = createReference();
  const x = stored(new Float32Array(12), [1, 3, 4], 'float32', device);
  const { executable } = runtimeOf(device).prepare({
    effects: [],
    roots: [matmul(attention(x, x, x), transpose(x))],
  });
  const report = executable.report();
  expect(report.kernels.filter(({ name }) => name === 'matmul')).toHaveLength(3);
  expect(report.kernels.find(({ name }) => name === 'matmul')).toMatchObject({
    flops: 2 * 3 * 3 * 4,
    loads: 2 * 12,
    stores: 9,
    bytes: 4 * 33,
  });
});

test('layer norm of a constant row is its bias', async () => {
  const device = createReference();
  const ones = stored([1, 1, 1], [3], 'float32', device);
  const rows = mul(ones, reshape(stored([1e4], [1], 'float32', device), [1, 1]));
  expect(await read(device, layerNorm(rows, ones, stored([5, 6, 7], [3], 'float32', device)))).toEqual([
    5, 6, 7,
  ]);
  expect(await read(device, iota([3], 0))).toEqual([0, 1, 2]);
});
