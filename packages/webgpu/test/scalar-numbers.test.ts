/**
 * What must be exact: literals, arithmetic of integers, comparisons, casts, selection and the steps of
 * reductions, at the edges of their dtypes and at random words, against
 * @firsthand/linalg, which has loops of its own. Every entry of the tables is compiled, with operands that
 *   are known at run time and with literals.
 */
import type { BinaryKind, ReduceKind, UnaryKind } from '@firsthand/graph';
import { array, binary, unary, type DType } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import {
  binaryExpression,
  castExpression,
  elementType,
  literal,
  reduceExpression,
  reduceIdentity,
  unaryExpression,
  valueType,
  whereExpression,
  type Expression,
} from '../src/scalar/operations.ts';
import {
  DTYPES_OF_WGSL,
  errorsOf,
  evaluate,
  numbersOf,
  pairsOf,
  randomWords,
  wordsOf,
  type Case,
} from './support/scalar.ts';

const COMPARISONS: readonly BinaryKind[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];
const ARITHMETIC: readonly BinaryKind[] = ['add', 'sub', 'mul', 'div', 'pow', 'mod', 'maximum', 'minimum'];
const LOGIC: readonly BinaryKind[] = ['logicalAnd', 'logicalOr'];
const BINARY = [...ARITHMETIC, ...COMPARISONS, ...LOGIC];
const FUNCTIONS: readonly UnaryKind[] = [
  'exp',
  'expm1',
  'log',
  'log1p',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'sin',
  'cos',
  'tan',
  'tanh',
  'erf',
  'normalCdf',
  'sigmoid',
];
const UNARY: readonly UnaryKind[] = [
  ...FUNCTIONS,
  'floor',
  'ceil',
  'round',
  'neg',
  'abs',
  'sign',
  'logicalNot',
  'isNaN',
];
const REDUCTIONS: readonly ReduceKind[] = ['sum', 'prod', 'max', 'min'];

const isNumeric = (dtype: DType): boolean => dtype !== 'bool';
const isFloat = (dtype: DType): boolean => dtype.startsWith('float');
const takesUnary = (kind: UnaryKind, dtype: DType): boolean =>
  kind === 'isNaN' ||
  (kind === 'logicalNot'
    ? dtype === 'bool'
    : UNARY.indexOf(kind) <= UNARY.indexOf('round')
      ? isFloat(dtype)
      : isNumeric(dtype));
const takesBinary = (kind: BinaryKind, dtype: DType): boolean =>
  COMPARISONS.includes(kind) || (LOGIC.includes(kind) ? dtype === 'bool' : isNumeric(dtype));
const resultOfUnary = (kind: UnaryKind, dtype: DType): DType =>
  kind === 'isNaN' || kind === 'logicalNot' ? 'bool' : dtype;
const resultOfBinary = (kind: BinaryKind, dtype: DType): DType =>
  ARITHMETIC.includes(kind) ? dtype : 'bool';

/** Numbers at the edges of a dtype. */
const EDGES: { readonly [K in DType]?: readonly number[] } = {
  float32: [
    0,
    -0,
    0.5,
    -0.5,
    1,
    -1,
    1.5,
    -2,
    7,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2147483520,
    -2147483904,
    4294967040,
    3e38,
    -3e38,
    Infinity,
    -Infinity,
    NaN,
  ],
  float16: [0, -0, 0.5, 1, -1, 1.5, -2, 2048, 65504, -65504, 2 ** -24, -(2 ** -14), Infinity, -Infinity, NaN],
  int32: [
    0, 1, -1, 2, -2, 3, -3, 7, 16, -17, 1000, 65536, 46341, 16777217, -16777219, 2147483646, 2147483647,
    -2147483647, -2147483648,
  ],
  uint32: [
    0, 1, 2, 3, 7, 16, 1000, 65535, 65536, 16777217, 16777219, 2147483647, 2147483648, 4294967167, 4294967294,
    4294967295,
  ],
  bool: [0, 1],
};
const edges = (dtype: DType): readonly number[] => EDGES[dtype]!;

/** What @firsthand/linalg makes of numbers of one dtype. */
const byLinalg = (dtype: DType, numbers: readonly number[]): ReturnType<typeof array> =>
  dtype === 'bool'
    ? array([...numbers]).astype('bool')
    : array(Float64Array.from(numbers), { dtype: 'float64' }).astype(dtype);
const numbersIn = (result: ReturnType<typeof array>): number[] => [...result.astype('float64').data];

/** Numbers must be the same, NaN and −0 too; a subnormal number may be a zero. */
function expectSame(
  got: readonly number[],
  expected: readonly number[],
  describeAt: (i: number) => string,
): void {
  const isSame = (x: number, y: number): boolean =>
    Object.is(x, y) || (x !== y && Math.abs(x) < 2 ** -126 && Math.abs(y) < 2 ** -126);
  const different = got.flatMap((x, i) =>
    isSame(x, expected[i]!) ? [] : [`${describeAt(i)} = ${x}, not ${expected[i]}`],
  );
  expect(different).toEqual([]);
}

