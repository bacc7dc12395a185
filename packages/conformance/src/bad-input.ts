/**
 * Bad input: the typed error, at the call, with a message that names the operation, the operands and the
 * remedy. What is defined instead of an error (indices out of range, empty tensors) stands with the
 * operations.
 */
import {
  attention,
  cat,
  chunk,
  DeviceError,
  DTypeError,
  einsum,
  grad,
  GradientError,
  jvp,
  layerNorm as layerNormFunction,
  multinomial,
  noGrad,
  randint,
  ShapeError,
  split,
  stack,
  StaleError,
  tensor,
  topk,
  vmap,
  where,
  widened,
} from '@firsthand/autograd';
import type { DType, Tensor } from '@firsthand/autograd';
import { crossEntropy, layerNorm } from '@firsthand/graph';
import { DTYPES, FirsthandError } from '@firsthand/linalg';
import { createReference } from '@firsthand/runtime';
import { loss } from '@firsthand/nn';
import { describe, expect, test } from 'vitest';
import { toTensor } from './compare.ts';
import { dense } from './oracle/dense.ts';

type ErrorClass = new (...args: never[]) => FirsthandError;

interface BadCall {
  /** What is done, and what the message has to say. */
  readonly title: string;
  readonly call: () => unknown;
  readonly error: ErrorClass;
  readonly says: readonly (string | RegExp)[];
}

/** The operands that the call under way has made. */
const operands: Tensor[] = [];

type MakeOperand = (...shape: readonly number[]) => Tensor;

const operandsOf =
  (dtype: DType): MakeOperand =>
  (...shape) => {
    const made = toTensor(
      dense(shape, () => 1),
      dtype,
    );
    operands.push(made);
    return made;
  };
const floats: MakeOperand = operandsOf('float32');
const whole: MakeOperand = operandsOf('int32');
const halves: MakeOperand = operandsOf('float16');
const bools: MakeOperand = operandsOf('bool');

/** An operand as a message describes it: `float32 [2, 3]`. */
const DESCRIBED = /\b(?:float|u?int)\d\d \[[\d, ]*\]|\bbool \[[\d, ]*\]/g;

/**
 * Makes a wrong call. Its error must be of the class that is named and say what it must; and its fields must
 * hold what a page needs to show it: the operation, what was expected, and the operands, those that the
 * message describes among them.
 */
function expectFailure({ call, error, says }: BadCall): void {
  operands.length = 0;
  let thrown: unknown = null;
  try {
    call();
  } catch (caught) {
    thrown = caught;
  }
  expect(thrown).toBeInstanceOf(error);
  if (!(thrown instanceof FirsthandError))
    throw new TypeError('every error that is thrown on purpose is a FirsthandError');
  for (const part of says) expect(thrown.message).toMatch(part);
  expect(thrown.name).toBe(error.name);
  expect(thrown.operation).toMatch(/^[a-z][\w.]*$/i);
  expect(thrown.message.replace(`${thrown.operation}: `, '')).toMatch(/^[^\s,;:]/);
  expect(thrown.expected).toMatch(/\S/);
  for (const { name, shape, dtype } of thrown.operands) {
    expect(name).toSatisfy((value) => value === null || typeof value === 'string');
    expect(shape).toSatisfy((sizes: unknown[]) => sizes.every((size) => Number.isInteger(size)));
    expect(Object.keys(DTYPES)).toContain(dtype);
  }
  const described = thrown.operands.map(({ shape, dtype }) => `${dtype} [${shape.join(', ')}]`);
  expect(described).toEqual(expect.arrayContaining(thrown.message.match(DESCRIBED) ?? []));
  if (thrown instanceof ShapeError && operands.length > 0) expect(described).not.toEqual([]);
}

