/**
 * Handwritten plans on linear memory: residency of arguments and outputs, overwritten arguments, the state
 * after a failure, shared kernels.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Plan } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import { type Arg, type Storage } from '@firsthand/runtime';
import { describe, expect, test } from 'vitest';
import type { WasmKernelPlan } from '../src/kernels/kernel-plan.ts';
import { WasmExecutable } from '../src/runtime/executable.ts';
import { PAGE } from '../src/memory/linear-memory.ts';
import type { WasmStorage } from '../src/memory/storage.ts';
import type { StorageManager } from '../src/memory/storage-manager.ts';
import {
  add,
  argument,
  buffer,
  constant,
  element,
  map,
  mul,
  openSession,
  output,
  plan,
  planned,
  single,
} from './plans.ts';

const LONG = 1000; // 4000 bytes: too many to move to the host

/** out = 2a + 1 */
function twicePlusOne(length: number): Plan<WasmKernelPlan> {
  const kernel = map(length, [length], add(mul(element(0), constant(2)), constant(1)));
  return plan(
    [buffer(length, argument(0)), buffer(length, output(0))],
    [planned(kernel, [0, 1])],
    [{ buffer: 1 }],
  );
}

/** a ← a + b, and the old a times 10 as a second output. */
function update(length: number): Plan<WasmKernelPlan> {
  return plan(
    [
      buffer(length, argument(0)),
      buffer(length, argument(1)),
      buffer(length, argument(0)),
      buffer(length, output(1)),
    ],
    [
      planned(map(length, [length], mul(element(0), constant(10))), [0, 3]),
      planned(map(length, [length, length], add(element(0), element(1))), [0, 1, 2]),
    ],
    [{ buffer: 2, into: 0 }, { buffer: 3 }],
  );
}

const numbers = (length: number, of: (index: number) => number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, index) => of(index));

function upload(storages: StorageManager, length: number, of: (index: number) => number): WasmStorage {
  return storages.upload(numbers(length, of), 'float32');
}

function filled(storages: StorageManager, length: number, value: number): WasmStorage {
  return storages.upload(new Float32Array(length).fill(value), 'float32');
}

function read(storages: StorageManager, storage: Storage | undefined): Float32Array {
  return storages.read(storages.resolve(storage!)) as Float32Array;
}

function onHost(storage: Storage | undefined): boolean {
  return (storage as WasmStorage).content.data !== null;
}

describe.each([
  ['short', 8],
  ['long', LONG],
] as const)('arrays that are %s', (_, length) => {
  test('an argument in, an output out, as often as asked', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(length), session);
    for (let run = 0; run < 4; run++) {
      const x = upload(storages, length, (index) => index + run);
      const { outputs, done } = executable.run([x]);
      expect(done).toBeNull();
      expect(read(storages, outputs[0])).toEqual(numbers(length, (index) => 2 * (index + run) + 1));
      expect(read(storages, x)).toEqual(numbers(length, (index) => index + run));
      expect(onHost(outputs[0])).toBe(length === 8);
      expect(outputs[0]).toMatchObject({ dtype: 'float32', length, bytes: 4 * length });
    }
  });

  test('outputs are arguments of the next run', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(length), session);
    let x: Storage = upload(storages, length, () => 0);
    for (let run = 1; run <= 6; run++) {
      [x] = executable.run([x]).outputs as [Storage];
      expect(read(storages, x)).toEqual(numbers(length, () => 2 ** run - 1));
    }
  });

  test('an intermediate lies in the arena', () => {
    const { session, storages } = openSession();
    const times = map(length, [length], mul(element(0), constant(3)));
    const sum = map(length, [length, length], add(element(0), element(1)));
    const chain = plan(
      [
        buffer(length, argument(0)),
        buffer(length, { kind: 'arena', offset: 128 }),
        buffer(length, output(0)),
      ],
      [planned(times, [0, 1]), planned(sum, [1, 0, 2])],
      [{ buffer: 2 }],
      128 + 4 * length,
    );
    const executable = new WasmExecutable(chain, session);
    const { outputs } = executable.run([upload(storages, length, (index) => index)]);
    expect(read(storages, outputs[0])).toEqual(numbers(length, (index) => 4 * index));
    expect(storages.peak).toBe(8 * length + 128 + 4 * length);
  });

  test('an update overwrites its argument, in linear memory from then on', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(update(length), session);
    const a = upload(storages, length, (index) => index);
    const { live } = storages;
    for (let run = 0; run < 3; run++) {
      const { outputs } = executable.run([a, upload(storages, length, () => 1)]);
      expect(outputs[0]).toBe(a);
      expect(read(storages, a)).toEqual(numbers(length, (index) => index + run + 1));
      expect(read(storages, outputs[1])).toEqual(numbers(length, (index) => 10 * (index + run)));
      expect(storages.live).toBe(live + (run + 1) * 8 * length);
    }
    expect(onHost(a)).toBe(false);
  });

  test('an argument that is passed twice is not overwritten: the output is a storage of its own', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(update(length), session);
    const a = upload(storages, length, (index) => index);
    for (let run = 0; run < 2; run++) {
      const { outputs } = executable.run([a, a]);
      expect(outputs[0]).not.toBe(a);
      expect(read(storages, outputs[0])).toEqual(numbers(length, (index) => 2 * index));
      expect(read(storages, outputs[1])).toEqual(numbers(length, (index) => 10 * index));
      expect(read(storages, a)).toEqual(numbers(length, (index) => index));
    }
    // Passed once, it is overwritten as ever.
    expect(executable.run([a, upload(storages, length, () => 1)]).outputs[0]).toBe(a);
    expect(read(storages, a)).toEqual(numbers(length, (index) => index + 1));
  });
});

