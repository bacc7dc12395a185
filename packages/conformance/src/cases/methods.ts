/**
 * The methods of a tensor that are no primitive: each with examples, its meaning in plain loops, and
 * derivatives. The tables are exhaustive over the methods that give a tensor; primitives of the same name
 * have their own sections.
 */
import type { Tensor } from '@firsthand/autograd';
import type { ArgReduceKind, BinaryKind, ReduceKind, UnaryKind } from '@firsthand/graph';
import { describe, test } from 'vitest';
import { expectValues, toTensor } from '../compare.ts';
import type { GetDevice } from '../get-device.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import {
  along,
  at,
  broadcast,
  dense,
  reduceAxes,
  map,
  matmul,
  permute,
  offsetOf,
  reshape,
  softmaxOf,
  sum,
  vector,
  zip,
} from '../oracle/dense.ts';
import type { Dense } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import { erf } from '../oracle/special.ts';
import { convolution, largestOf, pool, transposedConvolution } from '../oracle/windows.ts';
import type { Geometry } from '../oracle/windows.ts';

interface Example {
  readonly title: string;
  readonly input: Dense;
  readonly tensor: (x: Tensor) => Tensor;
  readonly oracle: (x: Dense) => Dense;
  /** False where there is nothing to differentiate. */
  readonly smooth: boolean;
}

const matrix: Dense = samples([3, 4], -2, 2);
const cube: Dense = samples([2, 3, 4], -2, 2);

function example(
  title: string,
  tensor: (x: Tensor) => Tensor,
  oracle: (x: Dense) => Dense,
  input: Dense = matrix,
  smooth = true,
): Example {
  return { title, input, tensor, oracle, smooth };
}
function elementwise(tensor: (x: Tensor) => Tensor, f: (x: number) => number, title = ''): Example {
  return example(title, tensor, (x) => map(x, f));
}

const triangle = (keep: (row: number, column: number) => boolean) => (x: Dense) =>
  dense(x.shape, (index) => (keep(index.at(-2)!, index.at(-1)!) ? at(x, index) : 0));
const cut = (axis: number, positions: readonly number[]) => (x: Dense) =>
  dense(x.shape.with(axis, positions.length), (index) => at(x, index.with(axis, positions[index[axis]!]!)));

type MovingMethod =
  | 'matmul'
  | 'transpose'
  | 'permute'
  | 'reshape'
  | 'flatten'
  | 'squeeze'
  | 'unsqueeze'
  | 'expand'
  | 'flip'
  | 'pad'
  | 'slice'
  | 'at'
  | 'select'
  | 'maskedFill'
  | 'narrow'
  | 'roll'
  | 'tril'
  | 'triu'
  | 'indexSelect';

