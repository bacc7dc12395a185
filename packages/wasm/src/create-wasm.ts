/** The entry point: finds out what the engine can do, reserves the memory, and puts a device together. */
import { DeviceError, type Device } from '@firsthand/graph';
import { chooseTile } from './contract/choose.ts';
import type { Tile } from './contract/tile.ts';
import { WasmDevice } from './runtime/device.ts';
import { detectFeatures, type Features } from './features.ts';
import { KernelLibrary } from './runtime/kernel-library.ts';
import { LinearMemory } from './runtime/memory.ts';
import { Session } from './runtime/session.ts';
import { Storages } from './runtime/storages.ts';

/** Options of `createWasm`. */
export interface WasmOptions {
  /** Workers that share the work of a kernel: one. */
  readonly threads?: 1;
  /**
   * Whether kernels may use relaxed SIMD, which has a fused multiply-add. By default they do where the engine has it; `true` insists on it, and `false` gives the bits of an
   * engine without it.
   */
  readonly relaxedSimd?: boolean | 'auto';
  /** Bytes to which linear memory may grow: 4 GiB by default, which is WebAssembly's own limit. */
  readonly maxBytes?: number;
}

/**
 * The fast CPU device: programs become WebAssembly SIMD. It works while `run` lasts, so values can be read synchronously.
 * @throws DeviceError (by rejecting) if the engine lacks WebAssembly SIMD, if the page's policy forbids compiling, or if there is no memory
 * @example
 * ```ts
 * import { createWasm } from '@firsthand/wasm';
 * const device = await createWasm();
 * console.log(device.name, device.supports('float64')); // wasm true
 * ```
 */
export async function createWasm({ threads = 1, relaxedSimd = 'auto', maxBytes = 2 ** 32 }: WasmOptions = {}): Promise<Device> {
  if (threads !== 1) throw new DeviceError(`wasm: ${String(threads)} threads were asked for; leave the option out, or give 1`);
  const features = detectFeatures(relaxedSimd);
  const memory = new LinearMemory(maxBytes);
  const storages = new Storages(memory);
  return new WasmDevice(new Session({ storages, library: new KernelLibrary(memory, features, tileFor(features)), code: new WeakMap() }));
}

/** The fastest register tiles, with relaxed SIMD and without: the race is run once. */
const tiles = /* @__PURE__ */ new Map<boolean, Tile>();

function tileFor(features: Features): Tile {
  const tile = tiles.get(features.relaxedSimd) ?? chooseTile(features);
  tiles.set(features.relaxedSimd, tile);
  return tile;
}
