/**
 * What engines and addresses set limits to: parameters of a function, the length of one, and memory beyond 2
 * GiB, where addresses are negative numbers of 32 bits.
 */
import { compile, tensor, type Tensor } from '@firsthand/autograd';
import type { Device } from '@firsthand/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { createWasm } from '../src/index.ts';
import { WasmDevice } from '../src/runtime/device.ts';
import { openSession } from './plans.ts';

const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.dispose();
});
const tracked = (device: Device): Device => {
  devices.push(device);
  return device;
};
const sumOf = (list: readonly Tensor[]): Tensor => list.reduce((a, b) => a.add(b));

describe.each([1, 3])('with %i threads', { timeout: 120_000 }, (count) => {
  test.each([255, 256, 257, 1500])('a kernel of %i arrays and more', async (arrays) => {
    const device = tracked(await createWasm({ threads: { count, divideFrom: 0, wait: true } }));
    // Single numbers, of which one kernel takes very many; their sum, and each of them again.
    const list = Array.from({ length: arrays }, (_, index) => tensor(index, { device }));
    const both = compile((...given: Tensor[]) => [sumOf(given), ...given.map((each) => each.mul(2))]);
    const [sum, ...twice] = both(...list);
    expect(await sum!.item()).toBe((arrays * (arrays - 1)) / 2);
    expect(await Promise.all(twice.map((each) => each.item()))).toEqual(list.map((_, index) => 2 * index));
  });

  test('a run of more kernels than one function calls', async () => {
    const device = tracked(await createWasm({ threads: { count, divideFrom: 0, wait: true } }));
    const half = tensor([0.5, 0.5, 0.5, 0.5], { shape: [2, 2], device });
    let x = tensor([1, 2, 3, 4], { shape: [2, 2], device });
    for (let index = 0; index < 6000; index++) x = x.matmul(half);
    expect(await x.toArray()).toEqual([
      [1.5, 1.5],
      [3.5, 3.5],
    ]);
  });

  test('arrays beyond 2 GiB', async () => {
    const { session, storages } = openSession({ threads: count, divideFrom: count > 1 ? 0 : Infinity });
    const device = tracked(new WasmDevice(session));
    const block = storages.allocate(2 ** 31);
    expect(block.address + block.size).toBeGreaterThan(2 ** 31);
    const x = tensor(
      Float32Array.from({ length: 90_000 }, (_, index) => index % 7),
      { shape: [300, 300], device },
    );
    for (let round = 0; round < 2; round++) {
      const softmax = x.add(round).softmax();
      expect(await softmax.sum().item()).toBeCloseTo(300, 3);
      expect(await x.matmul(x.transpose()).add(round).slice(0, 0, 1).slice(1, 0, 1).item()).toBe(
        Array.from({ length: 300 }, (_, index) => (index % 7) ** 2).reduce((a, b) => a + b) + round,
      );
      expect(await x.cumsum(0).slice(0, 299).sum().item()).toBe(await x.sum().item());
      expect(await sumOf(Array.from({ length: 400 }, (_, index) => tensor(index, { device }))).item()).toBe(
        79_800,
      );
    }
    expect(storages.memory.size).toBeGreaterThan(2 ** 31);
  });
});

test('more than there can be is refused, and what is there stays', async () => {
  const device = tracked(await createWasm({ threads: 1, maxBytes: 2 ** 26 }));
  const x = tensor([1, 2], { device });
  const y = x.add(1);
  await y.data();
  const wide = y.reshape(2, 1).expand(2, 2 ** 24);
  await expect(
    wide
      .mul(wide.flip([1]))
      .add(x.sum())
      .data(),
  ).rejects.toThrow(/no room for an array of 128\.0 MiB/);
  expect(await y.mul(2).toArray()).toEqual([4, 6]);
});
