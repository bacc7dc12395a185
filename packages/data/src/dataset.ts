/**
 * Where examples come from. A dataset is a length and a way to get example i, a record of named arrays such as `{ image, label }`; one that can
 * gather many at once says so with `batch`. A batch is the same record with one more leading axis.
 */
import { allocate, FirsthandError, formatShape, NDArray, ShapeError, sizeOf, stack } from '@firsthand/linalg';
import { FILE_DTYPES, type FileArray, toFileArray } from './file-array.ts';

/** Arrays by name: of one example, or, with a leading axis that counts examples, of a batch. */
export type Fields<Name extends string = string> = { readonly [K in Name]: NDArray };

/** A finite, numbered collection of examples. */
export interface Dataset<Name extends string = string> {
  /** number of examples */
  readonly length: number;
  /** Example `index`, 0 ≤ index < length. May be asynchronous: a file to read, a picture to decode. */
  get(index: number): Fields<Name> | Promise<Fields<Name>>;
  /** The examples at `indices`, in that order, stacked along a new first axis. Optional: what is lacking is stacked from `get`. */
  batch?(indices: ArrayLike<number>): Fields<Name> | Promise<Fields<Name>>;
}

/**
 * The examples at `indices` of any dataset, as one batch: by its `batch` if it has one, else by stacking what `get` gives.
 * @returns arrays of shape (number of indices, …shape of the field)
 * @throws ShapeError if examples of one batch differ in shape, FirsthandError if there are no indices to take the shapes from
 */
export async function loadBatch<Name extends string>(dataset: Dataset<Name>, indices: ArrayLike<number>): Promise<Fields<Name>> {
  if (dataset.batch !== undefined) return dataset.batch(indices);
  const examples = await Promise.all(Array.from(indices, async (index) => dataset.get(index)));
  const [first] = examples;
  if (first === undefined) throw new FirsthandError('loadBatch: a batch of no examples has no shapes; give at least one index');
  return mapFields(first, (_, name) => stack(examples.map((example) => example[name])));
}

/**
 * Examples held in memory: every field is one array whose first axis counts examples. Arrays that `readIdx` gives are taken as they are and
 * widened to int32 batch by batch, so that bytes stay bytes in memory.
 * @example
 * ```ts
 * import { array } from '@firsthand/linalg';
 * import { ArrayDataset } from '@firsthand/data';
 * const dataset = new ArrayDataset({ point: array([[0, 1], [2, 3], [4, 5]]), label: array([0, 1, 0], { dtype: 'int32' }) });
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
    this.fields = mapFields(fields, (array: NDArray | FileArray, name) => toFileArray(`ArrayDataset: field ${name}`, array));
    const all: [string, FileArray][] = Object.entries(this.fields);
    const length = all[0]?.[1].shape[0];
    if (length === undefined || all.some(([, { shape }]) => shape[0] !== length)) {
      const shapes = all.map(([name, { shape }]) => `${name} ${formatShape(shape)}`).join(', ');
      throw new ShapeError(
        `ArrayDataset: every field needs the same first axis, which counts examples: ${shapes === '' ? 'no fields' : shapes}`,
      );
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
        throw new ShapeError(`ArrayDataset: index ${index} is out of range for ${this.length} examples`);
      }
    }
    return mapFields(this.fields, ({ shape, dtype, data }: FileArray) => {
      const { memory } = FILE_DTYPES[dtype];
      const exampleShape = shape.slice(1);
      const size = sizeOf(exampleShape);
      const gathered = allocate(memory, indices.length * size);
      for (let i = 0; i < indices.length; i++) gathered.set(data.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
      return NDArray.packed(gathered, [indices.length, ...exampleShape], memory);
    });
  }
}

/**
 * A dataset seen through a function of its batches: scaling, types, augmentation.
 * @param dataset what is seen
 * @param transform from a batch to a batch of as many examples; it must treat examples independently, since batches may be of any size
 * @returns a dataset of the same length
 * @example
 * ```ts
 * import { array, div } from '@firsthand/linalg';
 * import { ArrayDataset, mapDataset } from '@firsthand/data';
 * const bytes = new ArrayDataset({ image: { dtype: 'uint8', shape: [2, 2], data: Uint8Array.of(0, 51, 102, 255) } });
 * const scaled = mapDataset(bytes, ({ image }) => ({ image: div(image.astype('float64'), 255) }));
 * console.log((await scaled.get(1)).image.toArray()); // [ 0.4, 1 ]
 * ```
 */
export function mapDataset<From extends string, To extends string>(
  dataset: Dataset<From>,
  transform: (batch: Fields<From>) => Fields<To> | Promise<Fields<To>>,
): Required<Dataset<To>> {
  const batch = async (indices: ArrayLike<number>): Promise<Fields<To>> => transform(await loadBatch(dataset, indices));
  return {
    length: dataset.length,
    batch,
    get: async (index) => mapFields(await batch([index]), (array) => array.at(0)),
  };
}

/** The same record with every value replaced. */
function mapFields<Name extends string, From, To>(
  fields: { readonly [K in Name]: From },
  replace: (value: From, name: Name) => To,
): { readonly [K in Name]: To } {
  const names = Object.keys(fields) as Name[];
  return Object.fromEntries(names.map((name) => [name, replace(fields[name], name)])) as { [K in Name]: To };
}
