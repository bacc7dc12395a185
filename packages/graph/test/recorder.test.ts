/** TraceTree: a graph that is built again is the graph that was built before, as far as it is the same. */
import { describe, expect, test } from 'vitest';

import {
  add,
  call,
  constant,
  type Composite,
  TraceTree,
  hostLeaf,
  leaf,
  mul,
  neg,
  type Node,
  outputsOf,
  pow,
  Recorder,
  relu,
  reshape,
  storedAttributes,
  sum,
  tracked,
  withGradient,
  withRecorder,
} from '../src/index.ts';
import { device, stored } from './support.ts';

const x = stored([1, 2, 3, 4], [2, 2]);
const y = stored([5, 6, 7, 8], [2, 2]);
/** A composite with two outputs. */
const PAIR: Composite<{ readonly factor: number }> = {
  name: 'pair',
  infer: (_, a, b) => [a, b],
  body: ({ factor }, a, b) => [mul(a, factor), mul(b, factor)],
};

/** Builds on the traces, and gives what was built and the constants on the way. */
function build<T>(
  traces: TraceTree<string>,
  fn: () => T,
  numbers: readonly number[] = [],
): { readonly value: T; readonly recorder: Recorder<string> } {
  const recorder = new Recorder(traces, numbers);
  return { value: withRecorder(recorder as unknown as Recorder<never>, fn), recorder };
}
const constants = (recorder: Recorder<string>): number[] =>
  recorder.constants.map(({ attrs }) => attrs.value);

describe('what is built again', () => {
  test('is the same node, of every kind', () => {
    const traces = new TraceTree<string>();
    const fn = (): Node[] => [
      relu(mul(add(x, y), 2)),
      sum(x, { axis: 0 }),
      reshape(x, [4]),
      leaf(storedAttributes(x, 'w'), device, { subject: x }),
      hostLeaf(() => 3, 'float32', device),
      tracked(x),
      ...call(PAIR, { factor: 0.9 }, x, y),
    ];
    const first = build(traces, fn);
    const size = traces.size;
    const second = build(traces, fn);
    expect(second.value).toHaveLength(first.value.length);
    second.value.forEach((node, index) => expect(node).toBe(first.value[index]));
    expect(traces.size).toBe(size);
    expect(constants(second.recorder)).toEqual(constants(first.recorder));
    const called = first.value.at(-1)!.inputs[0]! as Node & { op: 'call' };
    expect(outputsOf(called)).toHaveLength(2);
  });

  test('may have other constants, which are those of the latest course; exponents make another', () => {
    const traces = new TraceTree<string>();
    const fn = (n: number, power: number) => () => pow(add(mul(x, n), 1), power);
    const first = build(traces, fn(2, 3));
    const second = build(traces, fn(5, 3));
    expect(second.value).toBe(first.value);
    expect(constants(second.recorder)).toEqual([5, 1]);
    expect(first.value.inputs[0]!.inputs[0]!.inputs[1]!.attrs).toMatchObject({ value: 5 });
    expect(build(traces, fn(5, 4)).value).not.toBe(first.value);
    expect(build(traces, fn(2, 3)).value).toBe(first.value);
  });

  test.each<[string, () => Node, () => Node]>([
    ['another operation', () => add(x, y), () => mul(x, y)],
    ['another operand', () => add(x, y), () => add(x, x)],
    ['another axis', () => sum(x, { axis: 0 }), () => sum(x, { axis: 1 })],
    ['another shape of a constant', () => constant(1, [2], 'float32'), () => constant(1, [1], 'float32')],
    ['another dtype', () => constant(1, [2], 'float32'), () => constant(1, [2], 'int32')],
    ['a fixed constant', () => pow(x, 2).inputs[1]!, () => mul(x, 2).inputs[1]!],
    [
      'another subject of a leaf',
      () => leaf(storedAttributes(x, null), device, { subject: x }),
      () => leaf(storedAttributes(x, null), device, { subject: y }),
    ],
    [
      'a leaf that requires a gradient',
      () => leaf(storedAttributes(x, null), device),
      () => leaf(storedAttributes(x, null), device, { requiresGrad: true }),
    ],
    ['a value to differentiate with respect to', () => reshape(x, [1, 4]), () => tracked(reshape(x, [4]))],
    ['another mode', () => withGradient(true, () => neg(x)), () => withGradient(false, () => neg(x))],
  ])('%s is another node, and both are found again', (_, a, b) => {
    const traces = new TraceTree<string>();
    const first = build(traces, a).value;
    const second = build(traces, b).value;
    expect(second).not.toBe(first);
    const { size } = traces;
    expect(build(traces, a).value).toBe(first);
    expect(build(traces, b).value).toBe(second);
    expect(traces.size).toBe(size);
  });

  test('attributes of composites count, those that are missing too', () => {
    const composite: Composite<{ readonly a?: number; readonly b?: number }> = {
      name: 'c',
      infer: (_, a) => [a],
      body: (_, a) => [neg(a)],
    };
    const traces = new TraceTree<string>();
    const nodes = [{ a: 1, b: 2 }, { a: 1 }, { b: 2 }, { a: 2, b: 2 }].map(
      (attrs) => build(traces, () => call(composite, attrs, x)[0]!).value,
    );
    expect(new Set(nodes).size).toBe(4);
  });

  test('two equal nodes of one course stay two', () => {
    const traces = new TraceTree<string>();
    const fn = (): Node[] => [neg(x), neg(x)];
    const first = build(traces, fn).value;
    const second = build(traces, fn).value;
    expect(first[0]).not.toBe(first[1]);
    expect([second[0] === first[0], second[1] === first[1]]).toEqual([true, true]);
  });
});

