// This project's networks at a tiny size on the reference device: they have the parameters that every
// contender begins with, they learn, and they compute what the plain loops compute.
import { compile, setDefaultDevice, tensor } from '@firsthand/autograd';
import { createReference } from '@firsthand/runtime';
import { beforeAll, describe, expect, test } from 'vitest';
import { firstDifference } from '../src/compare.ts';
import { createFirsthand, createNetwork, createStep } from '../src/contenders/firsthand.ts';
import {
  attentionInputs,
  batchShapes,
  parameterSpecs,
  startingParameters,
  trainingBatches,
} from '../src/inputs.ts';
import { attentionForwardAndBackward } from '../src/loops/attention.ts';
import { createStep as createPlainStep } from '../src/loops/training.ts';
import { type AttentionTask, TASKS, type TrainingTask } from '../src/tasks.ts';

const TINY: readonly TrainingTask[] = [
  { kind: 'training', model: 'mlp', batch: 4, inputs: 6, hidden: 5, classes: 3 },
  { kind: 'training', model: 'cnn', batch: 3, size: 8, channels: [2, 4], classes: 3 },
  {
    kind: 'training',
    model: 'gpt',
    batch: 2,
    config: { vocabulary: 7, positions: 5, channels: 8, layers: 2, heads: 2 },
  },
];

beforeAll(() => setDefaultDevice(createReference()));

describe.each(TINY)('$model', (task) => {
  const shapes = batchShapes(task);
  const [batch] = trainingBatches(task);
  const inputs = () =>
    [tensor(batch!.x, { shape: shapes[0] }), tensor(batch!.y, { shape: shapes[1] })] as const;
  const steps = 12;

  const losses = async (compiled: boolean): Promise<number[]> => {
    const plain = createStep(createNetwork(task), task);
    const step = compiled ? compile(plain) : plain;
    const values: number[] = [];
    for (let each = 0; each < steps; each++) values.push(await step(...inputs()).item());
    return values;
  };

  test('learns, and step for step as the plain loops do', async () => {
    const own = await losses(true);
    const step = createPlainStep(task, startingParameters(task));
    for (const value of own) expect(value).toBeCloseTo(step(batch!), 5);
    expect(own.at(-1)).toBeLessThan(own[0]! - 0.02);
  });

  test('compiled or not gives the same losses', async () => {
    expect(await losses(false)).toEqual(await losses(true));
  });
});

test('the large ones have the parameters by name and shape', () => {
  for (const { work } of TASKS) {
    if (work.kind !== 'training') continue;
    const parameters = [...createNetwork(work).namedParameters()].map(([name, { shape }]) => ({
      name,
      shape,
    }));
    expect(parameters).toEqual(parameterSpecs(work).map(({ name, shape }) => ({ name, shape })));
  }
});

test('attention and its gradients are those of the plain loops', async () => {
  const work: AttentionTask = { kind: 'attention', batch: 2, heads: 2, positions: 5, size: 4 };
  const prepared = (await createFirsthand(createReference(), { compiled: true }).prepare(work))!;
  await prepared.run();
  const { operands, upstream } = attentionInputs(work);
  const expected = attentionForwardAndBackward(
    work,
    operands.map(({ values }) => values),
    upstream.values,
  );
  expect(firstDifference(await prepared.outputs(), expected)).toBeNull();
});
