// The rules of docs/semantics.md on the reference device.
import { createReference } from '@firsthand/runtime';
import { describeSemantics } from '../src/semantics.ts';

describeSemantics('the reference', () => createReference(), {
  tinySteps: process.env['FIRSTHAND_FULL'] === '1' ? 1_000_000 : 4000,
});
