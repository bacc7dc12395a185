/**
 * The composites, each by four tests: its values against a definition in plain loops, a device's own kernel
 * against the body, the derived derivative against the derivative of the body, and both derivatives against
 * central differences.
 */
import { grad, Tensor } from '@firsthand/autograd';
import type { Attrs, Composite, DType } from '@firsthand/autograd';
import * as graph from '@firsthand/graph';
import {
  attentionComposite,
  attentionKeyGradientComposite,
  attentionQueryGradientComposite,
  convolutionComposite,
  convolutionWeightGradientComposite,
  maxPoolComposite,
  transposedConvolutionComposite,
} from '@firsthand/graph';
import * as optim from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { expectValues, numbersOf, TOLERANCES, toTensor } from '../compare.ts';
import type { GetDevice } from '../get-device.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import {
  along,
  at,
  broadcast,
  broadcastShape,
  dense,
  reduceAxes,
  indicesOf,
  logSumExp,
  map,
  matmul,
  permute,
  scalar,
  softmaxOf,
  sum,
  vector,
  zip,
} from '../oracle/dense.ts';
import type { Dense } from '../oracle/dense.ts';
import { integers, samples } from '../oracle/samples.ts';
import { gaussian } from '../oracle/special.ts';
import { convolution, largestOf, pool, transposedConvolution, weightGradient } from '../oracle/windows.ts';
import type { Geometry } from '../oracle/windows.ts';

interface Operand {
  readonly value: Dense;
  /** Floats are differentiated, in the dtype of the test. */
  readonly dtype: 'float' | 'int32' | 'bool';
}

interface CompositeExample {
  readonly attrs: Attrs;
  readonly operands: readonly Operand[];
}

interface CompositeCase {
  readonly composite: Composite;
  readonly examples: readonly CompositeExample[];
  readonly define: (attrs: Attrs, ...inputs: readonly Dense[]) => readonly Dense[];
  /** The outputs that have a meaning outside of the composite, and are differentiated. */
  readonly outputs: number;
}

const float = (shape: readonly number[], seed = 1, low = -2, high = 2): Operand => ({
  value: samples(shape, low, high, seed),
  dtype: 'float',
});

/** A composite of any attributes, as the table holds it. */
const erase = <A extends Attrs>(composite: Composite<A>): Composite => composite;

const mask = (shape: readonly number[]): Operand => ({
  value: dense(shape, (index) => ((sum(index) + 1) % 3 === 0 ? 0 : 1)),
  dtype: 'bool',
});

const transpose = (x: Dense): Dense =>
  permute(
    x,
    x.shape.map((_, axis) => (axis < x.shape.length - 2 ? axis : 2 * x.shape.length - 3 - axis)),
  );

function scores({ causal, scale }: Attrs, q: Dense, k: Dense, given?: Dense): Dense {
  const products = map(matmul(q, transpose(k)), (product) => product * (scale as number));
  const [queries, keys] = products.shape.slice(-2) as [number, number];
  return dense(products.shape, (index) => {
    const [query, key] = index.slice(-2) as [number, number];
    const hidden =
      (causal === true && key > query + keys - queries) ||
      (given !== undefined && at(broadcast(given, products.shape), index) === 0);
    return hidden ? -Infinity : at(products, index);
  });
}

/** The result, and log Σ exp of each row of scores. */
function attention(attrs: Attrs, q: Dense, k: Dense, v: Dense, given?: Dense): readonly Dense[] {
  const rows = scores(attrs, q, k, given);
  const last = rows.shape.length - 1;
  const result = matmul(along(rows, last, softmaxOf), v);
  const logTotals = reduceAxes(rows, [last], true, logSumExp);
  return [result, broadcast(logTotals, [...result.shape.slice(0, -1), 1])];
}

