/** Attention of long sequences: no matrix of scores in the plan, and what the reference gives, with its gradients. */
import { attention, grad, manualSeed, randn, realize, type Device, type Tensor } from '@firsthand/autograd';
import { attention as attentionNode, createReference, leaf, runtimeOf } from '@firsthand/graph';
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

const base: Case = { batch: [], queries: 512, keys: 512, width: 8, values: 8, causal: false, dtype: 'float32' };
const CASES: readonly (readonly [string, Case])[] = [
  ['whole blocks', base],
  ['two batches, causal', { ...base, batch: [2], causal: true }],
  ['blocks left over on both sides', { ...base, queries: 601, keys: 475, width: 5, values: 3 }],
  ['more keys than queries, causal', { ...base, queries: 400, keys: 700, causal: true }],
  ['queries that see no key', { ...base, queries: 700, keys: 400, causal: true }],
  ['float64', { ...base, queries: 520, keys: 520, causal: true, dtype: 'float64' }],
];

async function compute(device: Device, { batch, queries, keys, width, values, causal, dtype }: Case): Promise<readonly Float64Array[]> {
  manualSeed(3);
  const shapes = [
    [...batch, queries, width],
    [...batch, keys, width],
    [...batch, keys, values],
  ];
  const inputs: Tensor[] = [];
  for (const shape of shapes) inputs.push(await (await randn(shape).to(device)).cast(dtype).detach().to(device));
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
          (value, place) => !(Math.abs(value - expected[output]![place]!) <= tolerance * Math.max(1, largest)),
        );
        expect(wrong, `output ${output}: ${values[wrong]}, expected ${expected[output]![wrong]}`).toBe(-1);
      });
      device.dispose();
    }
  });

  test('the plan of a long sequence has no room for the scores', async () => {
    const device = await createWasm({ threads: 1 });
    const [T, C] = [2048, 64];
    const [q, k, v] = ['q', 'k', 'v'].map((name) =>
      leaf({ role: 'stored', name, shape: [1, 4, T, C], dtype: 'float32', host: null, sample: null }, device),
    );
    const { executable } = runtimeOf(device).prepare({ effects: [], roots: [attentionNode(q!, k!, v!, { causal: true })] });
    const { kernels, peakBytes } = executable.report();
    expect(kernels).toHaveLength(1);
    expect(peakBytes).toBeLessThan(4 * (4 * T * C) + 2 ** 20);
  });

  test('short sequences are computed as products and rows', async () => {
    const device = await createWasm({ threads: 1 });
    const q = leaf({ role: 'stored', name: 'q', shape: [8, 64, 32], dtype: 'float32', host: null, sample: null }, device);
    const { executable } = runtimeOf(device).prepare({ effects: [], roots: [attentionNode(q, q, q)] });
    expect(executable.report().kernels.length).toBeGreaterThan(1);
  });
});