describe('arguments', () => {
  test('on the host are copied for a first use, and move to linear memory with the second', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(LONG), session);
    const x = upload(storages, LONG, (index) => index);
    const expected = numbers(LONG, (index) => 2 * index + 1);
    for (const lies of [true, false, false]) {
      const { outputs } = executable.run([x]);
      expect(read(storages, outputs[0])).toEqual(expected);
      expect(onHost(x)).toBe(lies);
    }
  });

  test('that are used once take no linear memory, however many there are', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(8), session);
    const sum = plan(
      [buffer(100_000, argument(0)), buffer(8, output(0))],
      [planned(map(8, [100_000], element(0)), [0, 1])],
      [{ buffer: 1 }],
    );
    const large = new WasmExecutable(sum, session);
    for (let step = 0; step < 50; step++) {
      executable.run(large.run([filled(storages, 100_000, step)]).outputs);
    }
    expect(storages.resident).toBe(0);
    expect(storages.memory.size).toBeLessThanOrEqual(2 ** 20);
  });

  test('that are large take their room once, copied or moved', () => {
    const { session, storages } = openSession();
    const length = 5_000_000; // 20 MB
    const some = plan(
      [buffer(length, argument(0)), buffer(8, output(0))],
      [planned(map(8, [length], element(0)), [0, 1])],
      [{ buffer: 1 }],
    );
    const executable = new WasmExecutable(some, session);
    const x = filled(storages, length, 7);
    for (let run = 0; run < 3; run++)
      expect(read(storages, executable.run([x]).outputs[0])).toEqual(numbers(8, () => 7));
    expect(onHost(x)).toBe(false);
    expect(storages.memory.size).toBeLessThan(1.3 * 4 * length);
  });

  test('from the host are elements of the argument’s dtype', () => {
    const { session, storages } = openSession();
    const scale = plan(
      [
        buffer(LONG, argument(0)),
        buffer(1, argument(1)),
        buffer(3, argument(2)),
        buffer(LONG, output(0)),
        buffer(3, output(1)),
      ],
      [
        planned(map(LONG, [LONG, 1], mul(element(0), single(1))), [0, 1, 3]),
        planned(map(3, [3, 1], mul(element(0), single(1))), [2, 1, 4]),
      ],
      [{ buffer: 3 }, { buffer: 4 }],
    );
    const executable = new WasmExecutable(scale, session);
    const x = upload(storages, LONG, (index) => index);
    for (const rate of [0.5, 0.1, -2]) {
      const { outputs } = executable.run([x, rate, [1, 2, 3]]);
      expect(read(storages, outputs[0])).toEqual(numbers(LONG, (index) => index * Math.fround(rate)));
      expect(read(storages, outputs[1])).toEqual(numbers(3, (index) => (index + 1) * Math.fround(rate)));
    }
  });

  test('that a plan does not read may be anything', () => {
    const { session, storages } = openSession();
    const second = plan(
      [buffer(4, argument(1)), buffer(4, output(0))],
      [planned(map(4, [4], element(0)), [0, 1])],
      [{ buffer: 1 }],
    );
    const { outputs } = new WasmExecutable(second, session).run([7, upload(storages, 4, (index) => index)]);
    expect(read(storages, outputs[0])).toEqual(numbers(4, (index) => index));
  });

  test('that do not fit the program are errors, and change nothing', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(8), session);
    const freed = upload(storages, 8, () => 0);
    freed.dispose();
    const wrong: readonly [readonly Arg[], RegExp][] = [
      [[], /argument 0 of a run is missing/],
      [
        [upload(storages, 9, () => 0)],
        /argument 0 of a run is float32 \[9\], the program was compiled for float32 \[8\]/,
      ],
      [[storages.upload(new Int32Array(8), 'int32')], /int32 \[8\]/],
      [[3], /argument 0 of a run is \[1\]/],
      [[[1, 2, 3]], /argument 0 of a run is \[3\]/],
      [[freed], /used after it has been freed/],
      [[openSession().storages.upload(new Float32Array(8), 'float32')], /another device/],
    ];
    const { live } = storages;
    for (const [args, message] of wrong) {
      expect(() => executable.run(args)).toThrow(DeviceError);
      expect(() => executable.run(args)).toThrow(message);
    }
    expect(storages.live).toBe(live);
  });
});

