/**
 * Programs on the GPU that are asked for before they are planned: with a clock by which every part of the
 * work fills a slice, each program runs for the first time while it is being planned. They give what the
 * oracle gives, and what the host is told of a program that cannot be planned is what it is told of others.
 */
import { setDefaultDevice, tensor, type Device } from '@firsthand/autograd';
import { DeviceError } from '@firsthand/graph';
import { getDefaultDevice } from '@firsthand/runtime';
import { createWebGPU } from '@firsthand/webgpu';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { describeRandomEffects } from '../src/random/effects.ts';
import { describeRandomGraphs } from '../src/random/graphs.ts';

const RUNS = process.env['FIRSTHAND_FULL'] === '1' ? 200 : 20;
const outer = getDefaultDevice();
let device: Device;

beforeAll(async () => {
  device = await createWebGPU();
  setDefaultDevice(device);
});
beforeEach(() => {
  let time = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 1000));
  return () => clock.mockRestore();
});
afterAll(() => {
  setDefaultDevice(outer);
  device.dispose();
});

describe('programs that are planned while they wait', () => {
  describeRandomEffects(() => device, RUNS);
  describeRandomGraphs(() => device, RUNS);

  test('fail where they cannot be planned, and what comes after them runs', async () => {
    // The product is an intermediate of 16 GiB.
    const column = tensor(new Float32Array(2 ** 16), { device });
    const product = column.reshape(-1, 1).matmul(column.reshape(1, -1));
    const failing = product.matmul(product).sum().data();
    const next = tensor([1, 2], { device }).add(1).data();
    await expect(failing).rejects.toThrow(DeviceError);
    expect([...(await next)]).toEqual([2, 3]);
  });
});
