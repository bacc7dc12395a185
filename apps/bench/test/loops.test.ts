// The plain loops say what is right, so they are checked against something simpler still: sums written out,
// and slopes by central differences.
import { describe, expect, test } from 'vitest';
import { attentionForwardAndBackward } from '../src/loops/attention.ts';
import { convolution, maxPool } from '../src/loops/convolution.ts';
import { mapInputs, startingParameters, trainingBatches, uniform } from '../src/inputs.ts';
import { GRADIENTS, MAPS } from '../src/loops/maps.ts';
import { multiply } from '../src/loops/matmul.ts';
import {
  adamStep,
  attention,
  crossEntropy,
  geluLayer,
  layerNorm,
  linear,
  lookup,
  relu,
  type Result,
  Variable,
} from '../src/loops/layers.ts';
import { createStep } from '../src/loops/training.ts';
import type { AttentionTask, MapName, MapTask, MatmulTask, TrainingTask } from '../src/tasks.ts';

const task = (options: Partial<MatmulTask>): MatmulTask => ({
  kind: 'matmul',
  batch: 1,
  m: 2,
  k: 3,
  n: 4,
  transposeA: false,
  transposeB: false,
  chain: 1,
  ...options,
});

describe('products', () => {
  const at = (
    x: Float32Array,
    columns: number,
    i: number,
    j: number,
    turned: boolean,
    rows: number,
  ): number => (turned ? x[j * rows + i]! : x[i * columns + j]!);

  test.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('transposed %s, %s', (transposeA, transposeB) => {
    const [m, k, n] = [2, 3, 4];
    const [a, b] = [uniform(1, m * k), uniform(2, k * n)];
    const y = multiply(task({ transposeA, transposeB }), a, b);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const sum = [0, 1, 2].reduce(
          (total, p) => total + at(a, k, i, p, transposeA, m) * at(b, n, p, j, transposeB, k),
          0,
        );
        expect(y[i * n + j]).toBeCloseTo(sum, 5);
      }
    }
  });

  test('of a batch are those of its matrices', () => {
    const [a, b] = [uniform(1, 2 * 6), uniform(2, 2 * 12)];
    const y = multiply(task({ batch: 2 }), a, b);
    expect(y.subarray(8)).toEqual(multiply(task({}), a.subarray(6), b.subarray(12)));
  });

  test('in a chain: the third power of a rotation by 30° is one by 90°', () => {
    const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
    const rotation = Float32Array.of(c, -s, s, c);
    const y = multiply(task({ m: 2, k: 2, n: 2, chain: 3 }), Float32Array.of(1, 0, 0, 1), rotation);
    [0, -1, 1, 0].forEach((value, index) => expect(y[index]).toBeCloseTo(value, 6));
  });
});

/** Σ g·f(x) by which gradients are checked. */
const weigh = (outputs: Float32Array, g: Float32Array): number =>
  outputs.reduce((sum, value, index) => sum + value * g[index]!, 0);

/** The slope of f with respect to element i of x, by central differences. f takes the changed x. */
function slope(f: () => number, x: Float32Array, i: number, step = 1e-2): number {
  const value = x[i]!;
  x[i] = value + step;
  const above = f();
  x[i] = value - step;
  const below = f();
  x[i] = value;
  return (above - below) / (2 * step);
}

describe('gradients of maps are slopes', () => {
  const [rows, columns] = [3, 8];
  test.each(['exp', 'gelu', 'softmax', 'layerNorm', 'sum', 'add'] as const)('%s', (map: MapName) => {
    const { operands, upstream } = mapInputs({
      kind: 'map',
      map,
      gradient: true,
      rows,
      columns,
    } satisfies MapTask);
    const values = operands.map((operand) => operand.values);
    const given = {
      operands: values,
      upstream: upstream.values,
      y: new Float32Array(rows * columns),
      rows,
      columns,
    };
    const gradients = GRADIENTS[map]({ ...given, y: new Float32Array(rows * columns) });
    // The loop for add takes two arrays of one shape: the bias is repeated for it.
    const repeated = (): Float32Array[] =>
      map === 'add' ? [values[0]!, values[0]!.map((_, at) => values[1]![at % columns]!)] : values;
    const value = (): number => weigh(MAPS[map]({ ...given, operands: repeated() })[0]!, upstream.values);
    const variables = map === 'add' ? [values[1]!] : values;
    expect(gradients.length).toBe(variables.length);
    variables.forEach((x, index) => {
      for (let i = 0; i < x.length; i++) {
        const expected = slope(value, x, i);
        expect(Math.abs(gradients[index]![i]! - expected)).toBeLessThan(
          2e-3 * Math.max(1, Math.abs(expected)),
        );
      }
    });
  });
});

