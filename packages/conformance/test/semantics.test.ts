// The rules of docs/semantics.md on the devices at hand: one line each.
import { createReference } from '@firsthand/graph';
import { createQueued } from '../src/queued-device.ts';
import { describeSemantics } from '../src/semantics.ts';

describeSemantics('the reference', () => createReference());
describeSemantics('an asynchronous queue', () => createQueued(createReference()));
