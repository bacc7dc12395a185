// Clipping and schedules against their formulas in plain numbers.
import { compile, getDefaultDevice, type Tensor, tensor } from '@firsthand/autograd';
import { runtimeOf } from '@firsthand/runtime';
import { FirsthandError } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { clipGradNorm, clipGradValue, type Schedule, schedule, SGD } from '../src/index.ts';

const variable = (values: readonly number[]): Tensor =>
  tensor([...values], { dtype: 'float64', requiresGrad: true });
const gradientOf = async (parameter: Tensor): Promise<number[]> => [...(await parameter.grad!.data())];

describe('clipGradNorm', () => {
  test('scales all gradients by min(1, maxNorm/(norm + 1e-6)), and gives the norm before', async () => {
    // Decimal fractions: fc.double draws bit patterns, of which nearly all are tiny numbers.
    const number = fc.integer({ min: -1000, max: 1000 }).map((n) => n / 10);
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(number, number),
        number,
        fc.integer({ min: 0, max: 2000 }).map((n) => n / 10),
        async (first, second, maxNorm) => {
          const [a, b, unused] = [variable([0, 0]), variable([0]), variable([0])];
          a.mul(tensor([...first], { dtype: 'float64' }))
            .sum()
            .add(b.mul(second).sum())
            .backward();
          const norm = clipGradNorm([a, b, unused], maxNorm);
          const expected = Math.hypot(...first, second);
          const factor = Math.min(1, maxNorm / (expected + 1e-6));
          expect(await norm.item()).toBeCloseTo(expected, 9);
          for (const [value, gradient] of [...(await gradientOf(a)), ...(await gradientOf(b))].map(
            (each, i) => [each, [...first, second][i]!] as const,
          )) {
            expect(value).toBeCloseTo(gradient * factor, 9);
          }
          expect(unused.grad).toBeNull();
        },
      ),
      { numRuns: 40, seed: 4 },
    );
  });

  test('without gradients nothing is limited, which is said once; without parameters it is an error', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const parameters = [variable([1]), variable([2])];
      for (let i = 0; i < 2; i++) clipGradNorm(parameters, 1);
      expect(warn.mock.calls).toEqual([
        [
          'clipGradNorm: none of the 2 parameters has a gradient, so that nothing is limited; ' +
            'call it after backward(), and before step() and zeroGrad()',
        ],
      ]);
      clipGradValue([variable([1])], 1);
      expect(warn.mock.calls[1]).toEqual([
        expect.stringMatching(/^clipGradValue: none of the 1 parameters has a gradient/),
      ]);
      parameters[0]!.square().sum().backward();
      clipGradNorm(parameters, 1);
      expect(warn).toHaveBeenCalledTimes(2);
    } finally {
      warn.mockRestore();
    }
    expect(() => clipGradNorm([], 1)).toThrow('clipGradNorm: no parameters; pass model.parameters()');
    expect(() => clipGradValue(new Set<Tensor>().values(), 1)).toThrow('clipGradValue: no parameters');
  });

  test('without gradients the norm is 0; a norm that is not finite shows', async () => {
    expect(await clipGradNorm([variable([1])], 1).item()).toBe(0);
    const p = variable([1]);
    p.mul(Infinity).sum().backward();
    expect(await clipGradNorm([p], 1).item()).toBe(Infinity);
    expect(await gradientOf(p)).toEqual([NaN]);
    expect(() => clipGradNorm([p], -1)).toThrow(FirsthandError);
    expect(() => clipGradNorm([p], NaN)).toThrow(FirsthandError);
  });

  test('runs in the program of the step, compiled and not, with the same bits', async () => {
    const train = async (compiled: boolean): Promise<number[]> => {
      const p = variable([3, -2]);
      const optimizer = new SGD([p], { lr: 0.5, momentum: 0.9 });
      const plain = (x: Tensor): Tensor => {
        const loss = p.mul(x).square().sum();
        loss.backward();
        clipGradNorm([p], 0.25);
        optimizer.step();
        optimizer.zeroGrad();
        return loss;
      };
      const step = compiled ? compile(plain) : plain;
      const { counters } = runtimeOf(getDefaultDevice());
      const { programs, recomputed } = counters;
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) losses.push(await step(tensor([1, 2], { dtype: 'float64' })).item());
      expect([counters.programs - programs, counters.recomputed - recomputed]).toEqual([5, 0]);
      return [...losses, ...(await p.data())];
    };
    expect(await train(true)).toEqual(await train(false));
  });

  test('the norm may be read before the step without computing the gradients again', async () => {
    const p = variable([3, 4]);
    const optimizer = new SGD([p], { lr: 1 });
    p.square().sum().mul(0.5).backward();
    const { counters } = runtimeOf(getDefaultDevice());
    const { recomputed } = counters;
    expect(await clipGradNorm([p], 2.5).item()).toBe(5);
    optimizer.step();
    (await p.data()).forEach((value, i) => expect(value).toBeCloseTo([1.5, 2][i]!, 6));
    expect(counters.recomputed).toBe(recomputed);
  });
});

test('clipGradValue limits each element', async () => {
  const p = variable([0, 0, 0]);
  p.mul(tensor([5, -7, 0.5], { dtype: 'float64' }))
    .sum()
    .backward();
  clipGradValue([p, variable([1])], 2);
  expect(await gradientOf(p)).toEqual([2, -2, 0.5]);
  expect(() => clipGradValue([p], -1)).toThrow(FirsthandError);
});

describe('schedules', () => {
  const at = (f: Schedule, steps: readonly number[]): unknown =>
    steps.map((step) => expect.closeTo(f(step), 12));

  test.each<[string, Schedule, (step: number) => number]>([
    ['constant', schedule.constant(), () => 1],
    ['step', schedule.step({ every: 3, factor: 0.5 }), (step) => 0.5 ** Math.floor(step / 3)],
    ['step, a tenth if not said', schedule.step({ every: 10 }), (step) => 0.1 ** Math.floor(step / 10)],
    ['exponential', schedule.exponential({ factor: 0.9 }), (step) => 0.9 ** step],
    ['linearWarmup', schedule.linearWarmup({ steps: 4 }), (step) => [0.25, 0.5, 0.75][step] ?? 1],
    ['linearWarmup of no steps', schedule.linearWarmup({ steps: 0 }), () => 1],
    [
      'cosine with warm-up and a minimum',
      schedule.cosine({ steps: 14, warmup: 4, minimum: 0.1 }),
      (step) =>
        step < 4 ? (step + 1) / 4 : 0.1 + 0.45 * (1 + Math.cos((Math.PI * Math.min(step - 4, 10)) / 10)),
    ],
  ])('%s', (_, factor, formula) => {
    const steps = [0, 1, 2, 3, 4, 5, 9, 13, 14, 100];
    expect(steps.map(formula)).toEqual(at(factor, steps));
  });

  test('refuse what makes no sense', () => {
    expect(() => schedule.cosine({ steps: 5, warmup: 5 })).toThrow(
      'warmup is a number from 0 up to, not including, 5, got 5',
    );
    expect(() => schedule.step({ every: 0 })).toThrow(FirsthandError);
    expect(() => schedule.linearWarmup({ steps: -1 })).toThrow(FirsthandError);
  });
});