const WINDOWS: readonly BadCall[] = [
  {
    title: 'conv2d of an image without a batch',
    call: () => floats(3, 4, 4).conv2d(floats(2, 3, 2, 2)),
    error: ShapeError,
    says: ['conv2d', 'float32 [3, 4, 4]', 'float32 [2, 3, 2, 2]', '(N, C, H, W)', 'unsqueeze(0)'],
  },
  {
    title: 'conv1d of an image',
    call: () => floats(1, 3, 4, 4).conv1d(floats(2, 3, 2)),
    error: ShapeError,
    says: ['conv1d', '[1, 3, 4, 4]', '(N, C, L)'],
  },
  {
    title: 'conv2d of other channels',
    call: () => floats(1, 4, 4, 4).conv2d(floats(2, 3, 2, 2)),
    error: ShapeError,
    says: ['conv2d: channels differ', '[1, 4, 4, 4]', '[2, 3, 2, 2]', '4 ≠ 3'],
  },
  {
    title: 'conv2d with groups that do not divide its inputs',
    call: () => floats(1, 3, 4, 4).conv2d(floats(2, 1, 2, 2), null, { groups: 2 }),
    error: ShapeError,
    says: ['conv2d', '2 groups', '3 input channels', '[1, 3, 4, 4]', 'divisor'],
  },
  {
    title: 'conv2d with groups that do not divide its outputs',
    call: () => floats(1, 4, 4, 4).conv2d(floats(3, 2, 2, 2), null, { groups: 2 }),
    error: ShapeError,
    says: ['conv2d', '2 groups', '3 output channels', '[3, 2, 2, 2]', 'divisor'],
  },
  {
    title: 'conv2d in no groups',
    call: () => floats(1, 4, 4, 4).conv2d(floats(4, 4, 2, 2), null, { groups: 0 }),
    error: ShapeError,
    says: ['conv2d', 'groups', '0'],
  },
  {
    title: 'conv2d with a kernel that is too large',
    call: () => floats(1, 1, 9, 4).conv2d(floats(1, 1, 3, 3), null, { padding: [0, 1], dilation: [1, 3] }),
    error: ShapeError,
    says: ['conv2d', '[1, 1, 9, 4]', 'axis 1', '3 taps at dilation 3 span 7 of 6 elements', 'padding'],
  },
  {
    title: 'conv2d with an empty kernel',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 0, 3)),
    error: ShapeError,
    says: ['conv2d', 'empty', '[1, 1, 0, 3]'],
  },
  {
    title: 'conv2d without a stride',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 2, 2), null, { stride: 0 }),
    error: ShapeError,
    says: ['conv2d: stride', 'at least 1', 'got 0'],
  },
  {
    title: 'conv1d at half a tap',
    call: () => floats(1, 1, 4).conv1d(floats(1, 1, 2), null, { dilation: 0.5 }),
    error: ShapeError,
    says: ['conv1d: dilation', 'whole number', 'got 0.5'],
  },
  {
    title: 'conv2d with negative padding',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 2, 2), null, { padding: [1, -1] }),
    error: ShapeError,
    says: ['conv2d: padding', 'at least 0', 'got 1, -1'],
  },
  {
    title: 'conv2d with a bias of another size',
    call: () => floats(1, 1, 4, 4).conv2d(floats(2, 1, 2, 2), floats(3)),
    error: ShapeError,
    says: ['conv2d: bias', '[2]', '[3]'],
  },
  {
    title: 'convTranspose2d of other channels',
    call: () => floats(1, 4, 4, 4).convTranspose2d(floats(2, 4, 2, 2)),
    error: ShapeError,
    says: ['convTranspose2d: channels differ', '[1, 4, 4, 4]', '[2, 4, 2, 2]', '4 ≠ 2'],
  },
  {
    title: 'convTranspose2d with groups that do not divide',
    call: () => floats(1, 3, 4, 4).convTranspose2d(floats(3, 1, 2, 2), null, { groups: 2 }),
    error: ShapeError,
    says: ['convTranspose2d', '2 groups', '3 input channels', '[1, 3, 4, 4]'],
  },
  {
    title: 'convTranspose2d with too much outputPadding',
    call: () =>
      floats(1, 1, 4, 4).convTranspose2d(floats(1, 1, 2, 2), null, { stride: 2, outputPadding: [1, 2] }),
    error: ShapeError,
    says: ['convTranspose2d: outputPadding', 'less than the stride or the dilation', 'got 1, 2'],
  },
  {
    title: 'convTranspose2d that pads everything away',
    call: () => floats(1, 1, 1, 4).convTranspose2d(floats(1, 1, 2, 2), null, { padding: 1 }),
    error: ShapeError,
    says: ['convTranspose2d', '[1, 1, 1, 4]', '[0, 3]', 'less padding'],
  },
  {
    title: 'maxPool2d of a matrix',
    call: () => floats(4, 4).maxPool2d(2),
    error: ShapeError,
    says: ['maxPool2d', '[4, 4]', '(N, C, H, W)', 'unsqueeze(0)'],
  },
  {
    title: 'maxPool2d with a kernel that is too large',
    call: () => floats(1, 1, 2, 4).maxPool2d(3),
    error: ShapeError,
    says: ['maxPool2d', '[1, 1, 2, 4]', 'axis 0', 'span 3 of 2', 'smaller kernel'],
  },
  {
    title: 'maxPool2d with more padding than half a window',
    call: () => floats(1, 1, 8, 8).maxPool2d(3, { padding: [1, 2], dilation: 2 }),
    error: ShapeError,
    says: ['maxPool2d', 'padding 2', 'half', '3 taps', '[1, 1, 8, 8]', 'less padding'],
  },
  {
    title: 'maxPool2d of no elements',
    call: () => floats(1, 1, 8, 8).maxPool2d([0, 2]),
    error: ShapeError,
    says: ['maxPool2d: the kernel', 'at least 1', 'got 0, 2'],
  },
  {
    title: 'avgPool2d with more padding than half a window',
    call: () => floats(1, 1, 8, 8).avgPool2d(2, { padding: 2 }),
    error: ShapeError,
    says: ['avgPool2d', 'padding 2', 'half', '[1, 1, 8, 8]'],
  },
  {
    title: 'conv2d of integers',
    call: () => whole(1, 1, 4, 4).conv2d(whole(1, 1, 2, 2)),
    error: DTypeError,
    says: ['conv2d', 'int32 [1, 1, 4, 4]', 'cast'],
  },
  {
    title: 'conv2d of different dtypes',
    call: () => floats(1, 1, 4, 4).conv2d(halves(1, 1, 2, 2)),
    error: DTypeError,
    says: ['conv2d', 'float32 [1, 1, 4, 4]', 'float16 [1, 1, 2, 2]', 'cast'],
  },
  {
    title: 'conv2d with a bias of another dtype',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 2, 2), halves(1)),
    error: DTypeError,
    says: ['conv2d', 'float16 [1]', 'cast'],
  },
  {
    title: 'convTranspose2d of integers',
    call: () => whole(1, 1, 4, 4).convTranspose2d(whole(1, 1, 2, 2)),
    error: DTypeError,
    says: ['convTranspose2d', 'int32 [1, 1, 4, 4]', 'cast'],
  },
  {
    title: 'maxPool2d of integers',
    call: () => whole(1, 1, 4, 4).maxPool2d(2),
    error: DTypeError,
    says: ['maxPool2d', 'int32', 'cast'],
  },
  {
    title: 'avgPool2d of integers',
    call: () => whole(1, 1, 4, 4).avgPool2d(2),
    error: DTypeError,
    says: ['avgPool2d', 'int32', 'cast'],
  },
];

