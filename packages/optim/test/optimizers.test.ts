// Optimizers against torch's formulas, written again element by element in plain numbers, over random
// settings and gradients; groups, state, errors.
import { compile, getDefaultDevice, type Tensor, tensor } from '@firsthand/autograd';
import { runtimeOf } from '@firsthand/runtime';
import { FirsthandError, ShapeError } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  AdamW,
  type AdamWSettings,
  type SavedOptimizerState,
  type Schedule,
  schedule,
  SGD,
  type SGDSettings,
} from '../src/index.ts';

const float64 = { dtype: 'float64' } as const;
const variable = (values: readonly number[], name?: string): Tensor =>
  tensor([...values], { ...float64, requiresGrad: true, ...(name === undefined ? {} : { name }) });
const constantGradient = (parameter: Tensor, gradient: readonly number[]): void => {
  parameter.grad = tensor([...gradient], float64);
};

/** torch.optim.SGD's loop over one element. */
function sgdByHand(
  p: number,
  gradients: readonly number[],
  { lr, momentum, dampening, nesterov, weightDecay }: SGDSettings,
): number {
  let buffer: number | null = null;
  for (const gradient of gradients) {
    let d = gradient + weightDecay * p;
    if (momentum !== 0) {
      buffer = buffer === null ? d : momentum * buffer + (1 - dampening) * d;
      d = nesterov ? d + momentum * buffer : buffer;
    }
    p -= lr * d;
  }
  return p;
}

/** torch.optim.AdamW's loop over one element. */
function adamWByHand(
  p: number,
  gradients: readonly number[],
  { lr, betas, eps, weightDecay }: AdamWSettings,
): number {
  let [mean, square] = [0, 0];
  gradients.forEach((gradient, index) => {
    p *= 1 - lr * weightDecay;
    mean = betas[0] * mean + (1 - betas[0]) * gradient;
    square = betas[1] * square + (1 - betas[1]) * gradient ** 2;
    const [first, second] = [1 - betas[0] ** (index + 1), 1 - betas[1] ** (index + 1)];
    p -= ((lr / first) * mean) / (Math.sqrt(square) / Math.sqrt(second) + eps);
  });
  return p;
}

// Decimal fractions: fc.double draws bit patterns, of which nearly all are tiny numbers.
const number = fc.integer({ min: -500, max: 500 }).map((n) => n / 100);
const unit = fc.integer({ min: 0, max: 95 }).map((n) => n / 100);
const gradients = fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 6 });
const start = [0.7, -1.3] as const;

