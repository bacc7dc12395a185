/**
 * Movements: which element stands where afterwards, by index arithmetic; their gradients move back, sum what
 * was repeated, drop nothing.
 */
import { realize, Tensor } from '@firsthand/autograd';
import { node } from '@firsthand/graph';
import type { Movement } from '@firsthand/graph';
import { describe, test } from 'vitest';
import { expectExact, toTensor } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import type { Dense } from '../oracle/dense.ts';
import { at, broadcast, dense, permute, reshape, sizeOf } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';

interface MovementCase<M extends Movement> {
  readonly examples: readonly (readonly [readonly number[], M])[];
  readonly move: (x: Dense, movement: M) => Dense;
}

const MOVEMENT_CASES: { readonly [K in Movement['kind']]: MovementCase<Extract<Movement, { kind: K }>> } = {
  reshape: {
    examples: [
      [[6], { kind: 'reshape', shape: [2, 3] }],
      [[2, 3], { kind: 'reshape', shape: [3, 1, 2] }],
      [[1, 1], { kind: 'reshape', shape: [] }],
      [[0, 3], { kind: 'reshape', shape: [5, 0] }],
    ],
    move: (x, { shape }) => reshape(x, shape),
  },
  permute: {
    examples: [
      [[2, 3], { kind: 'permute', axes: [1, 0] }],
      [[2, 3, 4], { kind: 'permute', axes: [2, 0, 1] }],
      [[2, 3, 4], { kind: 'permute', axes: [1, 2, 0] }],
      [[], { kind: 'permute', axes: [] }],
      [[2, 0], { kind: 'permute', axes: [1, 0] }],
    ],
    move: (x, { axes }) => permute(x, axes),
  },
  expand: {
    examples: [
      [[3, 1], { kind: 'expand', shape: [3, 4] }],
      [[1, 2, 1], { kind: 'expand', shape: [3, 2, 2] }],
      [[1], { kind: 'expand', shape: [0] }],
    ],
    move: (x, { shape }) => broadcast(x, shape),
  },
  pad: {
    examples: [
      [[3], { kind: 'pad', before: [1], after: [2] }],
      [[2, 3], { kind: 'pad', before: [0, 2], after: [1, 0] }],
      [[0], { kind: 'pad', before: [2], after: [1] }],
      [[], { kind: 'pad', before: [], after: [] }],
    ],
    move: (x, { before, after }) =>
      dense(
        x.shape.map((extent, axis) => before[axis]! + extent + after[axis]!),
        (index) => {
          const inner = index.map((position, axis) => position - before[axis]!);
          return inner.every((position, axis) => position >= 0 && position < x.shape[axis]!)
            ? at(x, inner)
            : 0;
        },
      ),
  },
  shrink: {
    examples: [
      [[5], { kind: 'shrink', begin: [1], end: [4] }],
      [[3, 4], { kind: 'shrink', begin: [0, 2], end: [2, 3] }],
      [[3], { kind: 'shrink', begin: [2], end: [2] }],
    ],
    move: (x, { begin, end }) =>
      dense(
        end.map((stop, axis) => stop - begin[axis]!),
        (index) =>
          at(
            x,
            index.map((position, axis) => position + begin[axis]!),
          ),
      ),
  },
  flip: {
    examples: [
      [[4], { kind: 'flip', axes: [0] }],
      [[2, 3, 2], { kind: 'flip', axes: [0, 2] }],
      [[2, 3], { kind: 'flip', axes: [] }],
      [[0, 2], { kind: 'flip', axes: [0] }],
    ],
    move: (x, { axes }) =>
      dense(x.shape, (index) =>
        at(
          x,
          index.map((position, axis) => (axes.includes(axis) ? x.shape[axis]! - 1 - position : position)),
        ),
      ),
  },
  barrier: { examples: [[[2, 2], { kind: 'barrier', id: 7 }]], move: (x) => x },
};

const MIXED = [
  { kind: 'permute', axes: [2, 0, 1] },
  { kind: 'flip', axes: [1] },
  { kind: 'shrink', begin: [1, 0, 1], end: [4, 2, 3] },
  { kind: 'pad', before: [1, 0, 0], after: [0, 1, 2] },
  { kind: 'reshape', shape: [4, 12] },
  { kind: 'permute', axes: [1, 0] },
  { kind: 'reshape', shape: [1, 12, 4, 1] },
  { kind: 'expand', shape: [2, 12, 4, 3] },
] as const satisfies readonly Movement[];

const move = (x: Tensor, movement: Movement): Tensor => new Tensor(node('movement', movement, [x.read()]));
const expected = (x: Dense, movement: Movement): Dense =>
  (MOVEMENT_CASES[movement.kind].move as (x: Dense, movement: Movement) => Dense)(x, movement);

export function describeMovement(device: GetDevice): void {
  describe.each(Object.keys(MOVEMENT_CASES) as Movement['kind'][])('%s', (kind) => {
    const examples: readonly (readonly [readonly number[], Movement])[] = MOVEMENT_CASES[kind].examples;
    test.each(examples)('%j by %j: values and gradients', async (shape, movement) => {
      const x = samples(shape, -2, 2);
      const rounded = { shape, data: x.data.map(Math.fround) };
      await expectExact(move(toTensor(x, 'float32'), movement), expected(rounded, movement));
      await expectExact(
        move(toTensor(rounded, 'float32').gt(0), movement),
        expected({ shape, data: x.data.map((value) => (value > 0 ? 1 : 0)) }, movement),
      );
      await expectGradients(device(), (each) => move(each, movement), [x]);
      if (sizeOf(shape) > 0)
        await expectSecondDerivatives(device(), (each) => move(each.exp(), movement), [x]);
    });
  });
  test('a chain of all of them, with and without arithmetic between', async () => {
    const x = { shape: [2, 3, 4], data: samples([2, 3, 4], -2, 2).data.map(Math.fround) };
    const chain = (t: Tensor, between: (each: Tensor) => Tensor): Tensor =>
      MIXED.reduce((each, movement) => between(move(each, movement)), t);
    const moved = MIXED.reduce(expected, x);
    await expectExact(
      chain(toTensor(x, 'float32'), (each) => each),
      moved,
    );
    await expectExact(
      chain(toTensor(x, 'float32'), (each) => each.neg().neg()),
      { shape: moved.shape, data: moved.data },
    );
    await expectGradients(device(), (each) => chain(each, (t) => t.sin()), [x]);
  });
  test('a repeated sum that is asked for beside what is computed from it', async () => {
    const x = toTensor({ shape: [3], data: [1, 2, 4] }, 'float32');
    const total = x.neg().sum({ axis: 0 });
    const repeated = total.unsqueeze(0).expand(3);
    const shifted = x.add(total);
    await realize(total, repeated, shifted);
    await expectExact(repeated, { shape: [3], data: [-7, -7, -7] });
    await expectExact(shifted, { shape: [3], data: [-6, -5, -3] });
  });
}
