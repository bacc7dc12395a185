/**
 * The GPU device in Node, through Dawn, on an adapter in software. Random programs come in eleven kinds: 90 of each are 990 programs, 450 are 4,950; shaders take some
 * 20 ms each to compile there.
 */
import { createWebGPU } from '@firsthand/webgpu';
import { describeConformance } from '../src/suite.ts';

describeConformance('webgpu', () => createWebGPU(), { randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 450 : 90 });
