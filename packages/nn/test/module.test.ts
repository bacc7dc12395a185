// Modules: what they find in their fields and under which names, how they load, switch modes, move, and tell
// their hooks.
import {
  type ArrayData,
  compile,
  DTypeError,
  manualSeed,
  rand,
  type Tensor,
  tensor,
  zeros,
} from '@firsthand/autograd';
import { createReference, type Device } from '@firsthand/runtime';
import { array } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import {
  Dropout,
  Linear,
  Module,
  ModuleList,
  Parameter,
  parameter,
  ReLU,
  Sequential,
  StateDictError,
} from '../src/index.ts';

class Block extends Module {
  scale: Parameter = parameter([1, 1]);
  linear: Linear = new Linear(2, 2);
  counts: Tensor = zeros([2]);
  rate = 0.5;
  forward(x: Tensor): Tensor {
    return this.linear.forward(x).mul(this.scale).add(this.counts);
  }
}

class Net extends Module {
  first: Block = new Block();
  list: ModuleList<Linear> = new ModuleList([new Linear(2, 3), new Linear(3, 1, { bias: false })]);
  pair: readonly Parameter[] = [parameter([0]), parameter([1])];
  #hidden: Linear = new Linear(9, 9);
  forward(x: Tensor): Tensor {
    return this.list.at(1).forward(this.list.at(0).forward(this.first.forward(x)));
  }
  hiddenSize(): number {
    return this.#hidden.weight.size;
  }
}

const NAMES = [
  'first.scale',
  'first.linear.weight',
  'first.linear.bias',
  'list.0.weight',
  'list.0.bias',
  'list.1.weight',
  'pair.0',
  'pair.1',
];

describe('members', () => {
  test('are found in the order of their definition, under their paths; private fields and other values are not members', () => {
    const net = new Net();
    expect([...net.namedParameters().keys()]).toEqual(NAMES);
    expect(net.parameters()).toEqual([...net.namedParameters().values()]);
    expect(net.hiddenSize()).toBe(81);
    expect([...net.namedModules().keys()]).toEqual(['', 'first', 'first.linear', 'list', 'list.0', 'list.1']);
    expect(net.buffers()).toEqual([net.first.counts]);
    expect([...net.stateDict().keys()]).toEqual([...NAMES.slice(0, 3), 'first.counts', ...NAMES.slice(3)]);
  });

  test('are found in plain objects, those without a prototype too; a list may be empty', () => {
    class Named extends Module {
      readonly plain = { a: parameter([1]) };
      readonly bare: Readonly<Record<string, Parameter>> = Object.assign(Object.create(null) as object, {
        b: parameter([2]),
      });
      readonly list: ModuleList<Linear> = new ModuleList();
      forward(): void {}
    }
    expect([...new Named().namedParameters().keys()]).toEqual(['plain.a', 'bare.b']);
  });

  test('a parameter learns its path, which messages show; a name of its own stays', () => {
    const net = new Net();
    net.pair[1]!.name = 'temperature';
    net.first.parameters();
    expect(net.first.linear.weight.name).toBe('linear.weight');
    net.parameters();
    expect(net.first.linear.weight.name).toBe('first.linear.weight');
    expect(net.pair[1]!.name).toBe('temperature');
    expect(() => net.list.at(0).forward(zeros([4, 5]))).toThrow(/inner sizes/);
    expect(() => net.list.at(0).weight.assign(zeros([1]))).toThrow('"list.0.weight"');
  });

  test('a shared parameter counts once and is saved under each of its names; a reference to a module above is no member', () => {
    class Tied extends Module {
      input: Linear = new Linear(2, 2, { bias: false });
      output: Linear = new Linear(2, 2, { bias: false });
      child: Child = new Child(this);
      constructor() {
        super();
        Object.assign(this.output, { weight: this.input.weight });
      }
      forward(x: Tensor): Tensor {
        return this.output.forward(this.input.forward(x));
      }
    }
    class Child extends Module {
      parent: Module;
      gain: Parameter = parameter(1);
      constructor(parent: Module) {
        super();
        this.parent = parent;
      }
      forward(x: Tensor): Tensor {
        return x.mul(this.gain);
      }
    }
    const tied = new Tied();
    expect([...tied.namedParameters().keys()]).toEqual(['input.weight', 'child.gain']);
    expect([...tied.stateDict().keys()]).toEqual(['input.weight', 'output.weight', 'child.gain']);
  });

  test('apply visits every module, the outermost last', () => {
    const seen: string[] = [];
    new Sequential(new Linear(1, 1), new Sequential(new ReLU())).apply((module) =>
      seen.push(module.constructor.name),
    );
    expect(seen).toEqual(['ReLU', 'Sequential', 'Linear', 'Sequential']);
  });

  test('a list gives its modules, grows, and has no function of its own', () => {
    const list = new ModuleList([new Linear(1, 2)]);
    list.push(new Linear(2, 3));
    expect([...list].map((layer) => layer.weight.shape)).toEqual([
      [2, 1],
      [3, 2],
    ]);
    expect(list.at(-1).weight.shape).toEqual([3, 2]);
    expect([...list.namedParameters().keys()]).toEqual(['0.weight', '0.bias', '1.weight', '1.bias']);
    expect(() => list.at(2)).toThrow('no module 2 among 2');
    expect(() => list.forward()).toThrow('no forward');
  });
});

