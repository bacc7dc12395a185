// The kernels of a training step, counted: what fuses today must fuse tomorrow. A smaller count is progress,
// and its number belongs here.
import {
  compile,
  type Device,
  getDefaultDevice,
  setDefaultDevice,
  tensor,
  type Tensor,
} from '@firsthand/autograd';
import { compileProgram, type Plan } from '@firsthand/compiler';
import { createReference } from '@firsthand/runtime';
import { loss, type Module } from '@firsthand/nn';
import { AdamW } from '@firsthand/optim';
import { afterAll, expect, test } from 'vitest';
import { GPT } from '../src/gpt.ts';
import { MLP } from '../src/mlp.ts';

const outer = getDefaultDevice();
afterAll(() => setDefaultDevice(outer));

/** The plan of one training step of a classifier. */
async function planOf<M extends Module & { forward(x: Tensor): Tensor }>(
  create: () => M,
  x: () => Tensor,
  y: () => Tensor,
): Promise<Plan> {
  const plans: Plan[] = [];
  const reference = createReference();
  const device: Device = {
    name: 'reference',
    supports: () => true,
    prepare(program) {
      plans.push(compileProgram(program, { float64: true, plan: () => ({ scratch: 0 }) }));
      return reference.prepare(program);
    },
    upload: (data, dtype) => reference.upload(data, dtype),
    read: (storage) => reference.read(storage),
    memory: () => reference.memory(),
    dispose: () => reference.dispose(),
  };
  setDefaultDevice(device);
  const model = create();
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });
  const step = compile((images: Tensor, labels: Tensor) => {
    const value = loss.crossEntropy(model.forward(images), labels);
    value.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return value;
  });
  expect(Number.isFinite(await step(x(), y()).item())).toBe(true);
  return plans.at(-1)!;
}

const integers = (count: number, bound: number): Int32Array =>
  Int32Array.from({ length: count }, (_, index) => (7 * index) % bound);

/** How many kernels of each kind. */
function kindsOf({ kernels }: Plan): { readonly [kind: string]: number } {
  const counts: { [kind: string]: number } = {};
  for (const { kernel } of kernels) counts[kernel.kind] = (counts[kernel.kind] ?? 0) + 1;
  return counts;
}

test('an MLP step with AdamW: five products, cross-entropy with its gradient, two biases, the step counts, the mean loss', async () => {
  const plan = await planOf(
    () => new MLP(20, 16, 10),
    () => tensor(new Float32Array(8 * 20).fill(0.1), { shape: [8, 20] }),
    () => tensor(integers(8, 10)),
  );
  expect(kindsOf(plan)).toEqual({ contract: 5, loop: 5 });
  expect(plan.outputs.filter(({ into }) => into !== null)).toHaveLength(plan.outputs.length - 1);
});

test.each([
  [1, { contract: 21, loop: 18, scatter: 1 }],
  [2, { contract: 39, loop: 26, scatter: 1 }],
])('a GPT step with AdamW, %i layers', async (layers, counts) => {
  const plan = await planOf(
    () => new GPT({ vocabulary: 17, positions: 8, channels: 16, layers, heads: 2 }),
    () => tensor(integers(2 * 8, 17), { shape: [2, 8] }),
    () => tensor(integers(2 * 8, 17), { shape: [2, 8] }),
  );
  expect(kindsOf(plan)).toEqual(counts);
  expect(plan.arenaBytes).toBeLessThanOrEqual(1.15 * plan.liveBytes);
});
