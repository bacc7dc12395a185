/**
 * The program cache: programs of one structure are a family, and a constant that varies becomes an argument.
 */
import { beforeEach, describe, expect, test } from 'vitest';

import { createReference, type Device, Runtime } from '../src/index.ts';
import { add, constant, exp, fixedConstant, mul, type Node, pow, setConstant, sum } from '@firsthand/graph';
import { stored } from './support.ts';

let device: Device;
let runtime: Runtime;
let x: Node;

beforeEach(() => {
  device = createReference();
  runtime = new Runtime(device);
  x = stored([1, 2, 3, 4], [2, 2], 'float32', device);
});

const prepare = (root: Node, varying?: readonly Node[]): ReturnType<Runtime['prepare']> =>
  runtime.prepare({
    effects: [],
    roots: [root],
    varying: varying === undefined ? undefined : new Set(varying),
  });

/** The numbers that the program takes from a run. */
const taken = (root: Node, varying?: readonly Node[]): readonly number[] =>
  prepare(root, varying).args.flatMap((node) => (node.op === 'const' ? [node.attrs.value] : []));

describe('a constant that varies', () => {
  test('is held by the first two programs, and taken from the run by the third', () => {
    expect([2, 3, 4, 5].map((n) => taken(mul(x, n)))).toEqual([[], [], [4], [5]]);
    expect(taken(mul(x, 3))).toEqual([]);
    expect(runtime.counters.compilations).toBe(3);
  });

  test('alone is taken: the others are still held', () => {
    for (const n of [2, 3]) prepare(add(mul(x, n), 7));
    expect(taken(add(mul(x, 4), 7))).toEqual([4]);
    expect(prepare(add(mul(x, 5), 7)).embedded.map(({ attrs }) => attrs.value)).toEqual([7]);
    expect(taken(add(mul(x, 5), 8))).toEqual([5, 8]);
    expect(runtime.counters.compilations).toBe(4);
  });

  test('is taken at once where the request knows it', () => {
    const [factor, summand] = [constant(2, [2, 2], 'float32'), constant(7, [2, 2], 'float32')];
    expect(taken(add(mul(x, factor), summand), [factor])).toEqual([2]);
    expect(taken(add(mul(x, 3), 7), [])).toEqual([3]);
    // The function is traced again: what differs then, varies.
    expect(taken(add(mul(x, 3), 8), [])).toEqual([3, 8]);
    expect(runtime.counters.compilations).toBe(2);
  });

  test('comes at its place among the arguments', () => {
    const y = stored([5, 6, 7, 8], [2, 2], 'float32', device);
    const [a, b] = [constant(2, [2, 2], 'float32'), constant(3, [2, 2], 'float32')];
    const { args } = prepare(add(mul(x, a), mul(y, b)), [a, b]);
    expect(args).toEqual([x, a, y, b]);
  });

  test('decides nothing: exponents are part of the key', () => {
    for (const n of [2, 3, 4, 5, 6, 7, 8, 9]) expect(taken(pow(x, n), [])).toEqual([]);
    expect(runtime.counters.compilations).toBe(8);
    expect(pow(x, constant(3, x.shape, 'float32')).inputs[1]!.attrs).toMatchObject({ fixed: true });
    expect(taken(mul(x, fixedConstant(2, x.shape, 'float32')))).toEqual([]);
  });

  test('of which others are computed is held longer, since a device may compute them otherwise', () => {
    const root = (n: number): Node => mul(x, exp(constant(n, x.shape, 'float32')));
    for (let n = 1; n <= 6; n++) expect(taken(root(n))).toEqual([]);
    expect(taken(root(7))).toEqual([7]);
    // What arithmetic gives of them is the same everywhere.
    const exact = (n: number): Node => mul(x, mul(constant(n, x.shape, 'float32'), 2));
    expect([2, 3, 4].map((n) => taken(exact(n)))).toEqual([[], [], [4]]);
    const summed = (n: number): Node =>
      mul(x, sum(constant(n, [1, 2], 'float32'), { axis: 1, keepDims: true }).inputs[0]!);
    expect([2, 3, 4].map((n) => taken(summed(n)))).toEqual([[], [], [4]]);
  });

  test('of truth is always held', () => {
    const root = (n: number): Node => constant(n, [4], 'bool');
    for (const n of [0, 1, 0, 1]) expect(taken(root(n), [])).toEqual([]);
  });

  test('counts by its bits', () => {
    for (const n of [0, -0, Number.NaN]) prepare(mul(x, n));
    expect(runtime.counters.compilations).toBe(3);
    expect(taken(mul(x, 0))).toEqual([]);
    expect(taken(mul(x, Number.NaN))).toEqual([Number.NaN]);
    expect(taken(mul(x, -1))).toEqual([-1]);
    expect(runtime.counters.compilations).toBe(3);
  });

  test('may be given another value between requests', () => {
    const factor = constant(2, x.shape, 'float32');
    const root = mul(x, factor);
    expect(taken(root, [factor])).toEqual([2]);
    setConstant(factor as Parameters<typeof setConstant>[0], 9);
    expect(taken(root, [factor])).toEqual([9]);
    expect(runtime.counters.compilations).toBe(1);
  });
});
