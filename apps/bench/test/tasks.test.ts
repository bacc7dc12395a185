// What is timed: names, the count of operations, and the numbers that go in.
import { describe, expect, test } from 'vitest';
import { asChannelsLast, asInputsFirst } from '../src/contenders/layout.ts';
import {
  attentionInputs,
  batchShapes,
  generator,
  mapInputs,
  matmulInputs,
  parameterSpecs,
  startingParameters,
  trainingBatches,
  uniform,
} from '../src/inputs.ts';
import { flopsOf, type MapTask, PAGE_TASKS, TASKS, type TrainingTask } from '../src/tasks.ts';

const workOf = (id: string) => TASKS.find((task) => task.id === id)!.work;
const training = (id: string): TrainingTask => workOf(id) as TrainingTask;

test('tasks have names of their own', () => {
  expect(new Set(TASKS.map(({ id }) => id)).size).toBe(TASKS.length);
});

test('ten of them are for the GPU', () => {
  expect(PAGE_TASKS.map(({ id }) => id)).toEqual([
    'matmul/256',
    'matmul/512',
    'matmul/1024',
    'matmul/256x384x1536',
    'matmul/batched',
    'elementwise/gelu',
    'elementwise/softmax',
    'elementwise/layerNorm',
    'training/mlp',
    'training/gpt',
  ]);
});

describe('operations', () => {
  test('of products', () => {
    expect(flopsOf(workOf('matmul/512'))).toBe(2 * 512 ** 3);
    expect(flopsOf(workOf('matmul/batched'))).toBe(2 * 32 * 64 * 64 * 256);
    expect(flopsOf(workOf('matmul/64-chain'))).toBe(16 * 2 * 64 ** 3);
    expect(flopsOf(workOf('elementwise/exp'))).toBeNull();
  });

  test('of attention: two products forward, and two for the gradients of each', () => {
    expect(flopsOf(workOf('attention/512'))).toBe(6 * 2 * 4 * (512 * 512 * 64));
  });

  test('of training steps: each product forward, and for both gradients, but for that of the images', () => {
    const products = [
      [64, 784, 128, 2],
      [64, 128, 10, 3],
    ] as const;
    expect(flopsOf(workOf('training/mlp'))).toBe(
      products.reduce((sum, [m, k, n, times]) => sum + 2 * m * k * n * times, 0),
    );
    const convolutions = 2 * 28 ** 2 * 16 * 9 + 3 * 14 ** 2 * 32 * 16 * 9;
    expect(flopsOf(workOf('training/cnn'))).toBe(2 * 32 * (convolutions + 3 * 7 ** 2 * 32 * 10));
    const rows = 8 * 64;
    const linear = 4 * (128 * 384 + 128 * 128 + 2 * 128 * 512) + 128 * 65;
    const attention = 4 * 8 * 4 * 2 * (64 * 64 * 32); // layers, sequences, heads, two products
    expect(flopsOf(workOf('training/gpt'))).toBe(3 * 2 * (rows * linear + attention));
  });
});

test('the GPT has 818,176 parameters', () => {
  const sizes = parameterSpecs(training('training/gpt')).map(({ shape }) =>
    shape.reduce((product, extent) => product * extent, 1),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(818_176);
});

describe('numbers', () => {
  test('are the same at every call, different for every seed, and spread evenly', () => {
    expect(uniform(1, 5)).toEqual(uniform(1, 5));
    expect(uniform(1, 5)).not.toEqual(uniform(2, 5));
    const next = generator(3);
    const values = Array.from({ length: 10_000 }, next);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0.5, 1);
  });

  test('fit their shapes', () => {
    for (const { work } of TASKS) {
      if (work.kind === 'matmul') {
        const [a, b] = matmulInputs(work);
        expect([a.length, b.length]).toEqual([work.batch * work.m * work.k, work.batch * work.k * work.n]);
      } else if (work.kind === 'map' || work.kind === 'attention') {
        const { operands, upstream } = work.kind === 'map' ? mapInputs(work) : attentionInputs(work);
        for (const { shape, values } of [...operands, upstream])
          expect(values.length).toBe(shape.reduce((size, extent) => size * extent, 1));
      }
    }
  });

  test('of a bias are as many as columns, where its gradient is asked for', () => {
    expect(mapInputs(workOf('elementwise/add') as MapTask).operands.map(({ shape }) => shape)).toEqual([
      [1000, 1000],
      [1000, 1000],
    ]);
    expect(mapInputs(workOf('elementwise/add-gradient') as MapTask).operands[1]!.shape).toEqual([1000]);
  });

  test('of a batch fit its shapes', () => {
    for (const { work } of TASKS) {
      if (work.kind !== 'training') continue;
      const [x, y] = batchShapes(work).map((shape) => shape.reduce((size, extent) => size * extent, 1));
      for (const batch of trainingBatches(work)) expect([batch.x.length, batch.y.length]).toEqual([x, y]);
    }
  });

  test('of a text are followed by the next ones', () => {
    const { x, y } = trainingBatches(training('training/gpt'))[0]!;
    expect(x.length).toBe(8 * 64);
    for (let sequence = 0; sequence < 8; sequence++) {
      expect(y.subarray(sequence * 64, sequence * 64 + 63)).toEqual(
        x.subarray(sequence * 64 + 1, sequence * 64 + 64),
      );
    }
    expect(Math.max(...x)).toBeLessThan(65);
  });
});

test('weights of linear layers are transposed for those who have them so, tables and vectors are not', () => {
  const [weight, bias] = startingParameters(training('training/mlp')) as [
    ReturnType<typeof startingParameters>[0],
    ReturnType<typeof startingParameters>[0],
  ];
  const turned = asInputsFirst(weight);
  expect(turned.shape).toEqual([784, 128]);
  expect(turned.values[5 * 128 + 3]).toBe(weight.values[3 * 784 + 5]);
  expect(asInputsFirst(bias)).toBe(bias);
  const table = startingParameters(training('training/gpt'))[0]!;
  expect(asInputsFirst(table)).toBe(table);
});

test('filters and the dense layer behind them are turned for those who have the channels of images last', () => {
  const work = training('training/cnn');
  const [, , filter, , dense] = startingParameters(work);
  const turned = asChannelsLast(filter!, work);
  expect(turned.shape).toEqual([3, 3, 16, 32]);
  expect(turned.values[((2 * 3 + 1) * 16 + 5) * 32 + 7]).toBe(filter!.values[((7 * 16 + 5) * 3 + 2) * 3 + 1]);
  const rows = asChannelsLast(dense!, work);
  expect(rows.shape).toEqual([7 * 7 * 32, 10]);
  expect(rows.values[(11 * 32 + 5) * 10 + 3]).toBe(dense!.values[3 * 1568 + 5 * 49 + 11]);
});
