/**
 * Rule 20, guards: what a trace reads of JavaScript's own state. After a part of a model, a list, a number in
 * a field or a setting of an optimizer changes, a compiled function gives what the plain one gives; when the
 * state is the earlier one again, it finds its earlier plan without tracing. Learning rates are values of a
 * run and are not guarded.
 */
import {
  compile,
  guard,
  guardContents,
  Guarded,
  manualSeed,
  ones,
  StaleError,
  tensor,
} from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { Dropout, Linear, Module, ModuleList, parameter, Sequential } from '@firsthand/nn';
import type { Parameter } from '@firsthand/nn';
import { AdamW, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { counted, freshDevice } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

class Inner extends Module {
  weight: Parameter = parameter([[1, 2]]);
  gain = 1;
  forward(x: Tensor): Tensor {
    return x.mul(this.weight).mul(this.gain);
  }
}

type Activation = (x: Tensor) => Tensor;

/** A model that reads every kind of field. */
class Net extends Module {
  body = new Linear(2, 2);
  head: Linear | null = new Linear(2, 2);
  extra: Linear | null = null;
  inner = new Inner();
  scale = 1;
  doubled = false;
  mode: 'plain' | 'shifted' = 'plain';
  layers = new ModuleList([new Linear(2, 2)]);
  stack: Sequential = new Sequential(new Linear(2, 2));
  list: Linear[] = [new Linear(2, 2)];
  table: Map<string, Linear> = new Map([['a', new Linear(2, 2)]]);
  config = { power: 1, nested: { shifts: [0, 1] } };
  chosen = new Set(['a']);
  window = Float32Array.of(1, 2);
  activation: Activation = (x) => x.tanh();
  buffer: Tensor = tensor([0, 0]);
  declare optional?: number;

  forward(x: Tensor): Tensor {
    let h = this.body.forward(x);
    for (const layer of this.layers) h = layer.forward(h);
    h = this.stack.forward(h);
    for (let index = 0; index < this.list.length; index++) h = this.list[index]!.forward(h);
    for (const [name, layer] of this.table) h = h.add(layer.forward(h).mul(name.length));
    for (const name of this.chosen) h = h.add(name.length);
    h = this.inner.forward(this.activation(h)).mul(this.scale);
    for (const shift of this.config.nested.shifts) h = h.add(shift * this.config.power);
    h = h.add(this.buffer).add(tensor(this.window));
    if (this.doubled) h = h.mul(2);
    if (this.mode === 'shifted') h = h.add(1);
    if (this.extra !== null) h = h.add(this.extra.forward(x));
    if ('optional' in this) h = h.add(this.optional ?? 7);
    return this.head === null ? h : this.head.forward(h);
  }
}

/** A change, and what takes it back. */
type Change = (net: Net) => () => void;

function setting<K extends keyof Net>(key: K, value: () => Net[K]): Change {
  return (net) => {
    const before = net[key];
    net[key] = value();
    return () => {
      net[key] = before;
    };
  };
}

const CHANGES: { readonly [what: string]: Change } = {
  'another layer': setting('body', () => new Linear(2, 2)),
  'no layer': setting('head', () => null),
  'a layer where there was none': setting('extra', () => new Linear(2, 2)),
  'a number': setting('scale', () => 3),
  'minus zero': setting('scale', () => -0),
  'a boolean': setting('doubled', () => true),
  'a string': setting('mode', () => 'shifted'),
  'a function': setting('activation', () => (x) => x.relu()),
  'another tensor in a field': setting('buffer', () => tensor([5, 6])),
  'another list': setting('layers', () => new ModuleList([new Linear(2, 2), new Linear(2, 2)])),
  'another array': setting('list', () => []),
  'an element of an array': (net) => {
    const before = net.list[0]!;
    net.list[0] = new Linear(2, 2);
    return () => {
      net.list[0] = before;
    };
  },
  'a longer array': (net) => {
    net.list.push(new Linear(2, 2));
    return () => net.list.pop();
  },
  'a longer map': (net) => {
    net.table.set('bb', new Linear(2, 2));
    return () => net.table.delete('bb');
  },
  'an element of a map': (net) => {
    const before = net.table.get('a')!;
    net.table.set('a', new Linear(2, 2));
    return () => net.table.set('a', before);
  },
  'a larger set': (net) => {
    net.chosen.add('ccc');
    return () => net.chosen.delete('ccc');
  },
  'a number in a plain object': (net) => {
    net.config.power = 4;
    return () => {
      net.config.power = 1;
    };
  },
  'an element of an array in a plain object': (net) => {
    net.config.nested.shifts[1] = 3;
    return () => {
      net.config.nested.shifts[1] = 1;
    };
  },
  'an element of a typed array': (net) => {
    net.window[1] = 9;
    return () => {
      net.window[1] = 2;
    };
  },
  'a new field': (net) => {
    net.optional = 5;
    return () => {
      delete net.optional;
    };
  },
  'a new field without a value': (net) => {
    Object.defineProperty(net, 'optional', {
      value: undefined,
      configurable: true,
      enumerable: true,
      writable: true,
    });
    return () => {
      delete net.optional;
    };
  },
  'a parameter of a layer': (net) => {
    const before = net.inner.weight;
    net.inner.weight = parameter([[5, 7]]);
    return () => {
      net.inner.weight = before;
    };
  },
  'a number of a layer': (net) => {
    net.inner.gain = 2.5;
    return () => {
      net.inner.gain = 1;
    };
  },
  'a method of its own': (net) => {
    net.inner.forward = (x) => x.add(100);
    return () => {
      Reflect.deleteProperty(net.inner, 'forward');
    };
  },
  'a hook that is there': (net) => net.inner.onForward(() => {}),
  'frozen parameters': (net) => {
    net.body.weight.requiresGrad = false;
    return () => {
      net.body.weight.requiresGrad = true;
    };
  },
};

/** Changes that leave the list as it is, and cannot be taken back. */
const ADDITIONS: { readonly [what: string]: (net: Net) => void } = {
  'a layer pushed to a ModuleList': (net) => net.layers.push(new Linear(2, 2)),
};

export function describeGuards(createDevice: CreateDevice): void {
  describe('rule 20: what a trace reads of JavaScript’s own state is guarded', () => {
    for (const passed of [false, true]) {
      const how = passed ? 'passed' : 'captured';
      const subject = () => {
        manualSeed(3);
        const net = new Net();
        let traces = 0;
        const captured = compile((input: Tensor) => {
          traces++;
          return net.forward(input);
        });
        const given = compile((model: Net, input: Tensor) => {
          traces++;
          return model.forward(input);
        });
        const x = tensor([[1, -2]]);
        return { net, x, run: () => (passed ? given(net, x) : captured(x)), traces: () => traces };
      };

      test.each(Object.entries(CHANGES))(`%s, model ${how}`, async (_, change) => {
        const device = await freshDevice(createDevice);
        const { net, x, run, traces } = subject();
        const first = await run().toArray();
        expect(first).toEqual(await net.forward(x).toArray());
        const undo = change(net);
        expect(await run().toArray()).toEqual(await net.forward(x).toArray());
        expect(traces()).toBe(2);
        undo();
        const back = await counted(device, async () => expect(await run().toArray()).toEqual(first));
        expect(back).toEqual({ compilations: 0, programs: 1, recomputed: 0 });
        change(net);
        await run().toArray();
        undo();
        await run().toArray();
        expect(await run().toArray()).toEqual(await net.forward(x).toArray());
      });

      test.each(Object.entries(ADDITIONS))(`%s, model ${how}`, async (_, change) => {
        await freshDevice(createDevice);
        const { net, x, run, traces } = subject();
        await run().toArray();
        change(net);
        expect(await run().toArray()).toEqual(await net.forward(x).toArray());
        expect(traces()).toBe(2);
      });
    }

    test('what the function does not read, and what it sets itself before it reads it, does not matter', async () => {
      const device = await freshDevice(createDevice);
      class Counter extends Module {
        notes: string[] = [];
        last = 0;
        weight = parameter([2]);
        forward(x: Tensor): Tensor {
          this.last = x.size;
          return x.mul(this.weight).mul(this.last);
        }
      }
      const model = new Counter();
      const f = compile((x: Tensor) => model.forward(x));
      await f(tensor([1])).item();
      const work = await counted(device, async () => {
        for (let step = 0; step < 5; step++) {
          model.notes.push(`step ${step}`);
          model.last = step;
          Object.assign(model, { other: step });
          expect(await f(tensor([step])).item()).toBe(2 * step);
        }
      });
      expect(work).toEqual({ compilations: 0, programs: 5, recomputed: 0 });
    });

    test('a field that the function counts up makes each call a trace of its own', async () => {
      await freshDevice(createDevice);
      class Decaying extends Guarded {
        scale = 8;
        forward(x: Tensor): Tensor {
          this.scale /= 2;
          return x.mul(this.scale);
        }
      }
      const model = new Decaying();
      const f = compile((x: Tensor) => model.forward(x));
      for (const expected of [4, 2, 1]) expect(await f(tensor([1])).item()).toBe(expected);
    });

    test('a table that a layer computes once and keeps in a field may be read later, a value that depends on arguments may not', async () => {
      await freshDevice(createDevice);
      class Cached extends Module {
        table: Tensor | null = null;
        seen: Tensor | null = null;
        forward(x: Tensor): Tensor {
          this.table ??= ones([2]).mul(3);
          this.seen = x.mul(2);
          return x.mul(this.table);
        }
      }
      const model = new Cached();
      let traces = 0;
      const f = compile((x: Tensor) => {
        traces++;
        return model.forward(x);
      });
      for (let step = 1; step < 5; step++)
        expect(await f(tensor([step, 0])).toArray()).toEqual([3 * step, 0]);
      expect(traces).toBe(2);
      expect(await f(tensor([[1, 2]])).toArray()).toEqual([[3, 6]]);
      expect(await model.table!.toArray()).toEqual([3, 3]);
      await expect(model.seen!.data()).rejects.toThrow(StaleError);
    });

    test('hidden state that a compiled function leaves in a field is refused, and never silently old', async () => {
      await freshDevice(createDevice);
      class RecurrentCell extends Module {
        hidden: Tensor | null = null;
        forward(x: Tensor): Tensor {
          this.hidden = this.hidden === null ? x : this.hidden.mul(0.5).add(x);
          return this.hidden;
        }
      }
      const model = new RecurrentCell();
      const f = compile((x: Tensor) => model.forward(x));
      expect(await f(tensor([1])).item()).toBe(1);
      expect(() => f(tensor([1]))).toThrow(StaleError);
    });

    test('dropout that is turned up, train and eval', async () => {
      await freshDevice(createDevice);
      const drop = new Dropout(0);
      const f = compile((x: Tensor) => drop.forward(x));
      const x = ones([64]);
      expect(await f(x).sum().item()).toBe(64);
      Object.assign(drop, { probability: 1 });
      expect(await f(x).sum().item()).toBe(0);
      drop.eval();
      expect(await f(x).sum().item()).toBe(64);
    });

    test('forward hooks added and removed', async () => {
      await freshDevice(createDevice);
      const layer = new Linear(2, 2);
      const f = compile((x: Tensor) => layer.forward(x));
      const seen: string[] = [];
      const call = async (): Promise<string> => {
        seen.length = 0;
        await f(ones([1, 2])).data();
        return seen.join();
      };
      expect(await call()).toBe('');
      const first = layer.onForward(() => seen.push('first'));
      expect(await call()).toBe('first');
      const second = layer.onForward(() => seen.push('second'));
      expect(await call()).toBe('first,second');
      first();
      expect(await call()).toBe('second');
      second();
      // Back at the first plan, which traced no hook.
      expect(await call()).toBe('');
    });

    test('private state is guarded where a class says so', async () => {
      await freshDevice(createDevice);
      class Powers extends Guarded {
        readonly #state = { factor: 2 };
        readonly #shifts = [1];
        forward(x: Tensor): Tensor {
          return guardContents(this.#shifts).reduce(
            (sum, shift) => sum.add(shift),
            x.mul(guard(this.#state, 'factor')),
          );
        }
        set(factor: number): void {
          this.#state.factor = factor;
        }
        push(shift: number): void {
          this.#shifts.push(shift);
        }
      }
      const powers = new Powers();
      const f = compile((x: Tensor) => powers.forward(x));
      expect(await f(tensor([1])).item()).toBe(3);
      powers.set(5);
      expect(await f(tensor([1])).item()).toBe(6);
      powers.push(10);
      expect(await f(tensor([1])).item()).toBe(16);
    });

    test('lists, maps, sets and instances as arguments', async () => {
      await freshDevice(createDevice);
      class Options {
        scale = 2;
        offset = tensor([1]);
      }
      const options = new Options();
      const f = compile((inputs: Map<string, Tensor>, names: Set<string>, { scale, offset }: Options) =>
        [...names].reduce((sum, name) => sum.add(inputs.get(name)!), offset).mul(scale),
      );
      const inputs = new Map([
        ['a', tensor([1])],
        ['b', tensor([10])],
      ]);
      const names = new Set(['a']);
      expect(await f(inputs, names, options).item()).toBe(4);
      inputs.set('a', tensor([3]));
      expect(await f(inputs, names, options).item()).toBe(8);
      names.add('b');
      expect(await f(inputs, names, options).item()).toBe(28);
      options.scale = 3;
      expect(await f(inputs, names, options).item()).toBe(42);
      options.offset = tensor([0]);
      expect(await f(inputs, names, options).item()).toBe(39);
    });

    test('host data that the function makes tensors of', async () => {
      await freshDevice(createDevice);
      const data = Float32Array.of(1, 2);
      const rows = [[1, 2]];
      const f = compile(() => tensor(data).add(tensor(rows)));
      expect(await f().toArray()).toEqual([[2, 4]]);
      data[0] = 10;
      expect(await f().toArray()).toEqual([[11, 4]]);
      rows[0]![1] = 20;
      expect(await f().toArray()).toEqual([[11, 22]]);
    });
  });
}

export function describeSettings(createDevice: CreateDevice): void {
  describe('rule 20: the settings of an optimizer are guarded', () => {
    const training = (
      compiled: boolean,
      make: (w: Tensor) => AdamW | SGD,
      change: (optimizer: AdamW | SGD, v: Tensor) => void,
    ) => {
      const w = tensor([1, 2], { requiresGrad: true });
      const v = tensor([3, 4], { requiresGrad: true });
      const optimizer = make(w);
      const plain = (): Tensor => {
        const loss = w.square().sum().add(v.sum());
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        v.grad = null;
        return loss;
      };
      const step = compiled ? compile(plain) : plain;
      return async (): Promise<unknown> => {
        for (let index = 0; index < 3; index++) await step().item();
        change(optimizer, v);
        for (let index = 0; index < 3; index++) await step().item();
        return [await w.toArray(), await v.toArray()];
      };
    };
    const rows: {
      readonly [what: string]: readonly [
        (w: Tensor) => AdamW | SGD,
        (optimizer: AdamW | SGD, v: Tensor) => void,
      ];
    } = {
      'weight decay': [(w) => new AdamW([w]), ({ groups }) => (groups[0]!.weightDecay = 0.5)],
      'weight decay from none': [
        (w) => new AdamW([w], { weightDecay: 0 }),
        ({ groups }) => (groups[0]!.weightDecay = 0.5),
      ],
      betas: [(w) => new AdamW([w]), ({ groups }) => ((groups as AdamW['groups'])[0]!.betas = [0.5, 0.5])],
      'the learning rate': [(w) => new AdamW([w]), ({ groups }) => (groups[0]!.lr = 0.5)],
      momentum: [
        (w) => new SGD([w], { lr: 0.1, momentum: 0.9 }),
        ({ groups }) => ((groups as SGD['groups'])[0]!.momentum = 0.1),
      ],
      'weight decay of SGD': [
        (w) => new SGD([w], { lr: 0.1 }),
        ({ groups }) => (groups[0]!.weightDecay = 0.5),
      ],
      nesterov: [
        (w) => new SGD([w], { lr: 0.1, momentum: 0.9 }),
        ({ groups }) => ((groups as SGD['groups'])[0]!.nesterov = true),
      ],
      'a group more': [
        (w) => new AdamW([w]),
        (optimizer, v) => (optimizer as AdamW).addGroup({ parameters: [v], lr: 0.1, weightDecay: 0.1 }),
      ],
    };
    test.each(Object.entries(rows))('%s', async (_, [make, change]) => {
      await freshDevice(createDevice);
      const plain = await training(false, make, change)();
      expect(await training(true, make, change)()).toEqual(plain);
      expect(plain).not.toEqual(await training(false, make, () => {})());
    });

    test('a schedule of learning rates compiles one program and traces once', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const optimizer = new AdamW([w]);
      let traces = 0;
      const step = compile(() => {
        traces++;
        w.square().sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
      });
      const work = await counted(device, () => {
        for (let index = 0; index < 20; index++) {
          optimizer.follow((at) => 1 / (at + 1), index);
          step();
        }
      });
      expect(work.compilations).toBe(1);
      expect(traces).toBe(1);
    });

    const SCHEDULES: {
      readonly [what: string]: readonly [
        (w: Tensor) => AdamW | SGD,
        (optimizer: AdamW | SGD, step: number) => void,
      ];
    } = {
      'weight decay': [
        (w) => new AdamW([w], { lr: 0.1 }),
        ({ groups }, step) => (groups[0]!.weightDecay = step / 40),
      ],
      'all of AdamW’s': [
        (w) => new AdamW([w], { lr: 0.1 }),
        (optimizer, step) =>
          Object.assign(optimizer.groups[0]!, {
            betas: [step / 30, 1 - (step + 1) / 40],
            eps: 1 / (step + 1),
            weightDecay: step / 20,
          }),
      ],
      'weight decay of SGD': [
        (w) => new SGD([w], { lr: 0.1 }),
        ({ groups }, step) => (groups[0]!.weightDecay = (step + 1) / 40),
      ],
      'the momentum of SGD': [
        (w) => new SGD([w], { lr: 0.1, momentum: 0.9 }),
        (optimizer, step) => ((optimizer as SGD).groups[0]!.momentum = 0.5 + step / 60),
      ],
    };
    test.each(Object.entries(SCHEDULES))(
      'a schedule of %s compiles three programs at most, and gives what new optimizers give',
      async (_, [make, set]) => {
        const run = async (compiled: boolean): Promise<unknown> => {
          const device = await freshDevice(createDevice);
          const w = tensor([1, 2], { requiresGrad: true });
          const optimizer = make(w);
          const plain = (): void => {
            w.square().sum().backward();
            optimizer.step();
            optimizer.zeroGrad();
          };
          const step = compiled ? compile(plain) : plain;
          const values: unknown[] = [];
          const work = await counted(device, async () => {
            for (let index = 0; index < 20; index++) {
              set(optimizer, index);
              step();
              values.push(await w.toArray());
            }
          });
          expect(work.compilations).toBeLessThanOrEqual(3);
          return values;
        };
        const eager = await run(false);
        expect(await run(true)).toEqual(eager);
        // Each step with a number written into the program, from the same state.
        await freshDevice(createDevice);
        const w = tensor([1, 2], { requiresGrad: true });
        let optimizer = make(w);
        const values: unknown[] = [];
        for (let index = 0; index < 20; index++) {
          const state = optimizer.stateDict();
          const fresh = make(w);
          set(fresh, index);
          optimizer = again(w, fresh.groups[0]!);
          optimizer.loadStateDict(state);
          w.square().sum().backward();
          optimizer.step();
          optimizer.zeroGrad();
          values.push(await w.toArray());
        }
        expect(values).toEqual(eager);
      },
    );

    test('settings that are out of range, or need state that is not there, are refused', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const step = (optimizer: AdamW | SGD): void => {
        w.square().sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
      };
      const adam = new AdamW([w]);
      adam.groups[0]!.weightDecay = -1;
      expect(() => step(adam)).toThrow(/weightDecay/);
      expect(() => compile(() => step(adam))()).toThrow(/weightDecay/);
      const sgd = new SGD([w], { lr: 0.1 });
      sgd.groups[0]!.momentum = 0.9;
      expect(() => step(sgd)).toThrow(/momentum, which exists from construction/);
      expect(() => adam.addGroup({ parameters: [w] })).toThrow(/twice/);
    });
  });
}

/** An optimizer that is made with the settings of a group. */
function again(w: Tensor, group: AdamW['groups'][number] | SGD['groups'][number]): AdamW | SGD {
  if (!('betas' in group)) {
    const { lr, momentum, dampening, nesterov, weightDecay } = group;
    return new SGD([w], { lr, momentum, dampening, nesterov, weightDecay });
  }
  const { lr, betas, eps, weightDecay } = group;
  return new AdamW([w], { lr, betas, eps, weightDecay });
}
