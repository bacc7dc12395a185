import { createReference } from '@firsthand/graph';
import { createQueued } from '../src/queued-device.ts';
import { describeSemantics } from '../src/semantics.ts';

describeSemantics('the reference', () => createReference());
describeSemantics('an asynchronous queue', () => createQueued(createReference()));
