/** Examples of the methods that multiply, move and pick elements. */
import { toTensor } from '../compare.ts';
import type { Dense } from '../oracle/dense.ts';
import { at, broadcast, dense, matmul, permute, reshape, vector } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import { cube, example } from './method-example.ts';
import type { Example } from './method-example.ts';

const triangle = (keep: (row: number, column: number) => boolean) => (x: Dense) =>
  dense(x.shape, (index) => (keep(index.at(-2)!, index.at(-1)!) ? at(x, index) : 0));
const cut = (axis: number, places: readonly number[]) => (x: Dense) =>
  dense(x.shape.with(axis, places.length), (index) => at(x, index.with(axis, places[index[axis]!]!)));

export type MovingMethod =
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

export const MOVING_METHODS: { readonly [K in MovingMethod]: readonly Example[] } = {
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
