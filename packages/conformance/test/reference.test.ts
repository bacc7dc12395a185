/** The reference device, against independent values. */
import { createReference } from '@firsthand/runtime';
import { describeConformance } from '../src/suite.ts';

describeConformance('reference', () => createReference(), {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 100,
});
