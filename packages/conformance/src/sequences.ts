/**
 * Sequences taken apart and joined again: slices that cover an array partly, overlap, repeat or stride, and
 * the sums of their gradients; concatenations of parts that are computed, read again, constant, moved or
 * results themselves; and recurrent nets written by hand, against plain loops.
 */
import {
  cat,
  chunk,
  compile,
  grad,
  split,
  stack,
  tensor,
  type Tensor,
  unbind,
  zeros,
} from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { expectExact, expectValues, toTensor } from './compare.ts';
import type { GetDevice } from './get-device.ts';
import { expectGradients, expectSecondDerivatives, type TensorFunction } from './gradients.ts';
import { at, dense, type Dense, map } from './oracle/dense.ts';
import { samples } from './oracle/samples.ts';

const tolerance = { relative: 2e-5, absolute: 2e-6 };
const x = samples([3, 6, 4], -1, 1);
const sum = (parts: readonly Tensor[]): Tensor => parts.reduce((a, b) => a.add(b));
/** Each part has another weight, so that exchanged parts change the sum. */
const weigh = (parts: readonly Tensor[]): Tensor =>
  sum(parts.map((part, number) => part.sin().mul(number + 1)));
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** Functions of x (3, 6, 4) by slices of it. */
const CUTS: { readonly [title: string]: TensorFunction } = {
  'unbind along the first axis': (a) => weigh(unbind(a)),
  'unbind along the middle': (a) => weigh(a.unbind(1)),
  'unbind along the last axis, by its options': (a) => weigh(unbind(a, { axis: -1 })),
  'some of unbind': (a) => weigh(a.unbind(1).slice(1, 4)),
  'one slice': (a) => a.narrow(1, 2, 1).squeeze(1).exp(),
  'slices that leave gaps': (a) => weigh([a.narrow(1, 0, 1), a.narrow(1, 2, 1), a.narrow(1, 5, 1)]),
  'slices out of order': (a) => weigh([4, 1, 3, 0].map((start) => a.slice(1, start, start + 1).squeeze(1))),
  'slices that overlap': (a) => weigh(range(4).map((start) => a.narrow(1, start, 3))),
  'slices that overlap in part': (a) => weigh([a.narrow(1, 0, 4), a.narrow(1, 2, 4), a.narrow(1, 1, 4)]),
  'slices that repeat': (a) => weigh([1, 1, 3, 1, 3].map((start) => a.narrow(1, start, 1))),
  'slices with steps': (a) => weigh(range(3).map((start) => a.slice(1, start, undefined, 3))),
  'slices with steps that cover partly': (a) => weigh([a.slice(1, 0, 5, 2), a.slice(1, 1, 6, 2)]),
  'slices with steps that repeat': (a) =>
    weigh([a.slice(1, 1, 6, 2), a.slice(1, 1, 6, 2), a.slice(1, 0, 6, 2)]),
  'slices of slices': (a) => weigh(range(3).map((row) => weigh(a.narrow(0, row, 1).squeeze(0).unbind(0)))),
  'slices along two axes': (a) =>
    weigh([
      a.narrow(0, 0, 2).narrow(1, 1, 2),
      a.narrow(0, 1, 2).narrow(1, 3, 2),
      a.narrow(0, 0, 2).narrow(1, 3, 2),
    ]),
  'elements of a grid': (a) => weigh(range(3).flatMap((row) => [4, 0, 1].map((step) => a.at(row, step)))),
  'boxes of a grid that overlap': (a) =>
    weigh(range(2).flatMap((row) => [0, 1, 3].map((step) => a.narrow(0, row, 2).narrow(1, step, 2)))),
  'strided boxes': (a) => weigh(range(2).map((step) => a.at(null, { start: step, step: 2 }, { step: 3 }))),
  'slices of a flipped value': (a) => weigh(a.flip(1).unbind(1)),
  'flipped slices': (a) => weigh(a.unbind(1).map((part) => part.flip(0))),
  'slices of a transposed value': (a) => weigh(a.transpose(0, 2).unbind(0)),
  'transposed slices': (a) => weigh(a.unbind(1).map((part) => part.transpose())),
  'slices of a reshaped value': (a) => weigh(a.reshape(3, 2, 12).unbind(1)),
  'slices of elements': (a) =>
    weigh(a.unbind(0).flatMap((row) => row.unbind(0).map((column) => column.slice(0, 1, 3)))),
  'split into unequal pieces': (a) => sum(split(a, [1, 0, 3, 2], 1).map((part) => part.exp().sum())),
  'chunk, the last of them shorter': (a) => sum(chunk(a, 4, 1).map((part) => part.exp().sum())),
  'slices beside the whole': (a) =>
    a.mul(2).add(
      cat(
        a.unbind(1).map((part) => part.sin().unsqueeze(1)),
        1,
      ),
    ),
  'the same elements picked by indices': (a) =>
    weigh(
      [0, 2, 2, 5].map((step) =>
        a.indexSelect(1, tensor([step], { dtype: 'int32', device: a.device })).squeeze(1),
      ),
    ),
  'elements picked by several indices': (a) =>
    weigh(
      [
        [0, 2],
        [2, 5],
      ].map((steps) => a.indexSelect(1, tensor(steps, { dtype: 'int32', device: a.device }))),
    ),
};