const MOVING_METHODS: { readonly [K in MovingMethod]: readonly Example[] } = {
  matmul: [
    example(
      'a matrix',
      (x) => x.matmul(toTensor(samples([4, 2], -1, 1), x.dtype, { device: x.device })),
      (x) => matmul(x, samples([4, 2], -1, 1)),
    ),
    example(
      'a vector',
      (x) => x.matmul(toTensor(samples([4], -1, 1), x.dtype, { device: x.device })),
      (x) => reshape(matmul(x, samples([4, 1], -1, 1)), [3]),
    ),
    example(
      'itself transposed',
      (x) => x.matmul(x.transpose()),
      (x) => matmul(x, permute(x, [1, 0])),
    ),
  ],
  transpose: [
    example(
      '',
      (x) => x.transpose(),
      (x) => permute(x, [1, 0]),
    ),
    example(
      'outer axes',
      (x) => x.transpose(0, -1),
      (x) => permute(x, [2, 1, 0]),
      cube,
    ),
  ],
  permute: [
    example(
      '',
      (x) => x.permute(-1, 0, 1),
      (x) => permute(x, [2, 0, 1]),
      cube,
    ),
  ],
  reshape: [
    example(
      '',
      (x) => x.reshape(2, 6),
      (x) => reshape(x, [2, 6]),
    ),
    example(
      'one size inferred',
      (x) => x.reshape(4, -1, 1),
      (x) => reshape(x, [4, 3, 1]),
    ),
  ],
  flatten: [
    example(
      '',
      (x) => x.flatten(),
      (x) => reshape(x, [24]),
      cube,
    ),
    example(
      'from an axis',
      (x) => x.flatten(1),
      (x) => reshape(x, [2, 12]),
      cube,
    ),
    example(
      'a scalar',
      (x) => x.flatten(),
      (x) => reshape(x, [1]),
      samples([], 1, 2),
    ),
  ],
  squeeze: [
    example(
      'all',
      (x) => x.squeeze(),
      (x) => reshape(x, [3]),
      samples([1, 3, 1], -2, 2),
    ),
    example(
      'one axis',
      (x) => x.squeeze(-1),
      (x) => reshape(x, [1, 3]),
      samples([1, 3, 1], -2, 2),
    ),
  ],
  unsqueeze: [
    example(
      '',
      (x) => x.unsqueeze(-1),
      (x) => reshape(x, [3, 4, 1]),
    ),
    example(
      'in front',
      (x) => x.unsqueeze(0),
      (x) => reshape(x, [1, 3, 4]),
    ),
  ],
  expand: [
    example(
      '',
      (x) => x.expand(2, 3, 4),
      (x) => broadcast(x, [2, 3, 4]),
    ),
    example(
      'an axis of size 1',
      (x) => x.expand(3, 5),
      (x) => broadcast(x, [3, 5]),
      samples([3, 1], -2, 2),
    ),
  ],
  flip: [
    example(
      '',
      (x) => x.flip(),
      (x) => dense(x.shape, ([i, j]) => at(x, [2 - i!, 3 - j!])),
    ),
    example(
      'one axis',
      (x) => x.flip(-1),
      (x) => dense(x.shape, ([i, j]) => at(x, [i!, 3 - j!])),
    ),
  ],
  pad: [
    example(
      '',
      (x) =>
        x.pad([
          [1, 0],
          [0, 2],
        ]),
      (x) => dense([4, 6], ([i, j]) => (i! > 0 && j! < 4 ? at(x, [i! - 1, j!]) : 0)),
    ),
  ],
  slice: [
    example('', (x) => x.slice(1, 1, 3), cut(1, [1, 2])),
    example('negative bounds', (x) => x.slice(1, -3, -1), cut(1, [1, 2])),
    example('steps', (x) => x.slice(1, 0, 4, 3), cut(1, [0, 3])),
    example('steps past the end', (x) => x.slice(0, 1, Infinity, 5), cut(0, [1])),
    example('nothing', (x) => x.slice(0, 2, 1), cut(0, [])),
  ],
  at: [
    example(
      'a leading index',
      (x) => x.at(-1),
      (x) => dense([4], ([column]) => at(x, [2, column!])),
    ),
    example(
      'an index of each axis',
      (x) => x.at(1, -2),
      (x) => dense([], () => at(x, [1, 2])),
    ),
    example(
      'a whole axis, a range and an index',
      (x) => x.at(null, { start: 1 }, 3),
      (x) => dense([2, 2], ([i, j]) => at(x, [i!, j! + 1, 3])),
      cube,
    ),
    example(
      'ranges with steps, forward and backward',
      (x) => x.at({ step: 2 }, { start: -1, step: -2 }),
      (x) => cut(1, [3, 1])(cut(0, [0, 2])(x)),
    ),
    example(
      'backward to a bound',
      (x) => x.at({ start: 2, stop: 0, step: -1 }),
      (x) => cut(0, [2, 1])(x),
    ),
    example(
      'an empty range',
      (x) => x.at({ start: 2, stop: 1 }, 0),
      () => dense([0], () => 0),
    ),
  ],
  select: [
    example(
      '',
      (x) => x.select(1, -1),
      (x) => dense([2, 4], ([i, k]) => at(x, [i!, 2, k!])),
      cube,
    ),
  ],
  maskedFill: [
    example(
      'with a number',
      (x) => x.maskedFill(x.gt(0), -7),
      (x) => dense(x.shape, (index) => (at(x, index) > 0 ? -7 : at(x, index))),
    ),
    example(
      'with itself, a mask that broadcasts',
      (x) => x.maskedFill(x.at(0).gt(0), x.mul(2)),
      (x) => dense(x.shape, ([i, j]) => at(x, [i!, j!]) * (at(x, [0, j!]) > 0 ? 2 : 1)),
    ),
  ],
  narrow: [
    example('', (x) => x.narrow(1, 1, 2), cut(1, [1, 2])),
    example('nothing', (x) => x.narrow(0, 3, 0), cut(0, [])),
  ],
  roll: [
    example('', (x) => x.roll(1, 1), cut(1, [3, 0, 1, 2])),
    example('back, more than once around', (x) => x.roll(-5, 1), cut(1, [1, 2, 3, 0])),
  ],
  tril: [
    example(
      '',
      (x) => x.tril(),
      triangle((i, j) => j <= i),
    ),
    example(
      'below',
      (x) => x.tril(-1),
      triangle((i, j) => j <= i - 1),
      cube,
    ),
  ],
  triu: [
    example(
      '',
      (x) => x.triu(),
      triangle((i, j) => j >= i),
    ),
    example(
      'above',
      (x) => x.triu(2),
      triangle((i, j) => j >= i + 2),
      cube,
    ),
  ],
  indexSelect: [
    example(
      '',
      (x) => x.indexSelect(1, toTensor(vector(3, 0, 3), 'int32', { device: x.device })),
      cut(1, [3, 0, 3]),
    ),
    example(
      'an index with two axes',
      (x) =>
        x.indexSelect(
          0,
          toTensor(
            dense([2, 2], ([i, j]) => i! + j!),
            'int32',
            { device: x.device },
          ),
        ),
      (x) => dense([2, 2, 4], ([i, j, k]) => at(x, [i! + j!, k!])),
    ),
    example(
      'a scalar index',
      (x) =>
        x.indexSelect(
          0,
          toTensor(
            dense([], () => 2),
            'int32',
            { device: x.device },
          ),
        ),
      (x) => dense([4], ([k]) => at(x, [2, k!])),
    ),
  ],
};

