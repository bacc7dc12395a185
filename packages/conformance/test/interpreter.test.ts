/**
 * The interpreter of kernels: the compiler's fusion, lowering and memory plan, with code that is too plain to
 * be wrong.
 */
import { createInterpreter } from '@firsthand/compiler';
import { describeConformance } from '../src/suite.ts';

describeConformance('interpreter', () => createInterpreter(), {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 50,
});