describe('a run without room', () => {
  test('is an error before anything has changed, and works once there is room', () => {
    const maxBytes = 8 * 2 ** 20;
    const { session, storages } = openSession({ maxBytes });
    const length = 100_000; // 400 kB
    const executable = new WasmExecutable(update(length), session);
    const a = upload(storages, length, (index) => index);
    const b = upload(storages, length, () => 1);
    executable.run([a, b]).outputs[1]!.dispose();
    const before = read(storages, a);
    // Leaves 700 kB: room for b, and none for an output.
    const filler = storages.allocate(maxBytes - PAGE - storages.resident * 400_064 - 700_000);
    const { live } = storages;
    const used = new Set<number>();
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(() => executable.run([a, b])).toThrow(DeviceError);
      expect(() => executable.run([a, b])).toThrow(/no room/);
      expect(storages.live).toBe(live);
      used.add(storages.memory.used);
    }
    expect(used.size).toBe(1);
    expect(read(storages, a).every((value, index) => value === before[index])).toBe(true);
    expect(read(storages, b).every((value) => value === 1)).toBe(true);
    storages.memory.free(filler);
    expect(executable.run([a, b]).outputs[0]).toBe(a);
    expect(read(storages, a).every((value, index) => value === index + 2)).toBe(true);
  });

  test('grows memory where it may, and arguments survive that', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(LONG), session);
    const x = upload(storages, LONG, (index) => index);
    executable.run([x]);
    executable.run([x]);
    const large = new WasmExecutable(twicePlusOne(3_000_000), session);
    large.run([filled(storages, 3_000_000, 1)]);
    expect(storages.memory.size).toBeGreaterThan(24_000_000);
    expect(read(storages, executable.run([x]).outputs[0])).toEqual(numbers(LONG, (index) => 2 * index + 1));
  });
});

