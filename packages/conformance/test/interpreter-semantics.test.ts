// The rules of docs/semantics.md on the interpreter of kernels.
import { createInterpreter } from '@firsthand/compiler';
import { describeSemantics } from '../src/semantics.ts';

describeSemantics('the interpreter', () => createInterpreter(), {
  tinySteps: process.env['FIRSTHAND_FULL'] === '1' ? 1_000_000 : 4000,
});
