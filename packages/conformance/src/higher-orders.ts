/**
 * Derivatives of orders 1 to 4, where a rule easily loses them: at 0, for small and large arguments, at kinks
 * and ties, in masked rows. Where a derivative is finite it is compared with its closed form; where it is
 * infinite or does not exist, with PyTorch's (fixtures/derivatives.json) or with what is stated here.
 * Stated: the 2-norm and the standard deviation have derivatives 0 of every order where they are 0, and a
 * power has them where base and exponent are 0.
 */
import { attention, grad, tensor } from '@firsthand/autograd';
import type { Device, DType, Tensor } from '@firsthand/autograd';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectValues, numbersOf, toTensor } from './compare.ts';
import type { Tolerance } from './compare.ts';
import { denseOf, replayOf } from './fixtures.ts';
import type { Options, RecordedArray } from './fixtures.ts';
import type { GetDevice } from './get-device.ts';
import type { Dense } from './oracle/dense.ts';
import { map, scalar, vector } from './oracle/dense.ts';
import {
  constantThen,
  eluOf,
  exponentialOf,
  ofCos,
  ofErf,
  ofExp,
  ofExpm1,
  ofGelu,
  ofGeluTanh,
  ofLog,
  ofLog1p,
  ofSigmoid,
  ofSilu,
  ofSin,
  ofSoftplus,
  ofTan,
  ofTanh,
  powerOf,
  powerPartial,
} from './oracle/derivatives.ts';
import type { Derivatives } from './oracle/derivatives.ts';

interface Smooth {
  readonly f: (x: Tensor) => Tensor;
  readonly derivatives: Derivatives;
  readonly points: readonly number[];
}

const everywhere = [-1e4, -100, -20, -2, -0.5, -1e-30, 0, 1e-30, 0.5, 2, 20, 100, 1e4];
const positive = [1e-30, 0.5, 1, 2, 100, 1e4];
const periodic = [-2, -0.5, -1e-30, 0, 1e-30, 0.5, 2];
const whole = [-3, -0.5, -1e-30, 0, 1e-30, 0.5, 3];
const fractional = [0, 1e-30, 0.5, 3];

const like = (x: Tensor, value: number): Tensor =>
  tensor(new Float64Array(x.size).fill(value), { shape: x.shape, dtype: x.dtype, device: x.device });

const SMOOTH: { readonly [name: string]: Smooth } = {
  exp: { f: (x) => x.exp(), derivatives: ofExp, points: everywhere },
  expm1: { f: (x) => x.expm1(), derivatives: ofExpm1, points: everywhere },
  log: { f: (x) => x.log(), derivatives: ofLog, points: positive },
  log1p: { f: (x) => x.log1p(), derivatives: ofLog1p, points: [-0.5, -1e-30, 0, ...positive] },
  sqrt: { f: (x) => x.sqrt(), derivatives: powerOf(0.5), points: positive },
  rsqrt: { f: (x) => x.rsqrt(), derivatives: powerOf(-0.5), points: positive },
  reciprocal: { f: (x) => x.reciprocal(), derivatives: powerOf(-1), points: [-2, -0.5, ...positive] },
  '1/x': { f: (x) => like(x, 1).div(x), derivatives: powerOf(-1), points: [-2, -0.5, ...positive] },
  square: { f: (x) => x.square(), derivatives: powerOf(2), points: everywhere },
  x·x: { f: (x) => x.mul(x), derivatives: powerOf(2), points: everywhere },
  sin: { f: (x) => x.sin(), derivatives: ofSin, points: periodic },
  cos: { f: (x) => x.cos(), derivatives: ofCos, points: periodic },
  tan: { f: (x) => x.tan(), derivatives: ofTan, points: periodic.filter((x) => Math.abs(x) < 2) },
  tanh: { f: (x) => x.tanh(), derivatives: ofTanh, points: everywhere },
  erf: { f: (x) => x.erf(), derivatives: ofErf, points: everywhere },
  sigmoid: { f: (x) => x.sigmoid(), derivatives: ofSigmoid, points: everywhere },
  silu: { f: (x) => x.silu(), derivatives: ofSilu, points: everywhere },
  softplus: { f: (x) => x.softplus(), derivatives: ofSoftplus, points: everywhere },
  gelu: { f: (x) => x.gelu(), derivatives: ofGelu, points: everywhere },
  'gelu, tanh': { f: (x) => x.gelu('tanh'), derivatives: ofGeluTanh, points: everywhere },
  elu: { f: (x) => x.elu(), derivatives: eluOf(1), points: everywhere },
  'elu, alpha 0.5': { f: (x) => x.elu(0.5), derivatives: eluOf(0.5), points: everywhere },
  relu: {
    f: (x) => x.relu(),
    derivatives: (x) => constantThen(Math.max(x, 0), x > 0 ? 1 : 0),
    points: everywhere,
  },
  leakyRelu: {
    f: (x) => x.leakyRelu(0.2),
    derivatives: (x) => constantThen(x > 0 ? x : 0.2 * x, x > 0 ? 1 : 0.2),
    points: everywhere,
  },
  abs: { f: (x) => x.abs(), derivatives: (x) => constantThen(Math.abs(x), Math.sign(x)), points: everywhere },
  ...Object.fromEntries(
    [-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5].flatMap((p) => [
      [
        `x^${p}`,
        {
          f: (x: Tensor) => x.pow(p),
          derivatives: powerOf(p),
          points: Number.isInteger(p) ? whole : fractional,
        },
      ],
      [
        `x^[${p}]`,
        {
          f: (x: Tensor) => x.pow(like(x, p)),
          derivatives: powerOf(p),
          points: Number.isInteger(p) ? whole : fractional,
        },
      ],
    ]),
  ),
  ...Object.fromEntries(
    [0.5, 1, 2].map((a) => [
      `${a}^x`,
      {
        f: (x: Tensor) => like(x, a).pow(x),
        derivatives: exponentialOf(a),
        points: [-20, -0.5, 0, 1, 2, 20],
      },
    ]),
  ),
};

