// What README and CONTRIBUTING say of this repository, in fresh clones of it: each command as a person types
// it.
import { defineConfig } from 'vitest/config';

const minute = 60_000;
const isFull = process.env['FIRSTHAND_FULL'] === '1';

export default defineConfig({
  test: {
    include: ['*.test.ts'],
    testTimeout: (isFull ? 30 : 5) * minute,
    hookTimeout: 5 * minute,
    maxWorkers: 1,
    reporters: ['default'],
  },
});
