/**
 * The device of a page's main thread, in Node: outputs before the run is done, the order of the queue, the
 * state after a failure, and when memory is freed.
 */
import { add, constant, DeviceError, leaf, mul, type Leaf } from '@firsthand/graph';
import { type Device, type Executable, type Storage } from '@firsthand/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { Module } from '../src/assembler/module.ts';
import { PageDevice } from '../src/runtime/page-device.ts';
import { openPageSession } from './plans.ts';

const LONG = 100_000; // 400 kB

const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.dispose();
});

function open(maxBytes?: number): ReturnType<typeof openPageSession> & { readonly device: PageDevice } {
  const opened = openPageSession(2, maxBytes);
  const device = new PageDevice(opened.session);
  devices.push(device);
  return { ...opened, device };
}

function argument(device: Device, length: number): Leaf {
  return leaf(
    { role: 'stored', name: 'x', shape: [length], dtype: 'float32', host: null, sample: null },
    device,
  );
}

/** out = 2a + 1 */
function twicePlusOne(device: Device, length = LONG): Executable {
  const a = argument(device, length);
  return device.prepare({
    args: [a],
    effects: [],
    roots: [add(mul(a, constant(2, [length], 'float32')), constant(1, [length], 'float32'))],
  });
}

/** a ← a + b */
function accumulate(device: Device, length = LONG): Executable {
  const [a, b] = [argument(device, length), argument(device, length)];
  return device.prepare({ args: [a, b], effects: [{ node: add(a, b), into: a }], roots: [] });
}

function filled(device: Device, value: number, length = LONG): Storage {
  return device.upload(new Float32Array(length).fill(value), 'float32');
}

/** The value that all elements have; NaN if they differ. */
async function valueOf(device: Device, storage: Storage): Promise<number> {
  const elements = await device.read(storage);
  return elements.every((element) => element === elements[0]) ? elements[0]! : Number.NaN;
}

describe('a run', () => {
  test('is promised at once, and runs in its turn', async () => {
    const { device } = open();
    const program = twicePlusOne(device);
    let value = filled(device, 1);
    const dones = [];
    for (let run = 0; run < 5; run++) {
      const { outputs, done } = program.run([value]);
      expect(outputs[0]).toMatchObject({ dtype: 'float32', length: LONG, bytes: 4 * LONG });
      dones.push(done!.then(() => run));
      value.dispose();
      value = outputs[0]!;
    }
    expect(await valueOf(device, value)).toBe(63);
    expect(await Promise.all(dones)).toEqual([0, 1, 2, 3, 4]);
  });

  test('overwrites an argument that it may overwrite, and no other', async () => {
    const { device } = open();
    const program = accumulate(device);
    const [a, b] = [filled(device, 1), filled(device, 10)];
    expect(program.run([a, b]).outputs).toEqual([a]);
    expect(program.run([a, b]).outputs).toEqual([a]);
    const [twice] = program.run([a, a]).outputs;
    expect(twice).not.toBe(a);
    expect([await valueOf(device, a), await valueOf(device, b), await valueOf(device, twice!)]).toEqual([
      21, 10, 42,
    ]);
  });

  test.each<[string, (device: Device) => Storage[], RegExp]>([
    ['another device', () => [filled(open().device, 1)], /another device/],
    [
      'another length',
      (device) => [filled(device, 1, 3)],
      /is float32 \[3\], the program was compiled for float32 \[100000\]/,
    ],
    ['no argument', () => [], /argument 0 of a run is missing/],
    [
      'a freed one',
      (device) => {
        const storage = filled(device, 1);
        storage.dispose();
        return [storage];
      },
      /after it has been freed/,
    ],
  ])('with %s is refused at once', (_, args, message) => {
    const { device } = open();
    const program = twicePlusOne(device);
    expect(() => program.run(args(device))).toThrow(DeviceError);
    expect(() => program.run(args(device))).toThrow(message);
  });
});

describe('memory', () => {
  test('is counted from the promise on, and freed in the queue', async () => {
    const { device, storages } = open();
    const program = twicePlusOne(device);
    const x = filled(device, 1);
    const [y] = program.run([x]).outputs;
    x.dispose();
    expect(device.memory().live).toBe(8 * LONG);
    expect(await valueOf(device, y!)).toBe(3);
    expect(device.memory()).toEqual({ live: 4 * LONG, peak: 8 * LONG });
    // What a finalizer does, once nothing leads to the storage any more.
    y!.finalize!();
    y!.finalize!();
    await device.read(filled(device, 1, 1));
    expect(device.memory().live).toBe(4);
    expect(storages.resident).toBe(0);
  });
});

describe('a failure', () => {
  test('for want of room rejects, as does what needs its result, and the queue goes on', async () => {
    const { device, storages } = open(2 ** 20);
    const program = twicePlusOne(device);
    const x = filled(device, 1);
    const filler = storages.allocate(600_000);
    const failed = program.run([x]);
    const after = program.run([failed.outputs[0]!]);
    const small = twicePlusOne(device, 10).run([filled(device, 4, 10)]);
    await expect(failed.done).rejects.toThrow(DeviceError);
    await expect(failed.done).rejects.toThrow(/no room/);
    await expect(after.done).rejects.toThrow(/no room/);
    await expect(device.read(after.outputs[0]!)).rejects.toThrow(/no room/);
    expect(await valueOf(device, small.outputs[0]!)).toBe(9);
    for (const { outputs } of [failed, after]) outputs[0]!.dispose();
    storages.memory.free(filler);
    expect(await valueOf(device, program.run([x]).outputs[0]!)).toBe(3);
    expect(device.memory().live).toBe(8 * LONG + 80);
  });

  test('of a worker rejects the run, and all later ones', async () => {
    const { device, team } = open();
    const program = twicePlusOne(device);
    const x = filled(device, 1);
    await program.run([x]).done;
    const module = new Module({ initial: 1, maximum: 65535, shared: true });
    module.importFunction('what no worker has', { params: [], results: [] });
    team.add({ kernels: [], run: new WebAssembly.Module(module.toBytes()), isParallel: true, work: 0 });
    const [first, second] = [program.run([x]), program.run([x])];
    await expect(first.done).rejects.toThrow(DeviceError);
    await expect(second.done).rejects.toThrow(/worker thread has crashed \(.*what no worker has/);
    await expect(twicePlusOne(device, 5).run([filled(device, 1, 5)]).done).rejects.toThrow(
      /worker thread has crashed/,
    );
    expect(await valueOf(device, x)).toBe(1);
  });

  test('by disposal of the device rejects what is under way, and what waits', async () => {
    const { device } = open();
    const program = twicePlusOne(device);
    const x = filled(device, 1);
    const runs = [program.run([x]), program.run([x])];
    const read = device.read(runs[1]!.outputs[0]!);
    await Promise.resolve();
    device.dispose();
    for (const { done } of runs) await expect(done).rejects.toThrow(/the device has been disposed/);
    await expect(read).rejects.toThrow(DeviceError);
    expect(() => program.run([x])).toThrow(/the device has been disposed/);
    expect(() => filled(device, 1)).toThrow(DeviceError);
    expect(device.memory().live).toBe(0);
    x.dispose();
  });
});
