/**
 * The methods of a tensor that are no primitive: each with examples, its meaning in plain loops, and
 * derivatives. The table is exhaustive over the methods that give a tensor; primitives of the same name have
 * their own sections.
 */
import type { Tensor } from '@firsthand/autograd';
import type { ArgReduceKind, BinaryKind, ReduceKind, UnaryKind } from '@firsthand/graph';
import { describe, test } from 'vitest';
import { expectValues, toTensor } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import { along, at, dense, fold, map, placeOf, softmaxOf, sum, vector } from '../oracle/dense.ts';
import { erf } from '../oracle/special.ts';
import type { GetDevice } from '../get-device.ts';
import { cube, elementwise, example, matrix } from './method-example.ts';
import type { Example } from './method-example.ts';
import { MOVING_METHODS } from './moving-methods.ts';
import { SPATIAL_METHODS } from './spatial-methods.ts';

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
  | 'owned';
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
      (x) => fold(x, [0, 1], false, mean),
    ),
    example(
      'an axis',
      (x) => x.mean({ axis: 0, keepDims: true }),
      (x) => fold(x, [0], true, mean),
    ),
  ],
  var: [
    example(
      '',
      (x) => x.var(),
      (x) => fold(x, [0, 1], false, (values) => spread(values)),
    ),
    example(
      'biased, an axis',
      (x) => x.var({ axis: 1, correction: 0 }),
      (x) => fold(x, [1], false, (values) => spread(values, 0)),
    ),
  ],
  std: [
    example(
      '',
      (x) => x.std({ axis: 1 }),
      (x) => fold(x, [1], false, (values) => Math.sqrt(spread(values))),
    ),
  ],
  norm: [
    example(
      '2',
      (x) => x.norm({ axis: 1 }),
      (x) => fold(x, [1], false, (values) => Math.hypot(...values)),
    ),
    example(
      '1',
      (x) => x.norm({ order: 1 }),
      (x) => fold(x, [0, 1], false, (values) => sum(values.map(Math.abs))),
    ),
    example(
      '∞',
      (x) => x.norm({ order: Infinity, axis: 0 }),
      (x) => fold(x, [0], false, (values) => Math.max(...values.map(Math.abs))),
    ),
  ],
  any: [
    example(
      '',
      (x) => x.any({ axis: 1 }),
      (x) => fold(x, [1], false, (values) => Number(values.some((value) => value !== 0))),
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
      (x) => fold(x, [0], false, (values) => Number(values.every((value) => value !== 0))),
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
      (x) => fold(x, [0, 1], false, logSumExp),
    ),
    example(
      'axes',
      (x) => x.logsumexp({ axis: [0, 2], keepDims: true }),
      (x) => fold(x, [0, 2], true, logSumExp),
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
        .narrow(0, placeOf([2, 3, 4], [1, 2, 3]), 1),
      vector(at(cube, [1, 2, 3])),
    );
  });
}
