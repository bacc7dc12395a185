/**
 * What PyTorch's optimizers and a small training run give, replayed step for step, eagerly and compiled:
 * parameters after each step, clipped gradients, and the losses of a perceptron.
 */
import { compile, tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { Linear, loss, ReLU, Sequential } from '@firsthand/nn';
import { AdamW, clipGradNorm, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { expectValues, toTensor } from './compare.ts';
import type { Tolerance } from './compare.ts';
import { denseOf } from './fixtures.ts';
import type { RecordedArray } from './fixtures.ts';
import type { GetDevice } from './get-device.ts';

interface OptimizerRun {
  readonly name: string;
  readonly options: { readonly lr: number; readonly [setting: string]: number | boolean | readonly number[] };
  /** The parameter after each step. */
  readonly points: readonly RecordedArray[];
}
interface Clipping {
  readonly limit: number;
  readonly gradients: readonly RecordedArray[];
  readonly norm: number;
  readonly clipped: readonly RecordedArray[];
}
export interface TrainingFixtures {
  readonly optimizers: readonly OptimizerRun[];
  readonly clipping: readonly Clipping[];
  readonly perceptron: {
    readonly x: RecordedArray;
    readonly y: RecordedArray;
    readonly state: {
      readonly 'fc1.weight': RecordedArray;
      readonly 'fc1.bias': RecordedArray;
      readonly 'fc2.weight': RecordedArray;
      readonly 'fc2.bias': RecordedArray;
    };
    readonly losses: readonly number[];
  };
}

function optimizerFor({ name, options }: OptimizerRun, parameter: Tensor): SGD | AdamW {
  if (name === 'SGD') return new SGD([parameter], options);
  if (name === 'AdamW') return new AdamW([parameter], options);
  throw new TypeError(`no optimizer for the recorded ${name}`);
}

const modes = [
  ['eager', (step: () => Tensor): (() => Tensor) => step],
  ['compiled', (step: () => Tensor): (() => Tensor) => compile(step)],
] as const;

export function describeTrainingFixtures(
  device: GetDevice,
  { optimizers, clipping, perceptron }: TrainingFixtures,
): void {
  const dtype = (): 'float64' | 'float32' => (device().supports('float64') ? 'float64' : 'float32');
  const tolerance = (): Tolerance =>
    dtype() === 'float64' ? { relative: 1e-9, absolute: 1e-10 } : { relative: 1e-3, absolute: 1e-4 };
  const given = (array: RecordedArray, requiresGrad = false): Tensor =>
    toTensor(denseOf(array), array.dtype === 'float64' ? dtype() : array.dtype, { requiresGrad });

  describe.each(modes)('%s', (_, mode) => {
    test.each(optimizers.map((run) => [`${run.name} ${JSON.stringify(run.options)}`, run] as const))(
      '%s',
      async (__, run) => {
        const parameter = tensor([1, -2, 0.5, 3], { dtype: dtype(), requiresGrad: true });
        const scale = tensor([1, 10, 0.1, 2], { dtype: dtype() });
        const optimizer = optimizerFor(run, parameter);
        const step = mode(() => {
          const value = scale.mul(parameter).mul(parameter).sum().div(2).add(parameter.sin().sum());
          value.backward();
          optimizer.step();
          optimizer.zeroGrad();
          return value;
        });
        for (const point of run.points) {
          step();
          await expectValues(parameter, denseOf(point), tolerance());
        }
      },
    );

    test(`the losses of a perceptron over ${perceptron.losses.length} steps`, async () => {
      const options = { dtype: dtype() };
      const [first, second] = [new Linear(4, 6, options), new Linear(6, 3, options)];
      const model = new Sequential(first, new ReLU(), second);
      const { state } = perceptron;
      const layers = [
        [first.weight, state['fc1.weight']],
        [first.bias!, state['fc1.bias']],
        [second.weight, state['fc2.weight']],
        [second.bias!, state['fc2.bias']],
      ] as const;
      for (const [parameter, array] of layers) parameter.assign(given(array));
      const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const [x, y] = [given(perceptron.x), given(perceptron.y)];
      const step = mode(() => {
        const value = loss.crossEntropy(model.forward(x), y);
        value.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return value;
      });
      for (const expected of perceptron.losses)
        await expectValues(step(), { shape: [], data: [expected] }, tolerance());
    });
  });

  test.each(clipping)('clipping to a norm of $limit', async ({ limit, gradients, norm, clipped }) => {
    const parameters = gradients.map((gradient) => {
      const parameter = toTensor({ shape: gradient.shape, data: gradient.data.map(() => 0) }, dtype(), {
        requiresGrad: true,
      });
      parameter.mul(given(gradient)).sum().backward();
      return parameter;
    });
    await expectValues(clipGradNorm(parameters, limit), { shape: [], data: [norm] }, tolerance());
    for (const [index, parameter] of parameters.entries())
      await expectValues(parameter.grad!, denseOf(clipped[index]!), tolerance());
    expect(parameters).toHaveLength(clipped.length);
  });
}
