/**
 * The functions of one float32 against JavaScript's `Math` in double precision: over points that cover all
 * floats, about the edges of each formula, and at the special values, which must be exact.
 */
import type { UnaryKind } from '@firsthand/graph';
import { array, unary } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { unaryExpression } from '../src/scalar/operations.ts';
import { errorsOf, evaluate, FULL, numbersOf, wordsOf } from './support/scalar.ts';

interface Case {
  /** In double precision. */
  readonly exact: (x: number) => number;
  /** The largest error, in units of the last place. */
  readonly bound: number;
  /** Where one formula gives way to another, or a result to ∞, to 0 or to the next integer. */
  readonly edges: readonly number[];
}

const erf = (x: number): number => unary('erf', array(Float64Array.of(x), { dtype: 'float64' })).data[0]!;
const normalCdf = (x: number): number =>
  unary('normalCdf', array(Float64Array.of(x), { dtype: 'float64' })).data[0]!;
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));

/** Where the nearest power of 2 changes, in the powers' logarithms. */
const halves = [0.5, 1.5, 2.5, 20.5, 100.5, 126.5].map((k) => k * Math.LN2);
const angles = [
  ...[1, 2, 3, 4, 5, 100, 101, 1e4, 1e4 + 1, 3e5].map((k) => (k * Math.PI) / 2),
  Math.PI / 4,
  2 ** -12,
  12288,
  1e30,
];

const CASES = {
  exp: {
    exact: Math.exp,
    bound: 1.6,
    edges: [88.72284, -87.33655, -103.97208, -103.27893, 170, -170, Math.LN2, -Math.LN2, 38.12],
  },
  expm1: {
    exact: Math.expm1,
    bound: 1.8,
    edges: [88.72284, -17.32868, -20, 80, 88.37626, ...halves, ...halves.map((x) => -x)],
  },
  log: { exact: Math.log, bound: 1.1, edges: [1, 2 / 3, 4 / 3, 2 ** -126, 2 ** -140, 3.4e38] },
  log1p: {
    exact: Math.log1p,
    bound: 1.8,
    edges: [-1, -1 / 3, 1 / 3, 1, 2 ** 24, 2 ** 100, 2 ** 127, 3.4e38],
  },
  tanh: { exact: Math.tanh, bound: 2.1, edges: [9.010913, 10, ...halves.map((x) => x / 2)] },
  erf: { exact: erf, bound: 2.3, edges: [1, 3.919206, 4] },
  normalCdf: { exact: normalCdf, bound: 5.7, edges: [0, 1, 1.8866, 8.2924, 13.2, 14.17, 14.5] },
  sigmoid: {
    exact: sigmoid,
    bound: 2.5,
    edges: [16.635532, 87, -80, -87.33655, -103.97208, -110, ...halves, ...halves.map((x) => -x)],
  },
  sin: { exact: Math.sin, bound: 2, edges: angles },
  cos: { exact: Math.cos, bound: 2, edges: angles },
  tan: { exact: Math.tan, bound: 2.4, edges: angles },
  // Those of the language, within its bounds.
  sqrt: { exact: Math.sqrt, bound: 3, edges: [1, 4] },
  rsqrt: { exact: (x) => 1 / Math.sqrt(x), bound: 3.5, edges: [1, 4] },
  reciprocal: { exact: (x) => 1 / x, bound: 2.5, edges: [1, 3] },
} satisfies { readonly [K in UnaryKind]?: Case };

const SPECIAL = [
  0,
  1,
  2,
  3,
  0.5,
  87,
  88,
  89,
  100,
  104,
  2 ** 20,
  2 ** 24,
  1e10,
  2 ** 127,
  3.4028234e38,
  Infinity,
  NaN,
].flatMap((x) => [x, -x]);
const SMALL = [-149, -140, -126, -125, -100, -30, -24, -12].flatMap((k) => [
  2 ** k,
  1.999999 * 2 ** k,
  -(2 ** k),
]);

/** The words of special values, of the floats about edges, and of floats at equal distances among all. */
function pointsOf(edges: readonly number[], count: number): Uint32Array<ArrayBuffer> {
  const stride = Math.floor(2 ** 32 / count) | 1; // odd, so that all low bits occur with all high bits
  const near = [...wordsOf('float32', [...edges, ...edges.map((x) => -x)])].flatMap((word) =>
    Array.from({ length: FULL ? 4096 : 256 }, (_, i) => word + i - 128),
  );
  const spread = Uint32Array.from({ length: count }, (_, i) => i * stride);
  return Uint32Array.from([...wordsOf('float32', [...SPECIAL, ...SMALL]), ...near, ...spread]);
}

