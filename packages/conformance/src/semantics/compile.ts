/**
 * Rules 18 to 21: a compiled function gives what the function gives. Each program below is run plain and
 * compiled, from the same start, and must end with the same numbers everywhere; the counters tell how often
 * it was compiled.
 */
import { compile, guard, manualSeed, noGrad, rand, tensor, updateStatistic } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { batch, counted, freshDevice, Momentum, Network, sample } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

type Data = { readonly x: Tensor; readonly y: Tensor };

/** A program: its state, and a step on it. */
interface Subject {
  readonly state: readonly Tensor[];
  readonly step: (data: Data) => Tensor;
  /** Called before the step with this number. */
  readonly before?: (step: number) => void;
  /**
   * True if the loss reads variables that later steps move on, and no backward keeps it: uncompiled, it is
   * read at once (rule 9).
   */
  readonly readAtOnce?: boolean;
  /** Rows of the batch of the step with this number. */
  readonly rows?: (step: number) => number;
}

const STEPS = 6;

const SUBJECTS: { readonly [name: string]: () => Subject } = {
  'a plain training step': () => {
    const { network, optimizer, state } = learner();
    return { state, step: (data) => update(network.loss(data), [optimizer]) };
  },
  dropout: () => {
    const { network, optimizer, state } = learner();
    const drop = (x: Tensor): Tensor => x.mul(2).where(rand(x.shape).ge(0.5), 0);
    return {
      state,
      step: ({ x, y }) => update(network.forward(drop(x)).sub(y).square().mean(), [optimizer]),
    };
  },
  'running statistics': () => {
    const { network, optimizer, state } = learner();
    const mean = tensor(new Float32Array(3), { name: 'mean' });
    return {
      state: [...state, mean],
      step: ({ x, y }) => {
        const output = network.forward(x);
        noGrad(() => updateStatistic(mean, mean.mul(0.9).add(output.mean({ axis: 0 }).mul(0.1))));
        return update(output.sub(mean).sub(y).square().mean(), [optimizer]);
      },
    };
  },
  'a learning-rate schedule': () => {
    const { network, optimizer, state } = learner();
    return {
      state,
      step: (data) => update(network.loss(data), [optimizer]),
      before: (step) => {
        optimizer.rate = 0.1 / (step + 1);
      },
    };
  },
  'accumulation over two batches': () => {
    const { network, optimizer, state } = learner();
    let count = 0;
    const counter = { last: false };
    return {
      state,
      before: () => {
        counter.last = ++count % 2 === 0;
      },
      step: (data) => {
        const loss = network.loss(data);
        loss.backward();
        if (guard(counter, 'last')) {
          optimizer.step();
          optimizer.zeroGrad();
        }
        return loss;
      },
    };
  },
  'train and eval': () => {
    const { network, optimizer, state } = learner();
    const mode = { training: true };
    return {
      state,
      readAtOnce: true,
      before: (step) => {
        mode.training = step % 3 !== 2;
      },
      step: (data) =>
        guard(mode, 'training') ? update(network.loss(data), [optimizer]) : noGrad(() => network.loss(data)),
    };
  },
  'ragged batches': () => {
    const { network, optimizer, state } = learner();
    return {
      state,
      rows: (step) => (step % 3 === 2 ? 2 : 5),
      step: (data) => update(network.loss(data), [optimizer]),
    };
  },
  'two optimizers': () => {
    const network = new Network();
    const optimizers = [new Momentum([network.w1], 0.1), new Momentum([network.w2], 0.02)];
    return {
      state: [...network.parameters, ...optimizers.flatMap((each) => each.moments)],
      step: (data) => update(network.loss(data), optimizers),
    };
  },
  'shared parameters': () => {
    const w = tensor(sample(4, 4, 3), { shape: [4, 4], requiresGrad: true, name: 'w' });
    const optimizer = new Momentum([w]);
    return {
      state: [w, ...optimizer.moments],
      step: ({ x }) => update(x.matmul(w).tanh().matmul(w.transpose()).sub(x).square().mean(), [optimizer]),
    };
  },
  'a frozen parameter, thawed later': () => {
    const { network, optimizer, state } = learner();
    network.w1.requiresGrad = false;
    return {
      state,
      before: (step) => {
        network.w1.requiresGrad = step >= 3;
      },
      step: (data) => update(network.loss(data), [optimizer]),
    };
  },
  clipping: () => {
    const { network, optimizer, state } = learner();
    return {
      state,
      step: (data) => {
        const loss = network.loss(data);
        loss.backward();
        noGrad(() => {
          const norm = network.parameters
            .map((each) => each.grad!.square().sum())
            .reduce((a, b) => a.add(b))
            .sqrt();
          const factor = norm.reciprocal().mul(0.01).minimum(1);
          for (const each of network.parameters) each.grad = each.grad!.mul(factor);
        });
        optimizer.step();
        optimizer.zeroGrad();
        return loss;
      },
    };
  },
  'gradients that stay': () => {
    const { network, optimizer, state } = learner();
    return {
      state,
      step: (data) => {
        optimizer.zeroGrad();
        const loss = network.loss(data);
        loss.backward();
        optimizer.step();
        return loss;
      },
    };
  },
  'an average of the weights': () => {
    const { network, optimizer, state } = learner();
    const average = tensor(sample(8, 3, 2), { shape: [8, 3], name: 'average' });
    return {
      state: [...state, average],
      readAtOnce: true,
      step: (data) => {
        const loss = update(network.loss(data), [optimizer]);
        noGrad(() => average.assign(average.mul(0.9).add(network.w2.mul(0.1))));
        return loss.add(average.mean());
      },
    };
  },
  'a swap of two variables': () => {
    const [a, b] = [tensor([1]), tensor([2])];
    return {
      state: [a, b],
      readAtOnce: true,
      step: () => {
        const [x, y] = [a.add(0), b.add(0)];
        a.assign(y);
        b.assign(x);
        return a.sub(b);
      },
    };
  },
  'gradients of the gradient': () => {
    const { network, optimizer, state } = learner();
    return {
      state,
      step: (data) => {
        network.loss(data).backward();
        const penalty = network.w1.square().sum();
        penalty.backward(tensor(0.5));
        return update(network.loss(data), [optimizer]);
      },
    };
  },
};

