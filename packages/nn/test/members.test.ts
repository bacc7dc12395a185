// What counts as a member of a module, whatever its fields hold it in; sharing parameters; and errors that
// say where in a model they happened.
import {
  compile,
  FirsthandError,
  manualSeed,
  ones,
  ShapeError,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import {
  Embedding,
  Linear,
  Module,
  ModuleDict,
  ModuleList,
  parameter,
  type Parameter,
  ReLU,
  Sequential,
} from '../src/index.ts';

class Holder extends Module {
  readonly byName: Map<string, Linear> = new Map([['a', new Linear(2, 1, { bias: false })]]);
  readonly plain: { readonly [key: string]: unknown } = {
    b: new Linear(2, 1, { bias: false }),
    deep: [{ c: parameter(1) }],
    label: 'text',
  };
  readonly set: Set<Linear> = new Set([new Linear(2, 1, { bias: false })]);
  readonly scale: Tensor = tensor([1, 2], { requiresGrad: true });
  readonly mask: Tensor = ones([2]);
  forward(x: Tensor): Tensor {
    return [...this.byName.values()].reduce((value, layer) => value.add(layer.forward(x)), x.mul(this.scale));
  }
}

describe('members', () => {
  test('of maps, plain objects and sets, and tensors with requiresGrad, are found under their paths', () => {
    const holder = new Holder();
    expect([...holder.namedParameters().keys()]).toEqual([
      'byName.a.weight',
      'plain.b.weight',
      'plain.deep.0.c',
      'set.0.weight',
      'scale',
    ]);
    expect(holder.buffers()).toEqual([holder.mask]);
    expect(holder.parameters()).toContain(holder.scale);
    expect([...holder.namedModules().keys()]).toEqual(['', 'byName.a', 'plain.b', 'set.0']);
  });

  test('objects that refer to each other end; an object of a class is no collection', () => {
    class Config {
      readonly inside: Linear = new Linear(1, 1);
    }
    class Looped extends Module {
      readonly options: { self?: unknown; readonly layer: Linear } = {
        layer: new Linear(1, 1, { bias: false }),
      };
      readonly config: Config = new Config();
      constructor() {
        super();
        this.options.self = this.options;
      }
      forward(x: Tensor): Tensor {
        return this.options.layer.forward(x);
      }
    }
    expect([...new Looped().namedParameters().keys()]).toEqual(['options.layer.weight']);
  });

  test('a value computed from parameters is no state; one computed from data is', async () => {
    class Keeps extends Module {
      readonly layer: Linear = new Linear(2, 2);
      readonly triangle: Tensor = ones([2, 2]).tril();
      last: Tensor | null = null;
      forward(x: Tensor): Tensor {
        return (this.last = this.layer.forward(x));
      }
    }
    const model = new Keeps();
    await model.forward(ones([1, 2])).data();
    expect([...model.stateDict().keys()]).toEqual(['layer.weight', 'layer.bias', 'triangle']);
  });

  test('two tensors under one path are an error that names it', () => {
    class Twice extends Module {
      readonly map: Map<string | number, Parameter> = new Map<string | number, Parameter>([
        ['1', parameter(1)],
        [1, parameter(2)],
      ]);
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    expect(() => new Twice().parameters()).toThrow('Twice: two tensors have the path map.1');
  });

  test('a dictionary names its modules by their keys, and compiled functions follow it', async () => {
    manualSeed(1);
    const heads = new ModuleDict({ price: new Linear(2, 1), kind: new Linear(2, 1) });
    expect([heads.size, heads.has('kind'), heads.has('size')]).toEqual([2, true, false]);
    expect([...heads].map(([name]) => name)).toEqual(['price', 'kind']);
    expect([...heads.stateDict().keys()]).toEqual(['price.weight', 'price.bias', 'kind.weight', 'kind.bias']);
    expect(() => heads.get('size')).toThrow('no module "size"; there are price, kind');
    expect(() => heads.forward()).toThrow('no forward');
    const forward = compile((x: Tensor) => heads.get('price').forward(x));
    const x = ones([1, 2]);
    await forward(x).data();
    heads.set('price', new Linear(2, 1));
    expect(await forward(x).item()).toBe(await heads.get('price').forward(x).item());
    expect(heads.delete('kind')).toBe(true);
    expect([...heads.namedModules().keys()]).toEqual(['', 'price']);
    expect([...new ModuleDict(new Map([['b', new ReLU()]])).namedModules().keys()]).toEqual(['', 'b']);
  });

  test('functions in a row count as layers without parameters', async () => {
    const model = new Sequential(
      new Linear(2, 3),
      (x) => x.relu(),
      (x) => x.sum({ axis: 1 }),
    );
    expect([...model.namedParameters().keys()]).toEqual(['0.weight', '0.bias']);
    const x = ones([4, 2]);
    const expected = await new Sequential([...model][0] as Linear)
      .forward(x)
      .relu()
      .sum({ axis: 1 })
      .toArray();
    expect(await model.forward(x).toArray()).toEqual(expected);
    expect(await compile((input: Tensor) => model.forward(input))(x).toArray()).toEqual(expected);
    expect(() => new Sequential([new Linear(1, 1)] as never)).toThrow('layer 0 is an array');
  });
});

describe('a shared parameter', () => {
  class Tied extends Module {
    readonly tokens: Embedding = new Embedding(5, 3);
    readonly head: Linear = new Linear(3, 5, { bias: false });
    constructor() {
      super();
      this.head.weight = this.tokens.weight;
    }
    forward(index: Tensor): Tensor {
      return this.head.forward(this.tokens.forward(index));
    }
  }

  test('is assigned like any field, counts once, has one gradient, is saved under both paths', async () => {
    manualSeed(3);
    const model = new Tied();
    expect([...model.namedParameters().keys()]).toEqual(['tokens.weight']);
    expect([...model.stateDict().keys()]).toEqual(['tokens.weight', 'head.weight']);
    const index = tensor(Int32Array.of(2));
    model.forward(index).sum().backward();
    const w = (await model.tokens.weight.toArray()) as number[][];
    // y = W·W[2], Σ y: the gradient of row r is W[2], and Σ_r W[r] more for row 2.
    const sums = [0, 1, 2].map((column) => w.reduce((total, row) => total + row[column]!, 0));
    const expected = w.map((_, row) => w[2]!.map((value, column) => value + (row === 2 ? sums[column]! : 0)));
    const gradient = (await model.tokens.weight.grad!.toArray()) as number[][];
    for (const [row, values] of gradient.entries()) {
      for (const [column, value] of values.entries()) expect(value).toBeCloseTo(expected[row]![column]!, 5);
    }
    expect(model.head.weight.grad).toBe(model.tokens.weight.grad);
  });

  test('that is tied after compiling is followed', async () => {
    manualSeed(4);
    class Untied extends Tied {
      override readonly head: Linear = new Linear(3, 5, { bias: false });
    }
    const model = new Untied();
    const index = tensor(Int32Array.of(1, 4));
    const forward = compile((ids: Tensor) => model.forward(ids));
    await forward(index).data();
    model.head.weight = model.tokens.weight;
    expect(await forward(index).toArray()).toEqual(await model.forward(index).toArray());
  });
});

describe('errors in a forward', () => {
  class Block extends Module {
    readonly fc1: Linear = new Linear(2, 3);
    forward(x: Tensor): Tensor {
      return this.fc1.forward(x);
    }
  }
  class Net extends Module {
    readonly blocks: ModuleList<Block> = new ModuleList([new Block(), new Block()]);
    forward(x: Tensor): Tensor {
      return this.blocks.at(1).forward(x);
    }
  }
  const failure = (call: () => unknown): FirsthandError => {
    try {
      call();
    } catch (error) {
      if (error instanceof FirsthandError) return error;
    }
    throw new Error('nothing was thrown');
  };

  test('name the innermost module once, eagerly and compiled, in message, field and stack', () => {
    const net = new Net();
    for (const run of [(x: Tensor) => net.forward(x), compile((x: Tensor) => net.forward(x))]) {
      const error = failure(() => run(ones([1, 7])));
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(/^blocks\.1\.fc1 \(Linear\): matmul: /);
      expect(error.scope).toBe('blocks.1.fc1 (Linear)');
      expect(error.stack).toContain(`ShapeError: ${error.message}\n`);
    }
    expect(failure(() => net.blocks.at(0).forward(ones([1, 7]))).message).toMatch(
      /^fc1 \(Linear\): matmul: /,
    );
    expect(failure(() => net.blocks.at(0).fc1.forward(ones([1, 7]))).message).toMatch(/^Linear: matmul: /);
  });

  test('of a class that calls its superclass, of functions in a row, of a module that is no member', () => {
    class Child extends Block {
      override forward(x: Tensor): Tensor {
        return super.forward(x.reshape(1, 1, 7));
      }
    }
    expect(failure(() => new Child().forward(ones([1, 7]))).message).toMatch(/^fc1 \(Linear\): matmul/);
    expect(failure(() => new Child().forward(ones([1, 6]))).message).toMatch(/^Child: reshape/);
    const row = new Sequential(new Linear(7, 2), (x) => x.reshape(3));
    expect(failure(() => row.forward(ones([1, 7]))).message).toMatch(/^Sequential: reshape/);
    class Calls extends Module {
      forward(model: Module & { forward(x: Tensor): Tensor }, x: Tensor): Tensor {
        return model.forward(x);
      }
    }
    expect(failure(() => new Calls().forward(new Block(), ones([1, 7]))).message).toMatch(
      /^fc1 \(Linear\): matmul/,
    );
  });

  test('keep their identity; other errors pass as they are; names and hooks of forward stay', () => {
    const own = new Error('mine');
    class Fails extends Module {
      forward(_x: Tensor): Tensor {
        throw own;
      }
    }
    expect(() => new Fails().forward(ones([1]))).toThrow(own);
    expect(own.message).toBe('mine');
    expect([Fails.prototype.forward.name, Fails.prototype.forward.length]).toEqual(['forward', 1]);
    const net = new Net();
    const seen: string[] = [];
    net.blocks.at(1).onForward(() => seen.push('block'));
    net.forward(ones([1, 2]));
    expect(seen).toEqual(['block']);
    expect(failure(() => net.forward(ones([1, 7]))).message).toMatch(/^blocks\.1\.fc1/);
  });
});