describe('state', () => {
  test('loads what another model had, from tensors and from arrays, converting floats', async () => {
    manualSeed(1);
    const [source, target] = [new Linear(3, 2), new Linear(3, 2, { dtype: 'float64' })];
    expect(await target.weight.toArray()).not.toEqual(await source.weight.toArray());
    target.loadStateDict(source.stateDict());
    expect(await target.weight.toArray()).toEqual(await source.weight.toArray());
    target.loadStateDict(
      new Map([
        [
          'weight',
          array([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        ],
        ['bias', array([7, 8])],
      ]),
    );
    expect(await target.forward(tensor([[1, 0, 0]], { dtype: 'float64' })).toArray()).toEqual([[8, 12]]);
    expect(target.weight).toBeInstanceOf(Parameter);
    expect(target.weight.requiresGrad).toBe(true);
  });

  test('loads what a file holds: data with the names of its types, and the metadata beside it', async () => {
    const layer = new Linear(2, 1, { dtype: 'float64' });
    const tensors = new Map<string, ArrayData>([
      ['weight', { data: Float32Array.of(1, 2), shape: [1, 2], dtype: 'bfloat16' }],
      ['bias', { data: Uint16Array.of(0x3c00), shape: [1], dtype: 'float16' }],
    ]);
    const mismatch = layer.loadStateDict({ tensors, metadata: new Map([['format', 'pt']]) });
    expect(mismatch).toEqual({ missing: [], unexpected: [], mismatched: [] });
    expect([await layer.weight.toArray(), await layer.bias!.toArray()]).toEqual([[[1, 2]], [1]]);
    layer.loadStateDict(
      new Map<string, ArrayData>([
        ...tensors,
        ['bias', { data: Float64Array.of(3), shape: [1], dtype: 'float64' }],
      ]),
    );
    expect(await layer.bias!.item()).toBe(3);
    expect(() =>
      layer.loadStateDict(
        new Map<string, ArrayData>([
          ...tensors,
          ['bias', { data: Int32Array.of(3), shape: [1], dtype: 'int64' }],
        ]),
      ),
    ).toThrow('bias (float64, the state has int32)');
  });

  test('later changes to the source do not show', async () => {
    const [source, target] = [new Linear(1, 1), new Linear(1, 1)];
    target.loadStateDict(source.stateDict());
    const before = await target.weight.item();
    source.weight.assign(tensor([[42]]));
    expect(await source.weight.item()).toBe(42);
    expect(await target.weight.item()).toBe(before);
  });

  test('an error lists everything that does not fit, and nothing is loaded', async () => {
    const net = new Net();
    const before = await net.first.scale.toArray();
    const state = new Map(
      Object.entries({
        'first.scale': array([5, 5]),
        'first.linear.weight': array([1, 2, 3]),
        extra: array([1]),
      }),
    );
    const load = (): unknown => net.loadStateDict(state);
    expect(load).toThrow(StateDictError);
    expect(load).toThrow('missing: first.linear.bias, first.counts, list.0.weight');
    expect(load).toThrow('unexpected: extra');
    expect(load).toThrow('first.linear.weight ([2, 2], the state has [3])');
    expect(await net.first.scale.toArray()).toEqual(before);
    const renamed = [...net.stateDict()].map(
      ([name, each]) => [name.replace('scale', 'gain'), each] as const,
    );
    expect(() => net.loadStateDict(new Map(renamed))).toThrow('missing: first.scale; unexpected: first.gain');
  });

  test('not strict: names may be missing or left over, shapes may not differ', async () => {
    const net = new Net();
    const result = net.loadStateDict(
      new Map([
        ['first.scale', array([5, 6])],
        ['extra', array([1])],
      ]),
      { strict: false },
    );
    expect(result).toMatchObject({ unexpected: ['extra'], mismatched: [] });
    expect(result.missing).toHaveLength(8);
    expect(await net.first.scale.toArray()).toEqual([5, 6]);
    expect(() => net.loadStateDict(new Map([['first.scale', array([5])]]), { strict: false })).toThrow(
      StateDictError,
    );
  });

  test('integers do not become floats, and devices do not mix', () => {
    const layer = new Linear(1, 1, { bias: false });
    expect(() => layer.loadStateDict(new Map([['weight', array([[1]], { dtype: 'int32' })]]))).toThrow(
      'weight (float32, the state has int32)',
    );
    const elsewhere = tensor([[1]], { device: createReference() });
    expect(() => layer.loadStateDict(new Map([['weight', elsewhere]]))).toThrow(
      "weight (on reference, the state's is on reference)",
    );
  });
});

describe('mode', () => {
  test('train and eval reach every module; a compiled function follows', async () => {
    manualSeed(4);
    const model = new Sequential(new Linear(1, 1), new Sequential(new Dropout(1)));
    expect([...model.namedModules().values()].map(({ training }) => training)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    const run = compile((x: Tensor) => model.forward(x));
    const x = tensor([[1]]);
    expect(await run(x).item()).toBe(0);
    model.eval();
    expect([...model.namedModules().values()].map(({ training }) => training)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    const value = await run(x).item();
    expect(value).toBe(await model.forward(x).item());
    expect(value).not.toBe(0);
    model.train();
    expect(await run(x).item()).toBe(0);
  });
});

describe('moving', () => {
  test('keeps every tensor the same object, with its value and gradient, on the other device', async () => {
    const model = new Block();
    const { scale } = model;
    const before = await model.linear.weight.toArray();
    scale.mul(3).sum().backward();
    const device = createReference();
    expect(await model.to(device)).toBe(model);
    expect(model.scale).toBe(scale);
    expect([...model.stateDict().values()].every((each) => each.device === device)).toBe(true);
    expect(await model.linear.weight.toArray()).toEqual(before);
    expect(await scale.grad?.toArray()).toEqual([3, 3]);
    // It trains there.
    const x = tensor([[1, 2]], { device });
    model.forward(x).sum().backward();
    expect(await model.linear.bias?.grad?.toArray()).toEqual([1, 1]);
    scale.assign(scale.mul(2));
    expect(await scale.toArray()).toEqual([2, 2]);
  });

  test('copies a shared parameter once', async () => {
    class Tied extends Module {
      first: Parameter = parameter([[1, 2]]);
      second: Parameter = this.first;
      forward(): Tensor {
        return this.first.add(this.second);
      }
    }
    const device = createReference();
    const tied = await new Tied().to(device);
    expect(device.memory().live).toBe(8);
    expect(await tied.forward().toArray()).toEqual([[2, 4]]);
  });

  test('to a device that lacks a dtype changes nothing', async () => {
    const device: Device = { ...bound(createReference()), supports: (dtype) => dtype !== 'float64' };
    const model = new Sequential(new Linear(1, 1), new Linear(1, 1, { dtype: 'float64' }));
    const home = [...model.stateDict().values()].map((each) => each.device);
    await expect(model.to(device)).rejects.toThrow(DTypeError);
    expect([...model.stateDict().values()].map((each) => each.device)).toEqual(home);
  });

  /** The device's methods as an object's own, so that some may be replaced. */
  function bound(device: Device): Device {
    return {
      name: 'float32 only',
      supports: (dtype) => device.supports(dtype),
      prepare: (program) => device.prepare(program),
      upload: (data, dtype) => device.upload(data, dtype),
      read: (storage) => device.read(storage),
      memory: () => device.memory(),
      dispose: () => device.dispose(),
    };
  }
});

describe('hooks', () => {
  test('see module, inputs and output of each forward, in order, until they unsubscribe', () => {
    const model = new Sequential(new Linear(2, 3), new ReLU());
    const [linear] = model;
    const calls: string[] = [];
    const endFirst = linear!.onForward((module, [x], output) =>
      calls.push(`first ${module === linear} ${x?.shape.join()} ${output.shape.join()}`),
    );
    const endSecond = linear!.onForward(() => calls.push('second'));
    model.forward(zeros([5, 2]));
    expect(Object.keys(linear!)).toEqual(['weight', 'bias']);
    expect(calls).toEqual(['first true 5,2 5,3', 'second']);
    endFirst();
    endFirst();
    model.forward(zeros([1, 2]));
    expect(calls.slice(2)).toEqual(['second']);
    endSecond();
    model.forward(zeros([1, 2]));
    expect(calls).toHaveLength(3);
    expect(Object.hasOwn(linear!, 'forward')).toBe(false);
    expect(Object.keys(linear!)).toEqual(['weight', 'bias']);
  });

  test('fire on a forward that is a field, which is itself again afterwards', () => {
    class Arrow extends Module {
      forward = (x: number): number => x + 1;
    }
    const arrow = new Arrow();
    const plain = arrow.forward;
    const outputs: number[] = [];
    const end = arrow.onForward((_, __, output) => outputs.push(output));
    expect(arrow.forward(1)).toBe(2);
    end();
    expect(arrow.forward(2)).toBe(3);
    expect(outputs).toEqual([2]);
    expect(arrow.forward).toBe(plain);
  });

  test('may keep the gradient of an output', async () => {
    const layer = new Linear(1, 1);
    let output: Tensor | null = null;
    layer.onForward((_, __, value) => {
      value.retainGrad();
      output = value;
    });
    layer
      .forward(rand([3, 1]))
      .mul(2)
      .sum()
      .backward();
    expect(await (output as Tensor | null)?.grad?.toArray()).toEqual([[2], [2], [2]]);
  });
});

describe('parameters', () => {
  test('are made of numbers, arrays and typed arrays, and may be frozen', async () => {
    expect(await parameter(array([1, 2]), { dtype: 'float64' }).data()).toEqual(Float64Array.of(1, 2));
    expect(parameter(Float32Array.of(1, 2, 3, 4), { shape: [2, 2] }).shape).toEqual([2, 2]);
    expect(parameter([1], { requiresGrad: false }).requiresGrad).toBe(false);
    expect(() => parameter([1], { dtype: 'int32' })).toThrow(DTypeError);
  });

  test('the table lists them with their sizes, and says what is frozen', () => {
    const model = new Sequential(new Linear(784, 128), new ReLU(), new Linear(128, 10));
    expect(model.summary().split('\n')).toEqual([
      'name      shape       parameters',
      '--------------------------------',
      '0.weight  [128, 784]     100,352',
      '0.bias    [128]              128',
      '2.weight  [10, 128]        1,280',
      '2.bias    [10]                10',
      '--------------------------------',
      'total                    101,770',
    ]);
    model.parameters()[0]!.requiresGrad = false;
    expect(model.summary()).toContain('100,352 (frozen)');
    expect(model.summary().split('\n').at(-1)).toBe('of these, 100,352 frozen');
    expect(new ReLU().summary()).toContain('total');
  });

  test('buffers made of arrays are not parameters', () => {
    class WithBuffer extends Module {
      mask: Tensor = tensor(array([1, 0]));
      forward(x: Tensor): Tensor {
        return x.mul(this.mask);
      }
    }
    expect(new WithBuffer().parameters()).toEqual([]);
    expect(new WithBuffer().buffers()).toHaveLength(1);
  });
});
