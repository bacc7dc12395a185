// The rules of docs/semantics.md on an asynchronous queue, as a GPU's is; in a file of its own, so that two
// cores share the work.
import { createReference } from '@firsthand/runtime';
import { createQueued } from '../src/queued-device.ts';
import { describeSemantics } from '../src/semantics.ts';

describeSemantics('an asynchronous queue', () => createQueued(createReference()), {
  tinySteps: process.env['FIRSTHAND_FULL'] === '1' ? 1_000_000 : 4000,
});
