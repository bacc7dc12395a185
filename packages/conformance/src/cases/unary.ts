/**
 * The elementwise functions of one operand: closed forms, derivatives by hand, and what they give at edges. A
 * kind without a case does not compile. Derivatives at ties and edges are PyTorch's: |·|′(0) = 0, √′(0) = ∞,
 * steps are flat.
 */
import { grad } from '@firsthand/autograd';
import type { DType } from '@firsthand/autograd';
import type { UnaryKind } from '@firsthand/graph';
import { UNARY_RULES } from '@firsthand/graph';
import { describe, test } from 'vitest';
import { expectExact, expectValues, toTensor, TOLERANCES } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import type { Dense } from '../oracle/dense.ts';
import { at, dense, map, reshape, sizeOf, vector } from '../oracle/dense.ts';
import { erf, gaussian, normalCdf } from '../oracle/special.ts';
import { samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';

interface UnaryCase {
  readonly f: (x: number) => number;
  /** Where f is smooth. */
  readonly domain: readonly [number, number];
  /** f′, null where the function gives no gradient. */
  readonly slope: ((x: number) => number) | null;
  /** [x, f(x), f′(x)]: signs of zeros count in f(x). */
  readonly edges: readonly (readonly [number, number, number])[];
}

const { NaN: nan } = Number;
const inf = Infinity;
const stepEdges = (f: (x: number) => number): UnaryCase['edges'] =>
  [-2.5, -1.5, -0.5, -0, 0, 0.5, 1.5, 2.5, 1e6, -inf, inf].map((x) => [x, f(x), 0]);
/** Halves to the even neighbour. */
const roundEven = (x: number): number =>
  Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.sign(x) * Math.round(Math.abs(x));

const UNARY_CASES: { readonly [K in UnaryKind]: UnaryCase } = {
  neg: {
    f: (x) => -x,
    domain: [-3, 3],
    slope: () => -1,
    edges: [
      [0, -0, -1],
      [-0, 0, -1],
      [inf, -inf, -1],
      [nan, nan, -1],
    ],
  },
  abs: {
    f: Math.abs,
    domain: [0.1, 3],
    slope: Math.sign,
    edges: [
      [0, 0, 0],
      [-0, 0, 0],
      [-2, 2, -1],
      [-inf, inf, -1],
      [nan, nan, nan],
    ],
  },
  sign: {
    f: Math.sign,
    domain: [0.1, 3],
    slope: null,
    edges: [
      [0, 0, 0],
      [-0, -0, 0],
      [-inf, -1, 0],
      [inf, 1, 0],
      [nan, nan, 0],
    ],
  },
  exp: {
    f: Math.exp,
    domain: [-3, 3],
    slope: Math.exp,
    edges: [
      [0, 1, 1],
      [-inf, 0, 0],
      [inf, inf, inf],
      [1e4, inf, inf],
      [-1e4, 0, 0],
      [nan, nan, nan],
    ],
  },
  expm1: {
    f: Math.expm1,
    domain: [-3, 3],
    slope: Math.exp,
    edges: [
      [-0, -0, 1],
      [1e-30, 1e-30, 1],
      [-inf, -1, 0],
      [inf, inf, inf],
      [nan, nan, nan],
    ],
  },
  log: {
    f: Math.log,
    domain: [0.2, 4],
    slope: (x) => 1 / x,
    edges: [
      [1, 0, 1],
      [0, -inf, inf],
      [-1, nan, -1],
      [inf, inf, 0],
      [nan, nan, nan],
    ],
  },
  log1p: {
    f: Math.log1p,
    domain: [-0.8, 4],
    slope: (x) => 1 / (1 + x),
    edges: [
      [-0, -0, 1],
      [1e-30, 1e-30, 1],
      [-1, -inf, inf],
      [-2, nan, -1],
      [inf, inf, 0],
    ],
  },
  sqrt: {
    f: Math.sqrt,
    domain: [0.2, 4],
    slope: (x) => 0.5 / Math.sqrt(x),
    edges: [
      [0, 0, inf],
      [-0, -0, -inf],
      [-1, nan, nan],
      [inf, inf, 0],
      [nan, nan, nan],
    ],
  },
  rsqrt: {
    f: (x) => 1 / Math.sqrt(x),
    domain: [0.2, 4],
    slope: (x) => -0.5 * x ** -1.5,
    edges: [
      [0, inf, -inf],
      [4, 0.5, -0.0625],
      [-1, nan, nan],
      [inf, 0, -0],
    ],
  },
  reciprocal: {
    f: (x) => 1 / x,
    domain: [0.2, 4],
    slope: (x) => -1 / (x * x),
    edges: [
      [0, inf, -inf],
      [-0, -inf, -inf],
      [inf, 0, -0],
      [-inf, -0, -0],
      [nan, nan, nan],
    ],
  },
  sin: {
    f: Math.sin,
    domain: [-3, 3],
    slope: Math.cos,
    edges: [
      [-0, -0, 1],
      [inf, nan, nan],
      [nan, nan, nan],
    ],
  },
  cos: {
    f: Math.cos,
    domain: [-3, 3],
    slope: (x) => -Math.sin(x),
    edges: [
      [0, 1, -0],
      [inf, nan, nan],
      [nan, nan, nan],
    ],
  },
  tan: {
    f: Math.tan,
    domain: [-1.2, 1.2],
    slope: (x) => 1 / Math.cos(x) ** 2,
    edges: [
      [-0, -0, 1],
      [inf, nan, nan],
      [nan, nan, nan],
    ],
  },
  tanh: {
    f: Math.tanh,
    domain: [-3, 3],
    slope: (x) => 1 / Math.cosh(x) ** 2,
    edges: [
      [-0, -0, 1],
      [1e4, 1, 0],
      [-inf, -1, 0],
      [inf, 1, 0],
      [nan, nan, nan],
    ],
  },
  erf: {
    f: erf,
    domain: [-3, 3],
    slope: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x),
    edges: [
      [-0, -0, 1.1283791670955126],
      [1e4, 1, 0],
      [-inf, -1, 0],
      [inf, 1, 0],
      [nan, nan, nan],
    ],
  },
  normalCdf: {
    f: normalCdf,
    domain: [-5, 3],
    slope: (x) => gaussian(x) / Math.sqrt(2 * Math.PI),
    edges: [
      [0, 0.5, 0.3989422804014327],
      [-1e4, 0, 0],
      [1e4, 1, 0],
      [-inf, 0, 0],
      [inf, 1, 0],
      [nan, nan, nan],
    ],
  },
  sigmoid: {
    f: (x) => 1 / (1 + Math.exp(-x)),
    domain: [-5, 5],
    slope: (x) => 0.25 / Math.cosh(x / 2) ** 2,
    edges: [
      [0, 0.5, 0.25],
      [-1e4, 0, 0],
      [1e4, 1, 0],
      [-inf, 0, 0],
      [inf, 1, 0],
      [nan, nan, nan],
    ],
  },
  floor: { f: Math.floor, domain: [0.1, 0.9], slope: null, edges: stepEdges(Math.floor) },
  ceil: { f: Math.ceil, domain: [0.1, 0.9], slope: null, edges: stepEdges(Math.ceil) },
  round: {
    f: roundEven,
    domain: [0.1, 0.4],
    slope: null,
    edges: stepEdges((x) => (Number.isFinite(x) ? (x < 0 && roundEven(x) === 0 ? -0 : roundEven(x)) : x)),
  },
  logicalNot: { f: (x) => (x === 0 ? 1 : 0), domain: [0, 1], slope: null, edges: [] },
  isNaN: {
    f: (x) => (Number.isNaN(x) ? 1 : 0),
    domain: [-1, 1],
    slope: null,
    edges: [
      [nan, 1, 0],
      [0, 0, 0],
      [inf, 0, 0],
    ],
  },
};

