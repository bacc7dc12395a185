// Losses against closed forms in float64, their gradients, and labels that are no classes.
import {
  compile,
  DTypeError,
  gradCheck,
  manualSeed,
  randn,
  ShapeError,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loss } from '../src/index.ts';

const float64 = { dtype: 'float64' } as const;
const labels = (...values: number[]): Tensor => tensor(Int32Array.from(values));

describe('mse', () => {
  const prediction = tensor(
    [
      [1, 2],
      [3, 5],
    ],
    float64,
  );
  const target = tensor(
    [
      [1, 0],
      [0, 1],
    ],
    float64,
  );

  test('is the squared error: mean, sum, or each', async () => {
    expect(await loss.mse(prediction, target).item()).toBe(29 / 4);
    expect(await loss.mse(prediction, target, { reduction: 'sum' }).item()).toBe(29);
    expect(await loss.mse(prediction, target, { reduction: 'none' }).toArray()).toEqual([
      [0, 4],
      [9, 16],
    ]);
  });

  test('does not broadcast, and does not mix dtypes', () => {
    expect(() => loss.mse(prediction, tensor([1, 2], float64))).toThrow(ShapeError);
    expect(() =>
      loss.mse(
        prediction,
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toThrow(DTypeError);
  });

  test('has the gradient 2(p − t)/n', async () => {
    const p = tensor([3, 5], { ...float64, requiresGrad: true });
    loss.mse(p, tensor([1, 1], float64)).backward();
    expect(await p.grad?.toArray()).toEqual([2, 4]);
  });
});

describe('crossEntropy', () => {
  test('is −ln of the softmax at the label, for any logits', async () => {
    // Decimal fractions: fc.double draws bit patterns, of which nearly all are tiny numbers.
    const row = fc.array(
      fc.integer({ min: -300, max: 300 }).map((n) => n / 10),
      { minLength: 3, maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(row, fc.nat(2)), { minLength: 1, maxLength: 5 }),
        async (examples) => {
          const expected = examples.map(([x, label]) =>
            Math.log(x.reduce((sum, each) => sum + Math.exp(each - x[label]!), 0)),
          );
          const logits = tensor(
            examples.map(([x]) => x),
            float64,
          );
          const classes = labels(...examples.map(([, label]) => label));
          const each = (await loss
            .crossEntropy(logits, classes, { reduction: 'none' })
            .toArray()) as number[];
          const total = expected.reduce((a, b) => a + b, 0);
          each.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 9));
          expect(await loss.crossEntropy(logits, classes, { reduction: 'sum' }).item()).toBeCloseTo(total, 8);
          expect(await loss.crossEntropy(logits, classes).item()).toBeCloseTo(total / examples.length, 9);
        },
      ),
      { numRuns: 25, seed: 1 },
    );
  });

  test('takes leading axes, and does not overflow', async () => {
    const logits = tensor([
      [
        [1e4, 0],
        [0, 1e4],
      ],
    ]); // (1, 2, 2)
    const classes = tensor([[0, 0]], { dtype: 'int32' });
    expect(await loss.crossEntropy(logits, classes, { reduction: 'none' }).toArray()).toEqual([
      [expect.closeTo(0, 12), 1e4],
    ]);
  });

  test('has the gradient (softmax − onehot)/N', async () => {
    const logits = tensor(
      [
        [0, Math.log(3)],
        [0, 0],
      ],
      { ...float64, requiresGrad: true },
    );
    loss.crossEntropy(logits, labels(0, 1)).backward();
    const expected = [-0.375, 0.375, 0.25, -0.25].map((value) => expect.closeTo(value, 14));
    expect(await logits.grad?.reshape(4).toArray()).toEqual(expected);
    manualSeed(5);
    const report = await gradCheck((x) => loss.crossEntropy(x, labels(2, 0)), [randn([2, 3], float64)]);
    expect(report).toMatchObject({ ok: true });
  });

  test('takes labels as a tensor, a typed array or numbers', async () => {
    const logits = tensor([
      [0, 1, 2],
      [3, 5, 4],
    ]);
    const expected = await loss.crossEntropy(logits, labels(2, 0)).item();
    expect(await loss.crossEntropy(logits, Int32Array.of(2, 0)).item()).toBe(expected);
    expect(await loss.crossEntropy(logits, [2, 0]).item()).toBe(expected);
    expect(await loss.crossEntropy(tensor([0, 1, 2]), 2).item()).toBeCloseTo(
      Math.log(1 + Math.exp(-1) + Math.exp(-2)),
      6,
    );
  });

  test('names the label that is no class where labels are at hand, else gives NaN', async () => {
    const logits = randn([3, 4]);
    expect(() => loss.crossEntropy(logits, labels(0, 4, 1))).toThrow(
      'label 4 at position 1 is not a class from 0 to 3',
    );
    expect(() => loss.crossEntropy(logits, labels(0, 1, -1))).toThrow(ShapeError);
    expect(await loss.crossEntropy(logits, labels(0, 4, 1).add(0)).item()).toBeNaN();
    const compiled = compile((x: Tensor, y: Tensor) => loss.crossEntropy(x, y));
    expect(await compiled(logits, labels(0, 4, 1)).item()).toBeNaN();
    expect(await compiled(logits, labels(0, 3, 1)).item()).not.toBeNaN();
  });

  test('refuses labels of another shape or kind', () => {
    const logits = randn([3, 4]);
    expect(() => loss.crossEntropy(logits, labels(0, 1))).toThrow('need labels of shape [3]');
    expect(() => loss.crossEntropy(logits, tensor([0, 1, 2]))).toThrow(DTypeError);
  });
});
