import { softwareGPU } from '../../tests/support/chromium.ts';
import { testConfig } from '../../vitest.shared.ts';

// `--device webgpu` runs in Node.
softwareGPU();

export default testConfig;
