// Every function, class and method that people call, follows the convention: an option that does not exist
// and an argument too many are errors that name the right call.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { arange } from '@firsthand/linalg';
import { testCalls, testRefusals, type CallTable } from '../../../tests/support/call-table.ts';
import * as data from '../src/index.ts';
import * as node from '../src/node.ts';

type Call = (...args: unknown[]) => unknown;
type Loose = new (...args: unknown[]) => object;

const dataset = new data.ArrayDataset({ x: arange(4) });
const bytes = data.writeIdx({ dtype: 'uint8', shape: [2], data: Uint8Array.of(1, 2) });
const file = data.writeSafetensors(new Map([['x', arange(2)]]));
const same = (fields: unknown): unknown => fields;

const TABLE: CallTable = {
  'new FormatError': null,
  'new DataLoader': {
    call: (options = {}, ...more) =>
      new (data.DataLoader as unknown as Loose)(dataset, { batchSize: 2, ...(options as object) }, ...more),
    options: { shuffle: 'shuffel', seed: 'seeds', dropLast: 'drop_last', prefetch: 'prefetching' },
  },
  'DataLoader.demandCurrent': null,
  'DataLoader.draw': null,
  'DataLoader.load': null,
  'DataLoader.restart': {
    call: (...more) =>
      (new data.DataLoader(dataset, { batchSize: 2 }) as unknown as Record<string, Call>)['restart']!(
        ...more,
      ),
  },
  'new ArrayDataset': {
    call: (...more) => new (data.ArrayDataset as unknown as Loose)({ x: arange(4) }, ...more),
  },
  loadBatch: {
    call: (...more) => (data.loadBatch as Call)(dataset, [0], { epoch: 0, key: [0, 0] }, ...more),
  },
  mapDataset: { call: (...more) => (data.mapDataset as Call)(dataset, same, ...more) },
  mapExamples: { call: (...more) => (data.mapExamples as Call)(dataset, same, ...more) },
  readIdx: { call: (...more) => (data.readIdx as Call)(bytes, ...more) },
  writeIdx: { call: (...more) => (data.writeIdx as Call)(arange(2, { dtype: 'int32' }), ...more) },
  readSafetensors: { call: (...more) => (data.readSafetensors as Call)(file, ...more) },
  writeSafetensors: {
    call: (...more) => (data.writeSafetensors as Call)(new Map([['x', arange(2)]]), new Map(), ...more),
  },
};

testCalls(data, ['DataLoader'], TABLE);

const loader = (...args: unknown[]): object => new (data.DataLoader as unknown as Loose)(...args);
const arrays = new Map([['x', arange(2)]]);

testRefusals({
  'DataLoader without a dataset': () => loader(),
  'DataLoader without a size': () => loader(dataset),
  'DataLoader with a size in place of options': () => loader(dataset, 4),
  'DataLoader with a size in quotes': () => loader(dataset, { batchSize: '2' }),
  'DataLoader with shuffle: true': () => loader(dataset, { batchSize: 2, shuffle: true }),
  'DataLoader with dropLast: "no"': () => loader(dataset, { batchSize: 2, dropLast: 'no' }),
  'ArrayDataset()': () => new (data.ArrayDataset as unknown as Loose)(),
  'ArrayDataset of an array': () => new (data.ArrayDataset as unknown as Loose)(arange(3)),
  'ArrayDataset of plain arrays': () => new (data.ArrayDataset as unknown as Loose)({ x: [1, 2] }),
  'loadBatch()': () => (data.loadBatch as Call)(),
  'loadBatch of one index': () => (data.loadBatch as Call)(dataset, 1),
  'loadBatch with a number for its context': () => (data.loadBatch as Call)(dataset, [0], 1),
  'mapDataset of a number': () => (data.mapDataset as Call)(1, same),
  'mapDataset without a transform': () => (data.mapDataset as Call)(dataset),
  'mapExamples of a number': () => (data.mapExamples as Call)(1, same),
  'mapExamples without a transform': () => (data.mapExamples as Call)(dataset),
  'readIdx of text': () => (data.readIdx as Call)('x'),
  'writeIdx of a number': () => (data.writeIdx as Call)(1),
  'readSafetensors of text': () => (data.readSafetensors as Call)('x'),
  'writeSafetensors of an object': () => (data.writeSafetensors as Call)({ x: arange(2) }),
  'writeSafetensors with an object of metadata': () => (data.writeSafetensors as Call)(arrays, { note: 'x' }),
  'writeSafetensors with a number in its metadata': () =>
    (data.writeSafetensors as Call)(arrays, new Map([['note', 1]])),
});

describe('data/node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firsthand-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  testCalls(node, [], {
    writeFileAtomic: { call: (...more) => (node.writeFileAtomic as Call)(join(folder, 'x'), bytes, ...more) },
  });
});