/** Functions of x (3, 6, 4) that join values. */
const JOINS: { readonly [title: string]: TensorFunction } = {
  'slices joined again': (a) => cat(split(a, [2, 1, 3], 1), 1).exp(),
  'slices stacked again': (a) => stack(a.unbind(1), 1),
  'slices stacked along another axis': (a) => stack(a.unbind(1), 0),
  'slices stacked along the last axis': (a) => stack(a.unbind(0), -1).exp(),
  'a few of the slices joined': (a) => cat([a.narrow(1, 1, 1), a.narrow(1, 2, 2)], 1),
  'slices joined in reverse': (a) => cat(split(a, [2, 1, 3], 1).toReversed(), 1),
  'computed values along the first axis': (a) => cat([a.exp(), a.sin(), a.mul(2)], 0),
  'computed values along the middle': (a) => cat([a.exp(), a.sin(), a.mul(2)], 1),
  'computed values along the last axis': (a) => cat([a.exp(), a.sin(), a.mul(2), a.cos(), a.tanh()], -1),
  'moved parts': (a) =>
    cat([a.exp().transpose(0, 2), a.sin().reshape(4, 6, 3), a.transpose(0, 2).flip(1)], 1),
  'reduced parts': (a) =>
    stack([a.sum({ axis: [1, 2] }), a.mean({ axis: [1, 2] }), a.max({ axis: [1, 2] })], 1),
  'parts that are read again': (a) => {
    const parts = a.unbind(1).map((part) => part.exp());
    return cat(parts, 0).mul(sum(parts).sum());
  },
  'a part twice': (a) => cat([a.exp(), a.exp(), a], 1),
  'parts of two concatenations': (a) => {
    const parts = a.unbind(1).map((part) => part.tanh());
    return cat(parts, 0).sum().mul(stack(parts, 1)).add(cat(parts.toReversed(), 1).sin().sum());
  },
  'a concatenation of concatenations': (a) => {
    const rows = a.unbind(0).map((row) => cat([row.exp(), row.sin()], 1));
    return stack(rows, 1).matmul(stack(rows, 1).transpose()).add(cat(rows, 0).sum());
  },
  'constants between': (a) =>
    cat(
      [
        zeros([3, 1, 4], { dtype: a.dtype, device: a.device }),
        a.exp(),
        zeros([3, 2, 4], { dtype: a.dtype, device: a.device }),
      ],
      1,
    ),
  'a concatenation that is sliced': (a) =>
    weigh(
      stack(
        a.unbind(1).map((part) => part.exp()),
        1,
      ).unbind(1),
    ),
  'a concatenation that is sliced across its parts': (a) =>
    cat(
      a.unbind(1).map((part) => part.exp()),
      1,
    )
      .slice(1, 2, 11)
      .mul(2),
  'a concatenation in a product': (a) => {
    const parts = a.unbind(1).map((part) => part.exp());
    return cat(parts, 0)
      .transpose()
      .matmul(
        cat(
          parts.map((part) => part.sin()),
          0,
        ),
      );
  },
  rolled: (a) => a.roll(2, 1).exp().add(a.roll(-1, 2)),
  'products with one matrix': (a) =>
    stack(
      a.unbind(1).map((part) => part.matmul(a.narrow(0, 0, 1).squeeze(0).transpose())),
      1,
    ),
  'sums of products': (a) => sum(a.unbind(1).map((part) => part.exp().transpose().matmul(part.sin()))),
};