describe('kernels', () => {
  test('are compiled once, within a plan and between plans', () => {
    const { session, library, storages } = openSession();
    const twice = (): ReturnType<typeof map> => map(8, [8], mul(element(0), constant(2)));
    const chain = plan(
      [
        buffer(8, argument(0)),
        buffer(8, { kind: 'arena', offset: 0 }),
        buffer(8, { kind: 'arena', offset: 64 }),
        buffer(8, output(0)),
      ],
      [planned(twice(), [0, 1]), planned(twice(), [1, 2]), planned(twice(), [2, 3])],
      [{ buffer: 3 }],
      128,
    );
    const executable = new WasmExecutable(chain, session);
    expect(library.counts).toEqual({ kernels: 1, modules: 1 });
    const single = plan(
      [buffer(8, argument(0)), buffer(8, output(0))],
      [planned(twice(), [0, 1], 'another name')],
      [{ buffer: 1 }],
    );
    const other = new WasmExecutable(single, session);
    expect(library.counts).toEqual({ kernels: 1, modules: 1 });
    new WasmExecutable(twicePlusOne(8), session);
    expect(library.counts).toEqual({ kernels: 2, modules: 2 });
    const x = upload(storages, 8, (index) => index);
    expect(read(storages, executable.run([x]).outputs[0])).toEqual(numbers(8, (index) => 8 * index));
    expect(read(storages, other.run([x]).outputs[0])).toEqual(numbers(8, (index) => 2 * index));
  });

  test('of a plan that is too large for one module are spread over several', () => {
    const { session, library, storages } = openSession({ moduleBytes: 1500 });
    const count = 40;
    const steps = Array.from({ length: count }, (_, index) => map(8, [8], add(element(0), constant(index))));
    const arena = (number: number): ReturnType<typeof buffer> =>
      buffer(8, { kind: 'arena', offset: 64 * number });
    const chain = plan(
      [buffer(8, argument(0)), ...steps.slice(1).map((_, index) => arena(index % 2)), buffer(8, output(0))],
      steps.map((kernel, index) => planned(kernel, [index, index + 1])),
      [{ buffer: count }],
      128,
    );
    const executable = new WasmExecutable(chain, session);
    expect(library.counts.kernels).toBe(count);
    expect(library.counts.modules).toBeGreaterThan(3);
    const { outputs } = executable.run([upload(storages, 8, (index) => index)]);
    expect(read(storages, outputs[0])).toEqual(numbers(8, (index) => index + (count * (count - 1)) / 2));
  });

  test('may be many: five thousand calls in one run', () => {
    const { session, storages } = openSession();
    const count = 5000;
    const increment = map(4, [4], add(element(0), constant(1)));
    const chain = plan(
      [
        buffer(4, argument(0)),
        buffer(4, { kind: 'arena', offset: 0 }),
        buffer(4, { kind: 'arena', offset: 64 }),
        buffer(4, output(0)),
      ],
      Array.from({ length: count }, (_, index) =>
        planned(increment, [
          index === 0 ? 0 : 1 + ((index - 1) % 2),
          index === count - 1 ? 3 : 1 + (index % 2),
        ]),
      ),
      [{ buffer: 3 }],
      128,
    );
    const { outputs } = new WasmExecutable(chain, session).run([upload(storages, 4, (index) => index)]);
    expect(read(storages, outputs[0])).toEqual(numbers(4, (index) => index + count));
  });
});

describe('a closed session', () => {
  test('lets go of its memory, whoever still holds a program or a storage', async () => {
    const { executable, x, memory } = ((): {
      executable: WasmExecutable;
      x: WasmStorage;
      memory: WeakRef<ArrayBuffer>;
    } => {
      const { session, storages } = openSession();
      const created = new WasmExecutable(twicePlusOne(LONG), session);
      const stored = upload(storages, LONG, () => 1);
      for (let run = 0; run < 3; run++) created.run([stored]);
      const { buffer: bytes } = storages.memory.memory;
      session.close();
      return { executable: created, x: stored, memory: new WeakRef(bytes) };
    })();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let attempt = 0; attempt < 10 && memory.deref() !== undefined; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      collect();
    }
    expect(memory.deref()).toBeUndefined();
    expect(() => executable.run([x])).toThrow(/disposed/);
  });

  test('refuses to run, to compile and to keep', () => {
    const { session, storages } = openSession();
    const executable = new WasmExecutable(twicePlusOne(8), session);
    const x = upload(storages, 8, () => 1);
    session.close();
    for (const use of [
      (): unknown => executable.run([x]),
      (): unknown => new WasmExecutable(twicePlusOne(8), session),
      (): unknown => session.parts,
    ]) {
      expect(use).toThrow(DeviceError);
      expect(use).toThrow(/disposed/);
    }
    expect(session.memory).toEqual({ live: 0, peak: 32 });
    expect(() => x.dispose()).not.toThrow();
  });
});