const SHAPES: readonly BadCall[] = [
  {
    title: 'add',
    call: () => floats(2, 3).add(floats(2)),
    error: ShapeError,
    says: ['add', '[2, 3]', '[2]'],
  },
  {
    title: 'matmul',
    call: () => floats(32, 64).matmul(floats(128, 10)),
    error: ShapeError,
    says: ['matmul: inner sizes differ', '[32, 64]', '[128, 10]', '64 ≠ 128'],
  },
  {
    title: 'matmul of a scalar',
    call: () => floats().matmul(floats(2)),
    error: ShapeError,
    says: ['matmul', 'use mul'],
  },
  {
    title: 'matmul of batches',
    call: () => floats(2, 1, 1).matmul(floats(3, 1, 1)),
    error: ShapeError,
    says: ['matmul'],
  },
  {
    title: 'reshape',
    call: () => floats(2, 3).reshape(4),
    error: ShapeError,
    says: ['reshape', '[2, 3]', '[4]'],
  },
  {
    title: 'reshape with −1',
    call: () => floats(2, 3).reshape(-1, 4),
    error: ShapeError,
    says: ['reshape', '−1'],
  },
  { title: 'permute', call: () => floats(2, 3).permute(0, 0), error: ShapeError, says: ['permute'] },
  { title: 'expand', call: () => floats(2).expand(3), error: ShapeError, says: ['expand', '[2]', '[3]'] },
  { title: 'squeeze', call: () => floats(2, 1).squeeze(0), error: ShapeError, says: ['squeeze', 'axis 0'] },
  { title: 'narrow', call: () => floats(3).narrow(0, 2, 2), error: ShapeError, says: ['narrow'] },
  {
    title: 'narrow between elements',
    call: () => floats(3).narrow(0, 0.5, 1),
    error: ShapeError,
    says: ['[0.5]'],
  },
  {
    title: 'slice by a negative step',
    call: () => floats(3).slice(0, 2, 0, -1),
    error: ShapeError,
    says: ['slice', 'flip'],
  },
  { title: 'tril of a vector', call: () => floats(3).tril(), error: ShapeError, says: ['tril', '[3]'] },
  {
    title: 'pad with a negative width',
    call: () => floats(3).pad([[-1, 0]]),
    error: ShapeError,
    says: ['pad'],
  },
  { title: 'where', call: () => where(bools(2), floats(3), 0), error: ShapeError, says: ['where'] },
  {
    title: 'cat',
    call: () => cat([floats(2, 3), floats(3, 2)]),
    error: ShapeError,
    says: [/concatenate|cat/],
  },
  { title: 'cat of nothing', call: () => cat([]), error: ShapeError, says: ['at least one'] },
  {
    title: 'stack',
    call: () => stack([floats(2), floats(3)]),
    error: ShapeError,
    says: ['stack', '[2]', '[3]'],
  },
  { title: 'split', call: () => split(floats(5), [2, 2]), error: ShapeError, says: ['split', '2 + 2'] },
  {
    title: 'split into pieces of no size',
    call: () => split(floats(5), 0),
    error: ShapeError,
    says: ['split', 'size 0'],
  },
  { title: 'chunk', call: () => chunk(floats(5), 0), error: ShapeError, says: ['chunk'] },
  {
    title: 'gather',
    call: () => floats(2, 3).gather(1, whole(3, 3)),
    error: ShapeError,
    says: ['gather', '[2, 3]', '[3, 3]'],
  },
  {
    title: 'scatterAdd',
    call: () => floats(2, 3).scatterAdd(1, whole(2, 2), floats(2, 1)),
    error: ShapeError,
    says: ['scatterAdd', '[2, 2]', '[2, 1]'],
  },
  { title: 'topk', call: () => topk(floats(3), 4), error: ShapeError, says: ['topk', '4'] },
  { title: 'topk of a fraction', call: () => topk(floats(3), 1.5), error: ShapeError, says: ['1.5'] },
  {
    title: 'einsum of another rank',
    call: () => einsum('ij->i', floats(3)),
    error: ShapeError,
    says: ['einsum', '[3]'],
  },
  {
    title: 'einsum of other sizes',
    call: () => einsum('i,i->', floats(3), floats(2)),
    error: ShapeError,
    says: ['einsum', 'sizes 3 and 2'],
  },
  {
    title: 'einsum without sense',
    call: () => einsum('i->j', floats(3)),
    error: ShapeError,
    says: ['einsum'],
  },
  {
    title: 'crossEntropy',
    call: () => crossEntropy(floats(2, 3).read(), whole(3).read()),
    error: ShapeError,
    says: ['crossEntropy', '[2, 3]', '[3]'],
  },
  {
    title: 'crossEntropy without classes',
    call: () => crossEntropy(floats(2, 0).read(), whole(2).read()),
    error: ShapeError,
    says: ['crossEntropy', 'no classes'],
  },
  {
    title: 'loss.crossEntropy of halves, which are computed in float32',
    call: () => loss.crossEntropy(halves(2, 3), whole(3)),
    error: ShapeError,
    says: ['crossEntropy', 'float16 [2, 3]', '[3]'],
  },
  {
    title: 'einsum of halves',
    call: () => einsum('i,ij->j', halves(3), halves(2, 2)),
    error: ShapeError,
    says: ['einsum', 'sizes 3 and 2'],
  },
  {
    title: 'linear of halves',
    call: () => widened((x, w, b) => x.matmul(w).add(b), halves(2, 3), halves(2, 3), halves(3)),
    error: ShapeError,
    says: ['matmul', 'float16 [2, 3] · float16 [2, 3]'],
  },
  {
    title: 'layerNorm',
    call: () => layerNorm(floats(2, 3).read(), floats(2).read(), floats(2).read()),
    error: ShapeError,
    says: ['layerNorm', '[2, 3]', '[2]'],
  },
  {
    title: 'layerNorm with a weight of another shape',
    call: () => layerNormFunction(floats(2, 3), 3, { weight: floats(2) }),
    error: ShapeError,
    says: ['layerNorm', 'weight is [2]', 'normalised shape [3]'],
  },
  {
    title: 'attention',
    call: () => attention(floats(2, 3), floats(2, 4), floats(2, 3)),
    error: ShapeError,
    says: ['attention', '[2, 3]', '[2, 4]'],
  },
  {
    title: 'attention with a wide mask',
    call: () => attention(floats(1, 2, 3), floats(1, 2, 3), floats(1, 2, 3), { mask: bools(4, 2, 2) }),
    error: ShapeError,
    says: ['attention', 'mask', '[4, 2, 2]'],
  },
  { title: 'max of nothing', call: () => floats(0).max(), error: ShapeError, says: ['max', 'empty', '[0]'] },
  {
    title: 'argmax of nothing',
    call: () => floats(2, 0).argmax({ axis: 1 }),
    error: ShapeError,
    says: ['argmax', 'empty', '[2, 0]'],
  },
  { title: 'item of several', call: () => floats(2).itemSync(), error: ShapeError, says: ['item', '[2]'] },
  {
    title: 'backward of several',
    call: () =>
      toTensor(
        dense([2], () => 1),
        'float32',
        { requiresGrad: true },
      ).backward(),
    error: ShapeError,
    says: ['backward', '[2]', 'seed'],
  },
  {
    title: 'vmap',
    call: () => vmap((a, b) => a.add(b))(floats(2), floats(3)),
    error: ShapeError,
    says: ['vmap', '2, 3'],
  },
  { title: 'jvp', call: () => jvp((x) => x, [floats(2)], []), error: ShapeError, says: ['jvp'] },
  { title: 'grad of several', call: () => grad((x) => x)(floats(2)), error: ShapeError, says: ['[2]'] },
  {
    title: 'ragged nesting',
    call: () => tensor([[1, 2], [3]]),
    error: ShapeError,
    says: ['tensor: rows differ in length'],
  },
  {
    title: 'data of another size',
    call: () => tensor(Float32Array.of(1, 2), { shape: [3] }),
    error: ShapeError,
    says: [/^tensor: /, '[3]'],
  },
  { title: 'randint', call: () => randint(3, 3, [1]), error: ShapeError, says: ['randint', '[3, 3)'] },
  {
    title: 'multinomial',
    call: () => multinomial(floats(2), 3),
    error: ShapeError,
    says: ['multinomial', '3 of 2'],
  },
  {
    title: 'norm of a strange order',
    call: () => floats(2).norm({ order: 3 }),
    error: ShapeError,
    says: ['norm', '3'],
  },
];

