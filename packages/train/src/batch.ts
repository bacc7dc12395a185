/** Batches on their way to the device: arrays by name as a loader delivers them, tensors by the same names as a model takes them. */
import { type Device, tensor, type Tensor } from '@firsthand/autograd';
import type { Fields } from '@firsthand/data';
import { FirsthandError } from '@firsthand/linalg';

/** Tensors by name; the first axis of each counts examples. */
export type Batch<Name extends string> = { readonly [K in Name]: Tensor };

/** Where batches come from, epoch after epoch: a `DataLoader`, or anything that can be iterated again and again. */
export interface BatchSource<Name extends string> extends AsyncIterable<Fields<Name>> {
  /** batches per epoch; without it, nobody can say how long training will take */
  readonly length?: number;
  /** batches already delivered in the epoch under way; 0 if not given */
  readonly position?: number;
}

/** A batch copied to a device. */
export function toTensors<Name extends string>(fields: Fields<Name>, device: Device): Batch<Name> {
  const names = Object.keys(fields) as Name[];
  return Object.fromEntries(names.map((name) => [name, tensor(fields[name], { device })])) as Batch<Name>;
}

/** The number of examples in a batch. @throws FirsthandError if it has no fields, or one without axes */
export function countExamples(fields: Fields): number {
  const [first] = Object.values(fields);
  const count = first?.shape[0];
  if (count === undefined) throw new FirsthandError('fit: a batch needs at least one field whose first axis counts examples');
  return count;
}

/**
 * Items in groups of `size`; the last group may be smaller. It is yielded before the source is asked for more, if `count` says how many items there
 * are: a loader then still is in the epoch that its last batch belongs to.
 */
export async function* grouped<Item>(
  source: AsyncIterable<Item>,
  size: number,
  count: number | undefined,
): AsyncGenerator<readonly Item[], void, undefined> {
  let group: Item[] = [];
  let received = 0;
  for await (const item of source) {
    group.push(item);
    received++;
    if (group.length < size && received !== count) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
