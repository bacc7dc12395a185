/**
 * The float32 functions against JavaScript's `Math` in double precision: over points that cover all floats,
 * every float where a formula changes, and the special values, which must be exact. All of it twice: with
 * multiply and add, and with fused multiply-add.
 */
import { array, unary } from '@firsthand/linalg';
import { beforeAll, describe, expect, test } from 'vitest';
import { Code } from '../src/assembler/code.ts';
import { FLOAT32_FUNCTIONS, type FunctionKind } from '../src/math/functions.ts';
import {
  apply,
  compare,
  noErrors,
  requireRelaxed,
  type Applied,
  type Errors,
} from './support/vector-functions.ts';

const FULL = process.env['FIRSTHAND_FULL'] === '1';
const LENGTH = 16384;

interface Case {
  /** In double precision. */
  readonly exact: (x: number) => number;
  /** The largest error, in ulp; up to 2 unless there is a reason. */
  readonly bound: number;
  /** Where one formula gives way to another, or a result to ∞, to 0 or to the next integer. */
  readonly edges: readonly number[];
}

const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const multiples = [1, 2, 3, 4, 5, 100, 101, 1e4, 1e4 + 1, 3e5, 3e5 + 1].map((k) => (k * Math.PI) / 2);
const angles = [...multiples, Math.PI / 4, 1e5, 2 ** 20, 1e30];
/** Where the nearest power of 2 changes, in the powers' logarithms. */
const halves = [0.5, 1.5, 2.5, 20.5, 100.5, 126.5].map((k) => k * Math.LN2);

const CASES: { readonly [K in FunctionKind]: Case } = {
  exp: {
    exact: Math.exp,
    bound: 1.7,
    edges: [88.72284, -87.33655, -103.97208, -103.27893, 170, -170, Math.LN2, -Math.LN2, 38.12],
  },
  expm1: {
    exact: Math.expm1,
    bound: 1.9,
    edges: [88.72284, -17.32868, -20, 80, 88.37626, ...halves, ...halves.map((x) => -x)],
  },
  log: { exact: Math.log, bound: 1.1, edges: [1, 2 / 3, 4 / 3, 2 ** -126, 2 ** -140, 3.4e38] },
  log1p: {
    exact: Math.log1p,
    bound: 1.8,
    edges: [-1, -1 / 3, 1 / 3, 1, 2 ** 24, 2 ** 100, 2 ** 127, 3.4e38],
  },
  sin: { exact: Math.sin, bound: 1.6, edges: angles },
  cos: { exact: Math.cos, bound: 1.6, edges: angles },
  tan: { exact: Math.tan, bound: 1.9, edges: angles },
  tanh: { exact: Math.tanh, bound: 2, edges: [9.010913, 10, ...halves.map((x) => x / 2)] },
  erf: { exact: (x) => valuesOf('erf', Float32Array.of(x))[0]!, bound: 1.8, edges: [1.1, 3.919206, 4] },
  normalCdf: {
    exact: (x) => valuesOf('normalCdf', Float32Array.of(x))[0]!,
    bound: 5.7,
    edges: [0, 1, 1.8866, 8.2924, 13.2, 14.17, 14.5],
  },
  sigmoid: {
    exact: sigmoid,
    bound: 2,
    edges: [16.635532, 87, -80, -87.33655, -103.97208, -110, ...halves, ...halves.map((x) => -x)],
  },
};
const KINDS = Object.keys(CASES) as FunctionKind[];

/** What `Math` lacks, of many numbers at once, by @firsthand/linalg. */
const valuesOf = (kind: 'erf' | 'normalCdf', points: Float32Array): Float64Array =>
  unary(kind, array(Float64Array.from(points), { dtype: 'float64' })).data as Float64Array;

/** Computes, and adds the errors of all elements. */
function measure(kind: FunctionKind, { operands: [x], result, run }: Applied, errors: Errors): void {
  run();
  const { exact } = CASES[kind];
  const expected = kind === 'erf' || kind === 'normalCdf' ? valuesOf(kind, x!) : null;
  for (let i = 0; i < LENGTH; i++)
    compare(errors, result[i]!, expected === null ? exact(x![i]!) : expected[i]!, [x![i]!]);
}