const AXIS_CALLS: { readonly [name: string]: (x: Tensor) => unknown } = {
  sum: (x) => x.sum({ axis: 2 }),
  'sum, twice the same': (x) => x.sum({ axis: [0, -2] }),
  mean: (x) => x.mean({ axis: -3 }),
  argmax: (x) => x.argmax({ axis: 2 }),
  cumsum: (x) => x.cumsum(2),
  cumprod: (x) => x.cumprod(2),
  softmax: (x) => x.softmax(2),
  logSoftmax: (x) => x.logSoftmax(-3),
  logsumexp: (x) => x.logsumexp({ axis: 2 }),
  transpose: (x) => x.transpose(0, 2),
  flip: (x) => x.flip(2),
  unsqueeze: (x) => x.unsqueeze(4),
  flatten: (x) => x.flatten(0, 2),
  slice: (x) => x.slice(2, 0, 1),
  roll: (x) => x.roll(1, 2),
  gather: (x) => x.gather(2, whole(2, 3)),
  indexSelect: (x) => x.indexSelect(2, whole(1)),
  'half an axis': (x) => x.sum({ axis: 0.5 }),
};
const AXES: readonly BadCall[] = Object.entries(AXIS_CALLS).map(([title, call]) => ({
  title,
  call: () => call(floats(2, 3)),
  error: ShapeError,
  says: [/axis|axes/],
}));

