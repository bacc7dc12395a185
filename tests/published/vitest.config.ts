// The packages as the registry would get them: packed once, then installed and judged.
import { defineConfig } from 'vitest/config';

import { softwareGPU } from '../support/chromium.ts';

// The first example of @firsthand/webgpu runs in Node.
softwareGPU();

export default defineConfig({
  test: { include: ['*.test.ts'], globalSetup: ['./pack.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
});
