/**
 * What a file is that is not what its reader reads: found by the first bytes, as `file(1)` does, in one
 * table. A reader asks when a file does not begin as its format says, so that a person learns which file was
 * picked up, and what to do with it.
 */
import { describeValue, FirsthandError } from '@firsthand/linalg';
import { FormatError } from './errors.ts';

/** A kind of file, and what to do with it instead. */
interface Kind {
  /** a noun with its article */
  readonly name: string;
  readonly remedy: string;
}

/** What a file's first bytes must be. */
interface Signature extends Kind {
  readonly matches: (bytes: Uint8Array) => boolean;
}

/** As much of a file as is read as text. */
const TEXT_BYTES = 512;

const textOf = (bytes: Uint8Array, begin: number = 0, length: number = TEXT_BYTES): string =>
  String.fromCharCode(...bytes.subarray(begin, begin + length));

const magic =
  (text: string, at: number = 0) =>
  (bytes: Uint8Array): boolean =>
    textOf(bytes, at, text.length) === text;

/** Bytes that are each one value or in a range, from the file's beginning. */
const sequence =
  (...ranges: readonly (number | readonly [number, number])[]) =>
  (bytes: Uint8Array): boolean =>
    ranges.every((range, index) => {
      const [low, high] = typeof range === 'number' ? [range, range] : range;
      return bytes[index]! >= low && bytes[index]! <= high;
    });

/** The name of a zip's first entry; what wrote a zip shows by it. */
const firstEntry = (bytes: Uint8Array): string =>
  textOf(bytes, 30, (bytes[26] ?? 0) + 256 * (bytes[27] ?? 0));
const zip =
  (entry: RegExp) =>
  (bytes: Uint8Array): boolean =>
    magic('PK\x03\x04')(bytes) && entry.test(firstEntry(bytes));

/** Text without its white space and byte order mark before. */
const beginning = (bytes: Uint8Array): string =>
  textOf(bytes).replace(/^(?:\u00ef\u00bb\u00bf)?\s+|^\u00ef\u00bb\u00bf/, '');
const text =
  (pattern: RegExp) =>
  (bytes: Uint8Array): boolean =>
    pattern.test(beginning(bytes));

const IN_PYTHON = 'in Python, safetensors.torch.save_file(state_dict, path) writes what can be read here';
const DOWNLOAD =
  'the download gave a page instead of the file: check its address, and whether it needs a login';