/** dq, dk and dv: dS = P·(dP − Σ dP·P) with dP = g vᵀ. */
function attentionGradients(
  attrs: Attrs,
  q: Dense,
  k: Dense,
  v: Dense,
  g: Dense,
): readonly [Dense, Dense, Dense] {
  const rows = scores(attrs, q, k);
  const last = rows.shape.length - 1;
  const p = along(rows, last, softmaxOf);
  const dp = matmul(g, transpose(v));
  const ds = zip(
    p,
    zip(
      dp,
      reduceAxes(
        zip(dp, p, (a, b) => a * b),
        [last],
        true,
        sum,
      ),
      (a, b) => a - b,
    ),
    (a, b) => a * b * (attrs['scale'] as number),
  );
  return [matmul(ds, k), matmul(transpose(ds), q), matmul(transpose(p), g)];
}

/** What the gradients of attention take, with what they are told of the forward computation. */
function attentionGradientExample(attrs: Attrs, q: Operand, k: Operand, v: Operand): CompositeExample {
  const [result, logTotals] = attention(attrs, q.value, k.value, v.value) as [Dense, Dense];
  const g = float(result.shape, 5);
  const dot = reduceAxes(
    zip(g.value, result, (a, b) => a * b),
    [result.shape.length - 1],
    true,
    sum,
  );
  return {
    attrs,
    operands: [q, k, v, g, { value: logTotals, dtype: 'float' }, { value: dot, dtype: 'float' }],
  };
}

const attentionGradientExamples: readonly CompositeExample[] = [
  attentionGradientExample({ causal: false, scale: 0.5 }, float([3, 2]), float([4, 2], 2), float([4, 3], 3)),
  attentionGradientExample(
    { causal: true, scale: 1 },
    float([2, 3, 2]),
    float([2, 3, 2], 2),
    float([2, 3, 2], 3),
  ),
];

/** The three of them. */
const ATTENTION_COMPOSITES: {
  readonly [K in 'attention' | 'attentionQueryGradient' | 'attentionKeyGradient']: CompositeCase;
} = {
  attention: {
    composite: erase(attentionComposite),
    outputs: 1,
    examples: [
      { attrs: { causal: false, scale: 0.5 }, operands: [float([3, 2]), float([4, 2], 2), float([4, 3], 3)] },
      { attrs: { causal: true, scale: 1 }, operands: [float([3, 2]), float([3, 2], 2), float([3, 2], 3)] },
      { attrs: { causal: true, scale: 0.7 }, operands: [float([2, 2]), float([4, 2], 2), float([4, 1], 3)] },
      {
        attrs: { causal: false, scale: 1 },
        operands: [float([2, 2, 2]), float([3, 2], 2), float([1, 3, 2], 3), mask([2, 3])],
      },
      // Queries 0 and 1 of 4 see no key at all.
      { attrs: { causal: true, scale: 1 }, operands: [float([4, 2]), float([2, 2], 2), float([2, 2], 3)] },
    ],
    define: attention,
  },
  attentionQueryGradient: {
    composite: erase(attentionQueryGradientComposite),
    outputs: 1,
    examples: attentionGradientExamples,
    define: (attrs, q, k, v, g) => [attentionGradients(attrs, q, k, v, g)[0]],
  },
  attentionKeyGradient: {
    composite: erase(attentionKeyGradientComposite),
    outputs: 2,
    examples: attentionGradientExamples,
    define: (attrs, q, k, v, g) => attentionGradients(attrs, q, k, v, g).slice(1),
  },
};

type SpatialComposite = 'convolution' | 'transposedConvolution' | 'convolutionWeightGradient' | 'maxPool';
interface Settings {
  readonly stride?: readonly number[];
  readonly padding?: readonly number[];
  readonly dilation?: readonly number[];
  readonly groups?: number;
}

function attrsOf(axes: number, { groups = 1, ...settings }: Settings): Attrs {
  const all = (value: number): number[] => Array.from({ length: axes }, () => value);
  return { stride: all(1), padding: all(0), dilation: all(1), ...settings, groups };
}

const geometryOf = (attrs: Attrs): Geometry => attrs as unknown as Geometry;
const groupsOf = ({ groups }: Attrs): number => groups as number;
const attributeOf = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];

