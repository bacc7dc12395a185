// The packages as the registry would get them: packed once, then installed and judged.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['*.test.ts'], globalSetup: ['./pack.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
});