function describeFunctions(device: GetDevice, functions: typeof CUTS): void {
  test.each(Object.entries(functions))('%s', async (_, f) => {
    await expectGradients(device(), f, [x]);
    const [eager, compiled] = [f(toTensor(x, 'float32')), compile(f)(toTensor(x, 'float32'))];
    await expectValues(compiled, { shape: eager.shape, data: Array.from(await eager.data()) }, tolerance);
    const slopes = (each: TensorFunction): Tensor => grad((a) => each(a).sin().sum())(toTensor(x, 'float32'));
    const [plain, replayed] = [slopes(f), compile(() => slopes(f))()];
    await expectValues(replayed, { shape: plain.shape, data: Array.from(await plain.data()) }, tolerance);
  });
}

// ---- recurrent nets

const STEPS = 5;
const BATCH = 2;
const WIDTH = 3;

interface RecurrentCell {
  /** Columns of the weights per unit. */
  readonly gates: number;
  readonly states: number;
  readonly next: (input: Tensor, states: readonly Tensor[], recurrent: Tensor) => readonly Tensor[];
}

/** From x·W + b of a step, and the states, the next states; the first of them is the output. */
const RECURRENT_CELLS: { readonly [name: string]: RecurrentCell } = {
  'a plain net': {
    gates: 1,
    states: 1,
    next: (input, [h], recurrent) => [input.add(h!.matmul(recurrent)).tanh()],
  },
  'a GRU': {
    gates: 3,
    states: 1,
    next(input, [h], recurrent) {
      const [xr, xz, xn] = chunk(input, 3, 1) as [Tensor, Tensor, Tensor];
      const [hr, hz, hn] = chunk(h!.matmul(recurrent), 3, 1) as [Tensor, Tensor, Tensor];
      const [r, z] = [xr.add(hr).sigmoid(), xz.add(hz).sigmoid()];
      const n = xn.add(r.mul(hn)).tanh();
      return [n.add(z.mul(h!.sub(n)))];
    },
  },
  'an LSTM': {
    gates: 4,
    states: 2,
    next(input, [h, c], recurrent) {
      const [i, f, g, o] = chunk(input.add(h!.matmul(recurrent)), 4, 1) as [Tensor, Tensor, Tensor, Tensor];
      const state = f.sigmoid().mul(c!).add(i.sigmoid().mul(g.tanh()));
      return [o.sigmoid().mul(state.tanh()), state];
    },
  },
};

/** Ways to take a sequence (B, T, C) apart. */
const MODES: { readonly [name: string]: (a: Tensor) => readonly Tensor[] } = {
  unbind: (a) => a.unbind(1),
  narrow: (a) => range(STEPS).map((step) => a.narrow(1, step, 1).squeeze(1)),
  split: (a) =>
    split(
      a,
      range(STEPS).map(() => 1),
      1,
    ).map((part) => part.squeeze(1)),
};

/** All outputs (B, T, C), with the projection of the inputs step by step or at once. */
function run(
  { gates, states, next }: RecurrentCell,
  steps: (a: Tensor) => readonly Tensor[],
  atOnce: boolean,
): TensorFunction {
  return (input, weight, recurrent, bias) => {
    const { dtype, device } = input;
    const project = (each: Tensor): Tensor => each.matmul(weight).add(bias);
    const projected = atOnce ? steps(project(input)) : steps(input).map(project);
    let state: readonly Tensor[] = range(states).map(() =>
      zeros([BATCH, weight.shape[1]! / gates], { dtype, device }),
    );
    const outputs = projected.map((each) => {
      state = next(each, state, recurrent);
      return state[0]!;
    });
    return stack(outputs, 1);
  };
}

/** The LSTM in plain loops. */
function lstm(input: Dense, weight: Dense, recurrent: Dense, bias: Dense): Dense {
  const units = recurrent.shape[0]!;
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  const outputs = range(BATCH).map((row) => {
    let [h, c] = [range(units).map(() => 0), range(units).map(() => 0)];
    return range(STEPS).map((step) => {
      const gate = (number: number, unit: number): number => {
        const column = number * units + unit;
        const fromInput = range(input.shape[2]!).reduce(
          (total, k) => total + at(input, [row, step, k]) * at(weight, [k, column]),
          0,
        );
        return h.reduce(
          (total, value, k) => total + value * at(recurrent, [k, column]),
          fromInput + bias.data[column]!,
        );
      };
      const gates = range(4).map((number) => range(units).map((unit) => gate(number, unit)));
      const [i, f, g, o] = gates as [number[], number[], number[], number[]];
      c = c.map((value, unit) => sigmoid(f[unit]!) * value + sigmoid(i[unit]!) * Math.tanh(g[unit]!));
      h = c.map((value, unit) => sigmoid(o[unit]!) * Math.tanh(value));
      return h;
    });
  });
  return dense([BATCH, STEPS, units], ([row, step, unit]) => outputs[row!]![step!]![unit!]!);
}

