/**
 * One run: make the network or take it from a checkpoint, train it, save it, and report how it reads digits
 * that it has not seen. A run that was stopped and resumed gives the same bits as one that was not.
 */
import { resolve } from 'node:path';
import { type Device, setDefaultDevice, tensor } from '@firsthand/autograd';
import { loadBatch } from '@firsthand/data';
import { loadCheckpoint } from '@firsthand/train';
import { UsageError } from '@firsthand/kit/options';
import { earlierFile, readCheckpoint, requireWritable, writeCheckpoint } from './checkpoint.ts';
import { CLASSES, type Digits, PIXELS } from './digits.ts';
import { evaluate } from './evaluate.ts';
import type { Batch } from './layers.ts';
import { firstDigits, toDataset } from './mnist.ts';
import { Narrator } from './narrator.ts';
import { formatCount } from '@firsthand/kit/numbers';
import { DEFAULT_FILE, type Options, requireSameSettings } from './options.ts';
import { reportEvaluation } from './report.ts';
import type { Settings } from './settings.ts';
import { type Output, paint, writeLine } from '@firsthand/kit/terminal';
import { begin, learn, stepsOf, type Training } from './training.ts';

/** The environment of a run. */
export interface Surroundings {
  readonly device: Device;
  /** What there is to learn from, and what is kept apart for the test. */
  readonly train: Digits;
  readonly test: Digits;
  readonly output: Output;
  /** Stops the run after the step under way. */
  readonly signal: AbortSignal;
}

/** Images of the batch on which layers are measured. */
const PROBE = 256;

/**
 * Runs from the first step, or from where a checkpoint was saved, to the report, or until the signal.
 * @returns whether it came to its end
 * @throws UsageError if files or settings do not fit, FirsthandError if the loss is no number any more
 */
export async function run(options: Options, surroundings: Surroundings): Promise<boolean> {
  const { out, resume } = options;
  const { device, train, test, output } = surroundings;
  const saved = resume === null ? null : await readCheckpoint(resume);
  if (saved !== null) requireSameSettings(options, saved.settings);
  await requireWritable(out);
  const settings = saved === null ? options.settings : continuedSettings(options, saved.settings);
  setDefaultDevice(device);
  const digits = firstDigits(train, settings.examples);
  const training = begin(settings, digits);
  if (saved !== null) {
    loadCheckpoint(saved.bytes, training);
    requireEpochs(settings, training);
  }
  introduce(output, training, settings, { device, digits, test, isResumed: saved !== null });
  if (
    training.progress.epoch < settings.epochs &&
    !(await trainAndSave(options, settings, training, digits, surroundings))
  )
    return false;
  reportEvaluation(output, test, await evaluate(training.model, toDataset(test)));
  return true;
}

/** Trains and saves after each epoch. @returns whether it came to its end */
async function trainAndSave(
  { out, resume }: Options,
  settings: Settings,
  training: Training,
  digits: Digits,
  { output, signal }: Surroundings,
): Promise<boolean> {
  // The file that the run goes on from is its own; any other is of another run.
  const earlier = resume !== null && resolve(resume) === resolve(out) ? null : await earlierFile(out);
  if (earlier !== null) writeLine(output, `${out} is there already: it will be kept as ${earlier.newName}\n`);
  const save = async (): Promise<void> => {
    await earlier?.keep();
    await writeCheckpoint(out, training, settings);
  };
  const narrator = await Narrator.create(output, {
    model: training.model,
    probe: await probeOf(digits),
    settings,
    images: digits.count,
  });
  const { stopped } = await learn(training, settings, {
    callbacks: [narrator, { onEpoch: save }],
    signal,
  }).finally(() => narrator.stop());
  if (stopped) await save();
  const { step, epoch } = training.progress;
  if (stopped)
    writeLine(output, `stopped after step ${formatCount(step)}, in epoch ${epoch + 1} of ${settings.epochs}`);
  writeLine(output, `saved in ${out}`);
  const again = out === DEFAULT_FILE ? '--resume' : `--resume ${out}`;
  if (stopped) writeLine(output, `to go on: ${paint(output, 'bold', `npm start -- ${again}`)}`);
  return !stopped;
}

/**
 * The settings of a run that goes on: its own, but for the number of epochs if the command line names one.
 */
function continuedSettings({ settings: { epochs }, given }: Options, saved: Settings): Settings {
  return given.has('epochs') ? { ...saved, epochs } : saved;
}

/** @throws UsageError if the run has come further than it is told to go */
function requireEpochs({ epochs }: Settings, { progress }: Training): void {
  const begun = progress.epoch + (progress.position > 0 ? 1 : 0);
  if (epochs >= begun) return;
  throw new UsageError(
    `error: --epochs ${epochs} is less than the resumed run has behind it; give at least ${begun}`,
    2,
  );
}

/** The first few images: as good as any to see what layers make of images. */
async function probeOf(digits: Digits): Promise<Batch> {
  const few = firstDigits(digits, PROBE);
  const { image, label } = await loadBatch(
    toDataset(few),
    Array.from({ length: few.count }, (_, index) => index),
  );
  return { image: tensor(image), label: tensor(label) };
}

/** Says what is going to happen. */
function introduce(
  output: Output,
  training: Training,
  settings: Settings,
  {
    device,
    digits,
    test,
    isResumed,
  }: Pick<Surroundings, 'device' | 'test'> & { readonly digits: Digits; readonly isResumed: boolean },
): void {
  const { hidden, optimizer, learningRate, batchSize, seed, epochs } = settings;
  const { model, progress } = training;
  const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
  writeLine(
    output,
    `MNIST: ${formatCount(digits.count)} handwritten digits to learn from, ${formatCount(test.count)} to be tested on`,
  );
  writeLine(
    output,
    `network: ${PIXELS} → ${hidden} → ${CLASSES}, ${formatCount(parameters)} parameters, on the ${device.name} device`,
  );
  writeLine(
    output,
    `training: ${optimizer}, learning rate ${learningRate}, batches of ${batchSize}, seed ${seed}, epochs: ${epochs}`,
  );
  if (isResumed) {
    const [step, steps] = [progress.step, stepsOf(training, settings)].map(formatCount);
    writeLine(
      output,
      `resumed after ${progress.epoch === epochs ? 'its end; a larger --epochs trains it longer' : `step ${step} of ${steps}`}`,
    );
  }
  writeLine(output);
}
