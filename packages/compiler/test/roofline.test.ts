/** Times in a report, and shares of a roofline whose corner is easy to see: a kernel is as near to its best as what it uses more of. */
import type { KernelReport } from '@firsthand/graph';
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

test('a share is that of arithmetic or of memory, whichever is larger, and there is none of no time', () => {
  const report = { device: 'by hand', kernels: [kernel(100, 10), kernel(10, 100), kernel(10, 100), kernel(10, 100)], peakBytes: 7 };
  const timed = withTimes(report, Float64Array.of(2, 4, 0.5, 0), { flopsPerSecond: 100, bytesPerSecond: 50 });
  expect(timed).toMatchObject({ device: 'by hand', peakBytes: 7 });
  expect(timed.kernels.map(({ seconds, share }) => [seconds, share])).toEqual([
    [2, 0.5],
    [4, 0.5],
    [0.5, 4],
    [0, undefined],
  ]);
  expect(report.kernels[0]).not.toHaveProperty('seconds');
});
