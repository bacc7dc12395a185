/**
 * float16 is storage: what an operation of several steps finds on the way is float32, and the result is
 * rounded once. The operands here are chosen so that sums, squares or exponentials leave the range of float16
 * (65504) or its small numbers where the results do not. Values are compared with formulas in plain loops,
 * values and gradients with the reference device in float64, whose own are checked by closed forms and
 * central differences elsewhere; all within 2 units in the last place of float16.
 */
import { attention, compile, einsum, Tensor, tensor } from '@firsthand/autograd';
import type { Device, DType } from '@firsthand/autograd';
import { layerNorm } from '@firsthand/graph';
import { createReference } from '@firsthand/runtime';
import { fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import { Linear, loss } from '@firsthand/nn';
import { describe, expect, test } from 'vitest';
import { numbersOf } from './compare.ts';
import type { GetDevice } from './get-device.ts';
import { dense, filled, type Dense } from './oracle/dense.ts';
import { samples } from './oracle/samples.ts';

type Compute = (...inputs: Tensor[]) => Tensor;
/** An operation with its operands; labels, if any, come after them. */
interface Case {
  readonly title: string;
  readonly compute: Compute;
  readonly operands: readonly Dense[];
  readonly labels?: Dense;
}

const half = (x: number): number => fromFloat16Bits(toFloat16Bits(x));
/** The operands as float16 holds them, so that float64 sees the same numbers. */
const halves = (x: Dense): Dense => ({ shape: x.shape, data: x.data.map(half) });
const numbers = (shape: readonly number[], low: number, high: number, seed = 1): Dense =>
  halves(samples(shape, low, high, seed));
const list = (...data: number[]): Dense => ({ shape: [data.length], data });
const labels = (shape: readonly number[], classes: number): Dense =>
  dense(shape, (index) => index.reduce((a, b) => 7 * a + 3 * b, 1) % classes);

const linear: Compute = (x, weight, bias) => {
  const layer = new Linear(1, 1, { dtype: x.dtype, device: x.device });
  return Object.assign(layer, { weight, bias }).forward(x);
};
const norm: Compute = (x, weight, bias) => new Tensor(layerNorm(x.read(), weight.read(), bias.read()));

// oxfmt-ignore
const CASES: readonly Case[] = [
  { title: 'sum', compute: (x) => x.sum(), operands: [list(60000, 50000, -60000, 3, -20000)] },
  { title: 'sum of very many', compute: (x) => x.sum(), operands: [dense([2 ** 18], ([i]) => (i! < 2 ** 17 ? 1 : -1) + (i! % 4096 === 0 ? 1 : 0))] },
  { title: 'sum over the first axis', compute: (x) => x.sum({ axis: 0 }), operands: [numbers([300, 9], 100, 200)] },
  { title: 'prod', compute: (x) => x.prod({ axis: 1 }), operands: [{ shape: [2, 5], data: [300, 300, 2 ** -8, 2 ** -8, 3, 2 ** -14, 2 ** -14, 2 ** 13, 2 ** 13, 5] }] },
  { title: 'cumsum', compute: (x) => x.cumsum(0), operands: [list(40000, 20000, -30000, 5, -100)] },
  { title: 'mean of large numbers', compute: (x) => x.mean(), operands: [filled([10_000], 100)] },
  { title: 'mean of very many', compute: (x) => x.mean(), operands: [filled([100_000], 1)] },
  { title: 'mean of rows', compute: (x) => x.mean({ axis: 1 }), operands: [numbers([5, 300], 200, 900)] },
  { title: 'var', compute: (x) => x.var({ axis: 1 }), operands: [numbers([3, 100], -240, 240)] },
  { title: 'std', compute: (x) => x.std({ axis: 1 }), operands: [numbers([3, 100], -600, 600)] },
  { title: 'std of small numbers', compute: (x) => x.std({ axis: 1 }), operands: [numbers([3, 100], -1e-3, 1e-3)] },
  { title: 'norm', compute: (x) => x.norm({ axis: 1 }), operands: [numbers([3, 100], -600, 600)] },
  { title: 'norm of small numbers', compute: (x) => x.norm({ axis: 1 }), operands: [numbers([3, 100], -1e-3, 1e-3)] },
  { title: '1-norm', compute: (x) => x.norm({ axis: 1, order: 1 }), operands: [numbers([3, 100], -600, 600)] },
  { title: '∞-norm', compute: (x) => x.norm({ axis: 1, order: Infinity }), operands: [numbers([3, 100], -600, 600)] },
  { title: 'max with very many ties', compute: (x) => x.max(), operands: [filled([70_000], 3)] },
  { title: 'logsumexp', compute: (x) => x.logsumexp({ axis: 1 }), operands: [numbers([3, 100], -300, 600)] },
  { title: 'logsumexp of very many', compute: (x) => x.logsumexp(), operands: [filled([70_000], 0)] },
  { title: 'softmax', compute: (x) => x.softmax(), operands: [numbers([3, 100], -8, 8)] },
  { title: 'softmax of very many', compute: (x) => x.softmax(), operands: [numbers([1, 70_000], -0.01, 0.01)] },
  { title: 'logSoftmax', compute: (x) => x.logSoftmax(), operands: [numbers([3, 100], -300, 600)] },
  { title: 'cross-entropy', compute: (x, y) => loss.crossEntropy(x, y), operands: [numbers([6, 30], -8, 8)], labels: labels([6], 30) },
  { title: 'cross-entropy over very many classes', compute: (x, y) => loss.crossEntropy(x, y), operands: [filled([1, 70_000], 0)], labels: labels([1], 9) },
  { title: 'sum of cross-entropies', compute: (x, y) => loss.crossEntropy(x, y, { reduction: 'sum' }), operands: [numbers([4000, 10], -8, 8)], labels: labels([4000], 10) },
  { title: 'mse', compute: (x, y) => loss.mse(x, y), operands: [numbers([2000], -200, 200), numbers([2000], -200, 200, 2)] },
  { title: 'mse whose squares are beyond float16', compute: (x, y) => loss.mse(x, y), operands: [dense([1024], ([i]) => (i === 0 ? 3000 : 0)), filled([1024], 0)] },
  { title: 'layer norm of ±500', compute: norm, operands: [numbers([4, 100], -500, 500), numbers([100], 0.5, 2), numbers([100], -1, 1)] },
  { title: 'layer norm of small numbers', compute: norm, operands: [numbers([4, 100], -1e-3, 1e-3), numbers([100], 0.5, 2), numbers([100], -1, 1)] },
  { title: 'attention', compute: (q, k, v) => attention(q, k, v), operands: [numbers([2, 5, 64], -60, 60), numbers([2, 7, 64], -60, 60, 2), numbers([2, 7, 8], 1, 40, 3)] },
  { title: 'attention, causal', compute: (q, k, v) => attention(q, k, v, { causal: true }), operands: [numbers([2, 6, 16], -2, 2), numbers([2, 6, 16], -2, 2, 2), numbers([2, 6, 8], 1, 40, 3)] },
  { title: 'attention with a mask', compute: (q, k, v, mask) => attention(q, k, v, { mask: mask }), operands: [numbers([2, 5, 16], -2, 2), numbers([2, 7, 16], -2, 2, 2), numbers([2, 7, 8], 1, 40, 3), numbers([5, 7], -3, 3)] },
  { title: 'gelu', compute: (x) => x.gelu(), operands: [numbers([400], -4, 8)] },
  { title: 'gelu by tanh', compute: (x) => x.gelu('tanh'), operands: [numbers([400], -3, 300)] },
  { title: 'silu', compute: (x) => x.silu(), operands: [numbers([400], -15, 15)] },
  { title: 'softplus', compute: (x) => x.softplus(), operands: [numbers([400], -9, 15)] },
  { title: 'elu', compute: (x) => x.elu(1.3), operands: [numbers([400], -5, 5)] },
  { title: 'leakyRelu', compute: (x) => x.leakyRelu(0.013), operands: [numbers([400], -15, 15)] },
  { title: 'sigmoid', compute: (x) => x.sigmoid(), operands: [numbers([400], -9, 9)] },
  { title: 'tanh', compute: (x) => x.tanh(), operands: [numbers([400], -4, 4)] },
  { title: 'div', compute: (x, y) => x.div(y), operands: [numbers([40], 500, 1000), numbers([40], 50, 100)] },
  { title: 'pow', compute: (x, y) => x.pow(y), operands: [numbers([40], 1, 20), numbers([40], -2, 2)] },
  { title: 'matmul', compute: (x, y) => x.matmul(y), operands: [numbers([6, 80], 20, 30), numbers([80, 7], 10, 20)] },
  { title: 'matmul whose partial sums are beyond float16', compute: (x, y) => x.matmul(y), operands: [dense([3, 100], ([i, j]) => (j! < 50 ? 200 : -200) + i!), filled([100, 2], 200)] },
  { title: 'matmul of a batch by one matrix', compute: (x, y) => x.matmul(y), operands: [numbers([500, 6, 8], 1, 20), numbers([8, 7], 1, 20)] },
  { title: 'linear layer', compute: linear, operands: [numbers([5, 8], 50, 200), numbers([6, 8], 50, 60), filled([6], -60000)] },
  { title: 'einsum of three', compute: (a, b, c) => einsum('ij,jk,kl->il', a, b, c), operands: [numbers([6, 10], 20, 60), numbers([10, 6], 30, 60), numbers([6, 5], 2 ** -8, 2 ** -6)] },
  { title: 'conv1d', compute: (x, w, b) => x.conv1d(w, b), operands: [numbers([2, 3, 20], 20, 60), numbers([4, 3, 5], 60, 90), filled([4], -30000)] },
  { title: 'conv2d', compute: (x, w, b) => x.conv2d(w, b, { padding: 1 }), operands: [numbers([2, 3, 6, 6], 20, 60), numbers([4, 3, 3, 3], 20, 40), filled([4], -3000)] },
  { title: 'convTranspose2d', compute: (x, w, b) => x.convTranspose2d(w, b, { stride: 2 }), operands: [numbers([2, 3, 5, 5], 20, 60), numbers([3, 4, 3, 3], 20, 60), filled([4], -3000)] },
  { title: 'avgPool2d', compute: (x) => x.avgPool2d(2), operands: [numbers([2, 3, 8, 8], 30000, 60000)] },
  { title: 'avgPool2d of what is there', compute: (x) => x.avgPool2d(3, { stride: 1, padding: 1, countIncludePad: false }), operands: [numbers([1, 2, 6, 6], 30000, 60000)] },
  { title: 'maxPool2d', compute: (x) => x.maxPool2d(2), operands: [numbers([2, 3, 8, 8], 30000, 60000)] },
  { title: 'rows picked very often', compute: (x, index) => x.indexSelect(0, index), operands: [numbers([4, 3], -1, 1)], labels: filled([5000], 2) },
];

/** The distance of neighbouring float16 numbers at x. */
const unit = (x: number): number =>
  Math.abs(x) < 2 ** -14 ? 2 ** -24 : 2 ** (Math.floor(Math.log2(Math.abs(x))) - 10);

/**
 * What fits into float16 is within 2 units of its last place; what does not is infinite, or the largest
 * number if rounding decides.
 */
export function expectHalves(actual: readonly number[], expected: readonly number[], title: string): void {
  expect(actual, title).toHaveLength(expected.length);
  const isNear = (value: number, wanted: number): boolean => {
    if (Math.abs(wanted) >= 65520)
      return Math.abs(value) === Infinity && Math.sign(value) === Math.sign(wanted);
    return Math.abs(value - wanted) <= 2 * unit(wanted);
  };
  const wrong = actual.findIndex((value, position) => !isNear(value, expected[position]!));
  if (wrong >= 0) expect.fail(`${title}: element ${wrong} is ${actual[wrong]}, expected ${expected[wrong]}`);
}

function inputsOf({ operands, labels: classes }: Case, dtype: DType, device: Device): readonly Tensor[] {
  const inputs = operands.map(({ shape, data }) =>
    tensor(Float64Array.from(data), { shape, dtype, device, requiresGrad: true }),
  );
  return classes === undefined
    ? inputs
    : [...inputs, tensor(Int32Array.from(classes.data), { shape: classes.shape, device })];
}

/** Weights of the result's elements in what is differentiated: positive and unequal. */
const seedOf = ({ shape, size, dtype, device }: Tensor): Tensor =>
  tensor(
    Float64Array.from({ length: size }, (_, index) => 1 + (index % 5) / 4),
    { shape, dtype, device },
  );

/** Value and gradients as numbers, eagerly. */
async function differentiate(
  each: Case,
  dtype: DType,
  device: Device,
): Promise<readonly (readonly number[])[]> {
  const inputs = inputsOf(each, dtype, device);
  const value = each.compute(...inputs);
  value.backward(seedOf(value));
  const found = [value, ...inputs.flatMap(({ grad }) => (grad === null ? [] : [grad]))];
  for (const tensor_ of found) expect(tensor_.dtype).toBe(dtype);
  return Promise.all(found.map(numbersOf));
}

/** The same as a compiled step, with the plans that it has made of the value alone and of the step. */
async function differentiateCompiled(
  each: Case,
  dtype: DType,
  device: Device,
): Promise<{
  readonly values: readonly (readonly number[])[];
  readonly kernels: readonly (readonly string[])[];
}> {
  const inputs = inputsOf(each, dtype, device);
  const seed = seedOf(each.compute(...inputs));
  const step = compile((cotangent: Tensor) => {
    const value = each.compute(...inputs);
    value.backward(cotangent);
    const gradients = inputs.flatMap(({ grad }) => (grad === null ? [] : [grad]));
    for (const input of inputs) input.grad = null;
    return [value, ...gradients];
  });
  const forward = compile(() => each.compute(...inputs.map((input) => input.detach())));
  const values = await Promise.all(step(seed).map(numbersOf));
  await forward().data();
  return { values, kernels: [forward, step].map((f) => f.reports()[0]!.kernels.map(({ name }) => name)) };
}

// ---- what the values are, in plain loops

const sumOf = (x: readonly number[]): number => x.reduce((total, value) => total + value, 0);
const meanOf = (x: readonly number[]): number => sumOf(x) / x.length;
const varianceOf = (x: readonly number[], correction: number): number =>
  sumOf(x.map((value) => (value - meanOf(x)) ** 2)) / (x.length - correction);
const rowsOf = ({ shape, data }: Dense): number[][] => {
  const width = shape.at(-1)!;
  return Array.from({ length: data.length / width }, (_, row) => data.slice(row * width, (row + 1) * width));
};
const logSumExpOf = (row: readonly number[]): number => {
  const largest = Math.max(...row);
  return largest + Math.log(sumOf(row.map((value) => Math.exp(value - largest))));
};

const VALUES: { readonly [title: string]: (...operands: readonly Dense[]) => readonly number[] } = {
  sum: (x) => [sumOf(x.data)],
  'mean of large numbers': () => [100],
  'mean of very many': () => [1],
  'mean of rows': (x) => rowsOf(x).map(meanOf),
  cumsum: () => [40000, 60000, 30000, 30005, 29905],
  var: (x) => rowsOf(x).map((row) => varianceOf(row, 1)),
  std: (x) => rowsOf(x).map((row) => Math.sqrt(varianceOf(row, 1))),
  'std of small numbers': (x) => rowsOf(x).map((row) => Math.sqrt(varianceOf(row, 1))),
  norm: (x) => rowsOf(x).map((row) => Math.hypot(...row)),
  'norm of small numbers': (x) => rowsOf(x).map((row) => Math.hypot(...row)),
  logsumexp: (x) => rowsOf(x).map(logSumExpOf),
  'logsumexp of very many': () => [Math.log(70_000)],
  softmax: (x) => rowsOf(x).flatMap((row) => row.map((value) => Math.exp(value - logSumExpOf(row)))),
  logSoftmax: (x) => rowsOf(x).flatMap((row) => row.map((value) => value - logSumExpOf(row))),
  'cross-entropy': (x, y) => [meanOf(rowsOf(x).map((row, index) => logSumExpOf(row) - row[y.data[index]!]!))],
  'cross-entropy over very many classes': () => [Math.log(70_000)],
  mse: (x, y) => [meanOf(x.data.map((value, index) => (value - y.data[index]!) ** 2))],
  'mse whose squares are beyond float16': () => [3000 ** 2 / 1024],
  'layer norm of ±500': (x, w, b) =>
    rowsOf(x).flatMap((row) =>
      row.map(
        (value, column) =>
          ((value - meanOf(row)) / Math.sqrt(varianceOf(row, 0) + 1e-5)) * w.data[column]! + b.data[column]!,
      ),
    ),
  silu: (x) => x.data.map((value) => value / (1 + Math.exp(-value))),
  softplus: (x) => x.data.map((value) => Math.log1p(Math.exp(value))),
  elu: (x) => x.data.map((value) => (value > 0 ? value : 1.3 * Math.expm1(value))),
  'matmul whose partial sums are beyond float16': () => [0, 0, 20_000, 20_000, 40_000, 40_000],
  avgPool2d: (x) =>
    Array.from({ length: 96 }, (_, position) => {
      const [plane, row, column] = [Math.floor(position / 16), Math.floor(position / 4) % 4, position % 4];
      const first = plane * 64 + row * 16 + column * 2;
      return meanOf([0, 1, 8, 9].map((step) => x.data[first + step]!));
    }),
};

export function describeHalf(device: GetDevice): void {
  const reference = createReference();
  const expected = new Map<Case, Promise<readonly (readonly number[])[]>>();
  const inFloat64 = (each: Case): Promise<readonly (readonly number[])[]> => {
    const known = expected.get(each) ?? differentiate(each, 'float64', reference);
    expected.set(each, known);
    return known;
  };
  describe.each(CASES.map((each) => [each.title, each] as const))('%s', (title, each) => {
    test('value and gradients', async () => {
      const [found, wanted] = [await differentiate(each, 'float16', device()), await inFloat64(each)];
      found.forEach((values, number) =>
        expectHalves(values, wanted[number]!, number === 0 ? 'value' : `gradient ${number}`),
      );
    });
    test('compiled, in as many kernels as in float32', async () => {
      const { values, kernels } = await differentiateCompiled(each, 'float16', device());
      const wanted = await inFloat64(each);
      values.forEach((found, number) =>
        expectHalves(found, wanted[number]!, number === 0 ? 'value' : `gradient ${number}`),
      );
      const { kernels: others } = await differentiateCompiled(each, 'float32', device());
      // The reference device computes node by node: there whatever is elementwise is a kernel, and only the
      // passes over data besides are counted.
      const isElementwise = (name: string): boolean =>
        /^(cast|unary|binary|where|const|iota|movement)$/.test(name);
      const counted = (names: readonly string[]): number =>
        names.filter((name) => !isElementwise(name)).length;
      kernels.forEach((names, number) => {
        expect(counted(names), names.join(', ')).toBeLessThanOrEqual(counted(others[number]!));
      });
    });
    const values = VALUES[title];
    if (values === undefined) return;
    test('value by definition', async () => {
      const inputs = inputsOf(each, 'float16', device());
      const wanted = values(...each.operands, ...(each.labels === undefined ? [] : [each.labels]));
      expectHalves(await numbersOf(each.compute(...inputs)), wanted, title);
    });
  });
  test('every definition has its case', () => {
    const titles = new Set(CASES.map(({ title }) => title));
    expect(Object.keys(VALUES).filter((title) => !titles.has(title))).toEqual([]);
  });
}
