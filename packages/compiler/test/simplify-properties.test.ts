/**
 * Random graphs compute the same before and after they are simplified, bit for bit, on the reference device.
 */
import { type Node, postOrder } from '@firsthand/graph';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isContract } from '../src/simplify/matmul.ts';
import { RULES, type SimplifyOptions } from '../src/simplify/simplify.ts';
import { anyGraph, integerGraph, type RandomGraph } from './simplify-random.ts';
import { expressions, productGraphs } from './simplify-random-focused.ts';
import { allSimplified, evaluate, EXACT, textOf } from './simplify-support.ts';

const numRuns = process.env['FIRSTHAND_FULL'] === '1' ? 20_000 : 400;

const contracts = (roots: readonly Node[]): readonly Node[] =>
  postOrder(roots, ({ inputs }) => inputs).filter(({ op }) => op === 'call');

function expectSame({ roots, data }: RandomGraph, options: SimplifyOptions): void {
  const simple = allSimplified(roots, options);
  simple.forEach(({ shape, dtype }, index) => {
    expect([dtype, ...shape]).toEqual([roots[index]!.dtype, ...roots[index]!.shape]);
  });
  const [expected, actual] = [evaluate(roots, data), evaluate(simple, data)];
  roots.forEach((root, index) => {
    const wrong = expected[index]!.findIndex((value, place) => !Object.is(value, actual[index]![place]));
    if (wrong < 0) return;
    const values = [...data]
      .map(([leaf, list]) => `${leaf.attrs.name} = ${leaf.dtype} [${leaf.shape.join()}] ${list.join()}`)
      .join('\n');
    const shown = `${textOf(root)}\nbecame ${textOf(simple[index]!)}`;
    expect.fail(
      `element ${wrong} is ${actual[index]![wrong]}, expected ${expected[index]![wrong]} of\n${shown}\nwith ${values}`,
    );
  });
}

test('exact rules keep every bit', () => {
  fc.assert(
    fc.property(anyGraph, (graph) => expectSame(graph, EXACT)),
    { numRuns },
  );
});

test('exact rules keep every bit of elementwise expressions', () => {
  fc.assert(
    fc.property(expressions, (graph) => expectSame(graph, EXACT)),
    { numRuns: 4 * numRuns },
  );
});

test('all rules keep every bit of integers', () => {
  fc.assert(
    fc.property(integerGraph, (graph) => expectSame(graph, { rules: RULES, scatterInFloat64: true })),
    { numRuns },
  );
});

test('all rules keep matrix products of whole numbers', () => {
  fc.assert(
    fc.property(productGraphs, ({ roots, data }) => {
      const simple = allSimplified(roots);
      expect(simple.map(({ shape }) => shape)).toEqual(roots.map(({ shape }) => shape));
      // Zeros may differ in sign: they are sums.
      const whole = (lists: readonly (readonly number[])[]): number[][] =>
        lists.map((values) => values.map((value) => value + 0));
      expect(whole(evaluate(simple, data))).toEqual(whole(evaluate(roots, data)));
      expect(contracts(simple).every(isContract)).toBe(true);
    }),
    { numRuns: 2 * numRuns },
  );
});
