// Reports: the work of each kind of kernel, counted by hand, and what a plan says of itself.
import { expect, test } from 'vitest';
import type { Kernel, Plan, Scalar } from '../src/ir/kernel.ts';
import { reportOf } from '../src/report/report.ts';
import { trafficOf } from '../src/report/traffic.ts';
import {
  at,
  binary,
  cast,
  constant,
  contract,
  inside,
  load,
  map,
  reads,
  reduceRows,
  scan,
  scatter,
  softmax,
  sort,
  store,
  unary,
  updates,
  where,
  writes,
} from './kernels.ts';

const [R, C] = [6, 10];

test('softmax: three sweeps over memory that is read once and written once', () => {
  // max: 1; subtract, exponential, sum: 3; subtract, exponential, divide: 3.
  expect(trafficOf(softmax(R, C))).toEqual({
    flops: 7 * R * C,
    loads: 3 * R * C,
    stores: R * C,
    bytes: 2 * 4 * R * C,
  });
});

test('reductions: one operation for each element that is folded', () => {
  expect(trafficOf(reduceRows('float64', R, C, ['sum', 'argmax']))).toEqual({
    flops: 2 * R * C,
    loads: 2 * R * C,
    stores: 2 * R,
    bytes: 8 * R * C + 8 * R + 4 * R,
  });
});

test('a contraction: two operations for each product, and its last steps', () => {
  const [b, m, n, k] = [2, 3, 4, 5];
  expect(trafficOf(contract('float32', b, m, n, k, true))).toEqual({
    flops: 2 * b * m * n * k + 2 * b * m * n,
    loads: 2 * b * m * n * k + b * m * n,
    stores: b * m * n,
    bytes: 4 * (b * m * k + k * n + n + b * m * n),
  });
});

test('scans, scatters and sorts', () => {
  expect(trafficOf(scan('float32', R, C))).toEqual({
    flops: R * C,
    loads: R * C,
    stores: R * C,
    bytes: 2 * 4 * R * C,
  });
  // The position is read once for each row of the index, a target of 3 × C elements is read and written.
  expect(trafficOf(scatter('add', 'float32', R, C, 3))).toEqual({
    flops: R * C,
    loads: R + 2 * R * C,
    stores: R * C,
    bytes: 4 * (R + R * C + 3 * C + 3 * C),
  });
  expect(trafficOf(scatter('set', 'float32', R, C, 3))).toEqual({
    flops: R * C,
    loads: R + R * C,
    stores: R * C,
    bytes: 4 * (R + R * C + 3 * C),
  });
  expect(trafficOf(sort('float16', R, C, false))).toEqual({
    flops: R * C,
    loads: R * C,
    stores: R * C,
    bytes: (2 + 4) * R * C,
  });
});

/** y[i, j] = value over a [R, C] index space, from operands 0 and 1 of the given lengths. */
const plane = (value: Scalar, ...lengths: readonly number[]): Kernel => ({
  ...map(
    C,
    [...lengths.map((length) => reads('float32', length)), writes(value.dtype, R * C)],
    store(lengths.length, at([C, 1]), value),
  ),
  rows: [R],
});

test('what depends on the row alone counts once per row, and constants not at all', () => {
  const row = unary('log', load(0, at([1])));
  const traffic = trafficOf(plane(binary('mul', row, load(1, at([0, 1]))), R, C));
  expect(traffic).toEqual({ flops: R + R * C, loads: R + R * C, stores: R * C, bytes: 4 * (R + C + R * C) });
  expect(trafficOf(plane(unary('exp', binary('add', constant(1), constant(2)))))).toMatchObject({
    flops: 2,
    loads: 0,
  });
});

test('moving is free: guards and indices', () => {
  const padded = where(inside(at([0, 1], -1), 0, C), load(0, at([C, 1], -1)), constant(0));
  expect(trafficOf(plane(padded, R * C))).toEqual({
    flops: 0,
    loads: R * C,
    stores: R * C,
    bytes: 2 * 4 * R * C,
  });
  expect(trafficOf(plane({ op: 'index', dtype: 'int32', index: at([0, 1]) }))).toMatchObject({
    flops: 0,
    loads: 0,
  });
  expect(trafficOf(plane(cast({ op: 'index', dtype: 'int32', index: at([0, 1]) }, 'float32')))).toMatchObject(
    { flops: R * C },
  );
});

test('a broadcast operand is touched once, a gathered one no more than it has', () => {
  expect(trafficOf(plane(load(0, at([])), 1))).toMatchObject({ loads: 1, bytes: 4 * (1 + R * C) });
  const position = cast(load(0, at([C, 1])), 'int32');
  const gathered: Scalar = {
    op: 'gather',
    dtype: 'float32',
    operand: 1,
    index: at([]),
    position,
    stride: 1,
    extent: 7,
  };
  expect(trafficOf(plane(gathered, R * C, 7))).toMatchObject({
    flops: 2 * R * C,
    loads: 2 * R * C,
    bytes: 4 * (R * C + 7 + R * C),
  });
});

test('a plan in the words of a report', () => {
  const kernel = softmax(R, C);
  const plan: Plan = {
    buffers: [],
    kernels: [
      {
        kernel,
        buffers: [0, 1],
        plan: { scratch: 0 },
        scratch: { bytes: 0, offset: 0 },
        name: 'softmax 6×10',
        nodes: ['max', 'sub', 'exp', 'sum', 'div'],
        boundary: 'it is the first',
      },
    ],
    outputs: [
      { buffer: 1, dtype: 'float32', length: R * C, into: null },
      { buffer: 0, dtype: 'float64', length: 1000, into: 0 },
    ],
    arenaBytes: 640,
    liveBytes: 600,
  };
  expect(reportOf(plan, 'paper', ({ name }) => `source of ${name}`)).toEqual({
    device: 'paper',
    kernels: [
      {
        name: 'softmax 6×10',
        nodes: ['max', 'sub', 'exp', 'sum', 'div'],
        flops: 420,
        loads: 180,
        stores: 60,
        bytes: 480,
        boundary: 'it is the first',
        source: 'source of softmax 6×10',
      },
    ],
    peakBytes: 640 + 240,
  });
});

test('an operand that is updated is read and written', () => {
  const kernel = map(
    C,
    [updates('float32', C)],
    store(0, at([1]), binary('add', load(0, at([1])), constant(1))),
  );
  expect(trafficOf(kernel)).toEqual({ flops: C, loads: C, stores: C, bytes: 2 * 4 * C });
});
