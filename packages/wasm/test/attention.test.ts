/**
 * Attention of long sequences: no matrix of scores in the plan, and what the reference gives, with its
 * gradients.
 */
import { attention, grad, manualSeed, randn, realize, type Device, type Tensor } from '@firsthand/autograd';
import { attention as attentionNode, leaf } from '@firsthand/graph';
import { createReference, runtimeOf, type PlanReport } from '@firsthand/runtime';
import type { DType } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { createWasm } from '../src/index.ts';

interface Case {
  readonly batch: readonly number[];
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly values: number;
  readonly causal: boolean;
  readonly dtype: DType;
}

const base: Case = {
  batch: [],
  queries: 1024,
  keys: 1024,
  width: 8,
  values: 8,
  causal: false,
  dtype: 'float32',
};
const CASES: readonly (readonly [string, Case])[] = [
  ['whole blocks', base],
  ['two batches, causal', { ...base, batch: [2], causal: true }],
  ['blocks left over on both sides', { ...base, queries: 1201, keys: 875, width: 5, values: 3 }],
  ['more keys than queries, causal', { ...base, queries: 800, keys: 1400, causal: true }],
  ['queries that see no key', { ...base, queries: 1400, keys: 800, causal: true }],
  ['float64', { ...base, queries: 1040, keys: 1040, causal: true, dtype: 'float64' }],
];

async function compute(
  device: Device,
  { batch, queries, keys, width, values, causal, dtype }: Case,
): Promise<readonly Float64Array[]> {
  manualSeed(3);
  const shapes = [
    [...batch, queries, width],
    [...batch, keys, width],
    [...batch, keys, values],
  ];
  const inputs: Tensor[] = [];
  for (const shape of shapes)
    inputs.push(await (await randn(shape).to(device)).cast(dtype).detach().to(device));
  const weights = (await randn([...batch, queries, values]).to(device)).cast(dtype);
  const [q, k, v] = inputs as [Tensor, Tensor, Tensor];
  const of = (q_: Tensor, k_: Tensor, v_: Tensor): Tensor => attention(q_, k_, v_, { causal, scale: 0.7 });
  const result = of(q, k, v);
  const gradients = [
    grad((x: Tensor) => of(x, k, v).mul(weights).sum())(q),
    grad((x: Tensor) => of(q, x, v).mul(weights).sum())(k),
    grad((x: Tensor) => of(q, k, x).mul(weights).sum())(v),
  ];
  const all = [result, ...gradients];
  await realize(...all);
  return Promise.all(all.map(async (each) => Float64Array.from(await each.data())));
}

describe('attention without its scores', () => {
  test.each(CASES)('%s', async (_, example) => {
    const expected = await compute(createReference(), example);
    const tolerance = example.dtype === 'float64' ? 1e-12 : 2e-5;
    for (const threads of [1, { count: 2, divideFrom: 0, wait: true }]) {
      const device = await createWasm({ threads, relaxedSimd: false });
      const actual = await compute(device, example);
      actual.forEach((values, output) => {
        const largest = expected[output]!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const wrong = values.findIndex(
          (value, index) =>
            !(Math.abs(value - expected[output]![index]!) <= tolerance * Math.max(1, largest)),
        );
        expect(wrong, `output ${output}: ${values[wrong]}, expected ${expected[output]![wrong]}`).toBe(-1);
      });
      device.dispose();
    }
  });

  /** Attention of queries, keys and values of one shape, as it is planned. */
  const planOf = (device: Device, shape: readonly number[]): PlanReport => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) =>
      leaf({ role: 'stored', name, shape, dtype: 'float32', host: null, sample: null }, device),
    );
    return runtimeOf(device)
      .prepare({ effects: [], roots: [attentionNode(q!, k!, v!, { causal: true })] })
      .executable.report();
  };

  test('the plan of a long sequence has no room for the scores', async () => {
    const [T, C] = [2048, 64];
    const { kernels, peakBytes } = planOf(await createWasm({ threads: 1 }), [1, 4, T, C]);
    expect(kernels).toHaveLength(1);
    expect(peakBytes).toBeLessThan(4 * (4 * T * C) + 2 ** 20);
  });

  test('short sequences are computed as products and rows, unless they are very many', async () => {
    const device = await createWasm({ threads: 1 });
    expect(planOf(device, [8, 64, 32]).kernels).toHaveLength(2);
    expect(planOf(device, [63, 512, 32]).kernels).toHaveLength(2);
    expect(planOf(device, [64, 512, 32]).kernels).toHaveLength(1);
    expect(planOf(device, [400, 300, 32]).kernels).toHaveLength(2);
    expect(planOf(device, [1024, 32]).kernels).toHaveLength(1);
  });
});