type SpatialMethod = 'conv1d' | 'conv2d' | 'convTranspose2d' | 'maxPool2d' | 'avgPool2d';

const sequence = samples([2, 2, 5], -2, 2);
const image = samples([2, 2, 4, 3], -2, 2);
const wide = samples([1, 2, 4, 6], -2, 2);

const plain = (axes: number): Geometry => {
  const all = (value: number): number[] => Array.from({ length: axes }, () => value);
  return { stride: all(1), padding: all(0), dilation: all(1) };
};
/** The oracle's array where x is, in its dtype. */
const like = (x: Tensor, value: Dense): Tensor => toTensor(value, x.dtype, { device: x.device });
const plusBias = (y: Dense, bias: Dense): Dense =>
  zip(y, reshape(bias, [bias.shape[0]!, ...y.shape.slice(2).map(() => 1)]), (a, b) => a + b);
const meanOf = (values: readonly (number | null)[]): number =>
  sum(values.map((value) => value ?? 0)) / values.length;
const meanInside = (values: readonly (number | null)[]): number => {
  const inside = values.filter((value) => value !== null);
  return sum(inside) / inside.length;
};

const bias = samples([3], -1, 1, 3);
const taps = samples([3, 2, 2], -1, 1, 2);
const kernel = samples([3, 2, 2, 2], -1, 1, 2);
const spreading = samples([2, 3, 2, 2], -1, 1, 2);
const each = samples([2, 1, 2, 2], -1, 1, 2);

