/**
 * Batches of a dataset, epoch after epoch. A loader is a position in an endless stream: each `for await` runs
 * to the end of the current epoch. Position and random state are plain data, so a run that is saved in
 * mid-epoch and resumed sees the same batches in the same order: the order of an epoch is a pure function of
 * the generator's state when the epoch began, and that is the state that is saved. Random numbers of examples
 * are a function of key, epoch and index, and need no state at all.
 */
import {
  checkCount,
  checkOptions,
  describeValue,
  FirsthandError,
  Generator,
  type GeneratorState,
  OptionError,
} from '@firsthand/linalg';
import { type Dataset, type Fields, isWhole, loadBatch, requireDataset } from './dataset.ts';
import { FormatError } from './errors.ts';
import { type Key, nextKey } from './example-random.ts';

/** How a dataset is cut into batches. */
export interface DataLoaderOptions {
  /** examples per batch; the last batch of an epoch may have fewer */
  readonly batchSize: number;
  /**
   * draws a new order for every epoch; without it, examples come in the dataset's order. The loader advances
   * it: give it one of its own.
   */
  readonly shuffle?: Generator;
  /**
   * of the examples' random numbers, which transforms of `mapExamples` get; that of `shuffle` if not given, 0
   * without it
   */
  readonly seed?: number | bigint;
  /** leave out a last batch that is not full; default false */
  readonly dropLast?: boolean;
  /**
   * batches that are being loaded while one is worked on; default 2. Only datasets that wait for something
   * (files, decoding) gain by it.
   */
  readonly prefetch?: number;
}

/** Where a loader stands: plain data for JSON. */
export interface DataLoaderState {
  /** epochs completed */
  readonly epoch: number;
  /** batches delivered in the current epoch */
  readonly position: number;
  /**
   * the shuffling generator's state from which the current epoch's order is drawn, or null without shuffling
   */
  readonly generator: GeneratorState | null;
  /** the Philox key of the examples' random numbers, two unsigned 32-bit words */
  readonly key: Key;
  /** examples in the dataset and per batch: a position means nothing under others */
  readonly examples: number;
  readonly batchSize: number;
}

/**
 * Delivers a dataset in batches.
 *
 * Iterating gives the batches that are left of the current epoch and then begins the next: a loop that is
 * left early (`break`, an error) goes on where it was when one begins again. A batch counts as delivered once
 * the loop has received it, whatever has been prefetched.
 * @example
 * ```ts
 * import { arange, Generator } from '@firsthand/linalg';
 * import { ArrayDataset, DataLoader } from '@firsthand/data';
 * const dataset = new ArrayDataset({ x: arange(10) });
 * const loader = new DataLoader(dataset, { batchSize: 4, shuffle: new Generator(1) });
 * const sizes = [];
 * for await (const { x } of loader) sizes.push(x.size);
 * console.log(sizes, loader.epoch); // [ 4, 4, 2 ] 1
 * ```
 */
export class DataLoader<Name extends string> implements AsyncIterable<Fields<Name>> {
  /** batches per epoch */
  readonly length: number;
  private readonly dataset: Dataset<Name>;
  private readonly batchSize: number;
  private readonly examples: number;
  private readonly generator: Generator | null;
  private readonly prefetch: number;
  private key: Key;
  private completedEpochs = 0;
  private deliveredBatches = 0;
  /**
   * The running epoch's order and the generator's state that it was drawn from; null until the epoch begins.
   */
  private running: { readonly order: ArrayLike<number>; readonly drawnFrom: GeneratorState | null } | null =
    null;
  /** Counts loops, so that one that has been overtaken by another, or by a new state, can tell. */
  private loop = 0;

  /**
   * @param dataset where examples come from
   * @param options how they are cut into batches
   * @throws FirsthandError if a number is not a whole one in range, or there is not a single batch
   */
  constructor(dataset: Dataset<Name>, options: DataLoaderOptions) {
    checkCount('DataLoader', arguments.length, 2, 'new DataLoader(dataset, { batchSize })');
    const {
      batchSize,
      shuffle,
      seed,
      dropLast = false,
      prefetch = 2,
    } = checkOptions('DataLoader', options, KEYS);
    requireDataset('DataLoader', dataset);
    requireCount('batchSize', batchSize, 1);
    requireCount('prefetch', prefetch, 0);
    if (shuffle !== undefined && typeof (shuffle as Partial<Generator> | null)?.permutation !== 'function') {
      throw new OptionError({
        operation: 'DataLoader',
        problem: `shuffle is ${describeValue(shuffle)}`,
        expected: 'a Generator',
        remedy: "write shuffle: new Generator(42), or leave it out for the dataset's order",
      });
    }
    this.length = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
    if (this.length === 0) {
      const remedy =
        dataset.length === 0 ? 'give a dataset with examples' : 'lower batchSize or leave dropLast off';
      const problem = `${dataset.length} examples make no batch of ${batchSize}`;
      throw new FirsthandError({
        operation: 'DataLoader',
        problem,
        expected: `a batch of ${batchSize}`,
        remedy,
      });
    }
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.examples = dataset.length;
    this.generator = shuffle ?? null;
    this.prefetch = prefetch;
    this.key = seed === undefined ? (shuffle?.state.key ?? [0, 0]) : new Generator(seed).state.key;
  }

  /** epochs completed, which is also the number of the current one counted from 0 */
  get epoch(): number {
    return this.completedEpochs;
  }

