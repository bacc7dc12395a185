/**
 * What PyTorch gives, replayed: fixtures/torch.json holds inputs, values and gradients that
 * fixtures/record_fixtures.py recorded. Where this project's answer differs on purpose, DIFFERENCES says
 * where and why.
 */
import { attention, einsum, sort, Tensor, vjp } from '@firsthand/autograd';
import type { DType } from '@firsthand/autograd';
import { crossEntropy, layerNorm } from '@firsthand/graph';
import { expect, test } from 'vitest';
import { expectValues, toTensor } from './compare.ts';
import type { Dense } from './oracle/dense.ts';
import type { GetDevice } from './get-device.ts';

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