const SPATIAL_METHODS: { readonly [K in SpatialMethod]: readonly Example[] } = {
  conv1d: [
    example(
      '',
      (x) => x.conv1d(like(x, taps)),
      (x) => convolution(x, taps, 1, plain(1)),
      sequence,
    ),
    example(
      'stride, padding, bias',
      (x) => x.conv1d(like(x, taps), like(x, bias), { stride: 2, padding: 1 }),
      (x) => plusBias(convolution(x, taps, 1, { stride: [2], padding: [1], dilation: [1] }), bias),
      sequence,
    ),
  ],
  conv2d: [
    example(
      '',
      (x) => x.conv2d(like(x, kernel)),
      (x) => convolution(x, kernel, 1, plain(2)),
      image,
    ),
    example(
      'numbers for both axes, bias',
      (x) => x.conv2d(like(x, kernel), like(x, bias), { stride: 2, padding: 1, dilation: 2 }),
      (x) => plusBias(convolution(x, kernel, 1, { stride: [2, 2], padding: [1, 1], dilation: [2, 2] }), bias),
      image,
    ),
    example(
      'a number for each axis, groups',
      (x) => x.conv2d(like(x, each), null, { stride: [1, 2], padding: [0, 1], groups: 2 }),
      (x) => convolution(x, each, 2, { stride: [1, 2], padding: [0, 1], dilation: [1, 1] }),
      image,
    ),
    example(
      'of a bias',
      (b) => like(b, image).conv2d(like(b, kernel), b),
      (b) => plusBias(convolution(image, kernel, 1, plain(2)), b),
      bias,
    ),
    example(
      'of an operand that is its own weight',
      (x) => x.conv2d(x, null, { padding: 1 }),
      (x) => convolution(x, x, 1, { ...plain(2), padding: [1, 1] }),
      samples([2, 2, 2, 2], -1, 1),
    ),
  ],
  convTranspose2d: [
    example(
      '',
      (x) => x.convTranspose2d(like(x, spreading)),
      (x) => transposedConvolution(x, spreading, 1, plain(2), [0, 0]),
      image,
    ),
    example(
      'stride, padding, outputPadding, bias',
      (x) =>
        x.convTranspose2d(like(x, spreading), like(x, bias), {
          stride: 2,
          padding: 1,
          outputPadding: [1, 0],
        }),
      (x) =>
        plusBias(
          transposedConvolution(
            x,
            spreading,
            1,
            { stride: [2, 2], padding: [1, 1], dilation: [1, 1] },
            [1, 0],
          ),
          bias,
        ),
      image,
    ),
    example(
      'more outputPadding than stride, groups',
      (x) =>
        x.convTranspose2d(like(x, each), null, {
          stride: [1, 2],
          padding: [1, 2],
          dilation: 3,
          outputPadding: 2,
          groups: 2,
        }),
      (x) => transposedConvolution(x, each, 2, { stride: [1, 2], padding: [1, 2], dilation: [3, 3] }, [2, 2]),
      image,
    ),
  ],
  maxPool2d: [
    example(
      'side by side',
      (x) => x.maxPool2d(2),
      (x) => pool(x, [2, 2], { ...plain(2), stride: [2, 2] }, largestOf),
      wide,
    ),
    example(
      'overlapping',
      (x) => x.maxPool2d([2, 3], { stride: 1, padding: [1, 0], dilation: [1, 2] }),
      (x) => pool(x, [2, 3], { stride: [1, 1], padding: [1, 0], dilation: [1, 2] }, largestOf),
      wide,
    ),
  ],
  avgPool2d: [
    example(
      'side by side',
      (x) => x.avgPool2d([2, 3]),
      (x) => pool(x, [2, 3], { ...plain(2), stride: [2, 3] }, meanOf),
      wide,
    ),
    example(
      'zeros around that count',
      (x) => x.avgPool2d(3, { stride: [1, 2], padding: 1 }),
      (x) => pool(x, [3, 3], { stride: [1, 2], padding: [1, 1], dilation: [1, 1] }, meanOf),
      wide,
    ),
    example(
      'zeros around that do not count',
      (x) => x.avgPool2d(2, { padding: 1, countIncludePad: false }),
      (x) => pool(x, [2, 2], { ...plain(2), stride: [2, 2], padding: [1, 1] }, meanInside),
      wide,
    ),
  ],
};

