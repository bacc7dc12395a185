/**
 * The GPU device in Node, through Dawn, on an adapter in software. Random programs come in eleven kinds: 91
 * of each are 1,001 programs, 455 are 5,005; shaders take some 20 ms each to compile there.
 */
import { createWebGPU } from '@firsthand/webgpu';
import { describeConformance } from '../src/suite.ts';

describeConformance('webgpu', () => createWebGPU(), {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 455 : 91,
});