const TOLERANCE: { readonly [K in DType]?: Tolerance } = {
  float32: { relative: 1e-4, absolute: 2e-6 },
  float64: { relative: 1e-9, absolute: 1e-12 },
};
const dtypesOf = (device: Device): DType[] =>
  (['float32', 'float64'] as const).filter((each) => device.supports(each));
/** What a device without wider numbers can give of a double. */
const rounded = (dtype: DType, x: Dense): Dense => (dtype === 'float32' ? map(x, Math.fround) : x);

const derivativeOf =
  (f: (x: Tensor) => Tensor): ((x: Tensor) => Tensor) =>
  (x) =>
    grad((each) => f(each).sum())(x);

type Variable = 'a' | 'b';
/** Sequences of up to three variables to differentiate with respect to, in that order. */
const SEQUENCES: readonly (readonly Variable[])[] = [1, 2, 3].flatMap((length) =>
  Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (__, position): Variable => ((bits >> position) & 1 ? 'a' : 'b')),
  ),
);

function partial(
  f: (a: Tensor, b: Tensor) => Tensor,
  sequence: readonly Variable[],
): (a: Tensor, b: Tensor) => Tensor {
  return sequence.reduce<(a: Tensor, b: Tensor) => Tensor>(
    (inner, variable) => (a, b) =>
      variable === 'a' ? derivativeOf((x) => inner(x, b))(a) : derivativeOf((x) => inner(a, x))(b),
    f,
  );
}

export interface RecordedDerivatives {
  readonly name: string;
  readonly options: Options;
  readonly inputs: readonly RecordedArray[];
  /** The input that is differentiated with respect to. */
  readonly variable: number;
  /** The value, and then the gradient of Σ w·d of the one before, w = 1, −2, 3, 1, −2, 3, … */
  readonly derivatives: readonly RecordedArray[];
}

const weighted = (x: Tensor): Tensor => {
  const weights = Float64Array.from({ length: x.size }, (_, index) => [1, -2, 3][index % 3]!);
  return x.mul(tensor(weights, { shape: x.shape, dtype: x.dtype, device: x.device })).sum();
};

