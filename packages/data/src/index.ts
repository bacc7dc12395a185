/**
 * Datasets, batching loaders and file formats: the public names of the package that run anywhere. Those that
 * need Node are in `@firsthand/data/node`.
 */
export { DataLoader, type DataLoaderOptions, type DataLoaderState } from './data-loader.ts';
export {
  ArrayDataset,
  type BatchContext,
  type Dataset,
  type ExampleContext,
  type Fields,
  loadBatch,
  mapDataset,
  mapExamples,
} from './dataset.ts';
export type { DeviceArray } from './device-array.ts';
export { type EpochContext, type Key } from './example-random.ts';
export { FormatError, type FormatErrorPlace } from './errors.ts';
export {
  FILE_DTYPES,
  type FileArray,
  type FileData,
  type FileDType,
  type FileDTypeInfo,
} from './file-array.ts';
export { readIdx, writeIdx } from './idx.ts';
export { readSafetensors, type Safetensors, writeSafetensors } from './safetensors.ts';
