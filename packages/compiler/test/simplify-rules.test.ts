/**
 * Every rule of the table: what it makes of a node, that the value is the same for all special values, and
 * that nothing tempting and false is applied.
 */
import {
  add,
  type DType,
  exp,
  expand,
  gather,
  type Leaf,
  matmul,
  neg,
  node,
  type Node,
  postOrder,
  reshape,
  sum,
  transpose,
} from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { isMatmul } from '../src/simplify/inline.ts';
import { isContract } from '../src/simplify/matmul.ts';
import { PASSES } from '../src/simplify/passes.ts';
import { RULES } from '../src/simplify/simplify.ts';
import { type Case, ELEMENTWISE_CASES } from './simplify-cases-elementwise.ts';
import { JOINED_CASES } from './simplify-cases-joined.ts';
import { SHAPED_CASES } from './simplify-cases-shaped.ts';
import { REFUSALS } from './simplify-refusals.ts';
import {
  allSimplified,
  argument,
  type Data,
  elements,
  evaluate,
  simplified,
  SPECIAL,
  textOf,
} from './simplify-support.ts';

const CASES: readonly Case[] = [...ELEMENTWISE_CASES, ...SHAPED_CASES, ...JOINED_CASES];

/**
 * Special values in every combination: of the first argument in turn, of the second each for as long as the
 * first takes for all.
 */
function dataOf(root: Node): Data {
  const leaves = postOrder([root], ({ inputs }) => inputs).filter((each): each is Leaf => each.op === 'leaf');
  return new Map(
    leaves.map((leaf, place) => {
      const isIndex = ['i', 'j'].includes(leaf.attrs.name!);
      const values = isIndex ? [1, 0, -1, 2, 7, 100] : SPECIAL;
      const pattern = isIndex || place === 0 ? values : values.flatMap((value) => values.map(() => value));
      const shifted =
        sizeOf(leaf.shape) >= pattern.length ? pattern : [...SPECIAL.slice(3 * place), ...SPECIAL];
      return [leaf, elements(isIndex ? values : shifted, sizeOf(leaf.shape), leaf.dtype)];
    }),
  );
}

/**
 * Matrix products of special values are NaN throughout: these have small whole numbers, whose sums are exact
 * in any order.
 */
function wholeDataOf(root: Node): Data {
  return new Map(
    [...dataOf(root).keys()].map((leaf) => {
      const values = Array.from({ length: sizeOf(leaf.shape) }, (_, place) => ((place * 7) % 11) - 5);
      return [leaf, elements(values, values.length, leaf.dtype)];
    }),
  );
}