function learner(): {
  readonly network: Network;
  readonly optimizer: Momentum;
  readonly state: readonly Tensor[];
} {
  const network = new Network();
  const optimizer = new Momentum(network.parameters);
  return { network, optimizer, state: [...network.parameters, ...optimizer.moments] };
}

function update(loss: Tensor, optimizers: readonly Momentum[]): Tensor {
  loss.backward();
  for (const optimizer of optimizers) optimizer.step();
  for (const optimizer of optimizers) optimizer.zeroGrad();
  return loss;
}

/** Every loss, and all state and gradients at the end. With `awaits`, each loss is read at once. */
async function run(make: () => Subject, compiled: boolean, awaits: boolean): Promise<unknown> {
  manualSeed(11);
  const { state, step, before, rows } = make();
  const call = compiled ? compile(step) : step;
  const losses: Tensor[] = [];
  for (let index = 0; index < STEPS; index++) {
    before?.(index);
    losses.push(call(batch(rows?.(index) ?? 5, index)));
    if (awaits) await losses[index]!.item();
  }
  const values = await Promise.all(losses.map((loss) => loss.item()));
  const ends = await Promise.all(state.map((each) => each.toArray()));
  const gradients = await Promise.all(
    state.map((each) => (each.grad === null ? Promise.resolve(null) : each.grad.toArray())),
  );
  return { values, ends, gradients, random: await rand([2]).toArray() };
}

