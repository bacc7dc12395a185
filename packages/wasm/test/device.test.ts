/**
 * The device as a user of `graph` sees it: what it says of itself, what goes in and comes out, what it
 * refuses, and that it can be disposed of.
 */
import { add, constant, DeviceError, exp, leaf, mul, neg, type Leaf } from '@firsthand/graph';
import { createReference, runtimeOf, type Device, bufferOf } from '@firsthand/runtime';
import type { DType, TypedArray } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { createWasm } from '../src/index.ts';

/** A leaf with elements on a device. */
function stored(device: Device, data: TypedArray, dtype: DType): Leaf {
  const created = leaf(
    { role: 'stored', name: null, shape: [data.length], dtype, host: null, sample: null },
    device,
  );
  created.stored = runtimeOf(device).adopt(device.upload(data, dtype));
  return created;
}

describe('a wasm device', () => {
  test('runs programs, and what was compiled once is found again', async () => {
    const device = await createWasm();
    const runtime = runtimeOf(device);
    expect(device.name).toBe('wasm');
    const x = stored(device, Float32Array.of(1, -2, 0.5), 'float32');
    for (let run = 0; run < 3; run++) {
      expect(await runtime.read(neg(mul(x, constant(3, [3], 'float32'))))).toEqual(
        Float32Array.of(-3, 6, -1.5),
      );
    }
    expect(runtime.counters).toMatchObject({ compilations: 1, programs: 3 });
  });

  test.each([
    ['float32', Float32Array.of(1.5, -2)],
    ['float64', Float64Array.of(0.1, -2)],
    ['float16', Uint16Array.of(0x3c00, 0xc000)],
    ['int32', Int32Array.of(7, -7)],
    ['uint32', Uint32Array.of(7, 4e9)],
    ['bool', Uint8Array.of(1, 0)],
  ] as const)('supports %s', async (dtype, data) => {
    const device = await createWasm();
    expect(device.supports(dtype)).toBe(true);
    const storage = device.upload(data, dtype);
    expect(storage).toMatchObject({ dtype, length: 2, bytes: data.byteLength });
    expect(await device.read(storage)).toEqual(data);
    expect(device.readSync!(storage)).toEqual(data);
    expect(device.memory()).toEqual({ live: data.byteLength, peak: data.byteLength });
    storage.dispose();
    storage.dispose();
    expect(device.memory().live).toBe(0);
    expect(() => device.readSync!(storage)).toThrow(DeviceError);
  });

  test('counts what storages hold, and intermediates in its peak', async () => {
    const device = await createWasm();
    const runtime = runtimeOf(device);
    const x = stored(device, new Float32Array(1000), 'float32');
    expect(device.memory()).toEqual({ live: 4000, peak: 4000 });
    runtime.realize([exp(x)]);
    expect(device.memory()).toEqual({ live: 8000, peak: 8000 });
  });

  test('says what a program became', async () => {
    const device = await createWasm();
    const x = stored(device, new Float32Array(12), 'float32');
    const { executable } = runtimeOf(device).prepare({ effects: [], roots: [add(mul(x, x), x)] });
    const { device: name, kernels } = executable.report();
    expect(name).toBe('wasm');
    expect(kernels).toHaveLength(1);
    expect(kernels[0]).toMatchObject({ flops: 24, bytes: 96 });
    expect(kernels[0]!.source).toContain('for i in 0..12');
  });

  test('refuses a storage of another device', async () => {
    const device = await createWasm();
    const foreign = createReference().upload(Float32Array.of(1), 'float32');
    const twin = (await createWasm()).upload(Float32Array.of(1), 'float32');
    for (const storage of [foreign, twin]) {
      expect(() => device.readSync!(storage)).toThrow(/belongs to another device/);
      await expect(device.read(storage)).rejects.toThrow(DeviceError);
    }
  });

  test('that has been disposed of refuses everything', async () => {
    const device = await createWasm();
    const runtime = runtimeOf(device);
    const x = stored(device, Float32Array.of(1, 2), 'float32');
    await runtime.read(neg(x));
    device.dispose();
    device.dispose();
    const uses: readonly (() => unknown)[] = [
      () => device.upload(Float32Array.of(1), 'float32'),
      () => device.readSync!(bufferOf(x)!.storage),
      () => device.prepare({ args: [], effects: [], roots: [] }),
      () => runtime.realize([neg(x)]),
      () => runtime.realize([exp(x)]),
    ];
    for (const use of uses) {
      expect(use).toThrow(DeviceError);
      expect(use).toThrow(/disposed/);
    }
    await expect(device.read(bufferOf(x)!.storage)).rejects.toThrow(DeviceError);
    expect(device.memory().live).toBe(0);
  });
});

describe('options', () => {
  test('that make no sense are refused', async () => {
    await expect(createWasm({ maxBytes: 1000 })).rejects.toThrow(/maxBytes is 1000/);
    await expect(createWasm({ threads: -4 })).rejects.toThrow(/threads is -4/);
    await expect(createWasm({ threads: 1, relaxedSimd: false, maxBytes: 2 ** 20 })).resolves.toMatchObject({
      name: 'wasm',
    });
  });

  test('a limit on memory is one', async () => {
    const device = await createWasm({ maxBytes: 2 ** 20 });
    const runtime = runtimeOf(device);
    const x = stored(device, new Float32Array(200_000), 'float32');
    await expect(runtime.read(neg(x))).rejects.toThrow(/no room for an array of 0\.8 MiB.*at most 1\.0 MiB/);
    const small = stored(device, new Float32Array(20_000).fill(2), 'float32');
    expect((await runtime.read(neg(small)))[19_999]).toBe(-2);
  });

  test('without relaxed SIMD the numbers are the same to the last bits but few', async () => {
    const data = Float32Array.from({ length: 1000 }, (_, index) => Math.sin(index));
    const values = await Promise.all(
      (['auto', false] as const).map(async (relaxedSimd) => {
        const device = await createWasm({ relaxedSimd });
        return runtimeOf(device).read(exp(stored(device, data, 'float32')));
      }),
    );
    values[0]!.forEach((value, index) => expect(Math.abs(value / values[1]![index]! - 1)).toBeLessThan(1e-6));
  });
});
