import { testConfigFor } from '../vitest.shared.ts';
import { softwareGPU } from './support/chromium.ts';

// The examples of @firsthand/webgpu run in Node.
softwareGPU();

export default testConfigFor('*.test.ts');
