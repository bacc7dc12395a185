/** The reference device behind an asynchronous queue: the same answers, whenever the work is done. */
import { createReference } from '@firsthand/runtime';
import { createQueued } from '../src/queued-device.ts';
import { describeConformance } from '../src/suite.ts';

describeConformance('queued', () => createQueued(createReference()), {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 20,
});
