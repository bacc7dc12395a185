/**
 * Times in a report, and shares of a roofline whose corner is easy to see: a kernel is as near to its best as
 * what it uses more of.
 */
import type { KernelReport } from '@firsthand/runtime';
import { expect, test } from 'vitest';
import { withTimes } from '../src/index.ts';

const kernel = (flops: number, bytes: number): KernelReport => ({
  name: 'kernel',
  nodes: [],
  flops,
  loads: 0,
  stores: 0,
  bytes,
  boundary: 'made by hand',
  source: '',
});

const roofline = { flopsPerSecond: 100, bytesPerSecond: 50, cachedBytesPerSecond: 400, resolution: 0.25 };

test('a share is that of arithmetic or of memory, whichever is larger, and there is none of no time', () => {
  const report = {
    device: 'by hand',
    kernels: [kernel(100, 10), kernel(10, 100), kernel(10, 100)],
    peakBytes: 7,
  };
  const timed = withTimes(report, Float64Array.of(2, 4, 0), roofline);
  expect(timed).toMatchObject({ device: 'by hand', peakBytes: 7, resolution: 0.25 });
  expect(timed.kernels.map(({ seconds, share, ceiling }) => [seconds, share, ceiling])).toEqual([
    [2, 0.5, 'arithmetic'],
    [4, 0.5, 'memory'],
    [0, undefined, undefined],
  ]);
  expect(report.kernels[0]).not.toHaveProperty('seconds');
});

test('a kernel that is faster than memory is put beside the caches, or beside arithmetic, where it is nearer to that', () => {
  const report = {
    device: 'by hand',
    kernels: [kernel(10, 100), kernel(50, 100), kernel(10, 100)],
    peakBytes: 7,
  };
  const { kernels } = withTimes(report, Float64Array.of(0.5, 1, 2), roofline);
  expect(kernels.map(({ share, ceiling }) => [share, ceiling])).toEqual([
    [0.5, 'caches'],
    [0.5, 'arithmetic'],
    [1, 'memory'],
  ]);
});
