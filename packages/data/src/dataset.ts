/**
 * Where examples come from. A dataset is a length and a way to get example i, a record of named arrays such
 * as `{ image, label }`; one that can gather many at once says so with `batch`. A batch is the same record
 * with one more leading axis.
 */
import {
  allocate,
  checkCount,
  checkFunction,
  checkOptions,
  describeValue,
  FirsthandError,
  formatShape,
  type Generator,
  isPlain,
  NDArray,
  OptionError,
  type OptionKeys,
  ShapeError,
  sizeOf,
  stack,
} from '@firsthand/linalg';
import { type EpochContext, exampleGenerator, NO_EPOCH, nextKey } from './example-random.ts';
import { FILE_DTYPES, type FileArray, toFileArray } from './file-array.ts';

/** Arrays by name: of one example, or, with a leading axis that counts examples, of a batch. */
export type Fields<Name extends string = string> = { readonly [K in Name]: NDArray };

/** A finite, numbered collection of examples. */
export interface Dataset<Name extends string = string> {
  /** number of examples */
  readonly length: number;
  /**
   * Example `index`, 0 ≤ index < length. May be asynchronous: a file to read, a picture to decode.
   * @param context the loader's epoch and key, for a dataset whose examples vary; see `mapExamples`
   */
  get(index: number, context?: EpochContext): Fields<Name> | Promise<Fields<Name>>;
  /**
   * The examples at `indices`, in that order, stacked along a new first axis. Optional: what is lacking is
   * stacked from `get`.
   */
  batch?(indices: ArrayLike<number>, context?: EpochContext): Fields<Name> | Promise<Fields<Name>>;
}

/** Whether a value is a whole number, 0 or more. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** @throws FirsthandError for what is no dataset, as far as can be seen without an example */
export function requireDataset(operation: string, value: unknown): void {
  const { length, get, batch } = (value ?? {}) as { readonly [K in keyof Dataset]?: unknown };
  if (isWhole(length) && (typeof get === 'function' || typeof batch === 'function')) return;
  throw new FirsthandError({
    operation,
    problem: `${describeValue(value)} where a dataset is wanted`,
    expected: 'a length and get(index) or batch(indices)',
    remedy: 'make one of arrays: new ArrayDataset({ x, y })',
  });
}

/**
 * The examples at `indices` of any dataset, as one batch: by its `batch` if it has one, else by stacking what
 * `get` gives.
 * @param context the epoch and the key of random numbers, which a `DataLoader` says; epoch 0 if not given
 * @returns arrays of shape (number of indices, …shape of the field)
 * @throws ShapeError if examples of one batch differ in shape, FirsthandError if there are no indices to take
 *   the shapes from
 */
export async function loadBatch<Name extends string>(
  dataset: Dataset<Name>,
  indices: ArrayLike<number>,
  context: EpochContext = NO_EPOCH,
): Promise<Fields<Name>> {
  checkCount('loadBatch', arguments.length, 3, 'loadBatch(dataset, indices, { epoch, key })');
  requireDataset('loadBatch', dataset);
  checkOptions('loadBatch', context, CONTEXT_KEYS);
  if (typeof (indices as Partial<ArrayLike<number>> | null | undefined)?.length !== 'number') {
    const problem = `the indices are ${describeValue(indices)}`;
    throw new OptionError({
      operation: 'loadBatch',
      problem,
      expected: 'an array of numbers',
      remedy: 'write loadBatch(dataset, [0, 1])',
    });
  }
  if (dataset.batch !== undefined) return dataset.batch(indices, context);
  return stackExamples(await Promise.all(Array.from(indices, async (index) => dataset.get(index, context))));
}

const CONTEXT_KEYS: OptionKeys<EpochContext> = { epoch: 'number', key: true };

function stackExamples<Name extends string>(examples: readonly Fields<Name>[]): Fields<Name> {
  const [first] = examples;
  if (first === undefined) {
    const expected = 'at least one index';
    throw new FirsthandError({
      operation: 'loadBatch',
      problem: 'a batch of no examples has no shapes',
      expected,
      remedy: `give ${expected}`,
    });
  }
  return mapFields(first, (_, name) => stack(examples.map((example) => example[name])));
}

