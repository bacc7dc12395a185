/**
 * Converts elements between the host and the GPU, where each is a 32-bit word: bool is 0 or 1, float16 is
 * f32.
 */
import type { DType, HostValue, TypedArray } from '@firsthand/graph';
import { allocate, fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';

/** Bytes of an element on the GPU. */
export const WORD = 4;

/** Elements as the GPU stores them. */
export type Words = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

interface Conversion {
  /** Converts elements of the host to words, in a new array. */
  readonly toWords: (data: TypedArray) => Words;
  /** Converts words to elements of the host, in a new array. */
  readonly fromWords: (bytes: ArrayBuffer) => TypedArray<ArrayBuffer>;
}

const CONVERSIONS: { readonly [K in Exclude<DType, 'float64'>]: Conversion } = {
  float32: { toWords: (data) => data.slice() as Words, fromWords: (bytes) => new Float32Array(bytes) },
  int32: { toWords: (data) => data.slice() as Words, fromWords: (bytes) => new Int32Array(bytes) },
  uint32: { toWords: (data) => data.slice() as Words, fromWords: (bytes) => new Uint32Array(bytes) },
  float16: {
    toWords: (data) => Float32Array.from(data, fromFloat16Bits),
    fromWords: (bytes) => narrowed('float16', new Float32Array(bytes), toFloat16Bits),
  },
  bool: {
    toWords: (data) => Uint32Array.from(data),
    fromWords: (bytes) => narrowed('bool', new Uint32Array(bytes), (word) => (word === 0 ? 0 : 1)),
  },
};

function narrowed(
  dtype: DType,
  words: Float32Array | Uint32Array,
  element: (word: number) => number,
): TypedArray<ArrayBuffer> {
  const data = allocate(dtype, words.length);
  words.forEach((word, index) => (data[index] = element(word)));
  return data;
}

/** The conversion of a dtype other than float64. */
export function conversionOf(dtype: DType): Conversion {
  return CONVERSIONS[dtype as Exclude<DType, 'float64'>];
}

/** Writes a host value as words of a dtype. */
export function writeHostValue(value: HostValue, dtype: DType, words: DataView, offset: number): void {
  (typeof value === 'number' ? [value] : value).forEach((each, index) => {
    const at = offset + index * WORD;
    if (dtype === 'float32' || dtype === 'float16')
      words.setFloat32(at, dtype === 'float16' ? fromFloat16Bits(toFloat16Bits(each)) : each, true);
    else words.setUint32(at, dtype === 'bool' ? Number(each !== 0) : each, true);
  });
}
