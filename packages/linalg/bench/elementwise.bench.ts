/**
 * Elementwise kernels and reductions on 2²⁰ float32 elements, against the plainest loop over the same typed
 * arrays, both measured here and now. Kernels allocate their result; the plain loops write over one that
 * exists.
 */
import {
  add,
  erf,
  exp,
  Generator,
  gt,
  linspace,
  maximum,
  mul,
  ones,
  sum,
  tanh,
  where,
} from '../src/index.ts';
import { bestOf } from './support/measure.ts';

const n = 1 << 20;
const x = linspace(-3, 3, n);
const y = linspace(1, 2, n);
const [p, q] = [x.data as Float32Array, y.data as Float32Array];
const r = new Float32Array(n);

function compare(name: string, kernel: () => unknown, plain?: () => unknown): void {
  const ours = bestOf(15, kernel);
  const other =
    plain === undefined
      ? ''
      : `, plain loop ${bestOf(15, plain).toFixed(2)} ms, ratio ${(bestOf(15, plain) / ours).toFixed(2)}`;
  console.log(`${name.padEnd(34)} ${ours.toFixed(2).padStart(6)} ms${other}`);
}

compare(
  'add',
  () => add(x, y),
  () => {
    for (let i = 0; i < n; i++) r[i] = p[i]! + q[i]!;
  },
);
compare(
  'mul by a number',
  () => mul(x, 2),
  () => {
    for (let i = 0; i < n; i++) r[i] = p[i]! * 2;
  },
);
compare(
  'exp',
  () => exp(x),
  () => {
    for (let i = 0; i < n; i++) r[i] = Math.exp(p[i]!);
  },
);
compare(
  'tanh',
  () => tanh(x),
  () => {
    for (let i = 0; i < n; i++) r[i] = Math.tanh(p[i]!);
  },
);
compare('erf', () => erf(x));
compare(
  'maximum(x, 0)',
  () => maximum(x, 0),
  () => {
    for (let i = 0; i < n; i++) r[i] = Math.max(p[i]!, 0);
  },
);
compare('where(x > 0, x, 0)', () => where(gt(x, 0), x, 0));
const matrix = x.reshape([1024, 1024]);
const row = y.slice({ stop: 1024 });
compare('add a row to a matrix', () => add(matrix, row));
compare('add a matrix and its transpose', () => add(matrix, matrix.transpose()));
compare(
  'sum of all',
  () => sum(x),
  () => {
    let total = 0;
    for (let i = 0; i < n; i++) total += p[i]!;
    return total;
  },
);
compare('sum of rows', () => sum(matrix, { axis: 1 }));
compare('sum of columns', () => sum(matrix, { axis: 0 }));
const random = new Generator(1);
compare('uniform', () => random.uniform([n]));
compare('normal', () => random.normal([n]));
const small = ones([8, 8]);
compare('1000 × add [8, 8]', () => {
  for (let i = 0; i < 1000; i++) add(small, small);
});