/**
 * Examples in memory: every field is one array whose first axis counts examples. Arrays that `readIdx`
 * gives are taken as they are and widened to int32 batch by batch, so that bytes stay bytes in memory.
 * @example
 * ```ts
 * import { array } from '@firsthand/linalg';
 * import { ArrayDataset } from '@firsthand/data';
 * const points = array([[0, 1], [2, 3], [4, 5]]);
 * const dataset = new ArrayDataset({ point: points, label: array([0, 1, 0], { dtype: 'int32' }) });
 * const { point, label } = dataset.batch([2, 0]);
 * console.log(point.toArray(), label.toArray()); // [ [ 4, 5 ], [ 0, 1 ] ] [ 0, 0 ]
 * ```
 */
export class ArrayDataset<Name extends string> implements Dataset<Name> {
  readonly length: number;
  private readonly fields: { readonly [K in Name]: FileArray };

  /**
   * @param fields arrays of shape (examples, …); not copied if they are packed row by row
   * @throws ShapeError if the arrays' first axes differ, or there is none
   */
  constructor(fields: { readonly [K in Name]: NDArray | FileArray }) {
    checkCount('ArrayDataset', arguments.length, 1, 'new ArrayDataset({ x, y })');
    if (!isPlain(fields)) {
      const problem = `the fields are ${describeValue(fields)}`;
      throw new OptionError({
        operation: 'ArrayDataset',
        problem,
        expected: 'arrays by name',
        remedy: 'write new ArrayDataset({ x, y })',
      });
    }
    this.fields = mapFields(fields, (array: NDArray | FileArray, name) =>
      toFileArray('ArrayDataset', array, `field ${name}: `),
    );
    const all: [string, FileArray][] = Object.entries(this.fields);
    const length = all[0]?.[1].shape[0];
    if (length === undefined || all.some(([, { shape }]) => shape[0] !== length)) {
      const shapes = all.map(([name, { shape }]) => `${name} ${formatShape(shape)}`).join(', ');
      const expected = 'the same first axis, which counts examples';
      const problem = `every field needs ${expected}: ${shapes === '' ? 'no fields' : shapes}`;
      const operands = all.map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
      throw new ShapeError({ operation: 'ArrayDataset', problem, operands, expected });
    }
    this.length = length;
  }

  /**
   * One example.
   * @throws ShapeError if `index` is out of range
   */
  get(index: number): Fields<Name> {
    return mapFields(this.batch([index]), (array) => array.at(0));
  }

  /**
   * The examples at `indices`, in that order; an index may repeat.
   * @throws ShapeError if an index is out of range
   */
  batch(indices: ArrayLike<number>): Fields<Name> {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (!(Number.isInteger(index) && index >= 0 && index < this.length)) {
        const problem = `index ${index} is out of range for ${this.length} examples`;
        throw new ShapeError({
          operation: 'ArrayDataset',
          problem,
          expected: `a whole number from 0 to ${this.length - 1}`,
        });
      }
    }
    return mapFields(this.fields, ({ shape, dtype, data }: FileArray) => {
      const { memory } = FILE_DTYPES[dtype];
      const exampleShape = shape.slice(1);
      const size = sizeOf(exampleShape);
      const gathered = allocate(memory, indices.length * size);
      for (let i = 0; i < indices.length; i++)
        gathered.set(data.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
      return NDArray.packed(gathered, [indices.length, ...exampleShape], memory);
    });
  }
}

/** What a transform of batches knows of the batch. */
export interface BatchContext {
  /** of the batch's examples in the dataset */
  readonly indices: ArrayLike<number>;
  /** of the loader, counted from 0 */
  readonly epoch: number;
  /**
   * The random numbers of the example at a position of the batch, from their beginning: a function of the
   * loader's seed, epoch and index.
   */
  generator(position: number): Generator;
}

/** What a transform of examples knows of the example. */
export interface ExampleContext {
  /** of the example in the dataset */
  readonly index: number;
  /** of the loader, counted from 0 */
  readonly epoch: number;
  /** random numbers for this example in this epoch: a function of the loader's seed, epoch and index alone */
  readonly generator: Generator;
}

