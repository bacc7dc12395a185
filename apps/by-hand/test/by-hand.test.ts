/**
 * The network by hand against independent answers: its gradients against central differences, its loss
 * against closed forms, its reader against files made here, and its learning against real digits.
 */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as byHand from '../src/by-hand.ts';
import { sameNumbers, smallProblem } from './small-problem.ts';

describe('gradients', () => {
  const { network, X, labels, loss } = smallProblem();
  const { H, Z } = byHand.forward(network, X);
  const gradient = byHand.backward(network, X, H, byHand.logSoftmax(Z, network.b2.length), labels);

  it.each(['W1', 'b1', 'W2', 'b2'] as const)('of %s equals central differences', (name) => {
    const step = 1e-5;
    const numerical = Float64Array.from(network[name], (value, i) => {
      network[name][i] = value + step;
      const above = loss();
      network[name][i] = value - step;
      const below = loss();
      network[name][i] = value;
      return (above - below) / (2 * step);
    });
    sameNumbers(gradient[name], numerical, 1e-8);
    // A gradient that is all zero would show nothing
    expect(Math.max(...gradient[name].map(Math.abs))).toBeGreaterThan(1e-3);
  });

  it('stay away from relu’s kink, where a central difference means nothing', () => {
    const A = byHand.affine(X, network.W1, network.b1);
    expect(Math.min(...A.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(A.some((a) => a < 0) && A.some((a) => a > 0)).toBe(true);
  });
});

describe('loss', () => {
  it('is log C when the network cannot tell classes apart', () => {
    expect(
      byHand.crossEntropy(byHand.logSoftmax(new Float64Array(12), 4), Uint8Array.of(0, 3, 1)),
    ).toBeCloseTo(Math.log(4), 14);
  });

  it('stays finite and right for scores of size 1e4', () => {
    const logP = byHand.logSoftmax(Float64Array.of(1e4, 0, -1e4, -1e4), 2);
    expect([...logP]).toEqual([0, -1e4, -Math.LN2, -Math.LN2]);
    expect(byHand.crossEntropy(logP, Uint8Array.of(1, 0))).toBeCloseTo((1e4 + Math.LN2) / 2, 10);
  });
});

describe('matrix products', () => {
  // Rows, inner size and columns all differ, so that a swapped size shows.
  const X = Float64Array.of(1, 2, 3, 0, 5, 6); // (2, 3)
  const W = Float64Array.of(1, -1, 2, 0, 0.5, 4, 3, 2, 1, 0, 1, 0); // (3, 4)
  const G = Float64Array.of(1, 2, 0, 4, -1, 1, 2, 0); // (2, 4)

  it('X·W + b', () => {
    expect([...byHand.affine(X, W, Float64Array.of(10, 20, 30, 40))]).toEqual([
      1 + 1 + 3 + 10,
      -1 + 8 + 0 + 20,
      2 + 6 + 3 + 30,
      0 + 4 + 0 + 40,
      2.5 + 6 + 10,
      20 + 0 + 20,
      15 + 6 + 30,
      10 + 0 + 40,
    ]);
  });

  it('Xᵀ·G', () => {
    expect([...byHand.transposedTimes(X, G, 2)]).toEqual([
      1,
      2,
      0,
      4,
      2 - 5,
      4 + 5,
      10,
      8,
      3 - 6,
      6 + 6,
      12,
      12,
    ]);
  });

  it('G·Wᵀ', () => {
    expect([...byHand.timesTransposed(G, W, 2)]).toEqual([
      1 - 2 + 0,
      0.5 + 8 + 8,
      1,
      -1 - 1 + 4,
      -0.5 + 4 + 6,
      -1 + 0 + 2,
    ]);
  });
});

describe('random numbers', () => {
  it('repeat for a seed, lie in [0, 1) and have the mean and variance of a uniform', () => {
    const draw = (seed: number): number[] => {
      const random = byHand.randomNumbers(seed);
      return Array.from({ length: 100_000 }, () => random());
    };
    const values = draw(1);
    expect(draw(1)).toEqual(values);
    expect(draw(2).slice(0, 4)).not.toEqual(values.slice(0, 4));
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(1 / 2, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it('shuffle every index exactly once', () => {
    const order = byHand.shuffledIndices(1000, byHand.randomNumbers(7));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order.subarray(0, 10)]).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe('idx reader', () => {
  const file = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);

  it('reads shape and bytes', () => {
    expect(byHand.readIdxBytes(file)).toEqual({ shape: [2, 3], bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  });

  it.each([0, 3, 11, 17])('refuses a file cut to %i bytes', (length) => {
    expect(() => byHand.readIdxBytes(file.slice(0, length))).toThrow(/idx file/);
  });
});

describe('learning', () => {
  const train = byHand.loadDigits('train');
  const test = byHand.loadDigits('t10k');

  const trained = (count: number, epochs: number): number => {
    const random = byHand.randomNumbers(42);
    const network = byHand.createNetwork(
      Float32Array,
      { inputs: train.pixels, hidden: 128, classes: 10 },
      random,
    );
    expect(byHand.accuracy(network, test)).toBeLessThan(0.25);
    const part = {
      ...train,
      images: train.images.subarray(0, count * train.pixels),
      labels: train.labels.subarray(0, count),
    };
    for (let epoch = 0; epoch < epochs; epoch++)
      byHand.trainEpoch(network, part, { batchSize: 32, learningRate: 0.1 }, random);
    return byHand.accuracy(network, test);
  };

  it('reads 88 % of real digits after seeing 10,000 once', () => {
    expect(trained(10_000, 1)).toBeGreaterThan(0.88);
  });

  it.runIf(process.env['FIRSTHAND_FULL'] === '1')(
    'reads 97 % of real digits after five epochs',
    { timeout: 180_000 },
    () => {
      expect(trained(60_000, 5)).toBeGreaterThan(0.97);
    },
  );
});

describe('the command line', () => {
  const file = join(import.meta.dirname, '../src/by-hand.ts');
  const run = async (
    ...args: readonly string[]
  ): Promise<{ status: number | null; stdout: string; stderr: string }> => {
    const { bundle } = (await import(join(import.meta.dirname, '../../../scripts/typescript.mjs'))) as {
      bundle: (folder: string, file: string) => Promise<string>;
    };
    return spawnSync(
      process.execPath,
      [await bundle('apps/by-hand', relative(join(import.meta.dirname, '..'), file)), ...args],
      {
        encoding: 'utf8',
      },
    );
  };

  it('helps, and trains nothing', async () => {
    expect(await run('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Usage: npm run by-hand --/),
      stderr: '',
    });
  });

  it('trains as it is told to', async () => {
    const { status, stdout } = await run('--epochs', '1', '--examples', '500');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^untrained: test accuracy \S+ %\nepoch 1\/1: loss \d\.\d+, test accuracy \S+ %, \S+ s\n$/,
    );
  });

  it.each([
    [['--epochs', '0'], '--epochs takes a whole number of at least 1, not 0'],
    [['--examples', '60001'], '--examples takes a whole number from 1 to 60000, not 60001'],
    [['--epoch', '3'], "Unknown option '--epoch'"],
    [['twice'], "Unexpected argument 'twice'"],
  ])('refuses %j: code 2', async (args, message) => {
    const { status, stdout, stderr } = await run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(`^error: ${message.replaceAll(/[[\]().]/g, '.')}[^]*Usage: npm run by-hand`),
    );
  });
});
