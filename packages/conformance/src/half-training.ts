/**
 * Training of float16 parameters: what optimizers keep, their arithmetic and the norm of gradients are
 * float32, and a parameter is rounded once in a step. One step and several against the formulas in float64,
 * with gradients whose squares float16 does not hold, eagerly and compiled.
 */
import { compile, type DType, type Tensor, tensor } from '@firsthand/autograd';
import { fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import { Linear, loss } from '@firsthand/nn';
import { adamW, AdamW, clipGradNorm, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { numbersOf } from './compare.ts';
import type { GetDevice } from './get-device.ts';
import { expectHalves } from './half.ts';

const half = (x: number): number => fromFloat16Bits(toFloat16Bits(x));
const START = [1, -2, 0.5, 300, 2 ** -14].map(half);
/** Gradients of each step: 0, subnormal ones, and such whose squares are infinite or 0 in float16. */
const GRADIENTS = [
  [0, 2 ** -24, 300, -60000, 1],
  [0, -(2 ** -20), 0.25, 500, -3],
  [0, 2 ** -24, -300, 0, 1e-3],
].map((row) => row.map(half));

type Optimizer = AdamW | SGD;
/** The parameter after each step, which is rounded to float16 before the next one. */
type Oracle = (lr: number, decay: number) => (p: number, g: number, position: number) => number;

/** Adam with decoupled weight decay; ε = 1e-8. */
const adamOracle: Oracle = (lr, decay) => {
  const state = START.map(() => ({ m: 0, v: 0, t: 0 }));
  return (p, g, position) => {
    const each = state[position]!;
    each.t++;
    each.m = 0.9 * each.m + 0.1 * g;
    each.v = 0.999 * each.v + 0.001 * g * g;
    const step = each.m / (1 - 0.9 ** each.t) / (Math.sqrt(each.v / (1 - 0.999 ** each.t)) + 1e-8);
    return p - lr * decay * p - lr * step;
  };
};
/** Gradient descent with momentum μ and dampening d. */
const sgdOracle =
  (momentum: number, dampening: number, nesterov: boolean): Oracle =>
  (lr, decay) => {
    const state = START.map(() => ({ b: 0, t: 0 }));
    return (p, g, position) => {
      const each = state[position]!;
      const slope = g + decay * p;
      each.b = each.t++ === 0 ? slope : momentum * each.b + (1 - dampening) * slope;
      return p - lr * (momentum === 0 ? slope : nesterov ? slope + momentum * each.b : each.b);
    };
  };

const OPTIMIZERS: readonly (readonly [
  string,
  (p: readonly Tensor[], lr: number, weightDecay: number) => Optimizer,
  Oracle,
])[] = [
  ['AdamW', (p, lr, weightDecay) => new AdamW(p, { lr, weightDecay }), adamOracle],
  ['SGD', (p, lr, weightDecay) => new SGD(p, { lr, weightDecay }), sgdOracle(0, 0, false)],
  [
    'SGD with momentum',
    (p, lr, weightDecay) => new SGD(p, { lr, weightDecay, momentum: 0.9, dampening: 0.5 }),
    sgdOracle(0.9, 0.5, false),
  ],
  [
    "SGD with Nesterov's momentum",
    (p, lr, weightDecay) => new SGD(p, { lr, weightDecay, momentum: 0.9, nesterov: true }),
    sgdOracle(0.9, 0, true),
  ],
];

const MODES: { readonly [mode: string]: (step: (gradient: Tensor) => void) => (gradient: Tensor) => void } = {
  eager: (step) => step,
  compiled: (step) => compile(step),
};

/** A step of training whose gradient is given. */
function stepOf(p: Tensor, optimizer: Optimizer): (gradient: Tensor) => void {
  return (gradient) => {
    p.mul(gradient).sum().backward();
    optimizer.step();
    optimizer.zeroGrad();
  };
}

export function describeHalfTraining(device: GetDevice): void {
  const halves = (values: readonly number[], requiresGrad = false): Tensor =>
    tensor([...values], { dtype: 'float16', requiresGrad });

  describe.each(OPTIMIZERS)('%s', (_, make, oracle) => {
    test.each(Object.keys(MODES).flatMap((mode) => [0, 0.01].map((decay) => [mode, decay] as const)))(
      '%s, weight decay %d: each step is the formula, rounded once',
      async (mode, decay) => {
        const lr = 0.01;
        const p = halves(START, true);
        const optimizer = make([p], lr, decay);
        const step = MODES[mode]!(stepOf(p, optimizer));
        const update = oracle(lr, decay);
        for (const [number, gradient] of GRADIENTS.entries()) {
          const before = await numbersOf(p.detach());
          step(halves(gradient));
          const expected = before.map((value, position) => update(value, gradient[position]!, position));
          const after = await numbersOf(p.detach());
          expectHalves(after, expected, `after step ${number + 1}`);
          if (decay === 0) expect(after[0], 'the parameter whose gradients are 0').toBe(START[0]);
        }
      },
    );
    test('keeps float32', async () => {
      const p = halves(START, true);
      const optimizer = make([p], 0.01, 0);
      stepOf(p, optimizer)(halves(GRADIENTS[0]!));
      expect(p.dtype).toBe('float16');
      for (const state of optimizer.stateDict().tensors.values()) expect(state.dtype).toBe('float32');
      // A copy goes on as the original does.
      const q = halves(await numbersOf(p.detach()), true);
      const copy = make([q], 0.01, 0);
      copy.loadStateDict(optimizer.stateDict());
      for (const [each, its] of [[p, optimizer] as const, [q, copy] as const])
        stepOf(each, its)(halves(GRADIENTS[1]!));
      expect(await q.data()).toEqual(await p.data());
    });
    test('takes as many kernels as in float32', async () => {
      const kernelsOf = async (dtype: DType): Promise<number> => {
        const layer = new Linear(6, 4, { dtype, device: device() });
        const optimizer = make([...layer.parameters()], 0.01, 0.01);
        const step = compile((x: Tensor) => {
          const value = loss.mse(layer.forward(x), x.slice(1, 0, 4));
          value.backward();
          clipGradNorm(layer.parameters(), 1);
          optimizer.step();
          optimizer.zeroGrad();
          return value;
        });
        await step(tensor(new Float32Array(48), { shape: [8, 6], dtype, device: device() })).data();
        // The reference device computes node by node: only what is no function of single elements is counted
        // there.
        const isElementwise = (name: string): boolean =>
          /^(cast|unary|binary|where|const|iota|movement)$/.test(name);
        return step.reports()[0]!.kernels.filter(({ name }) => !isElementwise(name)).length;
      };
      expect(await kernelsOf('float16')).toBeLessThanOrEqual(await kernelsOf('float32'));
    });
  });

  test('a count goes on past 2048', async () => {
    const p = halves([1], true);
    const optimizer = new AdamW([p], { lr: 1e-3 });
    const { tensors, learningRates } = optimizer.stateDict();
    optimizer.loadStateDict({ tensors: new Map([...tensors, ['0.step', tensor(2047)]]), learningRates });
    for (let step = 0; step < 3; step++) stepOf(p, optimizer)(halves([0.1]));
    expect(await optimizer.stateDict().tensors.get('0.step')!.item()).toBe(2050);
  });

  test('the update refuses state in float16', () => {
    const [p, scalar] = [halves([1]), halves([1]).sum()];
    const state = { mean: p, square: p, step: scalar };
    expect(() => adamW(p, p, state, { lr: scalar, weightDecay: 0 })).toThrow(
      'adamW: moments, step and learning rate of float16 [1] are float32',
    );
  });

  describe('clipGradNorm', () => {
    test.each(Object.keys(MODES))('%s: norm and factor are float32', async (mode) => {
      for (const [gradients, limit] of [
        [[[300, -400]], 1],
        [[[60000, 60000], [60000]], 50000],
        [[[2 ** -14, 2 ** -13], [2 ** -24]], 2 ** -15],
        [[[1e-3], [2e-3]], 5],
        [[[0, 0]], 1],
      ] as const) {
        const parameters = gradients.map((row) =>
          halves(
            row.map(() => 1),
            true,
          ),
        );
        let norm: Tensor | null = null;
        const clip = (): Tensor => {
          parameters.forEach((p, index) => p.mul(halves(gradients[index]!)).sum().backward());
          return clipGradNorm(parameters, limit);
        };
        if (mode === 'eager') norm = clip();
        else {
          const clipped = compile(() => {
            const found = clip();
            const scaled = parameters.map(({ grad }) => grad!);
            for (const p of parameters) p.grad = null;
            return [found, ...scaled];
          })();
          norm = clipped[0]!;
          parameters.forEach((p, index) => (p.grad = clipped[index + 1]!));
        }
        const all = gradients.flat().map(half);
        const length = Math.hypot(...all);
        const factor = Math.min(1, limit / (length + 1e-6));
        expect(norm.dtype).toBe('float32');
        expect(Math.abs((await norm.item()) - length)).toBeLessThanOrEqual(1e-6 * length);
        const found = await Promise.all(parameters.map(({ grad }) => numbersOf(grad!)));
        for (const { grad } of parameters) expect(grad!.dtype).toBe('float16');
        expectHalves(
          found.flat(),
          all.map((value) => value * factor),
          `limit ${limit}`,
        );
      }
    });
  });
}
