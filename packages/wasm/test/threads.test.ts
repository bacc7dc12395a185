/** Threads: the same bits for any number, when workers start, crashes, and processes that end. */
import { tensor } from '@firsthand/autograd';
import { DeviceError } from '@firsthand/graph';
import { type Device } from '@firsthand/runtime';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Module } from '../src/assembler/module.ts';
import { WasmDevice } from '../src/runtime/device.ts';
import { createWasm } from '../src/index.ts';
import { bundle, runProgram } from './support/run-program.ts';
import { openSession } from './plans.ts';
import { compute } from './support/computation.ts';

const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.dispose();
});

/** A device that partitions every kernel among its threads, once they are up. */
function threaded(threads: number): {
  readonly device: Device;
  readonly ready: () => Promise<void>;
  readonly crash: () => void;
} {
  const { session, team } = openSession({ threads, divideFrom: 0 });
  const device = new WasmDevice(session);
  devices.push(device);
  return {
    device,
    ready: () => team!.start(),
    crash: () => {
      const module = new Module({ initial: 1, maximum: 65535, shared: true });
      module.importFunction('what no worker has', { params: [], results: [] });
      team!.add({ kernels: [], run: new WebAssembly.Module(module.toBytes()), isParallel: true, work: 0 });
    },
  };
}

describe('threads', () => {
  test('give the bits of one thread, before they are up and after', async () => {
    const expected = await compute(await createWasm({ threads: 1, relaxedSimd: false }));
    for (const threads of [2, 3, 5]) {
      const { device, ready } = threaded(threads);
      expect(await compute(device)).toEqual(expected);
      await ready();
      for (let run = 0; run < 3; run++) expect(await compute(device)).toEqual(expected);
    }
  });

  test('start once there is work for them: a device that is used once starts none', async () => {
    const { session, team } = openSession({ threads: 2, divideFrom: 0 });
    const device = new WasmDevice(session);
    devices.push(device);
    const idle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
    await tensor(new Float32Array(1000), { device }).exp().data();
    await idle();
    expect(team!.isReady).toBe(false);
    const x = tensor(new Float32Array(2 ** 20), { device });
    for (let run = 0; run < 50 && !team!.isReady; run++) {
      await x.exp().data();
      await idle();
    }
    expect(team!.isReady).toBe(true);
  });

  test('elements that are read are not in the shared memory: they can be given to a Blob, and to another thread', async () => {
    const { device, ready } = threaded(2);
    const x = tensor(new Float32Array(1000).fill(2), { device });
    await x.exp().data();
    await ready();
    const data = await x.mul(3).data();
    expect(data.buffer).toBeInstanceOf(ArrayBuffer);
    expect(new Blob([data]).size).toBe(4000);
  });

  test('a worker that crashes is a typed error, then and later', async () => {
    const { device, ready, crash } = threaded(2);
    const x = tensor(new Float32Array(100), { device });
    await x.exp().data();
    await ready();
    crash();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(x.exp().add(1).data()).rejects.toThrow(DeviceError);
    await expect(x.exp().add(2).data()).rejects.toThrow(/worker thread has crashed/);
  });

  test.each([0, -1, 1.5, NaN, 10_000])('refuses %d of them', async (threads) => {
    await expect(createWasm({ threads })).rejects.toThrow(DeviceError);
  });

  test('are one where memory cannot be shared', async () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    try {
      await expect(createWasm({ threads: 2 })).rejects.toThrow(DeviceError);
      await expect(createWasm({ threads: { count: 2 } })).rejects.toThrow(/cross-origin isolated/);
      const device = await createWasm();
      devices.push(device);
      expect(device.readSync).toBeDefined();
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('hold no process, idle or asleep', async () => {
    const program = `
      import { tensor } from '@firsthand/autograd';
      import { createWasm } from '@firsthand/wasm';
      globalThis.device = await createWasm({ threads: 2 }); // as long as the process lasts
      const x = tensor(new Float32Array(2 ** 20).fill(1), { device });
      for (let run = 0; run < 20; run++) {
        await x.exp().data();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log('done');`;
    expect(runProgram(await bundle(program))).toBe('done\n');
  });
});
