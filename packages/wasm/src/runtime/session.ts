/**
 * What a device is made of while it is open. Everything is reached through here, so that closing lets go of
 * the memory, whoever still holds a program or a storage.
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
  /** The device's threads; null where it has but the one that runs programs. */
  readonly team: Team | null;
  /** What kernels that are timed are put beside; null where none are timed. */
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

  /** Bytes that storages hold, and the most that they and a run's intermediates have held. */
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