describe('SGD', () => {
  const settings = fc.oneof(
    fc.record({
      lr: unit,
      momentum: fc.constantFrom(0, 0.5, 0.9),
      dampening: unit,
      nesterov: fc.constant(false),
      weightDecay: unit,
    }),
    fc.record({
      lr: unit,
      momentum: fc.constantFrom(0.5, 0.9),
      dampening: fc.constant(0),
      nesterov: fc.constant(true),
      weightDecay: unit,
    }),
  );

  test("is torch's formula, for momentum, dampening, Nesterov and decay alike", async () => {
    await fc.assert(
      fc.asyncProperty(settings, gradients, async (options, steps) => {
        const p = variable(start);
        const optimizer = new SGD([p], options);
        for (const gradient of steps) {
          constantGradient(p, gradient);
          optimizer.step();
        }
        const expected = start.map((value, i) =>
          sgdByHand(
            value,
            steps.map((gradient) => gradient[i]!),
            options,
          ),
        );
        (await p.data()).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 9));
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  test('refuses settings out of range', () => {
    const wrong = [
      { lr: -1 },
      { lr: NaN },
      { lr: 1, momentum: -0.1 },
      { lr: 1, weightDecay: -1 },
      { lr: 1, nesterov: true },
    ];
    for (const options of wrong) expect(() => new SGD([variable(start)], options)).toThrow(FirsthandError);
    expect(
      () => new SGD([variable(start)], { lr: 1, nesterov: true, momentum: 0.9, dampening: 0.1 }),
    ).toThrow('no dampening');
  });

  test('keeps nothing without momentum', () => {
    expect(new SGD([variable(start)], { lr: 1 }).stateDict().tensors.size).toBe(0);
    expect([
      ...new SGD([variable(start)], { lr: 1, momentum: 0.9, dampening: 0.1 }).stateDict().tensors.keys(),
    ]).toEqual(['0.momentum', '0.started']);
    expect([...new SGD([variable(start)], { lr: 1, momentum: 0.9 }).stateDict().tensors.keys()]).toEqual([
      '0.momentum',
    ]);
  });
});

describe('AdamW', () => {
  const settings = fc.record({
    lr: unit,
    betas: fc.tuple(unit, fc.constantFrom(0.9, 0.999)),
    eps: fc.constantFrom(1e-8, 1e-3),
    weightDecay: unit,
  });

  test("is torch's formula", async () => {
    await fc.assert(
      fc.asyncProperty(settings, gradients, async (options, steps) => {
        const p = variable(start);
        const optimizer = new AdamW([p], options);
        for (const gradient of steps) {
          constantGradient(p, gradient);
          optimizer.step();
        }
        const expected = start.map((value, i) =>
          adamWByHand(
            value,
            steps.map((gradient) => gradient[i]!),
            options,
          ),
        );
        (await p.data()).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 8));
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test('in float32, its first step is the learning rate times the sign of the gradient', async () => {
    const p = tensor([1, 1], { requiresGrad: true });
    const optimizer = new AdamW([p], { lr: 0.001, weightDecay: 0 });
    p.mul(tensor([1e-3, -50]))
      .sum()
      .backward();
    optimizer.step();
    const [a, b] = await p.data();
    expect(a).toBeCloseTo(0.999, 6);
    expect(b).toBeCloseTo(1.001, 6);
  });

  test('refuses settings out of range', () => {
    for (const options of [
      { lr: -1 },
      { betas: [1, 0.9] as const },
      { betas: [0.9, -0.1] as const },
      { eps: -1 },
      { weightDecay: -1 },
    ]) {
      expect(() => new AdamW([variable(start)], options)).toThrow(FirsthandError);
    }
  });
});

describe('groups', () => {
  test('have settings of their own, and the rest from the optimizer', async () => {
    const [a, b] = [variable([1]), variable([1])];
    const optimizer = new SGD(
      [
        { parameters: [a], lr: 0.5 },
        { parameters: [b], weightDecay: 1 },
      ],
      { lr: 0.1 },
    );
    expect(optimizer.groups.map(({ lr, baseLr, weightDecay }) => [lr, baseLr, weightDecay])).toEqual([
      [0.5, 0.5, 0],
      [0.1, 0.1, 1],
    ]);
    a.add(b).sum().backward();
    optimizer.step();
    expect([await a.item(), await b.item()]).toEqual([0.5, 0.8]);
  });

  test('may have no parameters yet', async () => {
    const p = variable([1]);
    const optimizer = new SGD([{ parameters: [] }, { parameters: [p] }], { lr: 0.5 });
    constantGradient(p, [1]);
    optimizer.step();
    expect(await p.item()).toBe(0.5);
  });

  test('a learning rate may change between steps of a compiled function, without compiling', async () => {
    for (const compiled of [true, false]) {
      const p = variable([10]);
      const optimizer = new SGD([p], { lr: 1 });
      const plain = (): void => {
        p.sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
      };
      const step = compiled ? compile(plain) : plain;
      step();
      const { counters } = runtimeOf(getDefaultDevice());
      const before = await p.item();
      const { compilations } = counters;
      optimizer.groups[0]!.lr = 3;
      step();
      expect([before, await p.item()]).toEqual([9, 6]);
      expect(counters.compilations).toBe(compilations);
    }
  });

  test('a learning rate is the one of the step, not of the moment the value is asked for', async () => {
    const p = variable([10]);
    const optimizer = new SGD([p], { lr: 1 });
    p.sum().backward();
    optimizer.step();
    optimizer.groups[0]!.lr = 100;
    expect(await p.item()).toBe(9);
  });

  test('follow scales each base rate by the schedule', () => {
    const optimizer = new SGD([{ parameters: [variable([1])], lr: 0.5 }, { parameters: [variable([1])] }], {
      lr: 0.1,
    });
    optimizer.follow((step) => 1 / (step + 1), 3);
    optimizer.follow((step) => 1 / (step + 1), 1);
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.25, 0.05]);
  });

  test('refuse nothing, a parameter twice, computed values, and tensors among groups', () => {
    const p = variable([1], 'weight');
    expect(() => new SGD([], { lr: 1 })).toThrow('no parameters');
    expect(() => new SGD([p, p], { lr: 1 })).toThrow('weight stands in the groups twice');
    expect(() => new SGD([p.mul(2)], { lr: 1 })).toThrow('was computed');
    expect(() => new SGD([p, { parameters: [variable([1])] }] as never, { lr: 1 })).toThrow('not both');
  });

  test('of several dtypes each get the rate in their own', async () => {
    const [a, b] = [variable([1]), tensor([1], { requiresGrad: true })];
    const optimizer = new AdamW([a, b], { lr: 0.1, weightDecay: 0 });
    a.sum().backward();
    b.sum().backward();
    optimizer.step();
    expect(await a.item()).toBeCloseTo(0.9, 8);
    expect(await b.item()).toBeCloseTo(0.9, 6);
  });
});

describe('step', () => {
  test.each([true, false])(
    'says once that a step without gradients updates nothing; compiled: %s',
    (compiled) => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      try {
        const [p, q] = [variable([1]), variable([2])];
        const optimizer = new SGD([p, q], { lr: 1 });
        const step = compiled ? compile(() => optimizer.step()) : () => optimizer.step();
        for (let i = 0; i < 3; i++) step();
        expect(warn.mock.calls).toEqual([
          [
            'SGD: step() updates nothing, since none of the 2 parameters has a gradient; ' +
              'call backward() on a loss that depends on them before, and zeroGrad() after',
          ],
        ]);
        const other = new AdamW([p, q]);
        constantGradient(p, [1]);
        other.step();
        expect(warn).toHaveBeenCalledTimes(1);
      } finally {
        warn.mockRestore();
      }
    },
  );

  test('a schedule must give a factor', () => {
    const optimizer = new SGD([variable([1])], { lr: 1 });
    const follow = (value: unknown) => () => optimizer.follow((() => value) as Schedule, 7);
    expect(follow(schedule.constant)).toThrow(
      'follow: the schedule gives a function at step 7; needs a factor of the learning rate, a number from 0 on; call it: schedule.cosine({ steps })',
    );
    for (const value of [NaN, -1, Infinity, undefined, '0.1'])
      expect(follow(value)).toThrow('follow: the schedule gives');
    expect(optimizer.groups[0]!.lr).toBe(1);
  });

  test('leaves parameters without a gradient alone, their state included', async () => {
    const [used, unused] = [variable([1]), variable([1])];
    const optimizer = new AdamW([used, unused], { lr: 0.1, weightDecay: 0.5 });
    used.sum().backward();
    optimizer.step();
    expect(await unused.item()).toBe(1);
    expect(await (optimizer.stateDict().tensors.get('1.step') as Tensor).item()).toBe(0);
    expect(await (optimizer.stateDict().tensors.get('0.step') as Tensor).item()).toBe(1);
    optimizer.zeroGrad();
    expect(used.grad).toBeNull();
  });

  test('records no gradient: parameters stay leaves that require one', async () => {
    const p = variable([3]);
    const optimizer = new SGD([p], { lr: 0.5, momentum: 0.9 });
    for (let i = 0; i < 3; i++) {
      p.square().sum().backward();
      optimizer.step();
      optimizer.zeroGrad();
    }
    await p.data();
    expect([p.requiresGrad, p.node.op, p.node.inputs.length]).toEqual([true, 'leaf', 0]);
  });

  test.each(['SGD', 'AdamW'])(
    '%s: one program per training step, one compilation, and the same bits compiled',
    async (kind) => {
      const device = getDefaultDevice();
      const train = async (compiled: boolean) => {
        const [w, b] = [
          tensor(
            [
              [0.5, -0.2],
              [0.1, 0.3],
            ],
            { requiresGrad: true },
          ),
          tensor([0, 0], { requiresGrad: true }),
        ];
        const optimizer =
          kind === 'SGD'
            ? new SGD([w, b], { lr: 0.1, momentum: 0.9, weightDecay: 0.01 })
            : new AdamW([w, b], { lr: 0.1 });
        const plain = (x: Tensor): Tensor => {
          const loss = x.matmul(w).add(b).tanh().square().mean();
          loss.backward();
          optimizer.step();
          optimizer.zeroGrad();
          return loss;
        };
        const step = compiled ? compile(plain) : plain;
        const x = tensor([
          [1, 2],
          [3, -4],
          [0.5, 0],
        ]);
        const losses = [await step(x).item()];
        const { counters } = runtimeOf(device);
        const before = { ...counters };
        for (let i = 0; i < 20; i++) losses.push(await step(x).item());
        expect([counters.programs - before.programs, counters.recomputed - before.recomputed]).toEqual([
          20, 0,
        ]);
        // The second step may overwrite buffers that the first could not.
        expect(counters.compilations - before.compilations).toBeLessThanOrEqual(1);
        return { losses, w: await w.data(), b: await b.data() };
      };
      const eager = await train(false);
      expect(await train(true)).toEqual(eager);
      expect(eager.losses.at(-1)).toBeLessThan(eager.losses[0]! / 2);
    },
  );
});

describe('state', () => {
  const stepOf = (p: Tensor, optimizer: { step(): void; zeroGrad(): void }): void => {
    p.square().sum().backward();
    optimizer.step();
    optimizer.zeroGrad();
  };
  const make = (kind: string, p: Tensor): SGD | AdamW =>
    kind === 'SGD' ? new SGD([p], { lr: 0.1, momentum: 0.9, dampening: 0.2 }) : new AdamW([p], { lr: 0.1 });

  test.each(['SGD', 'AdamW'])('%s: saved and loaded, it goes on as if nothing had happened', async (kind) => {
    const p = variable(start);
    const optimizer = make(kind, p);
    for (let i = 0; i < 3; i++) stepOf(p, optimizer);
    optimizer.groups[0]!.lr = 0.05;
    const q = variable([...(await p.data())]);
    const copy = make(kind, q);
    copy.loadStateDict(optimizer.stateDict());
    expect(copy.groups[0]!.lr).toBe(0.05);
    for (let i = 0; i < 3; i++) {
      stepOf(p, optimizer);
      stepOf(q, copy);
    }
    expect(await q.data()).toEqual(await p.data());
    const fresh = variable([...(await p.data())]);
    stepOf(fresh, make(kind, fresh));
    stepOf(p, optimizer);
    expect(await fresh.data()).not.toEqual(await p.data());
    const { tensors, learningRates } = optimizer.stateDict();
    const saved = await Promise.all(
      [...tensors].map(
        async ([name, each]) =>
          [name, { data: await each.data(), shape: each.shape, dtype: each.dtype }] as const,
      ),
    );
    const third = variable([...(await p.data())]);
    const loaded = make(kind, third);
    loaded.loadStateDict({ tensors: new Map(saved), learningRates });
    stepOf(third, loaded);
    stepOf(p, optimizer);
    expect(await third.data()).toEqual(await p.data());
  });

  test('that does not fit is refused, and nothing changes', async () => {
    const p = variable(start);
    const optimizer = new AdamW([p]);
    stepOf(p, optimizer);
    const own = optimizer.stateDict();
    const before = await (own.tensors.get('0.mean') as Tensor).data();
    expect(() => optimizer.loadStateDict(new SGD([p], { lr: 1, momentum: 0.9 }).stateDict())).toThrow(
      'missing 0.mean, 0.square, 0.step, unexpected 0.momentum',
    );
    expect(() => optimizer.loadStateDict(new AdamW([variable([1])]).stateDict())).toThrow(ShapeError);
    expect(() =>
      optimizer.loadStateDict(new AdamW([tensor([1, 2], { requiresGrad: true })]).stateDict()),
    ).toThrow('float64 [2], the state has float32 [2]');
    const named = (rename: (name: string) => string): SavedOptimizerState => ({
      ...own,
      tensors: new Map([...own.tensors].map(([name, each]) => [rename(name), each])),
    });
    expect(() => optimizer.loadStateDict(named((name) => name.replace('0', '1')))).toThrow(
      'missing 0.mean, 0.square, 0.step, unexpected 1.mean, 1.square, 1.step',
    );
    const less = new Map([...own.tensors].filter(([name]) => name !== '0.square'));
    expect(() => optimizer.loadStateDict({ ...own, tensors: less })).toThrow(
      'missing 0.square, unexpected none',
    );
    const more = new Map([...own.tensors, ['0.third', tensor([1])]]);
    expect(() => optimizer.loadStateDict({ ...own, tensors: more })).toThrow(
      'missing none, unexpected 0.third',
    );
    expect(() => optimizer.loadStateDict({ tensors: new Map(), learningRates: [] })).toThrow(
      'missing 0.mean, 0.square, 0.step',
    );
    expect(() => new SGD([p], { lr: 1 }).loadStateDict({ tensors: new Map(), learningRates: [] })).toThrow(
      'as many learning rates',
    );
    expect(() => optimizer.loadStateDict({ ...own, learningRates: [] })).toThrow('as many learning rates');
    expect(() => optimizer.loadStateDict({ ...own, learningRates: [NaN] })).toThrow('as many learning rates');
    expect(await (optimizer.stateDict().tensors.get('0.mean') as Tensor).data()).toEqual(before);
  });
});

describe('a compiled step that is traced again for another number', () => {
  type Make = (parameters: readonly Tensor[]) => SGD | AdamW;

  /** The parameters after steps with losses scaled by numbers; `between` is called before each. */
  async function trained(
    make: Make,
    isCompiled: boolean,
    between: (optimizer: SGD | AdamW, step: number) => void,
  ): Promise<unknown> {
    const [w, b] = [variable([1, -2, 3], 'w'), variable([0.5], 'b')];
    const optimizer = make([w, b]);
    const plain = (scale: number): Tensor => {
      const loss = w.mul(scale).add(b).square().sum();
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    };
    const step = isCompiled ? compile(plain) : plain;
    const losses: number[] = [];
    for (let index = 0; index < 12; index++) {
      between(optimizer, index);
      losses.push(await step(0.3 + index / 7).item());
    }
    return { losses, w: await w.toArray(), b: await b.toArray() };
  }

  /** Its update depends on more than its arguments. */
  class Scaled extends SGD {
    scale = 1;
    protected override update(...args: Parameters<SGD['update']>): void {
      const [parameter, gradient, ...rest] = args;
      super.update(parameter, gradient.mul(this.scale), ...rest);
    }
  }

  test.each<[string, Make]>([
    ['SGD', (parameters) => new SGD(parameters, { lr: 0.01 })],
    ['SGD with momentum', (parameters) => new SGD(parameters, { lr: 0.01, momentum: 0.9, dampening: 0.1 })],
    ['AdamW', (parameters) => new AdamW(parameters, { lr: 0.01 })],
  ])('updates as the plain one does, whatever is set in between: %s', async (_, make) => {
    const between = (optimizer: SGD | AdamW, step: number): void => {
      const [group] = optimizer.groups;
      if (step === 4) group!.lr = 0.02;
      if (step === 6) group!.weightDecay = 0.3;
      if (step === 9) group!.weightDecay = 0.1;
    };
    expect(await trained(make, true, between)).toEqual(await trained(make, false, between));
  });

  test('an update that a subclass has written is built each time', async () => {
    const make: Make = (parameters) => new Scaled(parameters, { lr: 0.01 });
    const between = (optimizer: SGD | AdamW, step: number): void => {
      (optimizer as Scaled).scale = step < 6 ? 1 : 0.5;
    };
    const scaled = await trained(make, true, between);
    expect(scaled).toEqual(await trained(make, false, between));
    expect(scaled).not.toEqual(await trained(make, false, () => {}));
  });
});