function expectWithin(kind: FunctionKind, { worst, at, distances, different }: Errors): void {
  expect(different).toEqual([]);
  expect(worst, `worst at ${at.join()}`).toBeLessThanOrEqual(CASES[kind].bound);
  if (CASES[kind].bound <= 2) expect(distances[3], 'three floats away or more').toBe(0);
}

const SPECIAL = [
  0,
  1,
  2 ** -149,
  2 ** -140,
  2 ** -126,
  2 ** -30,
  0.5,
  2,
  3,
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
];

describe.each([
  ['with multiply and add', false],
  ['with fused multiply-add', true],
])('%s', (_, relaxed) => {
  if (relaxed) beforeAll(requireRelaxed);
  const applied = (kind: FunctionKind, length = LENGTH): Applied =>
    apply((code, [x], features) => FLOAT32_FUNCTIONS[kind](code, x!, features), relaxed, length);

  test.each(KINDS)('%s over all floats', (kind) => {
    const calculation = applied(kind);
    const points = new Uint32Array(
      calculation.operands[0]!.buffer,
      calculation.operands[0]!.byteOffset,
      LENGTH,
    );
    // A prime, so that all low bits occur with all high bits: 2²⁶ or 2²² points.
    const stride = FULL ? 67 : 1021;
    const errors = noErrors();
    for (let start = 0; start < 2 ** 32; start += stride * LENGTH) {
      for (let i = 0; i < LENGTH; i++) points[i] = start + i * stride;
      measure(kind, calculation, errors);
    }
    expectWithin(kind, errors);
  });

  test.each(KINDS)('%s at every float about the edges of its formula', (kind) => {
    const calculation = applied(kind);
    const [x] = calculation.operands;
    const bits = new Int32Array(x!.buffer, x!.byteOffset, LENGTH);
    const errors = noErrors();
    for (const edge of CASES[kind].edges.flatMap((e) => [e, -e])) {
      x![0] = edge;
      const middle = bits[0]!;
      for (let i = 0; i < LENGTH; i++) bits[i] = middle + i - LENGTH / 2;
      measure(kind, calculation, errors);
    }
    expectWithin(kind, errors);
  });

  test.each(KINDS)('%s of special values, whatever is in the other lanes', (kind) => {
    const { operands, result, run } = applied(kind, 4);
    const values = SPECIAL.flatMap((value) => [Math.fround(value), -Math.fround(value)]);
    const errors = noErrors();
    const single = values.map((value) => {
      operands[0]!.fill(value);
      run();
      for (const got of result) compare(errors, got, CASES[kind].exact(value), [value]);
      return result[0]!;
    });
    expectWithin(kind, errors);
    values.forEach((first, i) => {
      values.forEach((second, j) => {
        operands[0]!.set([first, 0.75, second, first]);
        run();
        const [a, , b, c] = result;
        expect([a, b, c], `${first}, ${second}`).toEqual([single[i], single[j], single[i]]);
      });
    });
  });

  test.each(KINDS)('%s leaves its operand as it was and gives its locals back', (kind) => {
    const { operands, result, run } = apply(
      (code, [x], features) => {
        FLOAT32_FUNCTIONS[kind](code, x!, features);
        code.op('drop').get(x!);
      },
      relaxed,
      LENGTH,
    );
    operands[0]!.set(SPECIAL);
    run();
    expect(result).toEqual(operands[0]);
    const code = new Code(['v128']);
    /**
     * The number of locals after one emission more: all are vectors, one run of one type, whose length is the
     * second byte.
     */
    const emit = (): number => {
      FLOAT32_FUNCTIONS[kind](code, code.params[0]!, { relaxed, imported: () => ({ index: 0 }) });
      code.op('drop');
      return code.toBytes().view()[1]!;
    };
    expect(emit()).toBe(emit());
  });
});

test('values that are known to more digits than a float has', () => {
  // computed with mpmath in 30 digits
  const known: readonly (readonly [FunctionKind, number, number])[] = [
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
    ['sigmoid', -10, 4.5397868702434395e-5],
  ];
  for (const [kind, x, y] of known) {
    const { operands, result, run } = apply(
      (code, [v], features) => FLOAT32_FUNCTIONS[kind](code, v!, features),
      false,
      4,
    );
    operands[0]!.fill(x);
    run();
    expect(Math.abs(result[0]! / y - 1), `${kind}(${x})`).toBeLessThan(2.5e-7);
  }
});
