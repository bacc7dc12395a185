/**
 * What determines a run's numbers, kept apart from the other options: settings go into the checkpoint, and a
 * resumed run takes them from there, since under others it would not be the same run. One table says what
 * each may be, on the command line and in a file alike.
 */

export type OptimizerName = 'adamw' | 'sgd';

export interface Settings {
  readonly epochs: number;
  /** Images per step. */
  readonly batchSize: number;
  readonly optimizer: OptimizerName;
  /** The highest of the run's learning rates. */
  readonly learningRate: number;
  readonly seed: number;
  /** Units of the hidden layer. */
  readonly hidden: number;
  /** The number of images to learn from, counted from the first. */
  readonly examples: number;
}

/** The whole numbers among the settings. */
export type Count = 'epochs' | 'batchSize' | 'seed' | 'hidden' | 'examples';

export const TRAINING_IMAGES = 60_000;

/** Of each optimizer: the learning rate that suits this task, used where none is given. */
export const LEARNING_RATES: { readonly [K in OptimizerName]: number } = { adamw: 0.003, sgd: 0.1 };

/** What a run is like unless it is told otherwise; the learning rate is the optimizer's own. */
export const DEFAULTS: Omit<Settings, 'learningRate'> = {
  epochs: 5,
  batchSize: 128,
  optimizer: 'adamw',
  seed: 42,
  hidden: 128,
  examples: TRAINING_IMAGES,
};

/**
 * The least and the most that each may be. More hidden units would not fit into memory with their optimizer's
 * state.
 */
export const RANGES: { readonly [K in Count]: readonly [number, number] } = {
  epochs: [1, Number.MAX_SAFE_INTEGER],
  batchSize: [1, Number.MAX_SAFE_INTEGER],
  seed: [0, Number.MAX_SAFE_INTEGER],
  hidden: [1, 16_384],
  examples: [1, TRAINING_IMAGES],
};

export function isInRange(name: Count, value: unknown): boolean {
  const [least, most] = RANGES[name];
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

export function isLearningRate(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) > 0;
}

/** Whether a value from outside is a run's settings. */
export function isSettings(value: unknown): value is Settings {
  if (typeof value !== 'object' || value === null) return false;
  const settings = value as Readonly<Record<string, unknown>>;
  return (
    (Object.keys(RANGES) as Count[]).every((name) => isInRange(name, settings[name])) &&
    isLearningRate(settings['learningRate']) &&
    typeof settings['optimizer'] === 'string' &&
    Object.hasOwn(LEARNING_RATES, settings['optimizer'])
  );
}
