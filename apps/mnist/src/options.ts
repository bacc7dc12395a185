/** The command line of a run: its settings, the device that computes and the file of the checkpoint. */
import { filePath, parseArguments, UsageError } from '@firsthand/kit/options';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEVICES, type DeviceName } from './devices.ts';
import {
  type Count,
  DEFAULTS,
  isInRange,
  isLearningRate,
  LEARNING_RATES,
  RANGES,
  type Settings,
} from './settings.ts';

export interface Options {
  readonly settings: Settings;
  readonly device: DeviceName;
  /** Where the checkpoint goes. */
  readonly out: string;
  /** The checkpoint to go on from, with the settings that are saved in it. */
  readonly resume: string | null;
  /** The settings that the command line names. */
  readonly given: ReadonlySet<keyof Settings>;
}

const DEFAULT_DEVICE: DeviceName = 'wasm';
/** The checkpoint's name where none is given. */
export const DEFAULT_FILE = 'mnist.safetensors';

/** A parser of one of the settings that are whole numbers. */
function count(name: Count): (text: string) => number {
  return (text) => {
    if (text.trim() !== '' && isInRange(name, Number(text))) return Number(text);
    const [least, most] = RANGES[name];
    throw new InvalidArgumentError(
      `It takes a whole number ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}.`,
    );
  };
}

function learningRateOf(text: string): number {
  if (text.trim() !== '' && isLearningRate(Number(text))) return Number(text);
  throw new InvalidArgumentError('It takes a number greater than 0.');
}

const names = <Name extends string>(table: Record<Name, unknown>): Name[] => Object.keys(table) as Name[];

function command(): Command {
  const rates = names(LEARNING_RATES).map((name) => `${LEARNING_RATES[name]} for ${name}`);
  const { epochs, batchSize, optimizer, seed, hidden, examples } = DEFAULTS;
  return new Command('npm start --')
    .description('Trains a neural network to read the handwritten digits of MNIST.')
    .addOption(
      new Option('-e, --epochs <n>', 'times to go through the training images')
        .default(epochs)
        .argParser(count('epochs')),
    )
    .addOption(
      new Option('-b, --batch-size <n>', 'images per step').default(batchSize).argParser(count('batchSize')),
    )
    .addOption(
      new Option('-o, --optimizer <name>', 'how gradients change parameters')
        .default(optimizer)
        .choices(names(LEARNING_RATES)),
    )
    .addOption(
      new Option('-l, --learning-rate <x>', `highest step size (default: ${rates.join(', ')})`).argParser(
        learningRateOf,
      ),
    )
    .addOption(new Option('-s, --seed <n>', 'of all random numbers').default(seed).argParser(count('seed')))
    .addOption(
      new Option('--hidden <n>', 'units of the hidden layer').default(hidden).argParser(count('hidden')),
    )
    .addOption(
      new Option('--examples <n>', 'learn from the first n images only')
        .default(examples)
        .argParser(count('examples')),
    )
    .addOption(
      new Option('-d, --device <name>', 'what computes').default(DEFAULT_DEVICE).choices(names(DEVICES)),
    )
    .addOption(
      new Option('--out <file>', 'where the checkpoint goes')
        .default(DEFAULT_FILE, `${DEFAULT_FILE}, or the resumed one`)
        .argParser(filePath),
    )
    .addOption(
      new Option(
        '--resume [file]',
        `go on from a checkpoint, with its settings (${DEFAULT_FILE} if no file is named); --epochs may differ`,
      )
        .preset(DEFAULT_FILE)
        .argParser(filePath),
    );
}

interface Parsed extends Omit<Settings, 'learningRate'> {
  readonly learningRate?: number;
  readonly device: DeviceName;
  readonly out: string;
  readonly resume?: string;
}

const SETTING_FLAGS: { readonly [K in keyof Settings]: string } = {
  epochs: '--epochs',
  batchSize: '--batch-size',
  optimizer: '--optimizer',
  learningRate: '--learning-rate',
  seed: '--seed',
  hidden: '--hidden',
  examples: '--examples',
};

/**
 * Reads the arguments that follow the program's name.
 * @throws UsageError with one line that says what is wrong and what would be right; with the help text if
 *   that was requested
 */
export function parseOptions(args: readonly string[]): Options {
  const program = command();
  const { device, out, resume, ...rest } = parseArguments<Parsed>(program, args);
  const isGiven = (name: string): boolean => program.getOptionValueSource(name) === 'cli';
  return {
    settings: { ...rest, learningRate: rest.learningRate ?? LEARNING_RATES[rest.optimizer] },
    device,
    out: resume !== undefined && !isGiven('out') ? resume : out,
    resume: resume ?? null,
    given: new Set((Object.keys(SETTING_FLAGS) as (keyof Settings)[]).filter(isGiven)),
  };
}

/**
 * Refuses settings that differ from those of the run that is resumed. The number of epochs may: a run can go
 * on for longer than was meant.
 * @throws UsageError that names the option
 */
export function requireSameSettings(
  { settings, given }: Pick<Options, 'settings' | 'given'>,
  saved: Settings,
): void {
  for (const name of given) {
    if (name === 'epochs' || settings[name] === saved[name]) continue;
    const message = `error: ${SETTING_FLAGS[name]} ${settings[name]} does not fit the resumed run, which has ${saved[name]}; leave the option out, or start anew`;
    throw new UsageError(message, 2);
  }
}