/** What only JavaScript can pass. */
const untyped = <T>(value: unknown): T => value as T;

const DTYPE_CALLS: readonly BadCall[] = [
  {
    title: 'options where a bias is wanted',
    call: () => floats(1, 1, 3, 3).conv2d(floats(1, 1, 2, 2), untyped({ padding: 1 })),
    error: DTypeError,
    says: ['conv2d', 'bias', 'null', 'type object'],
  },
  {
    title: 'matmul with an array',
    call: () => floats(2, 2).matmul(untyped([[1]])),
    error: DTypeError,
    says: ['matmul', 'an array', 'tensor('],
  },
  {
    title: 'add of nothing',
    call: () => floats(2).add(untyped(undefined)),
    error: DTypeError,
    says: ['add', 'undefined', 'tensor('],
  },
  {
    title: 'cat of tensors that are in no array',
    call: () => cat(untyped(floats(2))),
    error: DTypeError,
    says: ['cat', 'array', 'cat([a, b])'],
  },
  {
    title: 'cat of arrays',
    call: () => cat([floats(2), untyped([1, 2])]),
    error: DTypeError,
    says: ['cat', 'operand 1', 'an array'],
  },
  {
    title: 'stack of numbers',
    call: () => stack([untyped(1)]),
    error: DTypeError,
    says: ['stack', 'operand 0', 'type number'],
  },
  {
    title: 'einsum of an array',
    call: () => einsum('i->', untyped([1])),
    error: DTypeError,
    says: ['einsum', 'operand 0', 'an array'],
  },
  {
    title: 'where of an array',
    call: () => where(untyped([true]), 1, floats(1)),
    error: DTypeError,
    says: ['where', 'condition', 'an array'],
  },
  {
    title: 'attention of an array',
    call: () => attention(floats(2, 2), untyped([1]), floats(2, 2)),
    error: DTypeError,
    says: ['attention', 'k is an array', 'tensor('],
  },
  {
    title: 'gather by a number',
    call: () => floats(2).gather(0, untyped(1)),
    error: DTypeError,
    says: ['gather', 'index', 'type number'],
  },
  {
    title: 'different dtypes',
    call: () => floats(2).add(whole(2)),
    error: DTypeError,
    says: ['add', 'float32 [2]', 'int32 [2]', 'cast'],
  },
  {
    title: 'exp of integers',
    call: () => whole(2).exp(),
    error: DTypeError,
    says: ['exp', 'int32 [2]', 'cast'],
  },
  { title: 'neg of bools', call: () => bools(2).neg(), error: DTypeError, says: ['neg', 'bool [2]', 'cast'] },
  {
    title: 'logicalAnd of floats',
    call: () => floats(2).logicalAnd(floats(2)),
    error: DTypeError,
    says: ['logicalAnd', 'float32 [2]'],
  },
  {
    title: 'matmul of bools',
    call: () => bools(2, 2).matmul(bools(2, 2)),
    error: DTypeError,
    says: ['matmul', 'bool [2, 2]'],
  },
  {
    title: 'a fraction with integers',
    call: () => whole(2).mul(0.5),
    error: DTypeError,
    says: ['0.5', 'int32'],
  },
  {
    title: 'where with a fraction and integers',
    call: () => where(bools(2), whole(2), 0.5),
    error: DTypeError,
    says: ['0.5', 'int32'],
  },
  { title: 'a number with bools', call: () => bools(2).eq(1), error: DTypeError, says: ['bool'] },
  {
    title: 'a condition of floats',
    call: () => where(floats(2), floats(2), 0),
    error: DTypeError,
    says: [/where|logicalNot/, 'bool'],
  },
  { title: 'mean of integers', call: () => whole(2).mean(), error: DTypeError, says: ['mean', 'int32 [2]'] },
  {
    title: 'softmax of integers',
    call: () => whole(2).softmax(),
    error: DTypeError,
    says: ['softmax', 'int32 [2]'],
  },
  {
    title: 'an index of floats',
    call: () => floats(2).gather(0, floats(2)),
    error: DTypeError,
    says: ['gather', 'indices', 'float32 [2]'],
  },
  {
    title: 'labels of floats',
    call: () => crossEntropy(floats(2, 3).read(), floats(2).read()),
    error: DTypeError,
    says: ['crossEntropy', 'indices'],
  },
  {
    title: 'an attention mask of integers',
    call: () => attention(floats(2, 2), floats(2, 2), floats(2, 2), { mask: whole(2, 2) }),
    error: DTypeError,
    says: ['attention', 'mask'],
  },
  {
    title: 'a gradient of integers',
    call: () =>
      toTensor(
        dense([1], () => 1),
        'int32',
        { requiresGrad: true },
      ),
    error: DTypeError,
    says: ['requiresGrad', 'int32'],
  },
  {
    title: 'grad with respect to integers',
    call: () => grad((x) => x.sum())(whole(1)),
    error: DTypeError,
    says: ['grad', 'int32'],
  },
  {
    title: 'assign',
    call: () => floats(2).assign(whole(2)),
    error: DTypeError,
    says: ['assign', 'float32 [2]', 'int32 [2]'],
  },
  { title: 'cat', call: () => cat([floats(2), whole(2)]), error: DTypeError, says: ['float32', 'int32'] },
];

