import { recordingConfig } from '../../vitest.shared.ts';
import { softwareGPU } from '../../tests/support/chromium.ts';

softwareGPU();

export default recordingConfig;
