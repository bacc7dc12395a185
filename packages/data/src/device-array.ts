/**
 * Arrays whose elements live on a device: what a tensor of `@firsthand/autograd` is to a writer of files. A
 * writer knows them by their methods, so that this package depends on no device and no tensor.
 */
import { NDArray, type DType, type Shape, type TypedArray } from '@firsthand/linalg';
import type { FileArray } from './file-array.ts';

/** Shape, element type, and a promise of the elements in row-major order; a `Tensor` is one. */
export interface DeviceArray {
  readonly shape: Shape;
  readonly dtype: DType;
  data(): Promise<TypedArray>;
}

/** Whether an array's elements have to be read from a device. */
export function isDeviceArray(array: FileArray | NDArray | DeviceArray): array is DeviceArray {
  // What is no array at all is refused by the writer.
  return typeof (array as DeviceArray | null | undefined)?.data === 'function';
}

/** The same entries in host memory. All reads are enqueued at the call, so later updates do not show. */
export async function readDeviceArrays(
  entries: readonly (readonly [string, FileArray | NDArray | DeviceArray])[],
): Promise<Map<string, FileArray | NDArray>> {
  const reading = entries.map(async ([name, array]): Promise<[string, FileArray | NDArray]> => {
    if (!isDeviceArray(array)) return [name, array];
    const { shape, dtype } = array;
    return [name, NDArray.packed(await array.data(), shape, dtype)];
  });
  return new Map(await Promise.all(reading));
}
