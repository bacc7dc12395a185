/**
 * Batches on their way to the device: arrays by name as a loader delivers them, tensors by the same names as
 * a model takes them.
 */
import { type Device, tensor, type Tensor } from '@firsthand/autograd';
import type { Fields } from '@firsthand/data';
import { describeValue, FirsthandError } from '@firsthand/linalg';

/** Tensors by name; the first axis of each counts examples. */
export type Batch<Name extends string> = { readonly [K in Name]: Tensor };

/**
 * Where batches come from, epoch after epoch: a `DataLoader`, or anything that can be iterated again and
 * again.
 */
export interface BatchSource<Name extends string> extends AsyncIterable<Fields<Name>> {
  /** batches per epoch; without it, nobody can say how long training will take */
  readonly length?: number;
  /** batches already delivered in the epoch under way; 0 if not given */
  readonly position?: number;
  /** Goes back to the beginning of the epoch under way. A source that can be left in mid-epoch has it. */
  restart?(): void;
}

/** A batch copied to a device. */
export function toTensors<Name extends string>(fields: Fields<Name>, device: Device): Batch<Name> {
  const names = Object.keys(fields) as Name[];
  return Object.fromEntries(names.map((name) => [name, tensor(fields[name], { device })])) as Batch<Name>;
}

/**
 * The number of examples in a batch. @throws FirsthandError if it has no fields, one without axes, or no
 * examples
 */
export function countExamples(operation: string, fields: Fields): number {
  const [first] = Object.entries(fields);
  const count = first?.[1].shape[0];
  if (count === undefined) {
    const expected = 'at least one field whose first axis counts examples';
    throw new FirsthandError({ operation, problem: `a batch needs ${expected}`, expected });
  }
  if (count === 0) {
    const [name, { shape, dtype }] = first!;
    const problem = `a batch has no examples (${name} is [${shape.join(', ')}])`;
    throw new FirsthandError({
      operation,
      problem,
      operands: [{ name, shape, dtype }],
      expected: 'examples',
      remedy: 'leave it out',
    });
  }
  return count;
}

/**
 * Checks that a value is a source of batches, and one for several epochs if it has to be.
 * @param option what it was given as: `data`, `validation`
 * @param epochs how often it will be iterated
 * @throws FirsthandError otherwise
 */
export function checkSource(operation: string, option: string, source: unknown, epochs: number): void {
  const iterable = source as
    | { readonly [Symbol.asyncIterator]?: unknown; readonly [Symbol.iterator]?: unknown }
    | null
    | undefined;
  if (
    typeof (iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator]) !== 'function' ||
    typeof source === 'string'
  ) {
    const isDataset = typeof (source as { readonly get?: unknown } | null | undefined)?.get === 'function';
    throw new FirsthandError({
      operation,
      problem: `${option} is ${isDataset ? 'a dataset' : describeValue(source)}, which gives no batches`,
      expected: 'a DataLoader, or another async iterable of batches',
      remedy: isDataset ? `write ${option}: new DataLoader(dataset, { batchSize: 32 })` : undefined,
    });
  }
  const tag = Object.prototype.toString.call(source);
  if (epochs > 1 && (tag === '[object AsyncGenerator]' || tag === '[object Generator]')) {
    throw new FirsthandError({
      operation,
      problem: `${option} is a generator, which can be iterated once, and is needed for ${epochs} epochs`,
      expected: 'a DataLoader',
      remedy: `write ${option}: { [Symbol.asyncIterator]: generatorFunction }, or give a DataLoader`,
    });
  }
}

/**
 * Begins the epoch under way from its first batch. @throws FirsthandError if the source is in mid-epoch and
 * cannot
 */
export function restart(operation: string, option: string, source: BatchSource<string>): void {
  const { position = 0 } = source;
  if (position === 0) return;
  if (source.restart === undefined) {
    throw new FirsthandError({
      operation,
      problem: `${option} is ${position} batches into an epoch and cannot begin it again`,
      expected: 'a source that can begin again',
      remedy: 'give it restart(), or read the epoch to its end before',
    });
  }
  source.restart();
}

/** The error that a source had nothing left. */
export function noBatches(operation: string, option: string, epoch: number | null): FirsthandError {
  const isLater = epoch !== null && epoch > 0;
  return new FirsthandError({
    operation,
    problem: `${option} gave no batches${epoch === null ? '' : ` in epoch ${epoch}`}`,
    expected: isLater ? 'a DataLoader' : 'a source that has batches',
    remedy: isLater
      ? 'it can be iterated once, it seems; give a DataLoader, or an object whose [Symbol.asyncIterator]() begins anew each time'
      : 'give a source that has batches, and that nobody has read to its end before',
  });
}

/**
 * Items in groups of `size`; the last group may be smaller. It is yielded before the next item is requested,
 * if `count` says how many items there are: a loader then still is in the epoch that its last batch belongs
 * to.
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