export function describeCompile(createDevice: CreateDevice): void {
  describe('rule 18: compile(f) gives what f gives', () => {
    for (const [name, make] of Object.entries(SUBJECTS)) {
      test(name, async () => {
        await freshDevice(createDevice);
        const plain = await run(make, false, true);
        if (make().readAtOnce !== true) expect(await run(make, false, false)).toEqual(plain);
        expect(await run(make, true, true)).toEqual(plain);
        expect(await run(make, true, false)).toEqual(plain);
      });
    }
  });

  describe('rule 20: plans are found by what they depend on', () => {
    test('one plan serves all steps; a mode and a shape each need another', async () => {
      const device = await freshDevice(createDevice);
      const { network, optimizer } = learner();
      const mode = { training: true };
      let traces = 0;
      const step = compile((data: Data) => {
        traces++;
        return guard(mode, 'training')
          ? update(network.loss(data), [optimizer])
          : noGrad(() => network.loss(data));
      });
      const work = await counted(device, async () => {
        for (let index = 0; index < 20; index++) {
          mode.training = index % 4 !== 3;
          await step(batch(5, index)).item();
        }
      });
      expect(work).toEqual({ compilations: 2, programs: 20, recomputed: 0 });
      expect(traces).toBe(2);
      step(batch(3, 1));
      expect(traces).toBe(3);
      step(batch(5, 1));
      expect(traces).toBe(3);
    });

    test('arguments count by value, tensors by kind, and the same tensor twice is another call', async () => {
      await freshDevice(createDevice);
      let traces = 0;
      const f = compile(
        (a: Tensor, b: Tensor, options: { readonly scale: number; readonly tags: readonly string[] }) => {
          traces++;
          return a.mul(options.scale).add(b);
        },
      );
      const [a, b] = [tensor([1]), tensor([2])];
      expect(await f(a, b, { scale: 2, tags: ['x'] }).item()).toBe(4);
      expect(await f(b, a, { scale: 2, tags: ['x'] }).item()).toBe(5);
      expect(traces).toBe(1);
      expect(await f(a, b, { scale: 3, tags: ['x'] }).item()).toBe(5);
      expect(await f(a, a, { scale: 3, tags: ['x'] }).item()).toBe(4);
      expect(await f(a, b, { scale: 3, tags: ['y'] }).item()).toBe(5);
      expect(await f(a.cast('int32'), b.cast('int32'), { scale: 3, tags: ['y'] }).item()).toBe(5);
      expect(traces).toBe(5);
      expect(await f(b, b, { scale: 3, tags: ['x'] }).item()).toBe(8);
      expect(traces).toBe(5);
    });

    test('gradient mode and frozen parameters are guarded', async () => {
      await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true });
      const f = compile((x: Tensor) => x.mul(w));
      expect(f(tensor([1])).requiresGrad).toBe(true);
      expect(noGrad(() => f(tensor([1]))).requiresGrad).toBe(false);
      w.requiresGrad = false;
      expect(f(tensor([1])).requiresGrad).toBe(false);
    });

    test('plans leave when they hold too much', async () => {
      await freshDevice(createDevice);
      let traces = 0;
      const f = compile(
        (x: Tensor) => {
          traces++;
          return x.add(1);
        },
        { maxBytes: 1 },
      );
      const [a, b] = [tensor([1]), tensor([1, 2])];
      for (const x of [a, b, a]) f(x);
      expect(traces).toBe(3);
      f(a);
      expect(traces).toBe(3);
    });
  });

  describe('rule 21: each call runs once, in order', () => {
    test('even if nobody reads its result, and without building a graph', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([1]);
      const triple = compile(() => {
        w.assign(w.mul(3));
      });
      const add = compile((x: Tensor) => {
        w.assign(w.add(x));
      });
      const one = tensor([1]);
      const work = await counted(device, () => {
        triple();
        add(one);
        triple();
        w.assign(w.sub(2));
        add(one);
      });
      expect(work.programs).toBe(5);
      expect(await w.item()).toBe((1 * 3 + 1) * 3 - 2 + 1);
    });

    test('host values are sampled at each call', async () => {
      await freshDevice(createDevice);
      manualSeed(5);
      const draw = compile(() => rand([4]));
      const compiled = [await draw().toArray(), await draw().toArray(), await rand([4]).toArray()];
      manualSeed(5);
      expect([await rand([4]).toArray(), await rand([4]).toArray(), await rand([4]).toArray()]).toEqual(
        compiled,
      );
    });
  });
}
