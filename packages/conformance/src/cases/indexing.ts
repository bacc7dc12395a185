/**
 * Gather and scatter by naive loops: repeated, reversed and out-of-range indices. Out of range, gather reads
 * NaN (0 for integers) and scatter writes nothing; of several `set`s of one element the last wins, and it
 * alone gets a gradient.
 */
import { grad, Tensor } from '@firsthand/autograd';
import type { DType } from '@firsthand/autograd';
import { gather, scatter } from '@firsthand/graph';
import type { Attributes } from '@firsthand/graph';
import { describe, test } from 'vitest';
import { expectExact, expectValues, toTensor } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import type { Dense } from '../oracle/dense.ts';
import { at, dense, indicesOf, map, offsetOf, vector } from '../oracle/dense.ts';
import { integers, samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';

type Mode = Attributes['scatter']['mode'];
const { NaN: nan } = Number;

/** [shape of x, shape of the index, axis] */
const SHAPES = [
  [[4], [6], 0],
  [[3, 2], [5, 2], 0],
  [[2, 3], [2, 4], 1],
  [[2, 3, 2], [2, 1, 2], 1],
  [[2, 3], [2, 0], 1],
  [[0, 2], [3, 2], 0],
] as const;

function gatherOf(x: Dense, index: Dense, axis: number, missing: number): Dense {
  return dense(index.shape, (position) => {
    const found = at(index, position);
    return found >= 0 && found < x.shape[axis]! ? at(x, position.with(axis, found)) : missing;
  });
}

function scatterOf(mode: Mode, base: Dense, index: Dense, source: Dense, axis: number): Dense {
  const data = base.data.slice();
  for (const position of indicesOf(index.shape)) {
    const target = at(index, position);
    if (!(target >= 0 && target < base.shape[axis]!)) continue;
    const flat = offsetOf(base.shape, position.with(axis, target));
    data[flat] = mode === 'add' ? data[flat]! + at(source, position) : at(source, position);
  }
  return { shape: base.shape, data };
}

const SCATTER_CASES: { readonly [K in Mode]: readonly DType[] } = {
  add: ['float32', 'int32'],
  set: ['float32', 'int32', 'bool'],
};

export function describeGather(device: GetDevice): void {
  describe.each(SHAPES)('%j by %j along %j', (shape, indexShape, axis) => {
    const index = integers(indexShape, -1, shape[axis]! + 1);
    const inside = integers(indexShape, 0, Math.max(1, shape[axis]!), 2);
    test('values, out of range included', async () => {
      const x = integers(shape, -9, 9, 3);
      for (const indexType of ['int32', 'uint32'] as const) {
        const positions =
          indexType === 'int32' ? index : map(index, (value) => (value < 0 ? 2 ** 32 - 1 : value));
        const by = toTensor(positions, indexType);
        await expectValues(
          new Tensor(gather(toTensor(x, 'float32').read(), by.read(), axis)),
          gatherOf(x, index, axis, nan),
        );
        await expectValues(
          new Tensor(gather(toTensor(x, 'int32').read(), by.read(), axis)),
          gatherOf(x, index, axis, 0),
        );
      }
    });
    test('derivatives: repeated reads add up', async () => {
      if (shape[axis] === 0)
        return expectValues(
          grad((x) => x.gather(axis, toTensor(index, 'int32')).sum())(
            toTensor(
              dense(shape, () => 0),
              'float32',
            ),
          ),
          dense(shape, () => 0),
        );
      const f = (x: Tensor): Tensor =>
        x.gather(axis, toTensor(inside, 'int32', { device: x.device })).square();
      await expectGradients(device(), f, [samples(shape, -2, 2)]);
      await expectSecondDerivatives(device(), f, [samples(shape, -2, 2)]);
    });
  });
  test('an element read out of range gives no gradient', async () => {
    const x = toTensor(vector(1, 2), 'float32');
    await expectExact(
      grad((each) => each.gather(0, toTensor(vector(1, 5, 1), 'int32')).sum())(x),
      vector(0, 2),
    );
  });
  test('views as operands', async () => {
    const x = integers([3, 4], -9, 9);
    const index = integers([2, 3], 0, 4);
    const viewed = new Tensor(
      gather(toTensor(x, 'float32').flip(1).transpose().read(), toTensor(index, 'int32').flip(0).read(), 0),
    );
    await expectValues(
      viewed,
      dense([2, 3], ([i, j]) => at(x, [j!, 3 - at(index, [1 - i!, j!])])),
    );
  });
}

export function describeScatter(device: GetDevice): void {
  describe.each(Object.keys(SCATTER_CASES) as Mode[])('%s', (mode) => {
    describe.each(SHAPES)('into %j by %j along %j', (shape, indexShape, axis) => {
      const index = integers(indexShape, -1, shape[axis]! + 1);
      test('values, out of range dropped', async () => {
        for (const dtype of SCATTER_CASES[mode]) {
          const range: readonly [number, number] = dtype === 'bool' ? [0, 2] : [-9, 9];
          const [base, source] = [integers(shape, ...range, 3), integers(indexShape, ...range, 4)];
          const result = scatter(
            mode,
            toTensor(base, dtype).read(),
            toTensor(index, 'int32').read(),
            toTensor(source, dtype).read(),
            axis,
          );
          await expectValues(new Tensor(result), scatterOf(mode, base, index, source, axis));
        }
      });
      test('derivatives, dropped and overwritten elements included', async () => {
        const f = (base: Tensor, source: Tensor): Tensor => {
          const by = toTensor(index, 'int32', { device: base.device });
          return new Tensor(scatter(mode, base.square().read(), by.read(), source.square().read(), axis));
        };
        const inputs = [samples(shape, -2, 2), samples(indexShape, -2, 2, 5)];
        await expectGradients(device(), f, inputs);
        await expectSecondDerivatives(device(), f, inputs);
      });
    });
  });
  test('many additions to one place', async () => {
    const count = 1000;
    const result = toTensor(vector(0, 0), 'float32').scatterAdd(
      0,
      toTensor(
        dense([count], () => 1),
        'int32',
      ),
      toTensor(
        dense([count], () => 1),
        'float32',
      ),
    );
    await expectExact(result, vector(0, count));
  });
}