const convolved = (
  x: readonly number[],
  weight: readonly number[],
  settings: Settings = {},
): CompositeExample => ({
  attrs: attrsOf(x.length - 2, settings),
  operands: [float(x), float(weight, 2)],
});
const transposed = (
  y: readonly number[],
  weight: readonly number[],
  {
    outputPadding = y.slice(2).map(() => 0),
    ...settings
  }: Settings & { readonly outputPadding?: readonly number[] } = {},
): CompositeExample => ({
  attrs: { ...attrsOf(y.length - 2, settings), outputPadding },
  operands: [float(y), float(weight, 2)],
});
const weighed = (
  x: readonly number[],
  g: readonly number[],
  kernel: readonly number[],
  settings: Settings = {},
): CompositeExample => ({
  attrs: { ...attrsOf(kernel.length, settings), kernel },
  operands: [float(x), float(g, 2)],
});
const pooled = (
  x: readonly number[],
  kernel: readonly number[],
  stride: readonly number[],
  settings: Settings = {},
): CompositeExample => {
  const { groups: _, ...attrs } = attrsOf(kernel.length, { stride, ...settings });
  return { attrs: { kernel, ...attrs }, operands: [float(x)] };
};

const SPATIAL_COMPOSITES: { readonly [K in SpatialComposite]: CompositeCase } = {
  convolution: {
    composite: erase(convolutionComposite),
    outputs: 1,
    define: (attrs, x, weight) => [convolution(x, weight, groupsOf(attrs), geometryOf(attrs))],
    examples: [
      convolved([1, 1, 4], [1, 1, 2]),
      convolved([2, 2, 7], [3, 2, 3], { stride: [2], padding: [1] }),
      convolved([1, 1, 6], [2, 1, 1], { stride: [5] }),
      convolved([0, 1, 3], [1, 1, 2]),
      convolved([2, 2, 4, 3], [3, 2, 3, 2]),
      convolved([1, 2, 5, 4], [2, 2, 3, 2], { stride: [2, 1], padding: [1, 0], dilation: [1, 2] }),
      convolved([1, 1, 6, 3], [2, 1, 2, 2], { stride: [2, 2], padding: [2, 1], dilation: [2, 2] }),
      convolved([2, 4, 3, 3], [2, 2, 2, 2], { groups: 2 }),
      convolved([1, 2, 4, 3], [4, 1, 2, 2], { padding: [1, 1], groups: 2 }),
      convolved([2, 2, 2, 3], [3, 2, 1, 1]),
      convolved([1, 2, 3, 4], [2, 2, 1, 1], { stride: [2, 2] }),
      convolved([2, 2, 3, 2], [2, 2, 3, 2]),
      convolved([1, 1, 6, 5], [2, 1, 2, 2], { stride: [3, 2] }),
    ],
  },
  transposedConvolution: {
    composite: erase(transposedConvolutionComposite),
    outputs: 1,
    define: (attrs, y, weight) => [
      transposedConvolution(
        y,
        weight,
        groupsOf(attrs),
        geometryOf(attrs),
        attributeOf(attrs, 'outputPadding'),
      ),
    ],
    examples: [
      transposed([1, 1, 3], [1, 1, 2]),
      transposed([2, 2, 3], [2, 3, 3], { stride: [2], padding: [1], outputPadding: [1] }),
      transposed([1, 1, 1], [1, 1, 2], { stride: [6], padding: [2], outputPadding: [5] }),
      transposed([1, 2, 2, 3], [2, 2, 3, 2], {
        stride: [2, 1],
        padding: [1, 0],
        dilation: [1, 2],
        outputPadding: [1, 0],
      }),
      transposed([2, 4, 2, 1], [4, 1, 2, 2], { groups: 2, stride: [2, 2] }),
      transposed([1, 2, 3, 2], [2, 1, 1, 1], { groups: 2, stride: [2, 3] }),
    ],
  },
  convolutionWeightGradient: {
    composite: erase(convolutionWeightGradientComposite),
    outputs: 1,
    define: (attrs, x, g) => [
      weightGradient(x, g, attributeOf(attrs, 'kernel'), groupsOf(attrs), geometryOf(attrs)),
    ],
    examples: [
      weighed([2, 2, 6], [2, 3, 3], [3], { stride: [2], padding: [1] }),
      weighed([2, 2, 4, 3], [2, 2, 3, 1], [2, 2], { dilation: [1, 2] }),
      weighed([1, 4, 3, 2], [1, 2, 2, 2], [2, 1], { groups: 2 }),
    ],
  },
  maxPool: {
    composite: erase(maxPoolComposite),
    // The positions of the largest elements are internal.
    outputs: 1,
    define: (attrs, x) => {
      const of = (f: (values: readonly (number | null)[]) => number) =>
        pool(x, attributeOf(attrs, 'kernel'), geometryOf(attrs), f);
      return [of(largestOf), of((values) => values.indexOf(largestOf(values)))];
    },
    examples: [
      pooled([2, 2, 4, 6], [2, 3], [2, 3]),
      pooled([1, 1, 5, 3], [2, 2], [2, 2]),
      pooled([1, 2, 4, 5], [3, 2], [1, 2], { padding: [1, 1] }),
      pooled([1, 1, 5, 4], [2, 2], [1, 1], { dilation: [2, 3] }),
      pooled([1, 1, 6, 4], [2, 2], [3, 2], { padding: [1, 0] }),
    ],
  },
};

