/** Files of another kind, given to the readers: the message says which kind it is and what to do. */
import { describe, expect, it } from 'vitest';
import { gzipSync } from 'node:zlib';
import { array, FirsthandError } from '@firsthand/linalg';
import { FormatError, readIdx, readSafetensors, writeIdx, writeSafetensors } from '../src/index.ts';

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
/** A zip's first local header, for an entry of this name that is stored. */
const zip = (entry: string): Uint8Array => {
  const header = new Uint8Array(30 + entry.length + 40);
  header.set(latin1('PK\x03\x04'));
  header[26] = entry.length;
  header.set(latin1(entry), 30);
  return header;
};
const tar = new Uint8Array(1024);
tar.set(latin1('weights.bin'));
tar.set(latin1('ustar'), 257);
const idx = writeIdx(array([1, 2, 3]));
const safetensors = writeSafetensors(new Map([['weight', array([1, 2, 3])]]));

const FILES: readonly (readonly [string, Uint8Array, RegExp])[] = [
  [
    'torch.save',
    zip('archive/data.pkl'),
    /: this is a zip of torch\.save \(\.pt, \.pth\), not an? .*; load it with torch\.load; in Python, safetensors\.torch\.save_file/,
  ],
  ['torch.save of an archive named otherwise', zip('my model/data.pkl'), /a zip of torch\.save/],
  ['npz', zip('weight.npy'), /a NumPy archive \(\.npz\), not an? .*; load it with numpy\.load/],
  ['keras', zip('metadata.json'), /a Keras model \(\.keras\)/],
  ['TorchScript', zip('jit/data/0'), /a zip of torch\.save/],
  ['another zip', zip('readme.txt'), /a zip file, not an? .*; unzip it first/],
  ['an empty zip', latin1(`PK\x05\x06${'\0'.repeat(18)}`), /a zip file/],
  ['gzip', gzipSync('weights and biases'), /a gzip file, not an? .*; unzip it first/],
  ['zstd', latin1('\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00abc'), /a Zstandard file/],
  ['xz', latin1('\xfd7zXZ\0\0\x04abc'), /an xz file/],
  ['bzip2', latin1('BZh91AY&SYabc'), /a bzip2 file/],
  ['tar', tar, /a tar archive, not an? .*; unpack it first/],
  [
    'GGUF',
    latin1('GGUF\x03\0\0\0\x23\x01\0\0\0\0\0\0'),
    /a GGUF file, not an? .*; take the safetensors files of the same model/,
  ],
  ['GGML', latin1('tjgg\x03\0\0\0\0\x7d\0\0'), /a GGML file/],
  ['HDF5', latin1('\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0'), /an HDF5 file \(Keras \.h5\)/],
  ['npy', latin1("\x93NUMPY\x01\0\x76\0{'descr': '<f4'"), /a NumPy array \(\.npy\)/],
  ['TensorFlow Lite', latin1('\x1c\0\0\0TFL3\0\0\0\0\0'), /a TensorFlow Lite model/],
  ['ONNX', latin1('\x08\x08\x12\x07pytorch\x1a\x052.1.0:'), /an ONNX model/],
  ['pickle', latin1('\x80\x04\x95\x1b\0\0\0\0\0\0\0}'), /a pickle \(an old torch\.save/],
  ['torch.save before 1.6', latin1('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'), /a pickle/],
  ['Parquet', latin1('PAR1\x15\x04\x15\x10\x15\x14'), /a Parquet file/],
  ['PNG', latin1('\x89PNG\r\n\x1a\n\0\0\0\rIHDR'), /a PNG image/],
  ['JPEG', latin1('\xff\xd8\xff\xe0\0\x10JFIF'), /a JPEG image/],
  ['PDF', latin1('%PDF-1.7\n%\xe2\xe3'), /a PDF/],
  [
    'a Git LFS pointer',
    latin1('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90868376\n'),
    /a Git LFS pointer, not an? .*; get the file itself: git lfs pull/,
  ],
  [
    'HTML',
    latin1('<!DOCTYPE html>\n<html><body>Sign in</body></html>'),
    /an HTML page, not an? .*; the download gave a page instead of the file/,
  ],
  [
    'HTML after white space and a byte order mark',
    latin1('\xef\xbb\xbf\n\n<html lang="en">'),
    /an HTML page/,
  ],
  [
    'an error of object storage',
    latin1('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'),
    /an XML document, not an? .*; the download gave a page/,
  ],
  [
    'an index',
    latin1('{\n  "metadata": {"total_size": 3},\n  "weight_map": {"a": "model-00001.safetensors"}\n}'),
    /an index of a model in several safetensors files, not an? .*; read each/,
  ],
  ['JSON', latin1('{"error": "Repository not found"}'), /JSON, not an? .*; check which file was meant/],
  ['a list in JSON', latin1('[ 1, 2, 3, 4 ]'), /JSON/],
  [
    'a message',
    latin1('Entry not found'),
    /text that begins with "Entry not found", not an? .*; check which file was meant/,
  ],
  [
    'a long text',
    new TextEncoder().encode(`Überlänge ${'x'.repeat(100)}\nnext`),
    /text that begins with "Überlänge x{30}…"/,
  ],
  ['a csv', latin1('x,y\n1,2\n3,4\n'), /text that begins with "x,y"/],
  ['nothing', new Uint8Array(0), /: it is empty; the download failed, or it was never written/],
];

const thrown = (run: () => unknown): Error => {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('the file was accepted');
};

describe.each([
  ['readSafetensors', readSafetensors],
  ['readIdx', readIdx],
] as const)('%s', (name, read) => {
  it.each(FILES)('names %s', (_, bytes, message) => {
    const error = thrown(() => read(bytes));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(new RegExp(`^${name}: `));
    expect((error as FormatError).offset).not.toBeNull();
    // Alignment is of no account, nor what stands before and after in a larger buffer.
    const larger = new Uint8Array(bytes.length + 9).fill(0x2a);
    larger.set(bytes, 5);
    expect(thrown(() => read(larger.subarray(5, 5 + bytes.length))).message).toBe(error.message);
  });

  it('names the other’s file', () => {
    const [other, message] =
      read === readIdx
        ? [safetensors, /a safetensors file, not an idx file \(MNIST\); read it with readSafetensors/]
        : [idx, /an idx file \(MNIST\), not a safetensors file; read it with readIdx/];
    expect(thrown(() => read(other)).message).toMatch(message);
  });

  it('guesses nothing where there is nothing to be known', () => {
    const unknown = Uint8Array.from({ length: 64 }, (_, i) => (i * 167 + 3) % 256);
    expect(thrown(() => read(unknown)).message).not.toContain('this is');
  });

  it('takes an ArrayBuffer and any view', () => {
    const file = read === readIdx ? idx : safetensors;
    const expected = JSON.stringify([
      ...((read(file) as { tensors?: Map<string, unknown> }).tensors ?? [read(file)]),
    ]);
    for (const bytes of [file.buffer, new DataView(file.buffer), new Uint8ClampedArray(file.buffer)]) {
      const again = read(bytes as ArrayBuffer);
      expect(JSON.stringify([...((again as { tensors?: Map<string, unknown> }).tensors ?? [again])])).toBe(
        expected,
      );
    }
  });

  it.each<[unknown, RegExp]>([
    [
      'model.safetensors',
      /'model.safetensors' where a file's bytes are wanted; needs a Uint8Array or an ArrayBuffer; read the file first: await readFile\(path\)/,
    ],
    [new Blob([]), /a Blob where a file's bytes are wanted.*write await it\.arrayBuffer\(\)/],
    [new Response(''), /a Response where.*write await it\.arrayBuffer\(\)/],
    [Promise.resolve(idx), /a Promise where.*await it first/],
    [undefined, /undefined where/],
    [[1, 2, 3], /an array where/],
  ])('refuses %o', (value, message) => {
    const error = thrown(() => read(value as Uint8Array));
    expect(error).toBeInstanceOf(FirsthandError);
    expect(error.message).toMatch(message);
  });
});

describe('a file that is cut off says so', () => {
  it.each([
    ['in its header', safetensors.subarray(0, 20), 'the file is cut off: write or download it again'],
    [
      'in its data',
      safetensors.subarray(0, safetensors.length - 1),
      'the file is cut off, or its header is wrong',
    ],
  ])('safetensors, %s', (_, bytes, message) => {
    expect(thrown(() => readSafetensors(bytes)).message).toContain(message);
  });

  it('idx', () => {
    expect(thrown(() => readIdx(idx.subarray(0, idx.length - 1))).message).toContain('the file is cut off');
    expect(thrown(() => readIdx(Uint8Array.of(...idx, 0))).message).not.toContain('cut off');
  });
});
