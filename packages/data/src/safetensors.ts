/**
 * The safetensors format: the length of a header as a little-endian uint64, the header as a JSON object that
 * maps each tensor's name to dtype, shape and begin and end in the data, and then the data, little-endian,
 * without gaps. Nothing in it is executed, which is why it is trusted with weights; this reader still
 * believes no length, offset or shape before it has checked it against the bytes that are there. Source:
 * https://github.com/huggingface/safetensors, section "Format"; the writer's order is the reference
 * implementation's.
 */
import {
  checkCount,
  describeValue,
  FirsthandError,
  formatShape,
  type NDArray,
  OptionError,
} from '@firsthand/linalg';
import { type DeviceArray, isDeviceArray, readDeviceArrays } from './device-array.ts';
import { elementCount, readElements, writeElements } from './elements.ts';
import { FormatError } from './errors.ts';
import { FILE_DTYPES, type FileArray, type FileDType, toFileArray } from './file-array.ts';
import { JsonCursor } from './json-cursor.ts';
import { bytesOf, notOfKind } from './sniff.ts';

/** What a safetensors file holds. */
export interface Safetensors {
  /** by name, in the order of the header; writing the same entries restores the same dtypes */
  readonly tensors: Map<string, FileArray>;
  /** free text by key, such as `format: pt` */
  readonly metadata: Map<string, string>;
}

/**
 * The format's names of element types, in the order in which the reference implementation lays tensors out:
 * the last first.
 */
const DTYPE_NAMES: { readonly [K in FileDType]: string } = {
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  int16: 'I16',
  uint16: 'U16',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint32: 'U32',
  float32: 'F32',
  float64: 'F64',
  int64: 'I64',
  uint64: 'U64',
};
const DTYPES_IN_ORDER = Object.keys(DTYPE_NAMES) as FileDType[];

const LENGTH_BYTES = 8;
const HEADER_LIMIT = 100_000_000; // bytes; the format's own cap
const RANK_LIMIT = 64; // axes; no more than any array library has
const METADATA_KEY = '__metadata__';

/** A tensor as the header describes it. Offsets count from the start of the file. */
interface Entry {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file. Data is not copied where it can be used as it is stored: an entry's `data` is
 * then a view of the file's bytes, and shows later changes to them. bfloat16 becomes float32 (twice the
 * bytes), and int64 and uint64 become int32 and uint32, range-checked; the entry's `dtype` stays the file's.
 * float16 stays as its bits.
 * @param file the whole file
 * @throws FormatError with the byte offset of the first thing that is not as the format says, or that has a
 *   dtype this reader lacks (8-bit floats and smaller);
 *   of a file of another kind, such as one of torch.save, it says which
 * @example
 * ```ts
 * import { array } from '@firsthand/linalg';
 * import { readSafetensors, writeSafetensors } from '@firsthand/data';
 * const file = writeSafetensors(new Map([['bias', array([0.5, -1])]]), new Map([['step', '100']]));
 * const { tensors, metadata } = readSafetensors(file);
 * const lists = [...tensors].map(([name, tensor]) => [name, array(tensor).toArray()]);
 * console.log(lists); // [ [ 'bias', [ 0.5, -1 ] ] ]
 * console.log(metadata.get('step')); // 100
 * ```
 */
export function readSafetensors(file: Uint8Array | ArrayBuffer): Safetensors {
  checkCount('readSafetensors', arguments.length, 1, 'readSafetensors(bytes)');
  const bytes = bytesOf('readSafetensors', file);
  const dataBegin = LENGTH_BYTES + headerLength(bytes);
  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  const cursor = new JsonCursor('readSafetensors', bytes, LENGTH_BYTES, dataBegin);
  cursor.object((name, offset) => {
    if (name === METADATA_KEY) cursor.object((key) => metadata.set(key, cursor.string()));
    else entries.push(readEntry(cursor, name, offset, dataBegin, bytes.length));
  });
  cursor.expectEnd();
  checkLayout(entries, dataBegin, bytes.length);
  const tensors = new Map<string, FileArray>();
  for (const { name, dtype, shape, count, begin } of entries) {
    const part = `tensor ${JSON.stringify(name)}: `;
    tensors.set(name, {
      dtype,
      shape,
      data: readElements({ bytes, begin, count, dtype, order: 'little', operation: 'readSafetensors', part }),
    });
  }
  return { tensors, metadata };
}