/** The names that graph and optim export as `<name>Composite`: a new one has to have cases here. */
type CompositeName = NameOf<keyof typeof graph | keyof typeof optim>;
type NameOf<K> = K extends `${infer Name}Composite` ? Name : never;

const labels = (shape: readonly number[], classes: number): Operand => ({
  value: integers(shape, 0, classes),
  dtype: 'int32',
});
const rowExamples: readonly CompositeExample[] = [
  { attrs: { axis: 0 }, operands: [float([4])] },
  { attrs: { axis: 1 }, operands: [float([2, 3])] },
  { attrs: { axis: 0 }, operands: [float([3, 2], 2)] },
  { attrs: { axis: 1 }, operands: [float([2, 3, 2], 3)] },
];
const axisOf = ({ axis }: Attrs): number => axis as number;

function adamW({ beta1, beta2, eps, weightDecay }: Attrs, ...inputs: readonly Dense[]): readonly Dense[] {
  const [b1, b2] = [beta1 as number, beta2 as number];
  const [parameter, gradient, mean, square, step, rate] = inputs as [
    Dense,
    Dense,
    Dense,
    Dense,
    Dense,
    Dense,
  ];
  const count = step.data[0]! + 1;
  const lr = rate.data[0]!;
  const m = zip(mean, gradient, (a, g) => b1 * a + (1 - b1) * g);
  const v = zip(square, gradient, (a, g) => b2 * a + (1 - b2) * g * g);
  const ratio = zip(
    m,
    v,
    (a, b) => a / (1 - b1 ** count) / (Math.sqrt(b / (1 - b2 ** count)) + (eps as number)),
  );
  return [
    zip(parameter, ratio, (p, r) => p - lr * (weightDecay as number) * p - lr * r),
    m,
    v,
    scalar(count),
  ];
}

const adamWExample = (weightDecay: number, step: number): CompositeExample => ({
  attrs: { beta1: 0.9, beta2: 0.999, eps: 1e-3, weightDecay },
  operands: [
    float([3]),
    float([3], 2, 0.5, 2),
    float([3], 3),
    float([3], 4, 0.5, 1),
    { value: scalar(step), dtype: 'float' },
    { value: scalar(0.1), dtype: 'float' },
  ],
});

