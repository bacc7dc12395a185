// The one vitest configuration, shared by every package: `@firsthand/*` imports resolve to TypeScript source, so tests need no build.
// vitest runs test files through vite's server pipeline, hence the condition stands twice.
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const conditions = ['@firsthand/source', 'module', 'node', 'development|production'];
const minute = 60_000;

/**
 * The configuration for the tests that `include` names, relative to the package. `FIRSTHAND_FULL=1` asks for the long tests, which have more time.
 */
export const testConfigFor = (...include: string[]): ViteUserConfig =>
  defineConfig({
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    // Every core has a worker: vitest leaves one for itself, which on two cores is half of them.
    test: { include, maxWorkers: '100%', testTimeout: process.env['FIRSTHAND_FULL'] === '1' ? 15 * minute : minute / 3 },
  });

export const testConfig: ViteUserConfig = testConfigFor('test/**/*.test.ts');