/** One unit in the last place of float32 at most, and zero of any sign. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  const wrong = expected.findIndex((value, place) => {
    const other = actual[place]!;
    return !Object.is(value, other) && !(Math.abs(value - other) <= 2 ** -23 * Math.abs(value));
  });
  expect(wrong < 0 ? [] : [actual[wrong], expected[wrong]]).toEqual([]);
}

const usesProducts = (root: Node): boolean => postOrder([root], ({ inputs }) => inputs).some(isMatmul);
const ALL = [...RULES, ...PASSES];
const exactness = new Map(ALL.map(({ name, exact }) => [name, exact]));

describe.each(CASES)('%s', (rule, before, after) => {
  const { node: result, applied } = simplified(before, {
    scatterInFloat64: rule.startsWith('scatter add'),
    splitsReductions: rule.startsWith('fold(x)'),
  });

  test(`becomes ${after}`, () => {
    expect(applied).toContain(rule);
    expect(textOf(result)).toBe(after);
    expect([result.dtype, result.shape]).toEqual([before.dtype, before.shape]);
  });

  test('keeps the value', () => {
    const data = usesProducts(before) ? wholeDataOf(before) : dataOf(before);
    const [expected, actual] = [evaluate([before], data)[0]!, evaluate([result], data)[0]!];
    if (exactness.get(rule) === true) expect(actual).toEqual(expected);
    else expectClose(actual, expected);
  });
});

test('every rule and pass is in the cases, and names are unique', () => {
  const applied = new Set(CASES.map(([rule]) => rule));
  expect(ALL.map(({ name }) => name).filter((name) => !applied.has(name))).toEqual([]);
  expect(exactness.size).toBe(ALL.length);
});

test.each(REFUSALS)('%s', (_, refused) => {
  const { node: result } = simplified(refused);
  expect(textOf(result)).toBe(textOf(refused));
});

test('a gather that would not be left of anything is left alone, also where no other rule is at hand', () => {
  const name = 'gather(f(a, b), i) = f(gather(a, i), gather(b, i))';
  const rules = RULES.filter((rule) => rule.name === name);
  const refused = gather(exp(expand(argument('k', [2, 1]), [2, 8])), argument('i', [2, 1], 'int32'), 1);
  expect(rules).toHaveLength(1);
  expect(textOf(allSimplified([refused], { rules })[0]!)).toBe(textOf(refused));
});

const a = argument('a', [2, 3]);
const b = argument('b', [2, 3]);

describe('equal work is done once', () => {
  const count = (...roots: Node[]): number => postOrder(allSimplified(roots), ({ inputs }) => inputs).length;

  test('by operation, attributes and operands', () => {
    expect(count(neg(a), neg(a))).toBe(2);
    expect(count(neg(a), neg(b))).toBe(4);
    expect(count(sum(a, { axis: 0 }), sum(a, { axis: 1 }))).toBe(5);
    expect(count(reshape(a, [6]), reshape(a, [3, 2]))).toBe(3);
  });

  test('whatever the order of the operands, where it has no influence', () => {
    expect(count(add(a, b), add(b, a))).toBe(3);
    expect(
      allSimplified([node('binary', { kind: 'sub' }, [a, b]), node('binary', { kind: 'sub' }, [b, a])]).map(
        textOf,
      ),
    ).toEqual(['sub(a, b)', 'sub(b, a)']);
  });

  test('but not across barriers, and across equal ones', () => {
    const copy = (id: number): Node => neg(node('movement', { kind: 'barrier', id }, [a]));
    expect(count(neg(a), copy(1), copy(2))).toBe(6);
    expect(count(copy(1), copy(1))).toBe(3);
  });

  test('nodes that no root needs are not there', () => {
    const [root] = allSimplified([neg(a)]);
    expect(postOrder([root!], ({ inputs }) => inputs).map(textOf)).toEqual(['a', 'neg(a)']);
  });
});

describe('a product that is read twice is computed once', () => {
  const product = matmul(argument('p', [4, 3, 5]), argument('q', [4, 5, 6]));
  const products = (roots: readonly Node[]): number =>
    postOrder(allSimplified(roots), ({ inputs }) => inputs).filter(({ op }) => op === 'call').length;

  test('its transposition is a movement', () => {
    expect(products([product, transpose(product)])).toBe(1);
    const turned = matmul(transpose(argument('p', [4, 5, 3])), argument('q', [4, 5, 6]));
    expect(textOf(allSimplified([sum(turned, { axis: 0 })])[0]!)).toBe(
      'matmul(permute[1, 0](reshape[20, 3](p)), reshape[20, 6](q))',
    );
    expect(products([sum(turned, { axis: 0 }), turned])).toBe(1);
    expect(textOf(allSimplified([neg(product), transpose(product)])[1]!)).toBe(
      'permute[0, 2, 1](matmul(p, q))',
    );
  });

  test('also where it is written twice', () => {
    const again = matmul(product.inputs[0]!.inputs[0]!, product.inputs[0]!.inputs[1]!);
    expect(products([product, transpose(again)])).toBe(1);
  });
});

test.each<readonly [boolean, readonly [number, number, number], DType]>([
  [true, [2, 3, 2], 'float32'],
  [true, [2, 3, 2], 'float64'],
  [true, [2, 3, 2], 'int32'],
  [false, [1, 3, 2], 'float32'],
  [false, [2, 3, 1], 'float32'],
  [false, [2, 2, 2], 'float32'],
  [false, [2, 3, 2], 'float16'],
])(
  'it is %s that a product of %o in %s has a kernel of its own',
  (expected, [rows, inner, columns], dtype) => {
    const product = matmul(argument('p', [4, rows, inner], dtype), argument('q', [4, inner, columns], dtype));
    expect(isContract(product.inputs[0]!)).toBe(expected);
    expect(isContract(product)).toBe(false);
  },
);

test('leaves are roots, and equal roots are one node', () => {
  const [first, second, third] = allSimplified([a, neg(neg(a)), reshape(reshape(a, [6]), [2, 3])]);
  expect(first).toBe(a);
  expect(second).toBe(a);
  expect(third).toBe(a);
});