  /** batches delivered in the current epoch */
  get position(): number {
    return this.deliveredBatches;
  }

  /**
   * Where the loader stands. Assigning a state that was read earlier, perhaps by another process, goes back
   * there; a loop that is running ends with an error. After the last batch of an epoch the epoch still is the
   * current one, until a loop has seen its end.
   * @throws FormatError on assigning what is not such a state, or one of another dataset size, batch size or
   *   kind of order
   */
  get state(): DataLoaderState {
    return {
      epoch: this.completedEpochs,
      position: this.deliveredBatches,
      generator: this.running === null ? (this.generator?.state ?? null) : this.running.drawnFrom,
      key: this.key,
      examples: this.examples,
      batchSize: this.batchSize,
    };
  }

  set state(state: DataLoaderState) {
    const { epoch, position, generator, key, examples, batchSize } = state;
    if (examples !== this.examples || batchSize !== this.batchSize) {
      const expected = `${this.examples} in batches of ${this.batchSize}`;
      throw otherState(
        `the state is of ${examples} examples in batches of ${batchSize}, this loader has ${expected}`,
        expected,
      );
    }
    if (!isWhole(epoch) || !isWhole(position) || position > this.length) {
      const expected = `a position from 0 to ${this.length}`;
      throw otherState(
        `no state has epoch ${epoch} and position ${position} of ${this.length} batches`,
        expected,
      );
    }
    if ((generator === null) !== (this.generator === null)) {
      const [saved, current] = generator === null ? ['in order', 'shuffled'] : ['shuffled', 'in order'];
      throw otherState(
        `the state is of examples ${saved}, this loader's come ${current}`,
        `examples ${current}`,
      );
    }
    restore(new Generator(0), { key, counter: [0, 0] }); // a key is checked as part of a state
    if (this.generator !== null && generator !== null) restore(this.generator, generator);
    this.key = key;
    this.completedEpochs = epoch;
    this.deliveredBatches = position;
    this.running = null;
    this.loop++;
  }

  /**
   * Goes back to the beginning of the current epoch, whose batches come again in the same order; a loop that
   * is running ends with an error. Training and evaluation begin with it, so that a loop that was left early
   * costs them no examples.
   */
  restart(): void {
    checkCount('restart', arguments.length, 0, 'loader.restart()');
    this.deliveredBatches = 0;
    this.loop++;
  }

  /**
   * The batches that are left of the current epoch.
   * @throws FirsthandError in a loop during which another one began or the state was assigned; whatever the
   *   dataset throws
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Fields<Name>, void, undefined> {
    const loop = ++this.loop;
    const { order } = (this.running ??= this.draw());
    const loading: Promise<Fields<Name>>[] = [];
    for (let next = this.deliveredBatches; this.deliveredBatches < this.length;) {
      while (next < this.length && loading.length <= this.prefetch) loading.push(this.load(order, next++));
      const batch = await loading.shift()!;
      this.demandCurrent(loop);
      this.deliveredBatches++;
      yield batch;
      this.demandCurrent(loop);
    }
    this.completedEpochs++;
    this.deliveredBatches = 0;
    this.running = null;
  }

  /** The order of an epoch that begins now. */
  private draw(): NonNullable<typeof this.running> {
    const { length } = this.dataset;
    if (length !== this.examples) {
      const problem = `the dataset had ${this.examples} examples when the loader was made, and has ${length} now`;
      const expected = `${this.examples} examples`;
      throw new FirsthandError({ operation: 'DataLoader', problem, expected, remedy: 'make a new loader' });
    }
    if (this.generator === null)
      return { order: Int32Array.from({ length }, (_, index) => index), drawnFrom: null };
    const drawnFrom = this.generator.state;
    return { order: this.generator.permutation(length).data, drawnFrom };
  }

  private load(order: ArrayLike<number>, batch: number): Promise<Fields<Name>> {
    const begin = batch * this.batchSize;
    const indices = Array.from(
      { length: Math.min(this.batchSize, order.length - begin) },
      (_, i) => order[begin + i]!,
    );
    const loading = loadBatch(this.dataset, indices, { epoch: this.completedEpochs, key: nextKey(this.key) });
    // The loop reports it when it comes to this batch; a loop that ended earlier never does.
    loading.catch(() => {});
    return loading;
  }

  private demandCurrent(loop: number): void {
    if (loop === this.loop) return;
    const problem = 'another loop over this loader has begun, or its state was assigned';
    const expected = 'one loader per loop';
    throw new FirsthandError({ operation: 'DataLoader', problem, expected, remedy: `use ${expected}` });
  }
}

const KEYS = { batchSize: true, shuffle: true, seed: true, dropLast: 'boolean', prefetch: true } as const;

/** @throws FirsthandError unless the option is a whole number of at least `least` */
function requireCount(option: string, value: number, least: number): void {
  if (isWhole(value) && value >= least) return;
  const expected = `a whole number of at least ${least}`;
  throw new FirsthandError({
    operation: 'DataLoader',
    problem: `${option} is ${expected}, not ${value}`,
    expected,
  });
}

/** The error of a state that is not one of this loader. */
const otherState = (problem: string, expected: string): FormatError =>
  new FormatError({ operation: 'DataLoader', problem, expected });

function restore(generator: Generator, state: GeneratorState): void {
  try {
    generator.state = state;
  } catch (error) {
    throw otherState(
      `${JSON.stringify(state)} is not a generator's state: ${String(error)}`,
      "a generator's state",
    );
  }
}