/**
 * A dataset seen through a function of its batches: scaling, types. For augmentation see `mapExamples`.
 * @param dataset what is seen
 * @param transform from a batch to a batch of as many examples; it must treat examples independently, since
 *   batches may be of any size. Random numbers come from its context: those of another generator depend on
 *   which batches were prefetched, and do not resume exactly.
 * @returns a dataset of the same length
 * @example
 * ```ts
 * import { array, div } from '@firsthand/linalg';
 * import { ArrayDataset, mapDataset } from '@firsthand/data';
 * const data = Uint8Array.of(0, 51, 102, 255);
 * const bytes = new ArrayDataset({ image: { dtype: 'uint8', shape: [2, 2], data } });
 * const scaled = mapDataset(bytes, ({ image }) => ({ image: div(image.astype('float64'), 255) }));
 * console.log((await scaled.get(1)).image.toArray()); // [ 0.4, 1 ]
 * ```
 */
export function mapDataset<From extends string, To extends string>(
  dataset: Dataset<From>,
  transform: (batch: Fields<From>, context: BatchContext) => Fields<To> | Promise<Fields<To>>,
): Required<Dataset<To>> {
  checkCount('mapDataset', arguments.length, 2, 'mapDataset(dataset, (batch) => …)');
  requireDataset('mapDataset', dataset);
  checkFunction('mapDataset', 'the transform', transform, 'mapDataset(dataset, (batch) => …)');
  const batch = async (indices: ArrayLike<number>, context: EpochContext = NO_EPOCH): Promise<Fields<To>> =>
    transform(await loadBatch(dataset, indices, below(context)), {
      indices,
      epoch: context.epoch,
      generator: (position) => exampleGenerator(context, indices[position]!),
    });
  return {
    length: dataset.length,
    batch,
    get: async (index, context) => mapFields(await batch([index], context), (array) => array.at(0)),
  };
}

/**
 * A dataset seen through a function of its examples: augmentation, decoding. The random numbers of an example
 * are a function of the loader's seed, the epoch and the index, so they are other ones in each epoch, and the
 * same whatever was prefetched, shuffled or interrupted.
 * @param dataset what is seen
 * @param transform from an example and its context to an example; every example's fields have one shape
 * @returns a dataset of the same length
 * @example
 * ```ts
 * import { add, arange } from '@firsthand/linalg';
 * import { ArrayDataset, DataLoader, mapExamples } from '@firsthand/data';
 * const clean = new ArrayDataset({ x: arange(6).reshape([3, 2]) });
 * const noisy = mapExamples(clean, ({ x }, { generator }) => {
 *   return { x: add(x, generator.normal(x.shape, { std: 0.1 })) };
 * });
 * const loader = new DataLoader(noisy, { batchSize: 2, seed: 7 });
 * for await (const { x } of loader) console.log(x.shape);
 * ```
 */
export function mapExamples<From extends string, To extends string>(
  dataset: Dataset<From>,
  transform: (example: Fields<From>, context: ExampleContext) => Fields<To> | Promise<Fields<To>>,
): Required<Dataset<To>> {
  checkCount('mapExamples', arguments.length, 2, 'mapExamples(dataset, (example) => …)');
  requireDataset('mapExamples', dataset);
  checkFunction('mapExamples', 'the transform', transform, 'mapExamples(dataset, (example) => …)');
  return mapDataset(dataset, async (batch, { indices, epoch, generator }) => {
    const examples = Array.from(indices, async (index, position) =>
      transform(
        mapFields(batch, (array) => array.at(position)),
        { index, epoch, generator: generator(position) },
      ),
    );
    return stackExamples(await Promise.all(examples));
  });
}

/**
 * The context for the dataset that another sees through: of the same epoch, with random numbers of its own.
 */
const below = ({ epoch, key }: EpochContext): EpochContext => ({ epoch, key: nextKey(key) });

/** The same record with every value replaced. */
function mapFields<Name extends string, From, To>(
  fields: { readonly [K in Name]: From },
  replace: (value: From, name: Name) => To,
): { readonly [K in Name]: To } {
  const names = Object.keys(fields) as Name[];
  return Object.fromEntries(names.map((name) => [name, replace(fields[name], name)])) as { [K in Name]: To };
}