describe('layers', () => {
  /** Checks the gradient of the input and of the variables of a layer. */
  function expectSlopes(
    layer: (x: Float32Array) => Result,
    x: Float32Array,
    variables: readonly Variable[],
  ): void {
    const { y, backward } = layer(x);
    const g = uniform(77, y.length);
    const dx = backward(g);
    const value = (): number => weigh(layer(x).y, g);
    const pairs = [[x, dx] as const, ...variables.map((each) => [each.value, each.gradient] as const)];
    for (const [values, gradient] of pairs) {
      for (let i = 0; i < values.length; i++)
        expect(Math.abs(gradient[i]! - slope(value, values, i))).toBeLessThan(3e-3);
    }
  }
  const variable = (seed: number, size: number): Variable => new Variable(uniform(seed, size));

  test('linear', () => {
    const [weight, bias] = [variable(1, 4 * 3), variable(2, 4)];
    expectSlopes((x) => linear(x, 2, weight, bias), uniform(3, 2 * 3), [weight, bias]);
  });

  test('layer norm', () => {
    const [weight, bias] = [variable(1, 5), variable(2, 5)];
    expectSlopes((x) => layerNorm(x, 2, weight, bias), uniform(3, 2 * 5), [weight, bias]);
  });

  test('relu and gelu', () => {
    expectSlopes(relu, Float32Array.of(-1, -0.5, 0.5, 2), []);
    expectSlopes(geluLayer, uniform(1, 6, 2), []);
  });

  test('attention looks back only, and has its slopes', () => {
    const sizes = { batch: 2, positions: 3, channels: 4, heads: 2 };
    const x = uniform(1, 2 * 3 * 12);
    expectSlopes((qkv) => attention(qkv, sizes), x, []);
    const before = attention(x, sizes).y;
    x.fill(9, 2 * 12, 3 * 12); // the last position of the first sequence
    const after = attention(x, sizes).y;
    expect(after.subarray(0, 2 * 4)).toEqual(before.subarray(0, 2 * 4));
    expect(after.subarray(2 * 4, 3 * 4)).not.toEqual(before.subarray(2 * 4, 3 * 4));
  });

  test('convolution has its slopes, and gives each place the products around it', () => {
    const [weight, bias] = [variable(1, 2 * 3 * 9), variable(2, 2)];
    const [x, sizes] = [uniform(3, 2 * 3 * 16), { batch: 2, channels: 3, size: 4 }];
    expectSlopes((images) => convolution(images, sizes, weight, bias), x, [weight, bias]);
    const pixel = (n: number, c: number, row: number, column: number): number =>
      row < 0 || row > 3 || column < 0 || column > 3 ? 0 : x[((n * 3 + c) * 4 + row) * 4 + column]!;
    const { y } = convolution(x, sizes, weight, bias);
    for (const [n, o, row, column] of [
      [0, 0, 0, 0],
      [1, 1, 2, 1],
      [1, 0, 3, 3],
    ] as const) {
      let total = bias.value[o]!;
      for (let at = 0; at < 27; at++) {
        const [c, i, j] = [Math.floor(at / 9), Math.floor((at % 9) / 3), at % 3];
        total += weight.value[o * 27 + at]! * pixel(n, c, row + i - 1, column + j - 1);
      }
      expect(y[((n * 2 + o) * 4 + row) * 4 + column]).toBeCloseTo(total, 5);
    }
  });

  test('max-pooling takes the largest of each window, and gives it the gradient', () => {
    const { y, backward } = maxPool(Float32Array.of(1, 5, 2, 2, 3, 4, 2, 2, 0, 0, 9, 8, 0, 7, 6, 5), 4);
    expect([...y]).toEqual([5, 2, 7, 9]);
    expect([...backward(Float32Array.of(1, 2, 3, 4))]).toEqual([
      0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 3, 0, 0,
    ]);
    expectSlopes((x) => maxPool(x, 4), uniform(1, 2 * 16), []);
  });

  test('a lookup adds up the gradients of a row that is used twice', () => {
    const table = new Variable(Float32Array.of(1, 2, 3, 4));
    const { y, backward } = lookup(Int32Array.of(1, 0, 1), table, 2);
    expect([...y]).toEqual([3, 4, 1, 2, 3, 4]);
    backward(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect([...table.gradient]).toEqual([3, 4, 6, 8]);
  });

  test('cross-entropy of equal logits is ln C; its gradient is softmax − one-hot', () => {
    const { loss, gradient } = crossEntropy(new Float32Array(8), Int32Array.of(0, 3));
    expect(loss).toBeCloseTo(Math.log(4), 6);
    expect([...gradient]).toEqual([-0.375, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, -0.375]);
  });
});

test('attention without a mask: weights add up to 1, and gradients are slopes', () => {
  const work: AttentionTask = { kind: 'attention', batch: 1, heads: 2, positions: 3, size: 4 };
  const operands = [1, 2, 3].map((seed) => uniform(seed, 2 * 3 * 4));
  const g = uniform(4, 2 * 3 * 4);
  const [, ...gradients] = attentionForwardAndBackward(work, operands, g);
  const value = (): number => weigh(attentionForwardAndBackward(work, operands, g)[0]!, g);
  operands.forEach((x, index) => {
    for (let i = 0; i < x.length; i++)
      expect(Math.abs(gradients[index]![i]! - slope(value, x, i))).toBeLessThan(2e-3);
  });
  operands[2]!.fill(7);
  for (const each of attentionForwardAndBackward(work, operands, g)[0]!) expect(each).toBeCloseTo(7, 5);
});

test("Adam's first step moves parameters by the learning rate against the gradient's sign, after the decay", () => {
  const variable = new Variable(Float32Array.of(1, -2, 3));
  variable.gradient.set([5, -0.01, 0]);
  adamStep([variable], 1, 0.1);
  [1 - 1e-4 - 1e-3, -2 + 2e-4 + 1e-3, 3 - 3e-4].forEach((value, index) =>
    expect(variable.value[index]).toBeCloseTo(value, 6),
  );
  expect([...variable.gradient]).toEqual([0, 0, 0]);
});

test('training lowers the loss', () => {
  const work: TrainingTask = { kind: 'training', model: 'mlp', batch: 4, inputs: 3, hidden: 5, classes: 2 };
  const [batch] = trainingBatches(work);
  const step = createStep(work, startingParameters(work));
  const losses = Array.from({ length: 30 }, () => step(batch!));
  expect(losses[0]).toBeCloseTo(Math.log(2), 0);
  expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.01);
});
