/**
 * The residuals that each derivative rule states are the values that it reads: the rule is built for operands
 * of which nothing is known, and the walk over its nodes collects the values of the forward pass.
 */
import * as graph from '@firsthand/graph';
import {
  type Attrs,
  binary,
  type BinaryKind,
  callNode,
  cast,
  type Composite,
  type DType,
  gather,
  leaf,
  node,
  type Node,
  type NodeOf,
  outputsOf,
  pow,
  reduce,
  type ReduceKind,
  type Residuals,
  scatter,
  type Shape,
  storedAttributes,
  unary,
  type UnaryKind,
  walk,
  where,
} from '@firsthand/graph';
import { createReference } from '@firsthand/runtime';
import { describe, expect, test } from 'vitest';

import { RESIDUALS, VJPS } from '../src/rules.ts';

const device = createReference();
const operand = (shape: Shape, dtype: DType = 'float32'): Node =>
  leaf(storedAttributes({ shape, dtype }, null), device, {
    requiresGrad: dtype.startsWith('float'),
  });

/** The values among `forward` that are reached from `gradient`. */
function readsOf(gradient: Node, forward: readonly Node[]): readonly Node[] {
  const found = new Set<Node>();
  walk(gradient, (each) => {
    if (!forward.includes(each)) return each.inputs;
    found.add(each);
    return [];
  });
  return forward.filter((each) => found.has(each));
}

/** Compares the residuals with a rule that was built, for each input that may have a gradient. */
function expectResiduals(
  residuals: Residuals,
  rule: readonly (Node | null)[],
  inputs: readonly Node[],
  outs: readonly Node[],
): void {
  // Constants are never saved.
  const forward = [...inputs, ...outs].filter(({ op }) => op !== 'const');
  inputs.forEach(({ requiresGrad }, index) => {
    if (!requiresGrad) return;
    const [gradient, stated] = [rule[index] ?? null, residuals[index] ?? null];
    expect(stated && forward.filter((each) => stated.includes(each)), `input ${index}`).toEqual(
      gradient && readsOf(gradient, forward),
    );
  });
}

function expectPrimitive(out: Node): void {
  const { op } = out as NodeOf<keyof typeof VJPS>;
  const g = operand(out.shape, out.dtype);
  const rule = (VJPS[op] as (g: Node, out: Node) => readonly (Node | null)[])(g, out);
  const residuals = (RESIDUALS[op] as (out: Node) => Residuals)(out);
  expectResiduals(residuals, rule, out.inputs, [out]);
}

const FLOATS = ['float32', 'float16'] as const;

describe.each(FLOATS)('the residuals of primitives, %s', (dtype) => {
  const x = operand([2, 3], dtype);
  const y = operand([2, 3], dtype);

  test.each(Object.keys(graph.UNARY_RULES) as UnaryKind[])('%s', (kind) => {
    const isBool = graph.UNARY_RULES[kind] === 'bool';
    expectPrimitive(unary(kind, isBool ? operand([2, 3], 'bool') : x));
  });

  test.each(Object.keys(graph.BINARY_RULES) as BinaryKind[])('%s', (kind) => {
    const isBool = kind.startsWith('logical');
    const operands = isBool ? ([operand([2], 'bool'), operand([2], 'bool')] as const) : ([x, y] as const);
    expectPrimitive(binary(kind, ...operands));
    if (!isBool) expectPrimitive(binary(kind, x, 3));
  });

  test.each([0, 1, 2, -1, 0.5, 1 + 2 ** -20])('pow with the constant exponent %f', (exponent) => {
    expectPrimitive(pow(x, exponent));
  });

  test.each(['sum', 'prod', 'max', 'min'] satisfies ReduceKind[])('%s', (kind) => {
    expectPrimitive(reduce(kind, x, { axis: 1, keepDims: true }));
  });

  test.each(['sum', 'prod', 'linear'] as const)('prefix scan: %s', (kind) => {
    expectPrimitive(node('prefixScan', { kind, axis: 1 }, kind === 'linear' ? [x, y] : [x]));
  });

  test('where, cast, gather, scatter, argReduce, sort', () => {
    const index = operand([2, 1], 'int32');
    expectPrimitive(where(operand([2, 3], 'bool'), x, y));
    expectPrimitive(cast(x, dtype === 'float16' ? 'float32' : 'float16'));
    expectPrimitive(gather(x, index, 1));
    for (const mode of ['add', 'set'] as const)
      expectPrimitive(scatter(mode, x, index, operand([2, 1], dtype), 1));
    expectPrimitive(node('argReduce', { kind: 'argmax', axis: 1 }, [x]));
    expectPrimitive(node('sort', { axis: 1, descending: false }, [x]));
  });

  test('movements', () => {
    expectPrimitive(graph.reshape(x, [6]));
    expectPrimitive(graph.transpose(x));
    expectPrimitive(graph.expand(operand([1, 3], dtype), [2, 3]));
    expectPrimitive(graph.pad(x, [1, 0], [0, 2]));
    expectPrimitive(graph.shrink(x, [0, 1], [2, 2]));
    expectPrimitive(graph.flip(x));
    expectPrimitive(node('movement', { kind: 'barrier', id: 1 }, [x]));
  });
});

