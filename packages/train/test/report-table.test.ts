/**
 * The table of a report, on reports written by hand: which columns there are, in which order rows stand, how
 * numbers are rounded, what a long name keeps.
 */
import { expect, test } from 'vitest';

import { type Ceiling, type KernelReport, type PlanReport } from '@firsthand/autograd';
import { reportTable } from '../src/index.ts';

function kernel(
  name: string,
  flops: number,
  bytes: number,
  times: { seconds?: number; share?: number; ceiling?: Ceiling } = {},
): KernelReport {
  return {
    name,
    nodes: [name],
    flops,
    loads: 0,
    stores: 0,
    bytes,
    boundary: 'made by hand',
    source: '',
    ...times,
  };
}

function report(...kernels: readonly KernelReport[]): PlanReport {
  return { device: 'by hand', kernels, peakBytes: 0 };
}

/** A table as it stands below: one line for each row, without the indentation. */
const lines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/^ *\|/, ''))
    .slice(1, -1)
    .join('\n');

test('with times: the slowest kernel first, kernels of one name in one row, and the whole in the last line', () => {
  const given = report(
    kernel('relu 64×128', 8192, 65_536, { seconds: 4e-6, share: 0.8, ceiling: 'memory' }),
    kernel('matmul 64×128×784', 12_845_056, 635_904, { seconds: 0.001, share: 0.5, ceiling: 'arithmetic' }),
    kernel('matmul 64×10×128', 163_840, 40_448, { seconds: 0.0005, share: 0.02, ceiling: 'arithmetic' }),
    kernel('relu 64×128', 8192, 65_536, { seconds: 6e-6, share: 0.3, ceiling: 'caches' }),
  );
  expect(reportTable(given)).toBe(
    lines(`
    |kernel             calls     ms  of time  GFLOP/s  GB/s  at best          of
    |matmul 64×128×784      1  1.000   66.2 %     12.8   0.6   50.0 %  arithmetic
    |matmul 64×10×128       1  0.500   33.1 %      0.3   0.1    2.0 %  arithmetic
    |relu 64×128            2  0.010    0.7 %      1.6  13.1   50.0 %     several
    |total                  4  1.510  100.0 %      8.6   0.5   34.1 %     several
    `),
  );
});

test('without times: operations and bytes, in order', () => {
  const given = report(
    kernel('exp 1000', 1000, 8000),
    kernel('matmul 512×512×512', 268_435_456, 3_145_728),
    kernel('copy 1', 0, 8),
  );
  expect(reportTable(given)).toBe(
    lines(`
    |kernel                MFLOP     MB
    |exp 1000              0.001  0.008
    |matmul 512×512×512  268.435  3.146
    |copy 1                0.000  0.000
    |total               268.436  3.154
    `),
  );
});

test('a kernel without a time leaves the others without theirs, since nothing could be sorted or summed', () => {
  const given = report(kernel('exp 10', 10, 80, { seconds: 1, share: 1 }), kernel('abs 10', 10, 80));
  expect(reportTable(given).split('\n')[0]).toBe('kernel  MFLOP     MB');
});

test('a time that the clock is too coarse for has no rates', () => {
  const given = report(
    kernel('exp 10', 10, 80, { seconds: 0 }),
    kernel('abs 1000', 1000, 8000, { seconds: 1e-6, share: 0.25, ceiling: 'memory' }),
  );
  expect(reportTable(given)).toBe(
    lines(`
    |kernel       ms  of time  GFLOP/s  GB/s  at best      of
    |abs 1000  0.001  100.0 %      1.0   8.0   25.0 %  memory
    |exp 10    0.000    0.0 %        –     –        –       –
    |total     0.001  100.0 %      1.0   8.1   25.0 %  memory
    `),
  );
});

test('a time of 0 is less than what the clock tells, once for each call', () => {
  const short = kernel('exp 10', 10, 80, { seconds: 0 });
  const given = {
    ...report(
      short,
      short,
      kernel('abs 1000', 1000, 8000, { seconds: 131_072e-9, share: 0.25, ceiling: 'memory' }),
    ),
    resolution: 65_536e-9,
  };
  expect(reportTable(given)).toBe(
    lines(`
    |kernel    calls       ms  of time  GFLOP/s  GB/s  at best      of
    |abs 1000      1    0.131  100.0 %      0.0   0.1   25.0 %  memory
    |exp 10        2  < 0.132    0.0 %        –     –        –       –
    |total         3    0.131  100.0 %      0.0   0.1   25.0 %  memory
    `),
  );
});

test('a program without kernels is a total of nothing', () => {
  expect(reportTable(report())).toBe('kernel  MFLOP     MB\ntotal   0.000  0.000');
});

test.each([
  [
    'matmul + add + gelu + layerNorm + softmax + … 8×64×384×128',
    'matmul + add + gelu + layerNorm + … 8×64×384×128',
  ],
  ['a'.repeat(60), `${'a'.repeat(46)}…a`],
  [`sum ${'7×'.repeat(40)}7`, `sum ${'7×'.repeat(9)}7…${'×7'.repeat(12)}`],
])('a long name loses characters before its sizes: %s', (name, shown) => {
  expect(reportTable(report(kernel(name, 1, 1))).split('\n')[1]).toBe(`${shown.padEnd(48)}  0.000  0.000`);
});
