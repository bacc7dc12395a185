/**
 * The training itself, without its user interface: the initial state and the loop. The program in the
 * terminal and the page in a browser train with it, each with callbacks of its own. All that determines the
 * numbers is in the settings.
 */
import { manualSeed } from '@firsthand/autograd';
import { DataLoader } from '@firsthand/data';
import { FirsthandError, Generator } from '@firsthand/linalg';
import { loss } from '@firsthand/nn';
import { type AdamW, schedule, type SGD } from '@firsthand/optim';
import { accuracy, fit, type FitOptions, type History, NonFiniteLossError, Progress } from '@firsthand/train';
import type { Digits } from './digits.ts';
import { toDataset } from './mnist.ts';
import { Network } from './model.ts';
import { OPTIMIZERS } from './optimizers.ts';
import type { Settings } from './settings.ts';

/** Steps over which the learning rate rises; a tenth of a short run. */
const WARMUP = 100;

/** All that changes while a run lasts. */
export interface Training {
  readonly model: Network;
  readonly optimizer: AdamW | SGD;
  readonly data: DataLoader<'image' | 'label'>;
  readonly progress: Progress;
}

/** What a run begins with, on the default device: all random numbers come from the seed. */
export function begin(
  { hidden, optimizer, learningRate, batchSize, seed }: Settings,
  digits: Digits,
): Training {
  manualSeed(seed);
  const model = new Network(hidden);
  return {
    model,
    optimizer: OPTIMIZERS[optimizer](model.parameters(), learningRate),
    data: new DataLoader(toDataset(digits), { batchSize, shuffle: new Generator(seed).split() }),
    progress: new Progress(),
  };
}

/** The steps of a whole run. */
export function stepsOf({ data }: Pick<Training, 'data'>, { epochs }: Pick<Settings, 'epochs'>): number {
  return epochs * data.length;
}

/**
 * Trains from the first step, or from where `progress` says, to the last, or until the signal.
 * @throws FirsthandError if the loss is no number any more: what follows would be none either
 */
export async function learn(
  training: Training,
  settings: Pick<Settings, 'epochs' | 'learningRate'>,
  surroundings: Pick<FitOptions<Network, 'image' | 'label'>, 'signal' | 'validation' | 'callbacks'>,
): Promise<History> {
  const steps = stepsOf(training, settings);
  try {
    return await fit({
      ...training,
      ...surroundings,
      epochs: settings.epochs,
      loss: (model, { image, label }) => {
        const logits = model.forward(image); // (N, 10)
        return { loss: loss.crossEntropy(logits, label), accuracy: accuracy(logits, label) };
      },
      schedule: schedule.cosine({ steps, warmup: Math.min(WARMUP, Math.floor(steps / 10)) }),
    });
  } catch (error) {
    if (!(error instanceof NonFiniteLossError)) throw error;
    // The images are finite, so that it is the steps.
    throw new FirsthandError(
      `training: the loss is ${error.loss} at step ${error.step}; the steps are too large: try a learning rate below ${settings.learningRate}`,
      { cause: error },
    );
  }
}