type GivesTensor<T> = T extends (...args: never[]) => infer R ? (R extends Tensor ? true : false) : false;
/** Elsewhere: primitives, indexing, and what belongs to variables (semantics). */
type Elsewhere =
  | UnaryKind
  | BinaryKind
  | ReduceKind
  | ArgReduceKind
  | 'where'
  | 'cast'
  | 'gather'
  | 'scatterAdd'
  | 'cumsum'
  | 'cumprod'
  | 'assign'
  | 'createGradient'
  | 'asVariable';
type Method = Exclude<
  { [K in keyof Tensor & string]: GivesTensor<Tensor[K]> extends true ? K : never }[keyof Tensor & string],
  Elsewhere
>;

const mean = (values: readonly number[]): number => sum(values) / values.length;
const spread = (values: readonly number[], correction = 1): number =>
  sum(values.map((value) => (value - mean(values)) ** 2)) / (values.length - correction);
const logSumExp = (values: readonly number[]): number => Math.log(sum(values.map(Math.exp)));
const zeroed = map(matrix, (value) => (value > 0.5 ? value : 0));

const METHOD_CASES: { readonly [K in Method]: readonly Example[] } = {
  square: [
    elementwise(
      (x) => x.square(),
      (x) => x * x,
    ),
  ],
  relu: [
    elementwise(
      (x) => x.relu(),
      (x) => Math.max(x, 0),
    ),
  ],
  leakyRelu: [
    elementwise(
      (x) => x.leakyRelu(),
      (x) => (x > 0 ? x : 0.01 * x),
    ),
    elementwise(
      (x) => x.leakyRelu(0.2),
      (x) => (x > 0 ? x : 0.2 * x),
      'slope 0.2',
    ),
  ],
  elu: [
    elementwise(
      (x) => x.elu(),
      (x) => (x > 0 ? x : Math.exp(x) - 1),
    ),
    elementwise(
      (x) => x.elu(0.5),
      (x) => (x > 0 ? x : 0.5 * (Math.exp(x) - 1)),
      'alpha 0.5',
    ),
  ],
  gelu: [
    elementwise(
      (x) => x.gelu(),
      (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
    ),
    elementwise(
      (x) => x.gelu('tanh'),
      (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
      'tanh',
    ),
  ],
  silu: [
    elementwise(
      (x) => x.silu(),
      (x) => x / (1 + Math.exp(-x)),
    ),
  ],
  softplus: [
    elementwise(
      (x) => x.softplus(),
      (x) => Math.log(1 + Math.exp(x)),
    ),
  ],
  clamp: [
    elementwise(
      (x) => x.clamp(-0.5, 1),
      (x) => Math.min(1, Math.max(-0.5, x)),
    ),
    elementwise(
      (x) => x.clamp(null, 1),
      (x) => Math.min(1, x),
      'above only',
    ),
    elementwise(
      (x) => x.clamp(0.3),
      (x) => Math.max(0.3, x),
      'below only',
    ),
  ],
  ...MOVING_METHODS,
  ...SPATIAL_METHODS,
  mean: [
    example(
      '',
      (x) => x.mean(),
      (x) => reduceAxes(x, [0, 1], false, mean),
    ),
    example(
      'an axis',
      (x) => x.mean({ axis: 0, keepDims: true }),
      (x) => reduceAxes(x, [0], true, mean),
    ),
  ],
  var: [
    example(
      '',
      (x) => x.var(),
      (x) => reduceAxes(x, [0, 1], false, (values) => spread(values)),
    ),
    example(
      'biased, an axis',
      (x) => x.var({ axis: 1, correction: 0 }),
      (x) => reduceAxes(x, [1], false, (values) => spread(values, 0)),
    ),
  ],
  std: [
    example(
      '',
      (x) => x.std({ axis: 1 }),
      (x) => reduceAxes(x, [1], false, (values) => Math.sqrt(spread(values))),
    ),
  ],
  norm: [
    example(
      '2',
      (x) => x.norm({ axis: 1 }),
      (x) => reduceAxes(x, [1], false, (values) => Math.hypot(...values)),
    ),
    example(
      '1',
      (x) => x.norm({ order: 1 }),
      (x) => reduceAxes(x, [0, 1], false, (values) => sum(values.map(Math.abs))),
    ),
    example(
      '∞',
      (x) => x.norm({ order: Infinity, axis: 0 }),
      (x) => reduceAxes(x, [0], false, (values) => Math.max(...values.map(Math.abs))),
    ),
  ],
  any: [
    example(
      '',
      (x) => x.any({ axis: 1 }),
      (x) => reduceAxes(x, [1], false, (values) => Number(values.some((value) => value !== 0))),
      zeroed,
      false,
    ),
    example(
      'of none',
      (x) => x.any(),
      () => dense([], () => 0),
      dense([0], () => 0),
      false,
    ),
    example(
      'of a fraction',
      (x) => x.any(),
      () => dense([], () => 1),
      vector(0, 0.25),
      false,
    ),
  ],
  all: [
    example(
      '',
      (x) => x.all({ axis: 0 }),
      (x) => reduceAxes(x, [0], false, (values) => Number(values.every((value) => value !== 0))),
      zeroed,
      false,
    ),
    example(
      'of none',
      (x) => x.all(),
      () => dense([], () => 1),
      dense([0], () => 0),
      false,
    ),
  ],
  logsumexp: [
    example(
      '',
      (x) => x.logsumexp(),
      (x) => reduceAxes(x, [0, 1], false, logSumExp),
    ),
    example(
      'axes',
      (x) => x.logsumexp({ axis: [0, 2], keepDims: true }),
      (x) => reduceAxes(x, [0, 2], true, logSumExp),
      cube,
    ),
  ],
  softmax: [
    example(
      '',
      (x) => x.softmax(),
      (x) => along(x, 1, softmaxOf),
    ),
    example(
      'an axis',
      (x) => x.softmax(1),
      (x) => along(x, 1, softmaxOf),
      cube,
    ),
  ],
  logSoftmax: [
    example(
      '',
      (x) => x.logSoftmax(0),
      (x) => along(x, 0, (line) => line.map((value) => value - logSumExp(line))),
    ),
  ],
  detach: [
    example(
      '',
      (x) => x.detach(),
      (x) => x,
      matrix,
      false,
    ),
  ],
};

export function describeMethods(device: GetDevice): void {
  describe.each(Object.keys(METHOD_CASES) as Method[])('%s', (method) => {
    const examples = METHOD_CASES[method];
    test.each(examples.map((each) => [each.title, each] as const))(
      'value: %s',
      async (_, { input, tensor, oracle }) => {
        for (const dtype of (['float32', 'float64'] as const).filter((each) => device().supports(each))) {
          const x = dtype === 'float32' ? map(input, Math.fround) : input;
          await expectValues(tensor(toTensor(x, dtype)), oracle(x));
        }
      },
    );
    test.each(examples.filter(({ smooth }) => smooth).map((each) => [each.title, each] as const))(
      'derivatives: %s',
      async (_, { input, tensor }) => {
        await expectGradients(device(), tensor, [input]);
        await expectSecondDerivatives(device(), tensor, [input]);
      },
    );
  });
  test('the oracle counts places in row-major order', async () => {
    await expectValues(
      toTensor(cube, 'float32')
        .reshape(-1)
        .narrow(0, offsetOf([2, 3, 4], [1, 2, 3]), 1),
      vector(at(cube, [1, 2, 3])),
    );
  });
}
