/** The GPU device in Node, through Dawn, on an adapter in software. */
import { createWebGPU } from '@firsthand/webgpu';
import { describeConformance } from '../src/suite.ts';

describeConformance('webgpu', () => createWebGPU(), { randomPrograms: Number(process.env['N'] ?? 30) });