test('traces end where they end, and remember what became of them', () => {
  const traces = new TraceTree<string>();
  const end = (fn: () => unknown): string[] => build(traces, fn).recorder.ends();
  end(() => neg(x)).push('short');
  end(() => add(neg(x), y)).push('long');
  expect(end(() => neg(x))).toEqual(['short']);
  expect(end(() => add(neg(x), y))).toEqual(['long']);
  expect(end(() => mul(neg(x), y))).toEqual([]);
});

test('what is computed of nodes alone is built once for a key, with its constants', () => {
  const traces = new TraceTree<string>();
  let built = 0;
  const fn = (n: number) => (): Node => {
    const recorded = current!;
    const start = mul(x, n);
    const result = recorded.memo([start], () => {
      built++;
      return add(start, 3);
    });
    return mul(result, n);
  };
  let current: Recorder<string> | null = null;
  const run = (n: number): { readonly value: Node; readonly values: number[] } => {
    current = new Recorder(traces, []);
    const value = withRecorder(current as unknown as Recorder<never>, fn(n));
    return { value, values: constants(current) };
  };
  const first = run(2);
  const second = run(7);
  expect(built).toBe(1);
  expect(second.value).toBe(first.value);
  expect(second.values).toEqual([7, 3, 7]);
});

test('constants that are the numbers of a call vary; those that stand in every formula do only where they come from the caller', () => {
  const traces = new TraceTree<string>();
  const recorder = new Recorder(traces, [0.3, 1]);
  withRecorder(recorder as unknown as Recorder<never>, () => {
    relu(mul(x, 0.3));
    add(x, 1);
    recorder.expect(1);
    add(x, 1);
    add(x, 0.4);
  });
  expect([...recorder.varying].map(({ attrs }) => attrs.value)).toEqual([0.3, 1]);
});

test('of very many branches the latest stay', () => {
  const traces = new TraceTree<string>();
  const fn = (n: number) => (): Node => reshape(x, [1, ...Array.from({ length: n }, () => 1), 4]);
  const nodes = Array.from({ length: 40 }, (_, n) => build(traces, fn(n)).value);
  expect(build(traces, fn(39)).value).toBe(nodes[39]);
  expect(build(traces, fn(0)).value).not.toBe(nodes[0]);
});