const SHAPES: readonly (readonly number[])[] = [
  [],
  [0],
  [1],
  [7],
  [3, 0, 2],
  [2, 3],
  [1, 5, 1],
  [2, 3, 2, 2],
];

const kinds = Object.keys(UNARY_CASES) as UnaryKind[];

const ofRule = (...rules: readonly string[]): UnaryKind[] =>
  kinds.filter((kind) => rules.includes(UNARY_RULES[kind]));
const smoothKinds = kinds.filter((kind) => UNARY_CASES[kind].slope !== null);
const flatKinds = ofRule('float', 'number').filter((kind) => UNARY_CASES[kind].slope === null);

function inputOf(kind: UnaryKind, shape: readonly number[]): Dense {
  const x = samples(shape, ...UNARY_CASES[kind].domain);
  return UNARY_RULES[kind] === 'bool' ? map(x, Math.round) : x;
}
const edgesOf = (kind: UnaryKind, column: 0 | 1 | 2): Dense =>
  vector(...UNARY_CASES[kind].edges.map((edge) => edge[column]));

export function describeUnary(device: GetDevice): void {
  describe.each(kinds)('%s', (kind) => {
    const { f } = UNARY_CASES[kind];
    const dtypes: readonly DType[] = UNARY_RULES[kind] === 'bool' ? ['bool'] : ['float32', 'float64'];

    test.each(SHAPES.map((shape) => [shape]))('value at shape %j', async (shape) => {
      const x = inputOf(kind, shape);
      for (const dtype of dtypes.filter((each) => device().supports(each))) {
        await expectValues(
          toTensor(x, dtype)[kind](),
          map(x, (value) => f(dtype === 'float32' ? Math.fround(value) : value)),
        );
      }
    });

    test('value of transposed, flipped, cut and stretched views', async () => {
      const x = inputOf(kind, [4, 3]);
      const view = toTensor(x, dtypes[0]).transpose().flip(1).slice(1, 0, 4, 2).unsqueeze(1).expand(3, 2, 2);
      const expected = dense([3, 2, 2], ([row, , column]) => f(Math.fround(at(x, [3 - 2 * column!, row!]))));
      await expectValues(view[kind](), expected, TOLERANCES.float32);
    });
  });

  test.each(kinds.filter((kind) => UNARY_CASES[kind].edges.length > 0))(
    '%s: edges, NaN and infinities',
    async (kind) => {
      const expected = map(edgesOf(kind, 1), Math.fround);
      await expectExact(toTensor(edgesOf(kind, 0), 'float32')[kind](), expected);
    },
  );

  test.each(ofRule('number'))('%s of integers', async (kind) => {
    const x = vector(-7, -1, 0, 1, 7, 2 ** 31 - 1);
    await expectValues(
      toTensor(x, 'int32')[kind](),
      map(x, (value) => UNARY_CASES[kind].f(value) + 0),
    );
  });

  test.each(flatKinds)('%s is flat: its gradient is 0', async (kind) => {
    await expectExact(
      grad((each) => each[kind]().sum())(toTensor(inputOf(kind, [3]), 'float32')),
      vector(0, 0, 0),
    );
  });

  describe.each(smoothKinds)('%s: derivatives', (kind) => {
    const slope = UNARY_CASES[kind].slope!;
    test('in closed form', async () => {
      const x = inputOf(kind, [2, 5]);
      const expected = map(x, (value) => slope(Math.fround(value)));
      await expectValues(grad((each) => each[kind]().sum())(toTensor(x, 'float32')), expected, {
        relative: 2e-5,
        absolute: 2e-6,
      });
    });
    test('at edges', async () => {
      await expectValues(
        grad((each) => each[kind]().sum())(toTensor(edgesOf(kind, 0), 'float32')),
        edgesOf(kind, 2),
      );
    });
    test.each([[[]], [[3]], [[2, 2]]])(
      'first and second, by central differences at shape %j',
      async (shape) => {
        const x = reshape(inputOf(kind, [sizeOf(shape)]), shape);
        await expectGradients(device(), (each) => each[kind](), [x]);
        await expectSecondDerivatives(device(), (each) => each[kind](), [x]);
      },
    );
  });
}
