/** What a device has to pass: the public names of the package, and nothing else. */
export { describeConformance } from './suite.ts';
export { describeSemantics } from './semantics.ts';
export { createQueued, type QueuedDevice } from './queued-device.ts';