const COMPOSITE_CASES: { readonly [K in CompositeName]: CompositeCase } = {
  matmul: {
    composite: erase(graph.matmulComposite),
    outputs: 1,
    define: (_, a, b) => [matmul(a, b)],
    examples: [
      [
        [2, 3],
        [3, 4],
      ],
      [
        [1, 1],
        [1, 1],
      ],
      [
        [2, 2, 3],
        [3, 2],
      ],
      [
        [2, 1, 2, 3],
        [3, 3, 1],
      ],
      [
        [2, 0],
        [0, 3],
      ],
      [
        [0, 2],
        [2, 3],
      ],
    ].map(([a, b]) => ({ attrs: {}, operands: [float(a!), float(b!, 2)] })),
  },
  concatenate: {
    composite: erase(graph.concatenateComposite),
    outputs: 1,
    examples: [
      { attrs: { axis: 0 }, operands: [float([2]), float([1], 2), float([3], 3)] },
      { attrs: { axis: 0 }, operands: [float([2, 3])] },
      { attrs: { axis: 1 }, operands: [float([2, 1]), float([2, 3], 2)] },
      {
        attrs: { axis: 1 },
        operands: [float([2, 3, 2]), float([2, 0, 2], 2), float([2, 1, 2], 3), float([2, 2, 2], 4)],
      },
      { attrs: { axis: 2 }, operands: [1, 2, 3, 4, 5].map((seed) => float([1, 2, 1], seed)) },
    ],
    define: (attrs, ...parts) => {
      const axis = axisOf(attrs);
      const lines = parts.flatMap((part) =>
        Array.from({ length: part.shape[axis]! }, (_, position) => ({ part, position: position })),
      );
      return [
        dense(parts[0]!.shape.with(axis, lines.length), (index) =>
          at(lines[index[axis]!]!.part, index.with(axis, lines[index[axis]!]!.position)),
        ),
      ];
    },
  },
  softmax: {
    composite: erase(graph.softmaxComposite),
    outputs: 1,
    examples: rowExamples,
    define: (attrs, x) => [along(x, axisOf(attrs), softmaxOf)],
  },
  gaussian: {
    composite: erase(graph.gaussianComposite),
    outputs: 1,
    define: (_, x) => [map(x, gaussian)],
    examples: [
      { attrs: {}, operands: [float([5])] },
      { attrs: {}, operands: [float([2, 3], 2, -6, 6)] },
    ],
  },
  logSoftmax: {
    composite: erase(graph.logSoftmaxComposite),
    outputs: 1,
    examples: rowExamples,
    define: (attrs, x) => [along(x, axisOf(attrs), (line) => line.map((value) => value - logSumExp(line)))],
  },
  logsumexp: {
    composite: erase(graph.logsumexpComposite),
    outputs: 1,
    examples: rowExamples,
    define: (attrs, x) => [reduceAxes(x, [axisOf(attrs)], true, logSumExp)],
  },
  layerNorm: {
    composite: erase(graph.layerNormComposite),
    // The mean and the reciprocal deviation of each row are internal.
    outputs: 1,
    examples: [
      { attrs: { eps: 1e-5 }, operands: [float([2, 4]), float([4], 2), float([4], 3)] },
      { attrs: { eps: 0.1 }, operands: [float([5]), float([5], 2), float([5], 3)] },
      { attrs: { eps: 1e-3 }, operands: [float([2, 2, 3]), float([2, 3], 2), float([2, 3], 3)] },
    ],
    define: ({ eps }, x, weight, bias) => {
      const axes = weight.shape.map((_, axis) => x.shape.length - weight.shape.length + axis);
      const mean = (values: readonly number[]): number => sum(values) / values.length;
      const centre = reduceAxes(x, axes, true, mean);
      const scale = reduceAxes(
        x,
        axes,
        true,
        (values) => 1 / Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) + (eps as number)),
      );
      return [
        zip(
          zip(
            zip(
              zip(x, centre, (a, b) => a - b),
              scale,
              (a, b) => a * b,
            ),
            weight,
            (a, b) => a * b,
          ),
          bias,
          (a, b) => a + b,
        ),
        centre,
        scale,
      ];
    },
  },
  crossEntropy: {
    composite: erase(graph.crossEntropyComposite),
    outputs: 1,
    examples: [
      { attrs: {}, operands: [float([3, 4]), labels([3], 4)] },
      { attrs: {}, operands: [float([5]), labels([], 5)] },
      { attrs: {}, operands: [float([2, 2, 3]), labels([2, 2], 3)] },
    ],
    define: (_, logits, label) => [
      dense(
        label.shape,
        (index) =>
          logSumExp(Array.from({ length: logits.shape.at(-1)! }, (__, k) => at(logits, [...index, k]))) -
          at(logits, [...index, at(label, index)]),
      ),
    ],
  },
  ...ATTENTION_COMPOSITES,
  adamW: {
    composite: erase(optim.adamWComposite),
    outputs: 3,
    examples: [adamWExample(0, 0), adamWExample(0.1, 4)],
    define: adamW,
  },
  ...SPATIAL_COMPOSITES,
};

