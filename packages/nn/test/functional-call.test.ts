// A model with other tensors in place of its parameters: values, gradients of every kind of transform, and
// that the model is as before afterwards.
import {
  compile,
  DTypeError,
  grad,
  GradientError,
  jvp,
  manualSeed,
  ones,
  randn,
  stack,
  type Tensor,
  tensor,
  updateStatistic,
  valueAndGrad,
  vmap,
  zeros,
} from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import {
  Embedding,
  functionalCall,
  Linear,
  loss,
  Module,
  type Parameter,
  StateDictError,
} from '../src/index.ts';

class MLP extends Module {
  readonly fc1: Linear = new Linear(2, 3);
  readonly fc2: Linear = new Linear(3, 1);
  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).tanh());
  }
}

const make = (): MLP => {
  manualSeed(3);
  return new MLP();
};
const x = randn([4, 2]);
const y = randn([4, 1]);
const values = async (tree: ReadonlyMap<string, Tensor>): Promise<unknown> =>
  Object.fromEntries(
    await Promise.all([...tree].map(async ([name, each]) => [name, await each.toArray()] as const)),
  );

/** Numbers that differ by rounding only. */
function expectClose(actual: unknown, expected: unknown): void {
  if (Array.isArray(expected)) {
    expect(actual).toHaveLength(expected.length);
    expected.forEach((each, index) => expectClose((actual as unknown[])[index], each));
  } else if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(actual as object)).toEqual(Object.keys(expected));
    for (const [key, each] of Object.entries(expected))
      expectClose((actual as Record<string, unknown>)[key], each);
  } else expect(actual).toBeCloseTo(expected as number, 5);
}

/** The gradients that `backward` gives. */
async function backwardOf(model: Module, build: () => Tensor): Promise<unknown> {
  build().backward();
  const found = await values(
    new Map([...model.namedParameters()].map(([name, { grad: each }]) => [name, each!])),
  );
  for (const parameter of model.parameters()) parameter.grad = null;
  return found;
}

