/**
 * Compiles and instantiates modules synchronously, since `run` must be able to start right after `prepare`. A
 * refusal of the browser becomes an error with a remedy.
 */
import { DeviceError } from '@firsthand/graph';

/**
 * Bytes beyond which a module is split. Chromium compiles up to 8 MiB synchronously on a page's main thread
 * (4 KiB before version 114); other engines have no limit.
 */
export const MODULE_BYTES: number = 4 * 2 ** 20;

/** A module, and the exports of its instance on this thread. */
export interface Compiled {
  readonly module: WebAssembly.Module;
  readonly exports: WebAssembly.Exports;
}

/** Compiles a module and instantiates it with the imports `env`. @throws DeviceError if this is refused */
export function instantiate(bytes: Uint8Array<ArrayBuffer>, env: WebAssembly.ModuleImports): Compiled {
  try {
    const module = new WebAssembly.Module(bytes);
    return { module, exports: new WebAssembly.Instance(module, { env }).exports };
  } catch (cause) {
    if (!(cause instanceof RangeError)) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DeviceError(`wasm: a module of ${bytes.length} bytes does not compile: ${reason}`, { cause });
    }
    const problem = `this browser does not compile ${bytes.length} bytes of WebAssembly on the main thread of a page (Chromium did not before version 114)`;
    const remedy = 'create the device in a worker';
    throw new DeviceError(
      { operation: 'wasm', problem, expected: 'the device in a worker', remedy },
      { cause },
    );
  }
}
