// The interpreter as a device: plans over an arena in which a wrong place shows, programs from graphs against
// the reference device, and memory as it counts it.
import {
  add,
  argumentLeaf,
  constant,
  crossEntropy,
  DeviceError,
  exp,
  hostLeaf,
  layerNorm,
  leaf,
  matmul,
  mul,
  neg,
  reshape,
  softmax,
  sum,
  transpose,
  type DType,
  type Leaf,
  type Node,
  type Shape,
  type TypedArray,
} from '@firsthand/graph';
import { createReference, Handle, runtimeOf, type Device, bufferOf } from '@firsthand/runtime';
import { fromFloat16Bits, sizeOf } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { createInterpreter } from '../src/interpreter/device.ts';
import { poisoned, preparePlan } from '../src/interpreter/run-plan.ts';
import type { Kernel, Plan, PlannedKernel } from '../src/ir/kernel.ts';
import { at, binary, constant as scalar, load, map, reads, store, writes } from './kernels.ts';

describe('plans', () => {
  const planned = (kernel: Kernel, ...buffers: number[]): PlannedKernel => ({
    kernel,
    buffers,
    plan: { scratch: 0 },
    scratch: { bytes: 0, offset: 0 },
    name: '',
    nodes: [],
    boundary: '',
  });
  const unaryMap = (f: (x: ReturnType<typeof load>) => ReturnType<typeof load>): Kernel =>
    map(4, [reads('float32', 4), writes('float32', 4)], store(1, at([1]), f(load(0, at([1])))));
  const doubled = unaryMap((x) => binary('add', x, x));
  const sumOf = map(
    4,
    [reads('float32', 4), reads('float32', 4), writes('float32', 4)],
    store(2, at([1]), binary('add', load(0, at([1])), load(1, at([1])))),
  );
  /** y = (x + x) + ((x + x) + (x + x)), with the two intermediates at the given offsets. */
  const plan = (...offsets: readonly [number, number]): Plan => ({
    buffers: [
      { dtype: 'float32', length: 4, location: { kind: 'argument', argument: 0, offset: 0 } },
      { dtype: 'float32', length: 4, location: { kind: 'output', output: 0, offset: 0 } },
      ...offsets.map(
        (offset) => ({ dtype: 'float32', length: 4, location: { kind: 'arena', offset } }) as const,
      ),
    ],
    kernels: [planned(doubled, 0, 2), planned(doubled, 2, 3), planned(sumOf, 2, 3, 1)],
    outputs: [{ buffer: 1, dtype: 'float32', length: 4, into: null }],
    arenaBytes: 128,
    liveBytes: 32,
  });
  const run = (each: Plan): number[] => {
    const y = poisoned('float32', 4);
    preparePlan(each)([Float32Array.of(1, 2, 3, 4)], [y]);
    return [...y];
  };

  test('kernels run in order', () => {
    expect(run(plan(0, 64))).toEqual([6, 12, 18, 24]);
  });

  test('two intermediates in one place show as wrong numbers', () => {
    expect(run(plan(64, 64))).toEqual([8, 16, 24, 32]);
  });

  test('what has not been written is NaN', () => {
    const late = plan(0, 64);
    expect(run({ ...late, kernels: [late.kernels[1]!, late.kernels[0]!, late.kernels[2]!] })).toEqual([
      NaN,
      NaN,
      NaN,
      NaN,
    ]);
    expect([...poisoned('int32', 2), ...poisoned('bool', 1)]).toEqual([-1, -1, 255]);
  });

  test('an output may be an argument’s array', () => {
    const inPlace: Plan = {
      ...plan(0, 64),
      buffers: [{ dtype: 'float32', length: 4, location: { kind: 'argument', argument: 0, offset: 0 } }],
      kernels: [
        planned(
          map(
            4,
            [{ ...reads('float32', 4), access: 'update' }],
            store(0, at([1]), binary('mul', load(0, at([1])), scalar(10))),
          ),
          0,
        ),
      ],
      outputs: [{ buffer: 0, dtype: 'float32', length: 4, into: 0 }],
    };
    const x = Float32Array.of(1, 2, 3, 4);
    preparePlan(inPlace)([x], [x]);
    expect([...x]).toEqual([10, 20, 30, 40]);
  });
});

/** A stored value with its storage. */
function stored(data: TypedArray, shape: Shape, dtype: DType, device: Device): Leaf {
  const result = leaf({ role: 'stored', name: null, shape, dtype, host: null, sample: null }, device);
  result.stored = runtimeOf(device).adopt(device.upload(data, dtype));
  return result;
}
const wave = (shape: Shape): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, k) => Math.sin(k * k + 1));

