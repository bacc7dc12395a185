/** The reference device, against independent values; and without its own kernels, when every composite runs through its body. */
import { createReference } from '@firsthand/graph';
import { describeConformance } from '../src/suite.ts';

const full = process.env['FIRSTHAND_FULL'] === '1';
describeConformance('reference', () => createReference(), { randomPrograms: full ? 10_000 : 200 });
describeConformance('reference without kernels', () => createReference({ kernels: new Map() }), { randomPrograms: full ? 1000 : 20 });
