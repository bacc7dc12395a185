/** Operations of random programs that move, reduce, index or mix elements, the composites among them. */
import { attention, cat, sort, Tensor } from '@firsthand/autograd';
import { crossEntropy, layerNorm } from '@firsthand/graph';
import { toTensor } from '../compare.ts';
import type { Dense } from '../oracle/dense.ts';
import {
  along,
  at,
  broadcast,
  dense,
  reduceAxes,
  indicesOf,
  map,
  matmul,
  permute,
  offsetOf,
  reshape,
  sizeOf,
  softmaxOf,
  sum,
} from '../oracle/dense.ts';
import { integers } from '../oracle/samples.ts';
import { canBroadcast } from './elementwise-operations.ts';
import type { Decide, Operation } from './operation.ts';

const always = (): boolean => true;
const hasAxis = (a: Dense): boolean => a.shape.length > 0;
const axisOf = (shape: readonly number[], detail: number): number => detail % Math.max(1, shape.length);

/** Along one axis, or over all of them where `detail` says so. */
function reduction(
  tensor: (a: Tensor, options: { axis?: number; keepDims: boolean }) => Tensor,
  f: (values: readonly number[], decide: Decide) => number,
): Operation {
  const options = (shape: readonly number[], detail: number): { axis?: number; keepDims: boolean } => {
    const keepDims = detail % 2 === 0;
    return detail % 3 === 0 ? { keepDims } : { axis: axisOf(shape, detail), keepDims };
  };
  return {
    operands: 1,
    fits: (a) => hasAxis(a) && sizeOf(a.shape) > 0,
    tensor: (a, _, detail) => tensor(a, options(a.shape, detail)),
    oracle: (a, _, detail, decide) => {
      const { axis, keepDims } = options(a.shape, detail);
      return reduceAxes(a, axis === undefined ? [...a.shape.keys()] : [axis], keepDims, (values) =>
        f(values, decide),
      );
    },
  };
}

/** Notes the order of the elements of a line, and the smallest gap between two. */
function noteOrder(line: readonly number[], decide: Decide): number[] {
  const order = [...line.keys()].sort((i, j) => line[i]! - line[j]!);
  order.forEach((position, rank) =>
    decide(position, rank === 0 ? Infinity : line[position]! - line[order[rank - 1]!]!),
  );
  return order;
}

const mean = (values: readonly number[]): number => sum(values) / values.length;
const variance = (values: readonly number[]): number =>
  mean(values.map((value) => (value - mean(values)) ** 2));
const logSumExp = (line: readonly number[]): number =>
  Math.max(...line) + Math.log(sum(line.map((value) => Math.exp(value - Math.max(...line)))));
const transpose = (x: Dense): Dense =>
  permute(
    x,
    x.shape.map((_, axis) => (axis < x.shape.length - 2 ? axis : 2 * x.shape.length - 3 - axis)),
  );
const isMatrix = (a: Dense): boolean => a.shape.length >= 2;
const rotated = (rank: number, detail: number): number[] =>
  Array.from({ length: rank }, (_, axis) => (axis + detail) % rank);
const indexFor = (x: { readonly shape: readonly number[] }, axis: number, detail: number): Dense =>
  integers(x.shape.with(axis, 1 + (detail % 4)), 0, x.shape[axis]!, 1 + detail);
const indexTensor = (x: Tensor, index: Dense): Tensor => toTensor(index, 'int32', { device: x.device });
const hasElements = (a: Dense, _: Dense, detail: number): boolean =>
  hasAxis(a) && a.shape[axisOf(a.shape, detail)]! > 0;
const labelsFor = (x: { readonly shape: readonly number[] }, detail: number): Dense =>
  integers(x.shape.slice(0, -1), 0, x.shape.at(-1)!, 1 + detail);
const ones = (x: Tensor, value: number): Tensor =>
  toTensor(
    { shape: [x.shape.at(-1)!], data: Array.from({ length: x.shape.at(-1)! }, (_, i) => value + 0.1 * i) },
    x.dtype,
    {
      device: x.device,
    },
  );

/** a, with sin a added at the index. */
function scatterSine(a: Dense, index: Dense, axis: number): Dense {
  const data = a.data.slice();
  for (const position of indicesOf(a.shape)) {
    const target = offsetOf(a.shape, position.with(axis, at(index, position)));
    data[target] = data[target]! + Math.sin(at(a, position));
  }
  return { shape: a.shape, data };
}