export function describeHigherOrders(device: GetDevice, recorded: readonly RecordedDerivatives[]): void {
  test.each(Object.keys(SMOOTH))('%s: orders 0 to 4 in closed form', async (name) => {
    const { f, derivatives, points } = SMOOTH[name]!;
    for (const dtype of dtypesOf(device())) {
      const x = rounded(dtype, vector(...points));
      let order = f;
      for (const n of [0, 1, 2, 3, 4] as const) {
        const expected = rounded(
          dtype,
          map(x, (each) => derivatives(each)[n]),
        );
        await expectValues(order(toTensor(x, dtype)), expected, TOLERANCE[dtype]);
        order = derivativeOf(order);
      }
    }
  });

  test.each(SEQUENCES.map((sequence) => [sequence.join(''), sequence] as const))(
    'partial derivatives of aᵇ: %s',
    async (_, sequence) => {
      const points = [0.5, 2].flatMap((a) => [-1, 0, 0.5, 1, 2].map((b) => [a, b] as const));
      const count = (variable: Variable): number => sequence.filter((each) => each === variable).length;
      for (const dtype of dtypesOf(device())) {
        const [a, b] = [0, 1].map((which) =>
          toTensor(vector(...points.map((point) => point[which]!)), dtype),
        );
        const expected = vector(...points.map(([x, p]) => powerPartial(count('a'), count('b'), x, p)));
        await expectValues(partial((x, p) => x.pow(p), sequence)(a!, b!), expected, TOLERANCE[dtype]);
      }
    },
  );

  // [derivative, a, b, value]: limits where they are finite; PyTorch's conventions at a = b = 0.
  test.each([
    ['b', 0, 0, 0],
    ['b', 0, 0.5, 0],
    ['b', 0, 2, 0],
    ['b', 0, -1, -Infinity],
    ['b', -2, 2, NaN],
    ['bb', 0, 2, 0],
    ['bb', 0, 0.5, 0],
    ['ba', 0, 2, 0],
    ['ab', 0, 2, 0],
    ['baa', 0, 3, 0],
    ['aba', 0, 3, 0],
    ['ab', 0, 0, 0],
    ['aaa', -2, 2, 0],
    ['aa', -2, 3, -12],
    ['aaa', 0, 2, 0],
    ['a', NaN, 0, 0],
    ['aa', Infinity, 1, 0],
  ] as const)('aᵇ: the derivative %s at a = %d, b = %d is %d', async (sequence, a, b, expected) => {
    for (const dtype of dtypesOf(device())) {
      const result = partial((x, p) => x.pow(p), sequence.split('') as Variable[])(
        toTensor(scalar(a), dtype),
        toTensor(scalar(b), dtype),
      );
      await expectValues(result, scalar(expected));
    }
  });

  test('the slope of a mod b in b is minus the whole number of times that b went into a', async () => {
    const magnitude = fc.float({ min: Math.fround(1e-3), max: 1e3, noNaN: true, noDefaultInfinity: true });
    const signed = fc.tuple(magnitude, fc.boolean()).map(([x, negative]) => (negative ? -x : x));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(signed, signed), { minLength: 1, maxLength: 64 }), async (pairs) => {
        const [a, b] = [0, 1].map((which) =>
          toTensor(vector(...pairs.map((pair) => pair[which]!)), 'float32'),
        );
        const values = await numbersOf(a!.mod(b!));
        const slopes = await numbersOf(derivativeOf((divisor) => a!.mod(divisor))(b!));
        pairs.forEach(([x, y], position) => {
          expect(Number.isInteger(slopes[position])).toBe(true);
          // One time more or less would be off by |y|; the remainder itself is rounded where its sign was
          // changed.
          expect(Math.abs(x + y * slopes[position]! - values[position]!)).toBeLessThanOrEqual(
            2 ** -24 * Math.abs(y),
          );
        });
      }),
      { numRuns: 20, seed: 7 },
    );
  });

  test('powers of float16 end at 0 beyond their degree', async () => {
    const x = vector(-1.5, 0, 0.015625, 2);
    for (const p of [0, 1, 2, 3]) {
      for (const f of [
        (each: Tensor): Tensor => each.pow(p),
        (each: Tensor): Tensor => each.pow(like(each, p)),
      ]) {
        let order = f;
        for (const n of [0, 1, 2, 3, 4] as const) {
          await expectValues(
            order(toTensor(x, 'float16')),
            map(x, (each) => powerOf(p)(each)[n]),
          );
          order = derivativeOf(order);
        }
      }
    }
  });

  test('the 2-norm and the standard deviation at 0: derivatives of every order are 0', async () => {
    for (const dtype of dtypesOf(device())) {
      for (const f of [
        (x: Tensor): Tensor => x.norm(),
        (x: Tensor): Tensor => x.std(),
        (x: Tensor): Tensor => x.std({ correction: 0 }),
      ]) {
        let order = f;
        for (let n = 0; n <= 3; n++) {
          await expectValues(order(toTensor(vector(0, 0, 0), dtype)), n === 0 ? scalar(0) : vector(0, 0, 0));
          const inner = order;
          order = (x) => grad((each) => weighted(inner(each)))(x);
        }
      }
    }
  });

  test('a query whose keys are all masked adds nothing to derivatives of the first and second order', async () => {
    const sample = (count: number, phase: number): number[] =>
      Array.from({ length: count }, (_, index) => Math.sin(1.7 * index + phase));
    const q = { shape: [3, 2], data: sample(6, 1) };
    const k = { shape: [2, 2], data: sample(4, 2) };
    const v = { shape: [2, 2], data: sample(4, 3) };
    const rows = { shape: [3, 2], data: [1, 0, 0, 0, 1, 1] };
    const dtype = dtypesOf(device()).at(-1)!;
    const mask = toTensor(rows, 'bool');
    const additive = toTensor(
      map(rows, (seen) => (seen === 1 ? 0 : -Infinity)),
      dtype,
    );
    const seen = (x: Tensor): Tensor => x.indexSelect(0, tensor([0, 2], { dtype: 'int32' }));
    const modes = [
      (x: Tensor[]): Tensor => attention(x[0]!, x[1]!, x[2]!, { mask }),
      (x: Tensor[]): Tensor => attention(x[0]!, x[1]!, x[2]!, { mask: additive }),
    ];
    const inputs = [q, k, v].map((each) => toTensor(each, dtype));
    for (const mode of modes) {
      await expectValues(mode(inputs).narrow(0, 1, 1), { shape: [1, 2], data: [0, 0] });
      const reduced = (x: Tensor[]): Tensor =>
        attention(seen(x[0]!), x[1]!, x[2]!, { mask: seen(mask.cast('int32')).cast('bool') });
      for (const which of [0, 1, 2]) {
        const ofRow = (f: (x: Tensor[]) => Tensor, x: Tensor): Tensor =>
          f(inputs.with(which, x)).square().sum();
        const first = (f: (x: Tensor[]) => Tensor, x: Tensor): Tensor => grad((each) => ofRow(f, each))(x);
        const second = (f: (x: Tensor[]) => Tensor, x: Tensor): Tensor =>
          grad((each) => weighted(first(f, each)))(x);
        for (const order of [first, second]) {
          const expected = {
            shape: inputs[which]!.shape,
            data: await numbersOf(order(reduced, inputs[which]!)),
          };
          expect(expected.data.every(Number.isFinite)).toBe(true);
          await expectValues(order(mode, inputs[which]!), expected, { relative: 1e-4, absolute: 1e-5 });
        }
      }
    }
  });

  test.each(recorded.map((each) => [titleOf(each), each] as const))(
    'PyTorch: %s',
    async (_, { name, options, inputs, variable, derivatives }) => {
      const replay = replayOf(name);
      for (const dtype of dtypesOf(device())) {
        const tolerance =
          dtype === 'float64' ? { relative: 1e-8, absolute: 1e-9 } : { relative: 1e-3, absolute: 1e-4 };
        const tensors = inputs.map((input) =>
          toTensor(denseOf(input), input.dtype === 'float64' ? dtype : input.dtype),
        );
        let order = (x: Tensor): Tensor => replay(options, ...tensors.with(variable, x));
        for (const expected of derivatives) {
          await expectValues(order(tensors[variable]!), rounded(dtype, denseOf(expected)), tolerance);
          const inner = order;
          order = (x) => grad((each) => weighted(inner(each)))(x);
        }
      }
    },
  );
}

function titleOf({ name, options, inputs, variable }: RecordedDerivatives): string {
  return `${name} ${inputs.map(({ data }) => `[${data.join(', ')}]`).join(' ')} ${JSON.stringify(options)}, in operand ${variable}`;
}
