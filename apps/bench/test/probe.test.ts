// The probe computes what its formula says, so that an engine cannot have left it out, and counts its
// operations right.
import { expect, test } from 'vitest';
import {
  assembleProbe,
  createProbe,
  createProbeFunction,
  FLOPS_PER_ITERATION,
} from '../src/contenders/probe.ts';
import { TASKS } from '../src/tasks.ts';

test('s ← s/2 + 1 in each of twelve chains gives twelve times 2 − 2¹⁻ⁿ', async () => {
  const run = (await createProbeFunction('mul-add'))!;
  expect([1, 2, 3, 10].map(run)).toEqual([1, 2, 3, 10].map((turns) => 12 * (2 - 2 ** (1 - turns))));
});

test('with relaxed SIMD it computes the same, where the engine has it', async () => {
  const run = await createProbeFunction('madd');
  expect(run === null).toBe(!WebAssembly.validate(assembleProbe('madd')));
  if (run !== null)
    expect([1, 2, 10].map(run)).toEqual([1, 2, 10].map((turns) => 12 * (2 - 2 ** (1 - turns))));
});

test('it takes part where there are products, and nowhere else', async () => {
  expect(FLOPS_PER_ITERATION).toBe(96);
  const probe = await createProbe('mul-add');
  for (const { work } of TASKS) {
    if (work.kind !== 'footprint') expect((await probe.prepare(work)) === null).toBe(work.kind === 'map');
  }
});
