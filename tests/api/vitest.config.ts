// The public declarations of the built packages. `update: 'none'`: an api.txt that is missing is a failure,
// and only `npm run api:update` writes it.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['*.test.ts'], update: 'none' } });
