/** Execution of graphs: the public names of the package, and nothing else. */
export {
  type BufferReference,
  bufferOf,
  createBufferReference,
  deviceOf,
  failedBuffer,
  type InFlightRun,
  isExclusive,
  releaseBuffer,
  requireReadable,
} from './buffer-reference.ts';
export { checkDevice, getDefaultDevice, setDefaultDevice } from './default-device.ts';
export type {
  Arg,
  Ceiling,
  Completion,
  Device,
  Executable,
  KernelReport,
  PlanReport,
  Storage,
} from './device.ts';
export { disposedDevice, foreignStorage, freedStorage, StaleError, unfitArgument } from './errors.ts';
export { type EffectKind, Handle } from './handle.ts';
export { createReference, type ReferenceOptions } from './reference-device.ts';
export { macrotask } from './run-tracker.ts';
export { type Counters, effectGroup, Runtime, runtimeOf, type SavedSetsOf } from './runtime.ts';
export type { SavedSet } from './saved-tensors.ts';
export { replaceVersion, requireAssignable } from './version.ts';