describe('values', () => {
  test('flat and nested names, objects, maps and arrays', async () => {
    const model = make();
    const scaled = new Map([...model.namedParameters()].map(([name, each]) => [name, each.mul(2)]));
    const other = make();
    other.loadStateDict(scaled);
    const expected = await other.forward(x).toArray();
    const nested = {
      fc1: { weight: scaled.get('fc1.weight')!, bias: scaled.get('fc1.bias')! },
      fc2: new Map([
        ['weight', scaled.get('fc2.weight')!],
        ['bias', scaled.get('fc2.bias')!],
      ]),
    };
    for (const given of [scaled, Object.fromEntries(scaled), nested]) {
      expect(await functionalCall(model, given, x).toArray()).toEqual(expected);
    }
    class List extends Module {
      readonly layers: readonly Linear[] = [
        new Linear(1, 1, { bias: false }),
        new Linear(1, 1, { bias: false }),
      ];
      forward(input: Tensor): Tensor {
        return this.layers.reduce((value, layer) => layer.forward(value), input);
      }
    }
    const list = functionalCall(
      new List(),
      { layers: [{ weight: tensor([[2]]) }, { weight: tensor([[3]]) }] },
      tensor([[5]]),
    );
    expect(await list.item()).toBe(30);
  });

  test('the model is as before, also after an error', async () => {
    const model = make();
    const before = await values(model.stateDict());
    const nodes = model.parameters().map(({ node }) => node);
    const zero = new Map([...model.namedParameters()].map(([name, each]) => [name, each.mul(0)]));
    expect(await functionalCall(model, zero, x).abs().sum().item()).toBe(0);
    expect(() => functionalCall(model, zero, ones([1, 7]))).toThrow('matmul');
    expect(model.parameters().map(({ node }) => node)).toEqual(nodes);
    expect(await values(model.stateDict())).toEqual(before);
    expect(await model.forward(x).toArray()).not.toEqual(await functionalCall(model, zero, x).toArray());
  });

  test('a parameter that stands in several places is given once, by any of its names', async () => {
    class Tied extends Module {
      readonly tokens: Embedding = new Embedding(3, 2);
      readonly head: { readonly weight: Parameter }[] = [{ weight: this.tokens.weight }];
      readonly output: Parameter = this.tokens.weight;
      forward(index: Tensor): Tensor {
        return this.tokens.forward(index).matmul(this.output.transpose());
      }
    }
    const model = new Tied();
    const index = tensor([1], { dtype: 'int32' });
    const weight = tensor([
      [1, 0],
      [0, 2],
      [1, 1],
    ]);
    for (const name of ['tokens.weight', 'output']) {
      expect(await functionalCall(model, { [name]: weight }, index).toArray()).toEqual([[0, 4, 2]]);
    }
    expect(await functionalCall(model, { 'tokens.weight': weight, output: weight }, index).sum().item()).toBe(
      6,
    );
    expect(() => functionalCall(model, { 'tokens.weight': weight, output: weight.mul(2) }, index)).toThrow(
      'output (shared, given twice)',
    );
    const gradient = grad((w: Tensor) => functionalCall(model, { 'tokens.weight': w }, index).sum())(weight);
    // Σ_k w₁·w_k: the row that is looked up, and every row of the head
    expect(await gradient.toArray()).toEqual([
      [0, 2],
      [2, 5],
      [0, 2],
    ]);
  });

  test('names and shapes that do not fit are listed, all of them', () => {
    const model = make();
    const given = {
      'fc1.weight': zeros([2, 2]),
      'fc1.bias': zeros([3]),
      fc3: { bias: zeros([1]) },
      'fc2.bias': zeros([1], { dtype: 'int32' }),
    };
    const call = (): unknown => functionalCall(model, given, x);
    expect(call).toThrow(StateDictError);
    expect(call).toThrow(
      'functionalCall: the values do not fit the model: missing: fc2.weight; unexpected: fc3.bias; mismatched: fc1.weight ([3, 2], given [2, 2]), fc2.bias (float32, given int32); pass the parameters by their paths',
    );
    const renamed = Object.fromEntries(
      [...model.namedParameters()].map(([name, each]) => [name.replace('fc2.bias', 'fc2.shift'), each]),
    );
    expect(() => functionalCall(model, renamed, x)).toThrow('missing: fc2.bias; unexpected: fc2.shift');
    model.fc1.weight.requiresGrad = false;
    const { 'fc1.weight': _, ...others } = Object.fromEntries(model.namedParameters());
    expect(functionalCall(model, others, x).shape).toEqual([4, 1]); // frozen ones are their own
  });

  test('buffers, running statistics, and what cannot be done meanwhile', async () => {
    class Normal extends Module {
      readonly scale: Parameter = new Linear(1, 1, { bias: false }).weight;
      readonly seen: Tensor = tensor(0);
      async later(): Promise<void> {}
      forward(input: Tensor, how: 'count' | 'assign' | 'await' = 'count'): Tensor {
        if (how === 'count') updateStatistic(this.seen, this.seen.add(1));
        if (how === 'assign') this.scale.assign(this.scale.mul(2));
        return input.mul(this.scale).add(this.seen);
      }
    }
    const model = new Normal();
    const scale = tensor([[2]]);
    expect(await functionalCall(model, { scale }, tensor([[3]])).item()).toBe(7);
    expect(await model.seen.item()).toBe(1); // its own buffer counts
    expect(await functionalCall(model, { scale, seen: tensor(10) }, tensor([[3]])).item()).toBe(16);
    expect(await model.seen.item()).toBe(1); // one that is given does not
    expect(() => functionalCall(model, { scale }, tensor([[3]]), 'assign')).toThrow(GradientError);
    expect(() => functionalCall(model, { scale }, tensor([[3]]), 'assign')).toThrow(
      '"scale" stands for another value in this call',
    );
    class Asynchronous extends Module {
      async forward(): Promise<Tensor> {
        return Promise.resolve(tensor(1));
      }
    }
    expect(() => functionalCall(new Asynchronous(), {})).toThrow(DTypeError);
  });
});

