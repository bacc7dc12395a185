// The packages as published. `update: 'none'`: an api.txt that is missing is a failure, and is written only by `npm run api:update`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['*.test.ts'], globalSetup: ['./pack.ts'], update: 'none', testTimeout: 120_000, hookTimeout: 120_000 },
});
