/**
 * What PyTorch gives, replayed: fixtures/torch.json holds inputs, values and gradients that
 * fixtures/record_fixtures.py recorded. Where this project's answer differs on purpose, DIFFERENCES says
 * where and why.
 */
import { attention, compile, einsum, sort, Tensor, tensor, vjp } from '@firsthand/autograd';
import type { DType } from '@firsthand/autograd';
import { crossEntropy, layerNorm } from '@firsthand/graph';
import { Linear, loss, ReLU, Sequential } from '@firsthand/nn';
import { AdamW, clipGradNorm, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { expectValues, toTensor } from './compare.ts';
import type { Tolerance } from './compare.ts';
import type { GetDevice } from './get-device.ts';
import type { Dense } from './oracle/dense.ts';

type Recorded = number | 'NaN' | 'Infinity' | '-Infinity';
export interface RecordedArray {
  readonly shape: readonly number[];
  readonly dtype: 'float64' | 'int32' | 'bool';
  readonly data: readonly Recorded[];
}
type PerAxis = number | readonly [number, number];
export interface Options {
  readonly axis?: number | readonly number[];
  readonly keepDims?: boolean;
  readonly correction?: number;
  readonly alpha?: number;
  readonly exponent?: number;
  readonly order?: number | 'Infinity';
  readonly approximate?: 'tanh';
  readonly low?: number;
  readonly high?: number;
  readonly diagonal?: number;
  readonly shift?: number;
  readonly equation?: string;
  readonly causal?: boolean;
  readonly scale?: number;
  readonly kernel?: PerAxis;
  readonly stride?: PerAxis;
  readonly padding?: PerAxis;
  readonly dilation?: PerAxis;
  readonly outputPadding?: PerAxis;
  readonly groups?: number;
  readonly countIncludePad?: boolean;
}
export interface RecordedCase {
  readonly name: string;
  readonly options: Options;
  readonly inputs: readonly RecordedArray[];
  readonly value: RecordedArray;
  readonly cotangent?: RecordedArray;
  readonly gradients?: readonly RecordedArray[];
}

export function denseOf({ shape, data }: RecordedArray): Dense {
  return { shape, data: data.map(Number) };
}

/** Options that reductions share. */
function reduction({ axis, keepDims = false }: Options): {
  axis?: number | readonly number[];
  keepDims: boolean;
} {
  return axis === undefined ? { keepDims } : { axis, keepDims };
}
const single = ({ axis }: Options): number => axis as number;

type Replay = (options: Options, ...inputs: Tensor[]) => Tensor;

/**
 * How each recorded function is called here. Elementwise methods without options are called by their name.
 */
const REPLAYS: { readonly [name: string]: Replay } = {
  gelu: ({ approximate }, x) => x.gelu(approximate),
  elu: ({ alpha }, x) => x.elu(alpha),
  pow: ({ exponent }, x, other) => x.pow(exponent ?? other),
  clamp: ({ low, high }, x) => x.clamp(low, high),
  sum: (options, x) => x.sum(reduction(options)),
  mean: (options, x) => x.mean(reduction(options)),
  max: (options, x) => x.max(reduction(options)),
  min: (options, x) => x.min(reduction(options)),
  prod: (options, x) => x.prod(reduction(options)),
  var: (options, x) => x.var({ ...reduction(options), correction: options.correction ?? 1 }),
  std: (options, x) => x.std(reduction(options)),
  norm: (options, x) => x.norm({ ...reduction(options), order: Number(options.order ?? 2) }),
  logsumexp: (options, x) => x.logsumexp(reduction(options)),
  cumsum: (options, x) => x.cumsum(single(options)),
  cumprod: (options, x) => x.cumprod(single(options)),
  softmax: (options, x) => x.softmax(single(options)),
  logSoftmax: (options, x) => x.logSoftmax(single(options)),
  sort: (options, x) => sort(x, single(options)).values,
  argmax: (options, x) => x.argmax({ axis: single(options) }),
  argmin: (options, x) => x.argmin({ axis: single(options) }),
  matmul: (_, a, b) => a.matmul(b),
  einsum: ({ equation }, ...inputs) => einsum(equation!, ...inputs),
  gather: (options, x, index) => x.gather(single(options), index),
  scatterAdd: (options, x, index, source) => x.scatterAdd(single(options), index, source),
  indexSelect: (options, x, index) => x.indexSelect(single(options), index),
  tril: ({ diagonal }, x) => x.tril(diagonal),
  triu: ({ diagonal }, x) => x.triu(diagonal),
  roll: (options, x) => x.roll(options.shift!, single(options)),
  flip: (_, x) => x.flip(),
  crossEntropy: (_, logits, labels) => new Tensor(crossEntropy(logits.read(), labels.read())),
  layerNorm: (_, x, weight, bias) => new Tensor(layerNorm(x.read(), weight.read(), bias.read())),
  conv1d: ({ stride, padding }, x, weight, bias) =>
    x.conv1d(weight, bias, { stride: stride as number, padding: padding as number }),
  conv2d: (options, x, weight, bias) => x.conv2d(weight, bias, options),
  convTranspose2d: (options, x, weight, bias) => x.convTranspose2d(weight, bias, options),
  maxPool2d: ({ kernel, ...options }, x) => x.maxPool2d(kernel!, options),
  avgPool2d: ({ kernel, ...options }, x) => x.avgPool2d(kernel!, options),
  attention: ({ causal = false, scale }, q, k, v, mask) =>
    attention(q, k, v, {
      causal,
      ...(scale === undefined ? {} : { scale }),
      ...(mask === undefined ? {} : { mask }),
    }),
};

export function replayOf(name: string): Replay {
  const replay = REPLAYS[name];
  if (replay !== undefined) return replay;
  return (_, first, ...rest) => {
    const method: unknown = Reflect.get(first, name);
    if (typeof method !== 'function') throw new TypeError(`no replay for the recorded ${name}`);
    return Reflect.apply(method, first, rest) as Tensor;
  };
}

function titleOf({ name, options, inputs }: RecordedCase): string {
  return `${name} ${inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' ')} ${JSON.stringify(options)}`;
}

/** Replays recorded cases: values, and gradients for the recorded cotangent. */
export function describeFixtures(device: GetDevice, cases: readonly RecordedCase[]): void {
  const dtypeOf = ({ dtype }: RecordedArray): DType =>
    dtype !== 'float64' || device().supports('float64') ? dtype : 'float32';
  const tolerance = (): { relative: number; absolute: number } =>
    device().supports('float64') ? { relative: 1e-8, absolute: 1e-9 } : { relative: 1e-3, absolute: 1e-4 };

  test.each(cases.map((each) => [titleOf(each), each] as const))(
    '%s',
    async (_, { name, options, inputs, value, cotangent, gradients }) => {
      const replay = replayOf(name);
      const tensors = inputs.map((input) => toTensor(denseOf(input), dtypeOf(input)));
      const floats = tensors.filter((each) => each.dtype.startsWith('float'));
      const ofFloats = (...given: Tensor[]): Tensor => {
        let next = 0;
        return replay(options, ...tensors.map((each) => (floats.includes(each) ? given[next++]! : each)));
      };
      await expectValues(ofFloats(...floats), denseOf(value), tolerance());
      if (cotangent === undefined || gradients === undefined) return;
      const [, pull] = vjp(ofFloats, ...floats);
      const slopes = pull(toTensor(denseOf(cotangent), dtypeOf(cotangent)));
      expect(slopes).toHaveLength(gradients.length);
      for (const [index, gradient] of gradients.entries())
        await expectValues(slopes[index]!, denseOf(gradient), tolerance());
    },
  );
}

interface OptimizerRun {
  readonly name: string;
  readonly options: { readonly lr: number; readonly [setting: string]: number | boolean | readonly number[] };
  /** The parameter after each step. */
  readonly points: readonly RecordedArray[];
}
interface Clipping {
  readonly limit: number;
  readonly gradients: readonly RecordedArray[];
  readonly norm: number;
  readonly clipped: readonly RecordedArray[];
}
export interface TrainingFixtures {
  readonly optimizers: readonly OptimizerRun[];
  readonly clipping: readonly Clipping[];
  readonly perceptron: {
    readonly x: RecordedArray;
    readonly y: RecordedArray;
    readonly state: {
      readonly 'fc1.weight': RecordedArray;
      readonly 'fc1.bias': RecordedArray;
      readonly 'fc2.weight': RecordedArray;
      readonly 'fc2.bias': RecordedArray;
    };
    readonly losses: readonly number[];
  };
}

function optimizerFor({ name, options }: OptimizerRun, parameter: Tensor): SGD | AdamW {
  if (name === 'SGD') return new SGD([parameter], options);
  if (name === 'AdamW') return new AdamW([parameter], options);
  throw new TypeError(`no optimizer for the recorded ${name}`);
}

const modes = [
  ['eager', (step: () => Tensor): (() => Tensor) => step],
  ['compiled', (step: () => Tensor): (() => Tensor) => compile(step)],
] as const;

export function describeTrainingFixtures(
  device: GetDevice,
  { optimizers, clipping, perceptron }: TrainingFixtures,
): void {
  const dtype = (): 'float64' | 'float32' => (device().supports('float64') ? 'float64' : 'float32');
  const tolerance = (): Tolerance =>
    dtype() === 'float64' ? { relative: 1e-9, absolute: 1e-10 } : { relative: 1e-3, absolute: 1e-4 };
  const given = (array: RecordedArray, requiresGrad = false): Tensor =>
    toTensor(denseOf(array), array.dtype === 'float64' ? dtype() : array.dtype, { requiresGrad });

  describe.each(modes)('%s', (_, mode) => {
    test.each(optimizers.map((run) => [`${run.name} ${JSON.stringify(run.options)}`, run] as const))(
      '%s',
      async (__, run) => {
        const parameter = tensor([1, -2, 0.5, 3], { dtype: dtype(), requiresGrad: true });
        const scale = tensor([1, 10, 0.1, 2], { dtype: dtype() });
        const optimizer = optimizerFor(run, parameter);
        const step = mode(() => {
          const value = scale.mul(parameter).mul(parameter).sum().div(2).add(parameter.sin().sum());
          value.backward();
          optimizer.step();
          optimizer.zeroGrad();
          return value;
        });
        for (const point of run.points) {
          step();
          await expectValues(parameter, denseOf(point), tolerance());
        }
      },
    );

    test(`the losses of a perceptron over ${perceptron.losses.length} steps`, async () => {
      const options = { dtype: dtype() };
      const [first, second] = [new Linear(4, 6, options), new Linear(6, 3, options)];
      const model = new Sequential(first, new ReLU(), second);
      const { state } = perceptron;
      const layers = [
        [first.weight, state['fc1.weight']],
        [first.bias!, state['fc1.bias']],
        [second.weight, state['fc2.weight']],
        [second.bias!, state['fc2.bias']],
      ] as const;
      for (const [parameter, array] of layers) parameter.assign(given(array));
      const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const [x, y] = [given(perceptron.x), given(perceptron.y)];
      const step = mode(() => {
        const value = loss.crossEntropy(model.forward(x), y);
        value.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return value;
      });
      for (const expected of perceptron.losses)
        await expectValues(step(), { shape: [], data: [expected] }, tolerance());
    });
  });

  test.each(clipping)('clipping to a norm of $limit', async ({ limit, gradients, norm, clipped }) => {
    const parameters = gradients.map((gradient) => {
      const parameter = toTensor({ shape: gradient.shape, data: gradient.data.map(() => 0) }, dtype(), {
        requiresGrad: true,
      });
      parameter.mul(given(gradient)).sum().backward();
      return parameter;
    });
    await expectValues(clipGradNorm(parameters, limit), { shape: [], data: [norm] }, tolerance());
    for (const [index, parameter] of parameters.entries())
      await expectValues(parameter.grad!, denseOf(clipped[index]!), tolerance());
    expect(parameters).toHaveLength(clipped.length);
  });
}