test.each(Object.entries<Case>(CASES))('%s', async (kind, { exact, bound, edges }) => {
  const count = FULL ? 2 ** 22 : 2 ** 18;
  // The exact values of these two take long.
  const points = pointsOf(edges, kind === 'erf' || kind === 'normalCdf' ? count / 8 : count);
  const [results] = await evaluate(
    ['float32'],
    [points],
    [{ expression: (x) => unaryExpression(kind as UnaryKind, 'float32', x), result: 'float32' }],
  );
  const { worst, where } = errorsOf(results!, exact, numbersOf('float32', points));
  if (FULL) console.log(`${kind}: ${worst.toFixed(2)} units in the last place, ${where}`);
  expect(worst, where).toBeLessThanOrEqual(bound);
});

test('angles that are nearly multiples of π/2', async () => {
  // The floats next to k·π/2: those that lose the most digits. Math reduces angles exactly.
  const multiples = Array.from({ length: FULL ? 2 ** 20 : 2 ** 16 }, (_, k) =>
    Math.fround(((k + 1) * Math.PI) / 2),
  );
  // The float nearest to a multiple: 1.6·10⁻⁹ (Muller, "Elementary Functions").
  const nearest = 16367173 * 2 ** 72;
  const points = wordsOf('float32', [...multiples, nearest, -nearest]);
  const kinds = ['sin', 'cos', 'tan'] as const;
  const results = await evaluate(
    ['float32'],
    [points],
    kinds.map((kind) => ({ expression: (x) => unaryExpression(kind, 'float32', x), result: 'float32' })),
  );
  kinds.forEach((kind, i) => {
    const { exact, bound } = CASES[kind];
    const { worst, where } = errorsOf(results[i]!, exact, numbersOf('float32', points));
    expect(worst, where).toBeLessThanOrEqual(bound);
  });
});

test('values that are known to more digits than a float has', async () => {
  // computed with mpmath in 30 digits
  const known: readonly (readonly [keyof typeof CASES, number, number])[] = [
    ['exp', 1, 2.718281828459045],
    ['exp', -50, 1.9287498479639176e-22],
    ['expm1', 0.0009765625, 0.0009770394924165351],
    ['log', 10, 2.302585092994046],
    ['log1p', -0.75, -1.3862943611198906],
    ['sin', 2 ** 20, 0.3304931400217347],
    ['sin', 2 ** 100, -0.8721836054182673],
    ['cos', 2 ** 20, 0.943808393901312],
    ['tan', 1, 1.5574077246549023],
    ['tanh', 0.5, 0.46211715726000974],
    ['erf', 0.5, 0.5204998778130465],
    ['erf', 2, 0.9953222650189527],
    ['normalCdf', -2.75, 0.002979763235054555],
    ['sigmoid', -10, 4.5397868702434395e-5],
  ];
  const words = wordsOf(
    'float32',
    known.map(([, x]) => x),
  );
  const results = await evaluate(
    ['float32'],
    [words],
    known.map(([kind]) => ({ expression: (x) => unaryExpression(kind, 'float32', x), result: 'float32' })),
  );
  known.forEach(([kind, x, y], i) =>
    expect(Math.abs(results[i]![i]! / y - 1), `${kind}(${x})`).toBeLessThan(2.5e-7),
  );
});

test('what is no function but bits: signs, roundings and tests', async () => {
  const numbers = [
    0,
    0.3,
    0.5,
    0.75,
    1,
    1.5,
    2.5,
    3.5,
    0.49999997,
    8388607.5,
    8388609,
    2 ** 31,
    3e38,
    1e-40,
    Infinity,
    NaN,
  ].flatMap((x) => [x, -x]);
  const even = (x: number): number =>
    Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : x < 0 ? -Math.round(-x) : Math.round(x);
  const exact: { readonly [K in UnaryKind]?: (x: number) => number } = {
    neg: (x) => -x,
    abs: Math.abs,
    sign: Math.sign,
    floor: Math.floor,
    ceil: Math.ceil,
    round: even,
    isNaN: (x) => Number(Number.isNaN(x)),
  };
  const kinds = Object.keys(exact) as (keyof typeof exact)[];
  const results = await evaluate(
    ['float32'],
    [wordsOf('float32', numbers)],
    kinds.map((kind) => ({
      expression: (x) => unaryExpression(kind, 'float32', x),
      result: kind === 'isNaN' ? 'bool' : 'float32',
    })),
  );
  kinds.forEach((kind, i) => {
    const { worst, where } = errorsOf(results[i]!, exact[kind]!, numbers.map(Math.fround));
    expect(worst, `${kind}: ${where}`).toBe(0);
  });
});
