// Every function, class and method that people call, held to the convention: an option that does not exist and an argument too many are errors that name the right call.
import { arange } from '@firsthand/linalg';
import { testCalls, type CallTable } from '../../../tests/support/call-table.ts';
import * as data from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;
type Loose = new (...args: unknown[]) => object;

const dataset = new data.ArrayDataset({ x: arange(4) });
const bytes = data.writeIdx({ dtype: 'uint8', shape: [2], data: Uint8Array.of(1, 2) });
const file = data.writeSafetensors(new Map([['x', arange(2)]]));
const same = (fields: unknown): unknown => fields;

const TABLE: CallTable = {
  'new FormatError': null,
  'new DataLoader': {
    call: (options = {}, ...more) => new (data.DataLoader as unknown as Loose)(dataset, { batchSize: 2, ...(options as object) }, ...more),
    options: { shuffle: 'shuffel', seed: 'seeds', dropLast: 'drop_last', prefetch: 'prefetching' },
  },
  'DataLoader.demandCurrent': null,
  'DataLoader.draw': null,
  'DataLoader.load': null,
  'DataLoader.restart': {
    call: (...more) => (new data.DataLoader(dataset, { batchSize: 2 }) as unknown as Record<string, Call>)['restart']!(...more),
  },
  'new ArrayDataset': { call: (...more) => new (data.ArrayDataset as unknown as Loose)({ x: arange(4) }, ...more) },
  loadBatch: { call: (...more) => (data.loadBatch as Call)(dataset, [0], { epoch: 0, key: [0, 0] }, ...more) },
  mapDataset: { call: (...more) => (data.mapDataset as Call)(dataset, same, ...more) },
  mapExamples: { call: (...more) => (data.mapExamples as Call)(dataset, same, ...more) },
  readIdx: { call: (...more) => (data.readIdx as Call)(bytes, ...more) },
  writeIdx: { call: (...more) => (data.writeIdx as Call)(arange(2, { dtype: 'int32' }), ...more) },
  readSafetensors: { call: (...more) => (data.readSafetensors as Call)(file, ...more) },
  writeSafetensors: { call: (...more) => (data.writeSafetensors as Call)(new Map([['x', arange(2)]]), new Map(), ...more) },
};

testCalls(data, ['DataLoader'], TABLE);