describe('derivatives', () => {
  test('a module as argument: a map by path, without what is frozen', async () => {
    const model = make();
    const objective = (net: MLP, input: Tensor, target: Tensor): Tensor =>
      loss.mse(net.forward(input), target);
    const expected = await backwardOf(model, () => objective(model, x, y));
    const [value, gradients] = valueAndGrad(objective)(model, x, y);
    expectClose(await values(gradients), expected);
    expect([model.fc1.weight.grad, await value.item()]).toEqual([null, await objective(model, x, y).item()]);
    model.fc1.bias!.requiresGrad = false;
    expect([...grad(objective)(model, x, y).keys()]).toEqual(['fc1.weight', 'fc2.weight', 'fc2.bias']);
    const [ofModel, ofInput] = grad(objective, [0, 1])(model, x, y);
    expect([ofModel.size, ofInput.shape]).toEqual([3, [4, 2]]);
  });

  test('as a function of parameters: grad, jvp and a compiled step agree with backward', async () => {
    const model = make();
    const objective = (p: ReadonlyMap<string, Tensor>, input: Tensor, target: Tensor): Tensor =>
      loss.mse(functionalCall(model, p, input), target);
    const parameters = model.namedParameters();
    const expected = await backwardOf(model, () => loss.mse(model.forward(x), y));
    const gradients = grad(objective)(parameters, x, y);
    expectClose(await values(gradients), expected);
    const [, slope] = jvp(objective, [parameters, x, y], [gradients, null, null]);
    const squared = await Promise.all([...gradients.values()].map((each) => each.square().sum().item()));
    expect(await slope.item()).toBeCloseTo(
      squared.reduce((sum, each) => sum + each, 0),
      4,
    );

    const step = compile((p: ReadonlyMap<string, Tensor>, input: Tensor, target: Tensor) => {
      const g = grad(objective)(p, input, target);
      return new Map([...p].map(([name, each]) => [name, each.sub(g.get(name)!.mul(0.1))]));
    });
    let current: ReadonlyMap<string, Tensor> = parameters;
    for (let i = 0; i < 3; i++) current = step(current, x, y);
    expect(step.reports()).toHaveLength(1);
    let eager: ReadonlyMap<string, Tensor> = parameters;
    for (let i = 0; i < 3; i++) {
      const g = grad(objective)(eager, x, y);
      eager = new Map([...eager].map(([name, each]) => [name, each.sub(g.get(name)!.mul(0.1))]));
    }
    expectClose(await values(current), await values(eager));
    expectClose(await values(model.namedParameters()), await values(make().namedParameters()));
  });

  test('per-example gradients, and an ensemble', async () => {
    const model = make();
    const objective = (p: ReadonlyMap<string, Tensor>, input: Tensor, target: Tensor): Tensor =>
      functionalCall(model, p, input.unsqueeze(0)).sub(target).square().sum();
    const each = vmap(grad(objective), { axis: [null, 0, 0] })(model.namedParameters(), x, y);
    for (let example = 0; example < 4; example++) {
      const expected = await backwardOf(model, () =>
        model
          .forward(x.narrow(0, example, 1))
          .sub(y.narrow(0, example, 1))
          .square()
          .sum(),
      );
      const found = new Map(
        [...each].map(([name, stacked]) => [name, stacked.narrow(0, example, 1).squeeze(0)]),
      );
      expectClose(await values(found), expected);
    }
    const models = [make(), new MLP()];
    const stacked = new Map(
      [...model.namedParameters().keys()].map((name) => [
        name,
        stack(models.map((net) => net.namedParameters().get(name)!)),
      ]),
    );
    const ensemble = vmap(
      (p: ReadonlyMap<string, Tensor>, input: Tensor) => functionalCall(model, p, input),
      { axis: [0, null] },
    );
    expectClose(
      await ensemble(stacked, x).toArray(),
      await Promise.all(models.map((net) => net.forward(x).toArray())),
    );
  });

  test('learning to learn: a gradient through steps of gradient descent', async () => {
    const model = new Linear(1, 1, { bias: false });
    // With ŷ = w·x and the loss (ŷ − y)², a step gives w′ = w − 2ηx(wx − y), and d(w′x − y)²/dw = 2x(w′x −
    // y)·(1 − 2ηx²).
    const task = (p: { readonly weight: Tensor }, input: Tensor, target: Tensor): Tensor =>
      functionalCall(model, p, input).sub(target).square().sum();
    const adapted = (p: { readonly weight: Tensor }, input: Tensor, target: Tensor, rate: Tensor): Tensor => {
      const g = grad(task)(p, input, target);
      return task({ weight: p.weight.sub(g.weight.mul(rate)) }, input, target);
    };
    const [w, a, b, rate] = [0.7, 1.5, 2, 0.1];
    const after = w - 2 * rate * a * (w * a - b);
    const run = (meta: typeof adapted) =>
      grad(meta, [0, 3])({ weight: tensor([[w]]) }, tensor([[a]]), tensor([[b]]), tensor(rate));
    const compiled = compile(run);
    for (const [slope, ofRate] of [run(adapted), compiled(adapted)]) {
      expect(await slope.weight.item()).toBeCloseTo(2 * a * (after * a - b) * (1 - 2 * rate * a * a), 4);
      expect(await ofRate.item()).toBeCloseTo(2 * a * (after * a - b) * -2 * a * (w * a - b), 4);
    }
  });

  test('running statistics stay as they are inside a transform', async () => {
    class Counter extends Module {
      readonly w: Parameter = new Linear(1, 1, { bias: false }).weight;
      readonly seen: Tensor = tensor(0);
      forward(input: Tensor): Tensor {
        updateStatistic(this.seen, this.seen.add(1));
        return input.mul(this.w).sum();
      }
    }
    const model = new Counter();
    await grad((net: Counter) => net.forward(ones([1])))(model)
      .get('w')!
      .data();
    expect(await model.seen.item()).toBe(0);
  });
});