function apply(composite: Composite, { attrs }: CompositeExample, inputs: readonly Tensor[]): Tensor[] {
  return graph
    .call(composite, attrs, ...inputs.map((input) => input.read()))
    .map((output) => new Tensor(output));
}

function tensorsOf(example: CompositeExample, dtype: DType): Tensor[] {
  return example.operands.map(({ value, dtype: kind }) => toTensor(value, kind === 'float' ? dtype : kind));
}

/** A function of the float operands alone: Σ over outputs of weights·output. */
function asFunction(
  composite: Composite,
  example: CompositeExample,
  outputs: number,
): (...floats: Tensor[]) => Tensor {
  return (...floats) => {
    let next = 0;
    const inputs = example.operands.map(({ value, dtype }) =>
      dtype === 'float' ? floats[next++]! : toTensor(value, dtype, { device: floats[0]!.device }),
    );
    const values = apply(composite, example, inputs).slice(0, outputs);
    const parts = values.map((value) =>
      value.mul(toTensor(samples(value.shape, 0.5, 1.5, 9), value.dtype, { device: value.device })).sum(),
    );
    return parts.reduce((a, b) => a.add(b));
  };
}

const floatsOf = (example: CompositeExample): Dense[] =>
  example.operands.flatMap(({ value, dtype }) => (dtype === 'float' ? [value] : []));

export function describeCall(device: GetDevice): void {
  describe.each(Object.keys(COMPOSITE_CASES) as CompositeName[])('%s', (name) => {
    const { composite, examples, define, outputs } = COMPOSITE_CASES[name];
    describe.each(
      examples.map(
        (example) =>
          [
            `${example.operands.map(({ value }) => `[${value.shape.join(', ')}]`).join(' ')} ${JSON.stringify(example.attrs)}`,
            example,
          ] as const,
      ),
    )('%s', (_, example) => {
      test('values by definition, in each precision', async () => {
        for (const dtype of (['float32', 'float64'] as const).filter((each) => device().supports(each))) {
          const expected = define(
            example.attrs,
            ...example.operands.map(({ value }) => (dtype === 'float32' ? map(value, Math.fround) : value)),
          );
          const actual = apply(composite, example, tensorsOf(example, dtype));
          expect(actual).toHaveLength(expected.length);
          for (const [index, output] of actual.entries())
            await expectValues(
              output,
              expected[index]!,
              dtype === 'float32' ? { relative: 2e-5, absolute: 2e-6 } : TOLERANCES.float64,
            );
        }
      });
      test('own kernel and inlined body agree', async () => {
        const inputs = tensorsOf(example, 'float32');
        const body = composite
          .body(example.attrs, ...inputs.map((input) => input.read()))
          .map((output) => new Tensor(output));
        for (const [index, output] of apply(composite, example, inputs).entries()) {
          await expectValues(output, { shape: body[index]!.shape, data: await numbersOf(body[index]!) });
        }
      });
      test('the derived derivative is the derivative of the body', async () => {
        const bare: Composite = { name: composite.name, infer: composite.infer, body: composite.body };
        for (const which of floatsOf(example).keys()) {
          const slopeOf = (each: Composite): Tensor => {
            const floats = floatsOf(example).map((value) => toTensor(value, 'float32'));
            return grad((x) => asFunction(each, example, outputs)(...floats.with(which, x)))(floats[which]!);
          };
          const expected = slopeOf(bare);
          await expectValues(
            slopeOf(composite),
            { shape: expected.shape, data: await numbersOf(expected) },
            { relative: 1e-4, absolute: 1e-5 },
          );
        }
      });
      test('first and second derivatives by central differences', async () => {
        await expectGradients(device(), asFunction(composite, example, outputs), floatsOf(example));
        await expectSecondDerivatives(device(), asFunction(composite, example, outputs), floatsOf(example));
      });
    });
  });
}