export const SHAPED: { readonly [name: string]: Operation } = {
  sum: reduction((a, options) => a.sum(options), sum),
  mean: reduction((a, options) => a.mean(options), mean),
  prod: reduction(
    (a, options) => a.prod(options),
    (values) => values.reduce((product, value) => product * value, 1),
  ),
  variance: reduction((a, options) => a.var({ ...options, correction: 0 }), variance),
  logsumexp: reduction((a, options) => a.logsumexp(options), logSumExp),
  max: reduction(
    (a, options) => a.max(options),
    (values, decide) => values[noteOrder(values, decide).at(-1)!]!,
  ),
  min: reduction(
    (a, options) => a.min(options),
    (values, decide) => values[noteOrder(values, decide)[0]!]!,
  ),
  argmax: reduction(
    (a, options) => a.argmax(options).cast(a.dtype),
    (values, decide) => noteOrder(values, decide).at(-1)!,
  ),
  cumsum: {
    operands: 1,
    fits: hasAxis,
    tensor: (a, _, detail) => a.cumsum(axisOf(a.shape, detail)),
    oracle: (a, _, detail) =>
      along(a, axisOf(a.shape, detail), (line) =>
        line.map((__, position) => sum(line.slice(0, position + 1))),
      ),
  },
  cumprod: {
    operands: 1,
    fits: hasAxis,
    tensor: (a, _, detail) => a.cumprod(axisOf(a.shape, detail)),
    oracle: (a, _, detail) =>
      along(a, axisOf(a.shape, detail), (line) =>
        line.map((__, position) => line.slice(0, position + 1).reduce((x, y) => x * y, 1)),
      ),
  },
  sort: {
    operands: 1,
    fits: hasAxis,
    tensor: (a, _, detail) => sort(a, axisOf(a.shape, detail)).values,
    oracle: (a, _, detail, decide) =>
      along(a, axisOf(a.shape, detail), (line) => noteOrder(line, decide).map((position) => line[position]!)),
  },
  permute: {
    operands: 1,
    fits: always,
    tensor: (a, _, detail) => a.permute(...rotated(a.shape.length, detail)),
    oracle: (a, _, detail) => permute(a, rotated(a.shape.length, detail)),
  },
  flatten: {
    operands: 1,
    fits: always,
    tensor: (a) => a.flatten(),
    oracle: (a) => reshape(a, [sizeOf(a.shape)]),
  },
  split: {
    operands: 1,
    fits: (a) => sizeOf(a.shape) % 2 === 0,
    tensor: (a) => a.reshape(2, a.size / 2),
    oracle: (a) => reshape(a, [2, sizeOf(a.shape) / 2]),
  },
  repeat: {
    operands: 1,
    fits: (a) => a.shape.length < 4,
    tensor: (a) => a.unsqueeze(0).expand(2, ...a.shape),
    oracle: (a) => broadcast(reshape(a, [1, ...a.shape]), [2, ...a.shape]),
  },
  flip: {
    operands: 1,
    fits: hasAxis,
    tensor: (a, _, detail) => a.flip(axisOf(a.shape, detail)),
    oracle: (a, _, detail) => along(a, axisOf(a.shape, detail), (line) => line.toReversed()),
  },
  pad: {
    operands: 1,
    fits: hasAxis,
    tensor: (a, _, detail) =>
      a.pad(a.shape.map((__, axis) => (axis === axisOf(a.shape, detail) ? [1, detail % 2] : [0, 0]))),
    oracle: (a, _, detail) => {
      const axis = axisOf(a.shape, detail);
      return dense(a.shape.with(axis, a.shape[axis]! + 1 + (detail % 2)), (index) => {
        const position = index[axis]! - 1;
        return position >= 0 && position < a.shape[axis]! ? at(a, index.with(axis, position)) : 0;
      });
    },
  },
  everySecond: {
    operands: 1,
    fits: hasElements,
    tensor: (a, _, detail) => a.slice(axisOf(a.shape, detail), detail % 2, Infinity, 2),
    oracle: (a, _, detail) => {
      const axis = axisOf(a.shape, detail);
      const start = detail % 2;
      return dense(a.shape.with(axis, Math.ceil(Math.max(0, a.shape[axis]! - start) / 2)), (index) =>
        at(a, index.with(axis, start + 2 * index[axis]!)),
      );
    },
  },
  tril: {
    operands: 1,
    fits: isMatrix,
    tensor: (a, _, detail) => a.tril((detail % 3) - 1),
    oracle: (a, _, detail) =>
      dense(a.shape, (index) => (index.at(-1)! <= index.at(-2)! + (detail % 3) - 1 ? at(a, index) : 0)),
  },
  roll: {
    operands: 1,
    fits: hasElements,
    tensor: (a, _, detail) => a.roll(detail - 3, axisOf(a.shape, detail)),
    oracle: (a, _, detail) =>
      along(a, axisOf(a.shape, detail), (line) =>
        line.map((__, position) =>
          line.at((((position - detail + 3) % line.length) + line.length) % line.length)!,
        ),
      ),
  },
  gather: {
    operands: 1,
    fits: hasElements,
    tensor: (a, _, detail) =>
      a.gather(axisOf(a.shape, detail), indexTensor(a, indexFor(a, axisOf(a.shape, detail), detail))),
    oracle: (a, _, detail) => {
      const axis = axisOf(a.shape, detail);
      const index = indexFor(a, axis, detail);
      return dense(index.shape, (position) => at(a, position.with(axis, at(index, position))));
    },
  },
  scatterAdd: {
    operands: 1,
    fits: hasElements,
    tensor: (a, _, detail) =>
      a.scatterAdd(
        axisOf(a.shape, detail),
        indexTensor(a, integers(a.shape, 0, a.shape[axisOf(a.shape, detail)]!, detail)),
        a.sin(),
      ),
    oracle: (a, _, detail) => {
      const axis = axisOf(a.shape, detail);
      return scatterSine(a, integers(a.shape, 0, a.shape[axis]!, detail), axis);
    },
  },
  cat: {
    operands: 2,
    fits: (a, b) => hasAxis(a) && a.shape.join() === b.shape.join(),
    tensor: (a, b) => cat([a, b, a], 0),
    oracle: (a, b) => ({ shape: a.shape.with(0, 3 * a.shape[0]!), data: [...a.data, ...b.data, ...a.data] }),
  },
  softmax: {
    operands: 1,
    fits: hasElements,
    tensor: (a, _, detail) => a.softmax(axisOf(a.shape, detail)),
    oracle: (a, _, detail) => along(a, axisOf(a.shape, detail), softmaxOf),
  },
  logSoftmax: {
    operands: 1,
    fits: hasElements,
    tensor: (a, _, detail) => a.logSoftmax(axisOf(a.shape, detail)),
    oracle: (a, _, detail) =>
      along(a, axisOf(a.shape, detail), (line) => line.map((value) => value - logSumExp(line))),
  },
  layerNorm: {
    operands: 1,
    fits: (a) => hasAxis(a) && sizeOf(a.shape) > 0,
    tensor: (a) => new Tensor(layerNorm(a.read(), ones(a, 1).read(), ones(a, 0).read(), 0.5)),
    oracle: (a) =>
      along(a, a.shape.length - 1, (line) =>
        line.map(
          (value, i) => ((value - mean(line)) / Math.sqrt(variance(line) + 0.5)) * (1 + 0.1 * i) + 0.1 * i,
        ),
      ),
  },
  crossEntropy: {
    operands: 1,
    fits: (a) => hasAxis(a) && a.shape.at(-1)! > 0,
    tensor: (a, _, detail) => new Tensor(crossEntropy(a.read(), indexTensor(a, labelsFor(a, detail)).read())),
    oracle: (a, _, detail) => {
      const labels = labelsFor(a, detail);
      const losses = reduceAxes(a, [a.shape.length - 1], false, logSumExp);
      return dense(labels.shape, (index) => at(losses, index) - at(a, [...index, at(labels, index)]));
    },
  },
  matmul: {
    operands: 2,
    fits: (a, b) =>
      isMatrix(a) &&
      isMatrix(b) &&
      a.shape.at(-1) === b.shape.at(-2) &&
      canBroadcast({ shape: a.shape.slice(0, -2), data: [] }, { shape: b.shape.slice(0, -2), data: [] }),
    tensor: (a, b) => a.matmul(b),
    oracle: (a, b) => matmul(a, b),
  },
  gram: {
    operands: 1,
    fits: isMatrix,
    tensor: (a) => a.matmul(a.transpose()),
    oracle: (a) => matmul(a, transpose(a)),
  },
  attention: {
    operands: 1,
    fits: (a) => isMatrix(a) && sizeOf(a.shape) > 0,
    tensor: (a, _, detail) => attention(a, a.sin(), a, { causal: detail % 2 === 0, scale: 0.5 }),
    oracle: (a, _, detail) => {
      const scores = matmul(a, transpose(map(a, Math.sin)));
      const masked = dense(scores.shape, (index) =>
        detail % 2 === 0 && index.at(-1)! > index.at(-2)! ? -Infinity : 0.5 * at(scores, index),
      );
      return matmul(along(masked, masked.shape.length - 1, softmaxOf), a);
    },
  },
};
