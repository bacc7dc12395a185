// A device of the limits that every adapter has: eight arrays in a shader, 128 MiB in a binding, 256 MiB in a
// buffer. What exceeds one of them is split, or refused before it runs.
import {
  arange,
  compile,
  getDefaultDevice,
  setDefaultDevice,
  tensor,
  type Tensor,
} from '@firsthand/autograd';
import { compileProgram } from '@firsthand/compiler';
import { closeProgram, DeviceError, keyOf, type Program } from '@firsthand/graph';
import { type Device, type Executable } from '@firsthand/runtime';
import { createWebGPU } from '@firsthand/webgpu';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { create } from 'webgpu';

const MEBIBYTE = 2 ** 20;

// Dawn answers only as long as the object that it came from is alive.
const gpu = create([]);
let raw: GPUDevice;
let device: Device;
const outer = getDefaultDevice();
beforeAll(async () => {
  raw = await (await gpu.requestAdapter())!.requestDevice();
  expect(raw.limits).toMatchObject({
    maxStorageBuffersPerShaderStage: 8,
    maxStorageBufferBindingSize: 128 * MEBIBYTE,
    maxBufferSize: 256 * MEBIBYTE,
  });
  device = await createWebGPU({ device: raw });
  setDefaultDevice(device);
});
afterAll(() => {
  setDefaultDevice(outer);
  device.dispose();
  raw.destroy();
});

const sumOf = (list: readonly Tensor[]): Tensor => list.reduce((a, b) => a.add(b));
const filled = (length: number, value: number): Tensor =>
  tensor(new Float32Array(length).fill(value), { device });

/** What the device compiles while `run` runs. */
async function kernelsOf(run: () => Promise<unknown>): Promise<readonly string[]> {
  const list: Executable[] = [];
  const prepare = device.prepare.bind(device);
  const spy = vi.spyOn(device, 'prepare').mockImplementation((program: Program) => {
    list.push(prepare(program));
    return list.at(-1)!;
  });
  await run();
  spy.mockRestore();
  return list.flatMap((executable) => executable.report().kernels.map(({ source }) => source));
}

test('a sum of 40 arrays is several kernels, none of which packs arrays', async () => {
  const list = Array.from({ length: 40 }, (_, index) => filled(8192, index));
  let sum: Float32Array | null = null;
  const kernels = await kernelsOf(async () => {
    sum = (await sumOf(list).data()) as Float32Array;
  });
  expect(new Set(sum)).toEqual(new Set([780]));
  expect(kernels.length).toBeGreaterThan(5);
  for (const source of kernels) expect(source).not.toContain('packed');
});

test('small arrays, and single numbers, are packed into one buffer', async () => {
  const weights = Array.from({ length: 60 }, (_, index) => tensor([index, 1, 2], { device }));
  const x = filled(8190, 1).reshape(2730, 3);
  const step = compile((given: Tensor) => sumOf(weights.map((each) => each.mul(given))).sum());
  const kernels = await kernelsOf(async () => expect(await step(x).item()).toBe(2730 * (1770 + 180)));
  expect(kernels.some((source) => source.includes('packed'))).toBe(true);
});

test('arguments that are used once go to the GPU together, however many they are', async () => {
  // 26 times 12 MiB are more than a buffer may have.
  const list = Array.from({ length: 26 }, (_, index) => filled(3 * MEBIBYTE, index));
  expect(await sumOf(list.map((each) => each.slice(0, 3 * MEBIBYTE - 2).sum())).item()).toBe(2 * 325);
});

test.each<[string, () => Tensor, RegExp]>([
  [
    'an argument',
    () => filled(33 * MEBIBYTE, 1).sum(),
    /an array of float32 \[34603008\]: 138412032 bytes, and maxStorageBufferBindingSize/,
  ],
  [
    'a result',
    () =>
      filled(1, 1)
        .expand(33 * MEBIBYTE)
        .add(filled(1, 2)),
    /an output of float32 \[34603008\]/,
  ],
  [
    'an intermediate',
    () =>
      filled(1, 1)
        .expand(33 * MEBIBYTE)
        .add(arange(33 * MEBIBYTE))
        .cumsum(0)
        .slice(0, 33 * MEBIBYTE - 1),
    /an intermediate of float32 \[34603008\]/,
  ],
  [
    'all intermediates together',
    () => {
      const [a, b, c, d] = [1, 2, 3, 4].map((first) =>
        arange(30 * MEBIBYTE)
          .add(first)
          .cumsum(0),
      ) as [Tensor, Tensor, Tensor, Tensor];
      return c.where(a.gt(b), d).slice(0, 30 * MEBIBYTE - 1);
    },
    /the intermediates of this program: \d+ bytes, and maxBufferSize/,
  ],
])('%s that is too large is refused, and what is there stays', async (_, build, message) => {
  const before = filled(3, 1).add(1);
  await before.data();
  const failure: unknown = await Promise.resolve()
    .then(() => build().data())
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DeviceError);
  expect((failure as Error).message).toMatch(message);
  expect(await before.mul(2).toArray()).toEqual([4, 4, 4]);
});

test('intermediates may be more together than one binding', async () => {
  const size = 20 * MEBIBYTE;
  const x = filled(size, 1);
  const total = x
    .cumsum(0)
    .add(x.flip([0]).cumsum(0))
    .sub(4)
    .slice(0, size - 1);
  expect(await total.item()).toBe(2 * size - 4);
});

test('loops that are longer than numbers of 32 bits are refused', async () => {
  const x = filled(65_536, 1);
  const y = filled(65_537, 1);
  await expect(x.reshape(65_536, 1).add(y.reshape(1, 65_537)).max().data()).rejects.toThrow(
    /loops over 4295032832 elements/,
  );
});

test('the compiler leaves room for what a kernel writes', () => {
  const list = Array.from({ length: 30 }, () => tensor(new Float32Array(4096)));
  const request = { effects: [], roots: [sumOf(list).read()] };
  const plan = compileProgram(closeProgram(request, keyOf(request)), {
    float64: false,
    plan: () => ({ scratch: 0 }),
    arrayLimit: 8,
  });
  expect(Math.max(...plan.kernels.map(({ kernel }) => kernel.operands.length))).toBe(8);
});
