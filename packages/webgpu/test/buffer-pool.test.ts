// Buffers that are used again, on a GPU that is made up: what is created, what is given back, and what is
// said when memory has run out.
import { DeviceError } from '@firsthand/graph';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bufferBytes, BufferPool } from '../src/runtime/buffer-pool.ts';

/** A GPU that counts buffers, and has no memory for those larger than `most`. */
function fakeGPU(most = Infinity): {
  readonly device: GPUDevice;
  readonly made: number[];
  readonly destroyed: number[];
} {
  const [made, destroyed]: [number[], number[]] = [[], []];
  let failure: { readonly message: string } | null = null;
  const device = {
    limits: { maxBufferSize: 2 ** 31 - 4 },
    pushErrorScope: () => (failure = null),
    popErrorScope: async () => failure,
    createBuffer: ({ size }: { readonly size: number }) => {
      made.push(size);
      if (size > most) failure = { message: 'no memory' };
      return { size, destroy: () => destroyed.push(size) };
    },
  };
  return { device: device as unknown as GPUDevice, made, destroyed };
}

test('a buffer that has been given back is handed out again, for any size that it suits', () => {
  const { device, made } = fakeGPU();
  const pool = new BufferPool(device, 0, 'test', () => {});
  const first = pool.take(1000);
  const second = pool.take(1000);
  expect(second.id).not.toBe(first.id);
  pool.give(first);
  expect(pool.take(1010)).toBe(first);
  expect(made).toEqual([1024, 1024]);
});

test('sizes are multiples of 4, at least the requested bytes, and waste an eighth at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (bytes) => {
      const size = bufferBytes(bytes);
      expect(size % 4).toBe(0);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size).toBeLessThanOrEqual(Math.max(bytes + 256, bytes * 1.126));
    }),
  );
});

test('no size exceeds the limit of a buffer, unless the request does', () => {
  const most = 2 ** 31 - 4;
  expect([most, most - 4, most - 5, 1.9e9].map((bytes) => bufferBytes(bytes, most))).toEqual([
    most,
    most - 4,
    most - 4,
    2013265920,
  ]);
  const { device, made } = fakeGPU();
  new BufferPool(device, 0, 'test', () => {}).take(2 ** 31 - 8);
  expect(made).toEqual([2 ** 31 - 8]);
});

test('buffers that are free for long are destroyed, the oldest first', () => {
  const { device, destroyed } = fakeGPU();
  const pool = new BufferPool(device, 0, 'test', () => {});
  const large = [100, 110, 130].map((mebibytes) => pool.take(mebibytes * 2 ** 20));
  for (const buffer of large) pool.give(buffer);
  expect(destroyed).toEqual([large[0]!.bytes]);
  pool.clear();
  expect(destroyed).toHaveLength(3);
});

test('no memory is an error that says how much was requested, and what to do', async () => {
  const { device } = fakeGPU(2 ** 20);
  const errors: DeviceError[] = [];
  const pool = new BufferPool(device, 0, 'test', (error) => errors.push(error));
  pool.take(2 ** 19);
  pool.take(2 ** 21);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toBeInstanceOf(DeviceError);
  expect(errors[0]!.message).toMatch(/no memory for 2\.0 MiB more.*smaller batches/);
});
