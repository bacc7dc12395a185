/**
 * Buffer references: a storage with a reference count, the run that fills it, and why it cannot be read any
 * more. Nodes and handles share one. What becomes unreachable is freed by the collector; the runtime frees
 * everything else itself, so that the memory of a steady loop does not depend on finalizers.
 */
import type { DType, Node, StoredValue } from '@firsthand/graph';
import type { Device, Storage } from './device.ts';
import { StaleError } from './errors.ts';

/** A reference-counted storage, shared by nodes and handles. */
export interface BufferReference extends StoredValue {
  readonly storage: Storage;
  readonly device: Device;
  /** Handles that refer to this buffer. */
  referenceCount: number;
  /** The run that fills the storage, until it has completed. */
  inFlight: InFlightRun | null;
  /** The failure of that run, or of one that it has read from. */
  failure: Error | null;
  /** The name of the variable whose update has overwritten or freed the storage. */
  stale: string | null;
  /** Whether the value was requested: then no backward pass releases it. */
  requested: boolean;
  /** The number of roots for whose derivative the value is saved. */
  savedFor: number;
}

/**
 * A run that was enqueued and has not completed. `completed` never rejects: a failure is written into the
 * buffer references.
 */
export interface InFlightRun {
  readonly reads: readonly BufferReference[];
  readonly writes: readonly BufferReference[];
  readonly completed: Promise<void>;
}

/**
 * A node's stored value, or null. The graph knows stored values as opaque marks; the runtime alone sets them,
 * so each is a buffer reference.
 */
export function bufferOf(node: Node): BufferReference | null {
  return node.stored as BufferReference | null;
}

/** The device on which a node is computed, or null for what every device can make. */
export function deviceOf(node: Node): Device | null {
  return node.device as Device | null;
}

const unreachable = /* @__PURE__ */ new FinalizationRegistry<() => void>((finalize) => finalize());

/** A reference to a storage that the caller owns; once nothing reaches it any more, the storage is freed. */
export function createBufferReference(storage: Storage, device: Device): BufferReference {
  const buffer = reference(storage, device, null);
  unreachable.register(buffer, storage.finalize ?? ((): void => storage.dispose()), buffer);
  return buffer;
}

/** A reference to no memory: reading it throws `failure`. */
export function failedBuffer(failure: Error, device: Device, dtype: DType): BufferReference {
  return reference({ dtype, length: 0, bytes: 0, dispose() {} }, device, failure);
}

function reference(storage: Storage, device: Device, failure: Error | null): BufferReference {
  return {
    storage,
    device,
    referenceCount: 0,
    inFlight: null,
    failure,
    stale: null,
    requested: false,
    savedFor: 0,
    stamp: 0,
    slot: 0,
  };
}

/** Frees the storage, in the device's queue; later readers are told which variable was updated. */
export function releaseBuffer(buffer: BufferReference, variable: string): void {
  if (buffer.stale !== null) return;
  retireBuffer(buffer, variable);
  buffer.storage.dispose();
}

/** An update has overwritten the storage, which another reference has now. */
export function retireBuffer(buffer: BufferReference, variable: string): void {
  buffer.stale = variable;
  unreachable.unregister(buffer);
}

/** @throws the failure of the run that should have filled the buffer, or StaleError */
export function requireReadable(buffer: BufferReference): BufferReference {
  if (buffer.failure !== null) throw buffer.failure;
  if (buffer.stale !== null) {
    throw new StaleError({
      operation: null,
      problem: `this value needs an earlier value of ${buffer.stale}, which has been updated since`,
      expected: 'an earlier value',
      remedy: 'read it before the update, or keep a copy',
    });
  }
  return buffer;
}

/** True if an update may overwrite the storage: it can be read, and one handle at most refers to it. */
export function isExclusive({ referenceCount, failure, stale }: BufferReference): boolean {
  return referenceCount <= 1 && failure === null && stale === null;
}