function operandsOf({ gates }: RecurrentCell): readonly Dense[] {
  return [
    samples([BATCH, STEPS, 4], -1, 1),
    samples([4, gates * WIDTH], -1, 1, 2),
    samples([WIDTH, gates * WIDTH], -1, 1, 3),
    samples([gates * WIDTH], -1, 1, 4),
  ];
}

function describeRecurrentNets(device: GetDevice): void {
  test.each(Object.entries(RECURRENT_CELLS))('%s, unrolled by hand', async (_, state) => {
    for (const steps of Object.values(MODES)) {
      for (const atOnce of [false, true])
        await expectGradients(device(), run(state, steps, atOnce), operandsOf(state));
    }
  });
  test('an LSTM gives what plain loops give, with and without compile, and with gradients beside', async () => {
    const state = RECURRENT_CELLS['an LSTM']!;
    const operands = operandsOf(state);
    const expected = lstm(
      ...(operands.map((operand) => map(operand, Math.fround)) as [Dense, Dense, Dense, Dense]),
    );
    const f = run(state, MODES['unbind']!, true);
    const inputs = operands.map((operand) => toTensor(operand, 'float32', { requiresGrad: true }));
    await expectValues(f(...inputs), expected, tolerance);
    const step = compile((...tensors: Tensor[]) => {
      const output = f(...tensors);
      return [
        output.detach(),
        grad((weight) =>
          f(tensors[0]!, weight, ...tensors.slice(2))
            .square()
            .sum(),
        )(tensors[1]!),
      ];
    });
    const [output, slope] = step(...operands.map((operand) => toTensor(operand, 'float32'))) as [
      Tensor,
      Tensor,
    ];
    await expectValues(output, expected, tolerance);
    f(...inputs)
      .square()
      .sum()
      .backward();
    await expectValues(
      slope,
      { shape: slope.shape, data: Array.from(await inputs[1]!.grad!.data()) },
      tolerance,
    );
  });
  test('second derivatives', async () => {
    const state = RECURRENT_CELLS['a plain net']!;
    await expectSecondDerivatives(
      device(),
      run({ ...state }, (a) => a.unbind(1).slice(0, 2), false),
      operandsOf(state),
    );
  });
}

/** The sequence tests of a device. */
export function describeSequences(device: GetDevice): void {
  describe('slices', () => {
    describeFunctions(device, CUTS);
  });
  describe('concatenations', () => {
    describeFunctions(device, JOINS);
  });
  describe('recurrent nets', () => {
    describeRecurrentNets(device);
  });
  test('the parts of a result are results too', async () => {
    const f = compile((a: Tensor) => {
      const parts = a.unbind(1).map((part) => part.exp());
      return [cat(parts, 0), parts[1]!, stack(parts, 1), parts[3]!];
    });
    const results = f(toTensor(x, 'float32')) as readonly Tensor[];
    const power = map(map(x, Math.fround), Math.exp);
    const part = (step: number): Dense => dense([3, 4], ([i, k]) => at(power, [i!, step, k!]));
    await expectValues(
      results[0]!,
      dense([18, 4], ([i, k]) => at(power, [i! % 3, Math.floor(i! / 3), k!])),
      tolerance,
    );
    await expectValues(results[1]!, part(1), tolerance);
    await expectValues(results[2]!, power, tolerance);
    await expectValues(results[3]!, part(3), tolerance);
  });
  test('integers and bools are joined and taken apart', async () => {
    const whole = tensor(range(6), { shape: [3, 2], dtype: 'int32' });
    const parts = whole.unbind(0);
    await expectExact(cat([parts[2]!.mul(2), parts[0]!, parts[1]!.add(1)]), {
      shape: [6],
      data: [8, 10, 0, 1, 3, 4],
    });
    await expectExact(
      stack(
        parts.map((part) => part.gt(1)),
        1,
      ),
      { shape: [2, 3], data: [0, 1, 1, 0, 1, 1] },
    );
  });
  test('unbind refuses what is no axis', () => {
    expect(() => toTensor(x, 'float32').unbind(3)).toThrow('unbind');
    expect(() => toTensor(x, 'float32').unbind({ dim: 1 } as object)).toThrow('axis');
  });
}