/** In this order: what is more particular comes first. */
const SIGNATURES: readonly Signature[] = [
  {
    name: 'a zip of torch.save (.pt, .pth)',
    matches: zip(
      /^(?:.*\/)?(?:data\.pkl|data\/\d+|constants\.pkl|\.format_version|\.storage_alignment|byteorder)$/,
    ),
    remedy: `load it with torch.load; ${IN_PYTHON}`,
  },
  {
    name: 'a NumPy archive (.npz)',
    matches: zip(/\.npy$/),
    remedy: `load it with numpy.load; safetensors.numpy.save_file(dict(archive), path) writes what can be read here`,
  },
  {
    name: 'a Keras model (.keras)',
    matches: zip(/^(?:metadata\.json|config\.json|model\.weights\.h5)$/),
    remedy:
      'load it with keras.models.load_model; safetensors.numpy.save_file writes its weights so that they can be read here',
  },
  {
    name: 'a zip file',
    matches: (bytes) => magic('PK\x03\x04')(bytes) || magic('PK\x05\x06')(bytes),
    remedy: 'unzip it first',
  },
  {
    name: 'a gzip file',
    matches: magic('\x1f\x8b'),
    remedy: "unzip it first: gunzip, or new DecompressionStream('gzip')",
  },
  { name: 'a Zstandard file (.zst)', matches: magic('\x28\xb5\x2f\xfd'), remedy: 'decompress it first' },
  { name: 'an xz file', matches: magic('\xfd7zXZ\0'), remedy: 'decompress it first' },
  { name: 'a bzip2 file', matches: magic('BZh'), remedy: 'decompress it first' },
  { name: 'a tar archive', matches: magic('ustar', 257), remedy: 'unpack it first' },
  {
    name: 'a GGUF file',
    matches: magic('GGUF'),
    remedy: 'take the safetensors files of the same model, of which it was made',
  },
  {
    name: 'a GGML file',
    matches: (bytes) => ['lmgg', 'tjgg', 'fmgg', 'ggml'].includes(textOf(bytes, 0, 4)),
    remedy: 'take the safetensors files of the same model',
  },
  {
    name: 'an HDF5 file (Keras .h5)',
    matches: magic('\x89HDF\r\n\x1a\n'),
    remedy:
      'load it in Python with h5py or Keras; safetensors.numpy.save_file writes its arrays so that they can be read here',
  },
  {
    name: 'a NumPy array (.npy)',
    matches: magic('\x93NUMPY'),
    remedy:
      'load it with numpy.load; safetensors.numpy.save_file({name: array}, path) writes what can be read here',
  },
  {
    name: 'a TensorFlow Lite model',
    matches: magic('TFL3', 4),
    remedy: 'take the weights of the model of which it was made',
  },
  // The first field of a protobuf ModelProto is ir_version (field 1, a varint), then producer, opset or
  // graph.
  {
    name: 'an ONNX model',
    matches: (bytes) =>
      sequence(8, [1, 31])(bytes) && [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42, 0x72].includes(bytes[2]!),
    remedy:
      'take the safetensors file of the same model, or write its initializers in Python with safetensors.numpy.save_file',
  },
  {
    name: 'a pickle (an old torch.save, or other Python data)',
    matches: sequence(0x80, [2, 5], [1, 255]),
    remedy: `load it in Python, if you trust its source; ${IN_PYTHON}`,
  },
  { name: 'a Parquet file', matches: magic('PAR1'), remedy: 'it holds a table; write its columns as arrays' },
  { name: 'a PNG image', matches: magic('\x89PNG\r\n\x1a\n'), remedy: 'decode it first' },
  { name: 'a JPEG image', matches: magic('\xff\xd8\xff'), remedy: 'decode it first' },
  { name: 'a PDF', matches: magic('%PDF-'), remedy: 'check which file was meant' },
  {
    name: 'an idx file (MNIST)',
    matches: sequence(0, 0, [8, 14], [1, 8]),
    remedy: 'read it with readIdx',
  },
  {
    name: 'a safetensors file',
    matches: sequence([0, 255], [0, 255], [0, 255], [0, 5], 0, 0, 0, 0, 0x7b, [0x20, 0x7d]),
    remedy: 'read it with readSafetensors',
  },
  {
    name: 'a Git LFS pointer',
    matches: text(/^version https:\/\/git-lfs/),
    remedy: 'get the file itself: git lfs pull, or the download link of the hub',
  },
  { name: 'an HTML page', matches: text(/^(?:<!doctype html|<html|<head|<body|<script)/i), remedy: DOWNLOAD },
  { name: 'an XML document', matches: text(/^<(?:\?xml|Error>|[a-z][\w:-]*[\s>])/i), remedy: DOWNLOAD },
  {
    name: 'an index of a model in several safetensors files',
    matches: text(/^\{[^]*"weight_map"/),
    remedy: 'read each of the files that it names',
  },
  {
    name: 'JSON',
    matches: text(/^(?:\{\s*["}]|\[\s*["[{\]\d-])/),
    remedy: 'check which file was meant; an address of an API gives JSON where the file was expected',
  },
];

/** As much of a text as a message shows. */
const SHOWN = 40;

/** A kind of its own for every text, which shows by its first line; null for what is no text in UTF-8. */
function textKind(bytes: Uint8Array): Kind | null {
  const start = bytes.subarray(0, TEXT_BYTES);
  if (start.some((byte) => byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d))) return null;
  let line: string;
  try {
    // As a stream, since the last character may be cut.
    line = new TextDecoder('utf-8', { fatal: true })
      .decode(start, { stream: true })
      .trimStart()
      .split('\n', 1)[0]!
      .trimEnd();
  } catch {
    return null;
  }
  return {
    name: `text that begins with ${JSON.stringify(line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line)}`,
    remedy: 'check which file was meant, and whether a download gave a message instead of the file',
  };
}

/** The kinds of files that are read, by their names in the table of signatures. */
export type FileKind = 'an idx file (MNIST)' | 'a safetensors file';

/**
 * The error of a file that does not begin as its format requires.
 * @param operation the reader
 * @param kind the kind that it reads
 * @param facts what is wrong with the file if it is of that kind, which is the message if no other kind is
 *   recognised, and what was expected there
 */
export function notOfKind(
  operation: string,
  kind: FileKind,
  bytes: Uint8Array,
  { problem, expected }: { readonly problem: string; readonly expected: string },
  offset: number,
): FormatError {
  if (bytes.length === 0) {
    const remedy = 'the download failed, or it was never written';
    return new FormatError({ operation, problem: `${problem}: it is empty`, expected, remedy }, { offset });
  }
  const found = SIGNATURES.find(({ name, matches }) => name !== kind && matches(bytes)) ?? textKind(bytes);
  if (found === null) return new FormatError({ operation, problem, expected }, { offset });
  return new FormatError(
    { operation, problem: `this is ${found.name}, not ${kind}`, expected: kind, remedy: found.remedy },
    { offset },
  );
}

/**
 * The bytes of a file, in any container.
 * @throws FirsthandError for what holds no bytes, such as a path, a promise or a Blob
 */
export function bytesOf(operation: string, file: Uint8Array | ArrayBuffer): Uint8Array {
  if (file instanceof Uint8Array) return file;
  const value: unknown = file;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (/^\[object (?:Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value)))
    return new Uint8Array(file);
  throw new FirsthandError({
    operation,
    problem: `${describeValue(value)} where a file's bytes are wanted`,
    expected: 'a Uint8Array or an ArrayBuffer',
    remedy: remedyFor(
      value as { readonly arrayBuffer?: unknown; readonly then?: unknown } | null | undefined,
    ),
  });
}

/** How to come to the bytes of what was given instead. */
function remedyFor(
  value: { readonly arrayBuffer?: unknown; readonly then?: unknown } | string | null | undefined,
): string | undefined {
  if (typeof value === 'string') return 'read the file first: await readFile(path)';
  if (typeof value?.arrayBuffer === 'function') return 'write await it.arrayBuffer()';
  return typeof value?.then === 'function' ? 'await it first' : undefined;
}