function headerLength(bytes: Uint8Array): number {
  const notSafetensors = (problem: string, expected: string, offset: number): FormatError =>
    notOfKind('readSafetensors', 'a safetensors file', bytes, { problem, expected }, offset);
  if (bytes.length < LENGTH_BYTES) {
    throw notSafetensors(
      `the header's length takes 8 bytes, the file has ${bytes.length}`,
      '8 bytes',
      bytes.length,
    );
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const limit = Math.min(bytes.length - LENGTH_BYTES, HEADER_LIMIT);
  if (length > limit) {
    const reason = limit === HEADER_LIMIT ? `the format allows ${limit}` : `${limit} follow`;
    const problem = `the header claims ${length} bytes, but ${reason}`;
    const expected = `at most ${limit} bytes`;
    if (length > HEADER_LIMIT || bytes[LENGTH_BYTES] !== 0x7b) throw notSafetensors(problem, expected, 0);
    const remedy = 'the file is cut off: write or download it again';
    throw new FormatError({ operation: 'readSafetensors', problem, expected, remedy }, { offset: 0 });
  }
  if (bytes[LENGTH_BYTES] !== 0x7b || length === 0n) {
    throw notSafetensors('the header is a JSON object and begins with {', 'a JSON object', LENGTH_BYTES);
  }
  return Number(length);
}

/**
 * Reads `{ "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] }` and checks it against itself and the
 * file's length.
 */
function readEntry(
  cursor: JsonCursor,
  name: string,
  headerOffset: number,
  dataBegin: number,
  fileLength: number,
): Entry {
  const members = 'dtype, shape and data_offsets';
  const found: { dtype?: string; shape?: number[]; offsets?: number[] } = {};
  cursor.object((key, offset) => {
    if (key === 'dtype') found.dtype = cursor.string();
    else if (key === 'shape') found.shape = cursor.wholeNumbers(RANK_LIMIT);
    else if (key === 'data_offsets') found.offsets = cursor.wholeNumbers(2);
    else throw cursor.error(`a tensor has ${members}, not ${JSON.stringify(key)}`, members, offset);
  });

  const fail = (problem: string, expected: string): FormatError =>
    cursor.error(`tensor ${JSON.stringify(name)} ${problem}`, expected, headerOffset);
  const { shape, offsets } = found;
  if (found.dtype === undefined || shape === undefined || offsets === undefined) {
    throw fail('lacks dtype, shape or data_offsets', members);
  }
  const dtype = DTYPES_IN_ORDER.find((candidate) => DTYPE_NAMES[candidate] === found.dtype);
  if (dtype === undefined) {
    const known = Object.values(DTYPE_NAMES).join(', ');
    throw fail(`has dtype ${JSON.stringify(found.dtype)}, which is none of ${known}`, known);
  }
  const [from, to] = offsets;
  if (from === undefined || to === undefined)
    throw fail('has data_offsets that are not two numbers', 'two numbers');
  const available = fileLength - dataBegin;
  if (from > to)
    throw fail(`has data_offsets [${from}, ${to}] in the wrong order`, 'a beginning before the end');
  if (to > available) {
    const expected = `${available} bytes of data`;
    throw fail(
      `has data_offsets [${from}, ${to}], outside the ${expected}: the file is cut off, or its header is wrong`,
      expected,
    );
  }
  const count = elementCount(shape);
  if (count === null || count * FILE_DTYPES[dtype].bytes !== to - from) {
    const needs =
      count === null ? 'more bytes than can be counted' : `${count * FILE_DTYPES[dtype].bytes} bytes`;
    throw fail(
      `of ${found.dtype} and shape ${formatShape(shape)} takes ${needs}, its data_offsets hold ${to - from}`,
      needs,
    );
  }
  return { name, dtype, shape, count, begin: dataBegin + from, end: dataBegin + to };
}

/** Demands that the tensors cover the data exactly: each begins where the one before it ends. */
function checkLayout(entries: readonly Entry[], dataBegin: number, fileLength: number): void {
  const gap = (problem: string, offset: number): FormatError =>
    new FormatError(
      { operation: 'readSafetensors', problem, expected: 'tensors that cover the data' },
      { offset },
    );
  let covered = dataBegin;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      const problem =
        begin < covered ? 'overlaps the one before it' : `leaves ${begin - covered} bytes unused before it`;
      throw gap(`tensor ${JSON.stringify(name)} ${problem}`, Math.min(begin, covered));
    }
    covered = end;
  }
  if (covered !== fileLength) {
    throw gap(`${fileLength - covered} bytes after the last tensor belong to none`, covered);
  }
}