/** An expression whose operands are the literals of numbers. */
function ofLiterals({ expression, result }: Case, dtype: DType, numbers: readonly number[]): Case {
  const [a, b] = [literal(dtype, numbers[0]!), literal(dtype, numbers.at(-1)!)];
  const { text, needs } = expression(a.text, b.text, '');
  return { expression: () => ({ text, needs: [...a.needs, ...b.needs, ...needs] }), result };
}

describe('literals', () => {
  test('have the bits of their numbers', async () => {
    for (const dtype of DTYPES_OF_WGSL) {
      const numbers =
        dtype === 'float32'
          ? [...edges(dtype), 0.1, 1e-7, 1e21, 1e-40, -1e-45, 2 ** -126, 3.4028235e38, 16777217]
          : edges(dtype);
      const results = await evaluate(
        [dtype],
        [wordsOf(dtype, [1])],
        numbers.map((value) => ({ expression: () => literal(dtype, value), result: dtype })),
      );
      expectSame(
        results.flat(),
        numbersOf(dtype, wordsOf(dtype, numbers)),
        (i) => `literal(${dtype}, ${numbers[i]})`,
      );
    }
  });

  test('of float32 are short, and right for any bits', async () => {
    expect([0.1, 1, -2.5, 1 / 3, 1e10].map((x) => literal('float32', x).text)).toEqual([
      '0.1f',
      '1f',
      '-2.5f',
      '0.33333334f',
      '10000000000f',
    ]);
    const words = randomWords(300, 5).filter((word) => (word & 0x7f800000) !== 0x7f800000);
    const numbers = numbersOf('float32', words);
    const results = await evaluate(
      ['float32'],
      [wordsOf('float32', [1])],
      numbers.map((value) => ({ expression: () => literal('float32', value), result: 'float32' })),
    );
    expectSame(results.flat(), numbers, (i) => `literal(${numbers[i]})`);
  });

  test('of float16 are rounded to it', () => {
    expect(literal('float16', 0.1)).toEqual({ text: '0.099975586f', needs: [] });
    expect(literal('float16', 1e6)).toEqual({ text: 'f32_of_bits(0x7f800000u)', needs: ['f32_of_bits'] });
  });
});

test('types', () => {
  expect(DTYPES_OF_WGSL.map(valueType)).toEqual(['f32', 'f32', 'i32', 'u32', 'bool']);
  expect(DTYPES_OF_WGSL.map(elementType)).toEqual(['f32', 'f32', 'i32', 'u32', 'u32']);
  expect(() => valueType('float64')).toThrow('WGSL has no float64');
  expect(() => unaryExpression('exp', 'float64', 'x')).toThrow('WGSL has no float64');
  expect(() => castExpression('float32', 'float64', 'x')).toThrow('WGSL has no float64');
});