export function describeOutput(device: GetDevice): void {
  const halves = {
    name: 'halves',
    infer: (_: Attrs, x: graph.Spec) => [
      { shape: x.shape, dtype: 'int32' as const },
      { shape: [...x.shape, 1], dtype: x.dtype },
      { shape: x.shape, dtype: x.dtype },
    ],
    body: (_: Attrs, x: graph.Node) => [
      graph.cast(graph.unary('floor', x), 'int32'),
      graph.reshape(graph.exp(x), [...x.shape, 1]),
      graph.unary('sin', x),
    ],
  } satisfies Composite;
  test('several outputs of different shapes and dtypes, each read alone and together', async () => {
    const x = toTensor(vector(0.5, -1.5), 'float32');
    const parts = (): Tensor[] => graph.call(halves, {}, x.read()).map((output) => new Tensor(output));
    const expected = [
      vector(0, -2),
      { shape: [2, 1], data: [Math.exp(0.5), Math.exp(-1.5)] },
      vector(Math.sin(0.5), Math.sin(-1.5)),
    ];
    for (const [index, value] of expected.entries()) await expectValues(parts()[index]!, value);
    const concatenated = parts();
    for (const [index, value] of expected.entries()) await expectValues(concatenated[index]!, value);
  });
  test('derivatives through the outputs that are used, without a derived rule', async () => {
    const f = (x: Tensor): Tensor => {
      const [, power, sine] = graph.call(halves, {}, x.read()).map((output) => new Tensor(output));
      return power!.flatten().mul(sine!);
    };
    await expectGradients(device(), f, [samples([3], -1, 1)]);
    await expectGradients(device(), (x) => new Tensor(graph.call(halves, {}, x.read())[2]!), [
      samples([3], -1, 1),
    ]);
    await expectSecondDerivatives(device(), f, [samples([3], -1, 1)]);
  });
  test('an operand that occurs twice gets both gradients', async () => {
    const product = {
      name: 'product',
      infer: (_: Attrs, a: graph.Spec) => [a],
      body: (_: Attrs, a: graph.Node, b: graph.Node) => [graph.mul(a, graph.exp(b))],
    } satisfies Composite;
    const f = (x: Tensor): Tensor => new Tensor(graph.call(product, {}, x.read(), x.read())[0]!);
    await expectGradients(device(), f, [samples([3], -1, 1)]);
    await expectGradients(
      device(),
      (x) => new Tensor(graph.call(product, {}, x.read(), x.square().read())[0]!),
      [samples([3], -1, 1)],
    );
  });
  test('backward, too, differentiates a body without a derived rule', async () => {
    const x = toTensor(vector(1, 2), 'float32', { requiresGrad: true });
    new Tensor(graph.call(halves, {}, x.read())[2]!).sum().backward();
    await expectValues(x.grad!, vector(Math.cos(1), Math.cos(2)));
  });
  test('attributes that JSON would confuse are different programs', async () => {
    const scaled = {
      name: 'scaled',
      infer: (_: Attrs, x: graph.Spec) => [x],
      body: ({ by }: Attrs, x: graph.Node) => [graph.mul(x, by as number)],
    } satisfies Composite;
    const by = (value: number): Tensor =>
      new Tensor(graph.call(scaled, { by: value }, toTensor(vector(2), 'float32').read())[0]!);
    for (const value of [Infinity, -Infinity, NaN]) await expectValues(by(value), vector(2 * value));
    await expectValues(by(-0).reciprocal(), vector(-Infinity));
    await expectValues(by(0).reciprocal(), vector(Infinity));
  });
  test('indices of a shape: the oracle broadcasts as the packages do', () => {
    expect(broadcastShape([2, 1], [3])).toEqual([2, 3]);
    expect(indicesOf([2, 2])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
  });
}