/**
 * Writes a safetensors file. The bytes depend on the contents alone, not on the order of the maps: metadata
 * by key, tensors by dtype (widest first, so that all are aligned) and then name. A file of the reference
 * implementation that is read and written again comes out the same, byte for byte, up to the order of several
 * metadata keys.
 *
 * Tensors of a device are taken too, such as a model's state dict:
 * `await writeSafetensors(model.stateDict())`. Their values are those of the call; since a device answers
 * later, what comes back is then a promise.
 * @param tensors by name; an `NDArray` or tensor is written in its own dtype, a {@link FileArray} in the
 *   dtype that it names
 * @param metadata free text by key
 * @returns the whole file; a promise of it if there is a tensor of a device
 * @throws ShapeError or DTypeError if a tensor contradicts itself; FirsthandError if one has the reserved
 *   name `__metadata__`, or the header
 *   would exceed the format's 100 MB
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, FileArray | NDArray>,
  metadata?: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer>;
export function writeSafetensors(
  tensors: ReadonlyMap<string, FileArray | NDArray | DeviceArray>,
  metadata?: ReadonlyMap<string, string>,
): Promise<Uint8Array<ArrayBuffer>>;
export function writeSafetensors(
  tensors: ReadonlyMap<string, FileArray | NDArray | DeviceArray>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
  checkCount('writeSafetensors', arguments.length, 2, 'writeSafetensors(tensors, metadata)');
  if (typeof (tensors as Partial<typeof tensors> | null | undefined)?.entries !== 'function') {
    const expected = 'a Map of arrays by name, such as model.stateDict() or new Map(Object.entries(arrays))';
    throw new FirsthandError({ operation: 'writeSafetensors', problem: `expected ${expected}`, expected });
  }
  if (
    !(metadata instanceof Map) ||
    [...metadata].some((entry) => !entry.every((each) => typeof each === 'string'))
  ) {
    const problem =
      metadata instanceof Map
        ? 'the metadata holds what is no string'
        : `the metadata is ${describeValue(metadata)}`;
    throw new OptionError({
      operation: 'writeSafetensors',
      problem,
      expected: 'a Map of strings',
      remedy: "write new Map([['note', '…']])",
    });
  }
  const entries = [...tensors];
  return entries.some(([, array]) => isDeviceArray(array))
    ? readDeviceArrays(entries).then((arrays) => write(arrays, metadata))
    : write(tensors as ReadonlyMap<string, FileArray | NDArray>, metadata);
}

/** Writes what is in memory. */
function write(
  tensors: ReadonlyMap<string, FileArray | NDArray>,
  metadata: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  const operation = 'writeSafetensors';
  if (tensors.has(METADATA_KEY)) {
    const problem = `the name ${METADATA_KEY} is reserved`;
    throw new FirsthandError({ operation, problem, expected: 'another name', remedy: 'rename the tensor' });
  }
  const entries = [...tensors].map(([name, array]) => {
    const packed = toFileArray(operation, array, `tensor ${JSON.stringify(name)}: `);
    return {
      name,
      array: packed,
      rank: DTYPES_IN_ORDER.indexOf(packed.dtype),
      bytes: packed.data.length * FILE_DTYPES[packed.dtype].bytes,
    };
  });
  entries.sort((a, b) => b.rank - a.rank || compareText(a.name, b.name));

  let size = 0;
  const members = entries.map(({ name, array, bytes }) => {
    const description = {
      dtype: DTYPE_NAMES[array.dtype],
      shape: array.shape,
      data_offsets: [size, (size += bytes)],
    };
    return `${JSON.stringify(name)}:${JSON.stringify(description)}`;
  });
  if (metadata.size > 0) {
    const pairs = [...metadata]
      .sort(([a], [b]) => compareText(a, b))
      .map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
    members.unshift(`${JSON.stringify(METADATA_KEY)}:{${pairs.join(',')}}`);
  }
  const header = new TextEncoder().encode(`{${members.join(',')}}`);
  const paddedLength = Math.ceil(header.length / 8) * 8; // so that the data begins at a multiple of 8
  if (paddedLength > HEADER_LIMIT) {
    const problem = `the header takes ${paddedLength} bytes, the format allows ${HEADER_LIMIT}`;
    throw new FirsthandError({ operation, problem, expected: `at most ${HEADER_LIMIT} bytes` });
  }

  const dataBegin = LENGTH_BYTES + paddedLength;
  const bytes = new Uint8Array(dataBegin + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(paddedLength), true);
  bytes.set(header, LENGTH_BYTES);
  bytes.fill(0x20, LENGTH_BYTES + header.length, dataBegin);
  let begin = dataBegin;
  for (const entry of entries) {
    writeElements(bytes, begin, entry.array, 'little');
    begin += entry.bytes;
  }
  return bytes;
}

/** By UTF-16 code units: the same on every machine, whatever its language. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
