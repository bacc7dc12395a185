/**
 * The parts of an open device. Executables and storages reach them only through the session, so that closing
 * releases the memory while they still exist.
 */
import type { Roofline } from '@firsthand/compiler';
import { disposedDevice } from '@firsthand/runtime';
import type { KernelLibrary } from './kernel-library.ts';
import type { Runner } from './run-module.ts';
import type { StorageManager } from '../memory/storage-manager.ts';
import type { Team } from '../threads/team.ts';

/** The parts of an open device. */
export interface Parts {
  readonly storages: StorageManager;
  readonly library: KernelLibrary;
  /** The code of each executable. */
  readonly code: WeakMap<object, Runner>;
  /** Null on a device of one thread. */
  readonly team: Team | null;
  /** The ceilings that timed kernels are compared with; null if none are timed. */
  readonly roofline: Roofline | null;
}

/** A device's parts, until it is closed. */
export class Session {
  readonly #storages: StorageManager;
  #parts: Parts | null;

  constructor(parts: Parts) {
    this.#storages = parts.storages;
    this.#parts = parts;
  }

  /** @throws DeviceError once the device has been disposed of */
  get parts(): Parts {
    if (this.#parts === null) throw disposedDevice('wasm', 'create another with createWasm()');
    return this.#parts;
  }
  /** @throws DeviceError once the device has been disposed of */
  requireOpen(): void {
    void this.parts;
  }

  /** Bytes of all storages, and the peak with a run's intermediates. */
  get memory(): { live: number; peak: number } {
    const { live, peak } = this.#storages;
    return { live, peak };
  }

  close(): void {
    this.#parts?.team?.stop();
    this.#storages.close();
    this.#parts = null;
  }
}