describe('programs', () => {
  const programs: { readonly [name: string]: (device: Device) => readonly Node[] } = {
    'softmax and its transpose': (device) => {
      const x = stored(wave([5, 7]), [5, 7], 'float32', device);
      return [softmax(x), transpose(softmax(x))];
    },
    'two layers, normalised, with a loss': (device) => {
      const x = stored(wave([6, 8]), [6, 8], 'float32', device);
      const w = stored(wave([8, 10]), [8, 10], 'float32', device);
      const bias = stored(wave([10]), [10], 'float32', device);
      const hidden = layerNorm(matmul(x, w), exp(bias), bias);
      const labels = stored(Int32Array.of(0, 9, 3, 3, 1, 7), [6], 'int32', device);
      return [hidden, crossEntropy(hidden, labels), sum(hidden)];
    },
    'an argument asked for twice, and nothing': (device) => {
      const x = stored(wave([3]), [3], 'float32', device);
      return [reshape(x, [3, 1]), reshape(x, [1, 3]), constant(2, [0], 'float32')];
    },
  };
  test.each(Object.keys(programs))('%s: the reference device’s numbers', async (name) => {
    const valuesOn = async (device: Device): Promise<number[][]> => {
      const nodes = programs[name]!(device);
      runtimeOf(device).realize([...nodes]);
      return Promise.all(nodes.map(async (node) => [...(await runtimeOf(device).read(node))]));
    };
    const [actual, expected] = [await valuesOn(createInterpreter()), await valuesOn(createReference())];
    expected.forEach((values, k) => {
      expect(actual[k]).toHaveLength(values.length);
      values.forEach((value, place) => expect(actual[k]![place]).toBeCloseTo(value, 5));
    });
  });
});

test('host values are taken in the dtype of their leaf', async () => {
  const device = createInterpreter();
  const rate = hostLeaf(() => 0.1, 'float16', device);
  const values = [
    mul(rate, constant(3, [], 'float16')),
    mul(
      hostLeaf(() => [1, 2 ** 32 - 1], 'uint32', device),
      constant(1, [2], 'uint32'),
    ),
  ];
  const [tripled, words] = await Promise.all(values.map((node) => runtimeOf(device).read(node)));
  expect(fromFloat16Bits(tripled![0]!)).toBe(0.2998046875);
  expect([...words!]).toEqual([1, 2 ** 32 - 1]);
});

describe('the device', () => {
  test('every output has a storage of its own; updates overwrite theirs', async () => {
    const device = createInterpreter();
    const runtime = runtimeOf(device);
    const x = stored(Float32Array.of(1, 2), [2], 'float32', device);
    const again = [reshape(x, [2, 1]), reshape(x, [1, 2])];
    runtime.realize(again);
    expect(new Set([x, ...again].map((node) => bufferOf(node)!.storage)).size).toBe(3);
    const program = {
      args: [argumentLeaf(x)],
      effects: [] as { node: Node; into: Leaf }[],
      roots: [] as Node[],
    };
    program.effects.push({
      node: add(program.args[0]!, constant(1, [2], 'float32')),
      into: program.args[0]!,
    });
    const { outputs } = device.prepare(program).run([bufferOf(x)!.storage]);
    expect(outputs[0]).toBe(bufferOf(x)!.storage);
    expect([...(await device.read(outputs[0]!))]).toEqual([2, 3]);
  });

  test('live bytes are the storages; a run holds its arena while it lasts', () => {
    const device = createInterpreter();
    const x = stored(new Float32Array(1000), [10, 100], 'float32', device);
    expect(device.memory()).toEqual({ live: 4000, peak: 4000 });
    const y = matmul(matmul(x, transpose(x)), x);
    runtimeOf(device).realize([y]);
    // The inner product, [10, 10], lies in the arena; y is a storage.
    expect(device.memory()).toEqual({ live: 8000, peak: 8000 + 448 });
    bufferOf(y)!.storage.dispose();
    bufferOf(y)!.storage.dispose();
    expect(device.memory().live).toBe(4000);
  });

  test('a disposed device, freed and foreign storages are refused', () => {
    const device = createInterpreter();
    const storage = device.upload(Float32Array.of(1), 'float32');
    expect(() => device.readSync!(createReference().upload(Float32Array.of(1), 'float32'))).toThrow(
      'belongs to another device',
    );
    storage.dispose();
    expect(() => device.readSync!(storage)).toThrow('has been freed');
    device.dispose();
    expect(() => device.upload(Float32Array.of(1), 'float32')).toThrow(DeviceError);
    expect(() => device.prepare({ args: [], effects: [], roots: [] })).toThrow('disposed');
  });

  test('an assignment through the runtime', async () => {
    const device = createInterpreter();
    const handle = new Handle(stored(Float32Array.of(1, 2), [2], 'float32', device));
    for (let step = 0; step < 3; step++)
      runtimeOf(device).assign(handle, neg(mul(handle.node, handle.node)), 'update');
    expect([...(await runtimeOf(device).read(handle.node))]).toEqual([-1, -256]);
  });

  test('the report has the kernels’ texts', () => {
    const device = createInterpreter();
    const x = stored(wave([4, 8]), [4, 8], 'float32', device);
    const { executable } = runtimeOf(device).prepare({ effects: [], roots: [softmax(x)] });
    const report = executable.report();
    expect(report.device).toBe('interpreter');
    expect(report.kernels.map(({ source }) => source.split('\n')[0])).toEqual([
      'row (a: float32[32] read, b: float32[32] write)',
    ]);
    expect(report.peakBytes).toBe(128);
  });
});