const elsewhere = (): Tensor => tensor([1, 2], { device: createReference(), name: 'elsewhere' });
const disposed = (): Tensor => {
  const x = toTensor(
    dense([2], () => 1),
    'float32',
  );
  x.dispose();
  return x;
};
const HANDLES: readonly BadCall[] = [
  {
    title: 'operands on two devices',
    call: () => floats(2).add(elsewhere()),
    error: DeviceError,
    says: ['add', 'float32 [2]', '"elsewhere"', 'to(device)'],
  },
  {
    title: 'a matrix product on two devices',
    call: () => floats(2, 2).matmul(elsewhere()),
    error: DeviceError,
    says: ['matmul', 'float32 [2, 2]', 'to(device)'],
  },
  {
    title: 'assign from another device',
    call: () => floats(2).assign(elsewhere()),
    error: DeviceError,
    says: ['assign', 'to(device)'],
  },
  { title: 'a disposed operand', call: () => disposed().add(1), error: StaleError, says: ['disposed'] },
  {
    title: 'a disposed operand on the right',
    call: () => floats(2).mul(disposed()),
    error: StaleError,
    says: ['disposed'],
  },
  {
    title: 'reading a disposed tensor',
    call: () => disposed().dataSync(),
    error: StaleError,
    says: ['disposed'],
  },
  {
    title: 'assigning a disposed tensor',
    call: () => floats(2).assign(disposed()),
    error: StaleError,
    says: ['disposed'],
  },
  {
    title: 'backward without anything to differentiate',
    call: () => floats().backward(),
    error: GradientError,
    says: ['backward', 'requiresGrad'],
  },
  {
    title: 'backward of a value built without recording',
    call: () =>
      noGrad(() =>
        toTensor(
          dense([], () => 1),
          'float32',
          { requiresGrad: true },
        ).mul(2),
      ).backward(),
    error: GradientError,
    says: ['backward'],
  },
  {
    title: 'requiresGrad of a computed value',
    call: () => Object.assign(floats(2).add(1), { requiresGrad: true }),
    error: GradientError,
    says: ['requiresGrad', 'leaves'],
  },
  {
    title: 'retainGrad without a gradient',
    call: () => floats(2).retainGrad(),
    error: GradientError,
    says: ['retainGrad'],
  },
];

export function describeBadInput(): void {
  const groups = { shapes: SHAPES, axes: AXES, windows: WINDOWS, dtypes: DTYPE_CALLS, handles: HANDLES };
  describe.each(Object.entries(groups))('%s', (_, calls) => {
    test.each(calls.map((each) => [each.title, each] as const))('%s', (__, bad) => {
      expectFailure(bad);
    });
  });
}