describe.each(DTYPES_OF_WGSL)('%s', (dtype) => {
  const unaryKinds = UNARY.filter((kind) => takesUnary(kind, dtype));
  const binaryKinds = BINARY.filter((kind) => takesBinary(kind, dtype));
  const unaryCases = unaryKinds.map((kind): Case => ({
    expression: (x) => unaryExpression(kind, dtype, x),
    result: resultOfUnary(kind, dtype),
  }));
  const binaryCases = binaryKinds.map((kind): Case => ({
    expression: (a, b) => binaryExpression(kind, dtype, a, b),
    result: resultOfBinary(kind, dtype),
  }));

  test('has the operations that it should, and no others', () => {
    for (const kind of UNARY.filter((k) => !unaryKinds.includes(k)))
      expect(() => unaryExpression(kind, dtype, 'x'), kind).toThrow(`${kind} does not take ${dtype}`);
    for (const kind of BINARY.filter((k) => !binaryKinds.includes(k)))
      expect(() => binaryExpression(kind, dtype, 'a', 'b'), kind).toThrow(`${kind} does not take ${dtype}`);
  });

  test('operations of two operands', async () => {
    const [a, b] = pairsOf(edges(dtype));
    const pick = (seed: number): number[] =>
      numbersOf(
        dtype,
        randomWords(4096, seed).map((word, i) => (i % 2 === 0 ? word : word % 41)),
      );
    const isInteger = dtype === 'int32' || dtype === 'uint32';
    const inputs = isInteger
      ? [
          [...a, ...pick(1)],
          [...b, ...pick(2)],
        ]
      : [a, b];
    const results = await evaluate(
      [dtype, dtype],
      inputs.map((numbers) => wordsOf(dtype, numbers)),
      binaryCases,
    );
    binaryKinds.forEach((kind, k) => {
      if (kind === 'pow' && isFloat(dtype)) return; // not exact: scalar-power.test.ts
      if (kind === 'div' && dtype === 'float32') {
        const { worst, where } = errorsOf(
          results[k]!,
          (p, q) => p / q,
          ...inputs.map((numbers) => numbers.map(Math.fround)),
        );
        expect(worst, where).toBeLessThanOrEqual(2.5); // the language's
        return;
      }
      const [x, y] = inputs.map((numbers) => byLinalg(dtype, numbers));
      expectSame(
        results[k]!,
        numbersIn(binary(kind, x!, y!)),
        (i) => `${kind}(${inputs[0]![i]}, ${inputs[1]![i]})`,
      );
    });
  });

  test('operations of one operand', async () => {
    const results = await evaluate([dtype], [wordsOf(dtype, edges(dtype))], unaryCases);
    unaryKinds.forEach((kind, k) => {
      if (FUNCTIONS.includes(kind)) return; // not exact: scalar-functions.test.ts
      const expected = numbersIn(unary(kind, byLinalg(dtype, edges(dtype))));
      expectSame(results[k]!, expected, (i) => `${kind}(${edges(dtype)[i]})`);
    });
  });

  test('literals as operands compile, and make no difference', async () => {
    const numbers = edges(dtype).filter((_, i) => i % 3 === 0 || i > edges(dtype).length - 3);
    const [a, b] = pairsOf(numbers);
    const some = (_: number, i: number): boolean => i % 9 === 0;
    const compare = async (
      cases: readonly Case[],
      ...inputs: readonly (readonly number[])[]
    ): Promise<void> => {
      const atRuntime = await evaluate(
        inputs.map(() => dtype),
        inputs.map((input) => wordsOf(dtype, input)),
        cases,
      );
      const tuples = inputs[0]!.map((_, i) => inputs.map((input) => input[i]!));
      const literals = tuples.flatMap((operands) => cases.map((c) => ofLiterals(c, dtype, operands)));
      const results = await evaluate([dtype], [wordsOf(dtype, [1])], literals);
      const expected = tuples.flatMap((_, i) => atRuntime.map((result) => result[i]!));
      expectSame(results.flat(), expected, (i) => literals[i]!.expression('', '', '').text);
    };
    await compare(unaryCases, numbers);
    await compare(binaryCases, a.filter(some), b.filter(some));
  });

  test('casts to every dtype', async () => {
    const words = [
      ...wordsOf(dtype, edges(dtype)),
      ...(dtype === 'bool' || dtype === 'float16' ? [] : randomWords(4096, 9)),
    ];
    const numbers = numbersOf(dtype, Uint32Array.from(words));
    const results = await evaluate(
      [dtype],
      [Uint32Array.from(words)],
      DTYPES_OF_WGSL.map((to) => ({ expression: (x) => castExpression(dtype, to, x), result: to })),
    );
    DTYPES_OF_WGSL.forEach((to, k) => {
      expectSame(
        results[k]!,
        numbersIn(byLinalg(dtype, numbers).astype(to)),
        (i) => `${dtype} ${numbers[i]} as ${to}`,
      );
    });
  });

  test('selection, and the steps of reductions', async () => {
    const [a, b] = pairsOf(edges(dtype));
    const [x, y] = [byLinalg(dtype, a), byLinalg(dtype, b)];
    const results = await evaluate(
      [dtype, dtype, 'bool'],
      [
        wordsOf(dtype, a),
        wordsOf(dtype, b),
        wordsOf(
          'bool',
          a.map((_, i) => i % 2),
        ),
      ],
      [
        { expression: (p, q, condition) => whereExpression(condition, p, q), result: dtype },
        ...REDUCTIONS.map((kind): Case => ({
          expression: (p, q) => reduceExpression(kind, dtype, p, q),
          result: dtype,
        })),
        ...REDUCTIONS.map((kind): Case => {
          const identity = reduceIdentity(kind, dtype);
          const step = (text: string): Expression => reduceExpression(kind, dtype, identity.text, text);
          return {
            expression: (p) => ({ text: step(p).text, needs: [...identity.needs, ...step(p).needs] }),
            result: dtype,
          };
        }),
      ],
    );
    const elements = numbersOf(dtype, wordsOf(dtype, a));
    expectSame(
      results[0]!,
      elements.map((value, i) => (i % 2 === 1 ? value : numbersOf(dtype, wordsOf(dtype, b))[i]!)),
      (i) => `where ${i}`,
    );
    const steps: readonly BinaryKind[] =
      dtype === 'bool'
        ? ['logicalOr', 'logicalAnd', 'logicalOr', 'logicalAnd']
        : ['add', 'mul', 'maximum', 'minimum'];
    REDUCTIONS.forEach((kind, k) => {
      if (dtype !== 'float16' || k > 1)
        expectSame(results[1 + k]!, numbersIn(binary(steps[k]!, x, y)), (i) => `${kind}(${a[i]}, ${b[i]})`);
      const unchanged = results[5 + k]!.map((value, i) =>
        kind === 'sum' && elements[i] === 0 ? elements[i] : value,
      ); // 0 + −0 = 0
      expectSame(unchanged, elements, (i) => `${kind}(identity, ${a[i]})`);
    });
  });
});

test('a condition that is known selects at once', () => {
  expect(whereExpression('true', 'a', 'b')).toEqual({ text: 'a', needs: [] });
  expect(whereExpression('false', 'a', 'b')).toEqual({ text: 'b', needs: [] });
});
