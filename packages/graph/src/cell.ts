/**
 * Cells: storages with their owners. A cell that nothing reaches any more frees its storage through the
 * collector; the runtime frees the others itself, so that steady loops depend on no finalizer.
 */
import { StaleError } from './errors.ts';
import type { Cell, Device, DType, Storage } from './types.ts';

const unreachable = /* @__PURE__ */ new FinalizationRegistry<() => void>((finalize) => finalize());

/** A cell for a storage that the caller owns; when nothing reaches it any more, the storage is freed. */
export function createCell(storage: Storage, device: Device): Cell {
  const cell: Cell = {
    storage,
    device,
    owners: 0,
    flight: null,
    failure: null,
    stale: null,
    stamp: 0,
    slot: 0,
  };
  unreachable.register(cell, storage.finalize ?? ((): void => storage.dispose()), cell);
  return cell;
}

/** A cell that holds nothing but the reason why. */
export function failedCell(failure: Error, device: Device, dtype: DType): Cell {
  const storage: Storage = { dtype, length: 0, bytes: 0, dispose() {} };
  return { storage, device, owners: 0, flight: null, failure, stale: null, stamp: 0, slot: 0 };
}

/** Frees the storage, in the device's queue; later readers are told which variable moved on. */
export function releaseCell(cell: Cell, variable: string): void {
  if (cell.stale !== null) return;
  cell.stale = variable;
  unreachable.unregister(cell);
  cell.storage.dispose();
}

/** The storage now belongs to another cell: an update has written over it. */
export function retireCell(cell: Cell, variable: string): void {
  cell.stale = variable;
  unreachable.unregister(cell);
}

/** @throws the failure of the run that should have filled the cell, or StaleError */
export function requireReadable(cell: Cell): Cell {
  if (cell.failure !== null) throw cell.failure;
  if (cell.stale !== null) {
    throw new StaleError({
      operation: null,
      problem: `this value needs an earlier value of ${cell.stale}, which has been updated since`,
      expected: 'an earlier value',
      remedy: 'read it before the update, or keep a copy',
    });
  }
  return cell;
}

/**
 * True if one handle at most holds the cell and its storage can be used: then an update may write over it.
 */
export function isExclusive({ owners, failure, stale }: Cell): boolean {
  return owners <= 1 && failure === null && stale === null;
}