type Call = readonly [attrs: Attrs, ...inputs: Node[]];
const windows = { kernel: [2, 2], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
const convolution = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
const heads = { causal: true, scale: 0.5 };
/** Calls of each composite that states residuals, by its name. */
const CALLS: { readonly [name: string]: readonly Call[] } = {
  matmul: [[{}, operand([2, 3]), operand([3, 4])]],
  softmax: [[{ axis: 1 }, operand([2, 3])]],
  logSoftmax: [[{ axis: 1 }, operand([2, 3])]],
  logsumexp: [[{ axis: 1 }, operand([2, 3])]],
  crossEntropy: [[{}, operand([2, 3]), operand([2], 'int32')]],
  layerNorm: [[{ eps: 1e-5 }, operand([2, 3]), operand([3]), operand([3])]],
  gaussian: [[{}, operand([3])]],
  concatenate: [[{ axis: 0 }, operand([2, 3]), operand([1, 3])]],
  convolution: [[convolution, operand([1, 2, 4, 4]), operand([3, 2, 2, 2])]],
  transposedConvolution: [
    [{ ...convolution, outputPadding: [0, 0] }, operand([1, 3, 3, 3]), operand([3, 2, 2, 2])],
  ],
  convolutionWeightGradient: [
    [{ ...convolution, kernel: [2, 2] }, operand([1, 2, 4, 4]), operand([1, 3, 3, 3])],
  ],
  maxPool: [[windows, operand([1, 2, 4, 4])]],
  attention: [
    [heads, operand([2, 4, 3]), operand([2, 4, 3]), operand([2, 4, 3])],
    [heads, operand([4, 3]), operand([4, 3]), operand([4, 3]), operand([4, 4], 'bool')],
    [heads, operand([4, 3]), operand([4, 3]), operand([4, 3]), operand([4, 4])],
  ],
};

const isComposite = (value: unknown): value is Composite =>
  typeof value === 'object' && value !== null && 'infer' in value && 'body' in value;
const composites = Object.values(graph).filter(isComposite);

describe('the residuals of composites', () => {
  test('each composite with a rule of its own states them', () => {
    const ruled = composites.filter(({ vjp }) => vjp !== undefined);
    expect(ruled.filter(({ residuals }) => residuals === undefined)).toEqual([]);
    expect(ruled.map(({ name }) => name).sort()).toEqual(Object.keys(CALLS).sort());
  });

  test.each(
    composites.filter(({ residuals }) => residuals !== undefined).map((each) => [each.name, each] as const),
  )('%s', (name, composite) => {
    for (const [attrs, ...inputs] of CALLS[name]!) {
      const outs = outputsOf(callNode(composite, attrs, ...inputs)[0]!.inputs[0] as NodeOf<'call'>);
      // Each combination of outputs that receive a gradient.
      for (let subset = 1; subset < 2 ** outs.length; subset++) {
        const received = outs.map(({ dtype }, index) => dtype !== 'int32' && ((subset >> index) & 1) === 1);
        if (!received.includes(true)) continue;
        const gs = outs.map(({ shape, dtype }, index) => (received[index] ? operand(shape, dtype) : null));
        const rule = composite.vjp!(gs, outs, attrs, ...inputs);
        expectResiduals(composite.residuals!(received, outs, attrs, ...inputs), rule, inputs, outs);
      }
    }
  });
});
