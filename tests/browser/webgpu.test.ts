// The conformance suite on the GPU device, in a page, on the adapter that Chromium brings.
import { describeConformance } from '@firsthand/conformance';
import { createWebGPU } from '@firsthand/webgpu';
import { inject } from 'vitest';

describeConformance('webgpu in a page', () => createWebGPU(), { randomPrograms: inject('full') ? 455 : 5 });
