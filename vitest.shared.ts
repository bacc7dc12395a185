// The one vitest configuration, shared by every package: `@firsthand/*` imports resolve to TypeScript source,
// so tests need no build. vitest runs test files through vite's server pipeline, hence the condition stands
// twice.
import { fileURLToPath } from 'node:url';

import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config';

const minute = 60_000;

/** The conditions by which the packages are found as source, for tests that run in Node or in a page. */
export const sourceConditions = (host: 'node' | 'browser'): string[] => [
  '@firsthand/source',
  'module',
  host,
  'development|production',
];

/** How long one test may take, ms: `FIRSTHAND_FULL=1` asks for the long ones. */
export const testTimeout: number = process.env['FIRSTHAND_FULL'] === '1' ? 15 * minute : minute / 3;

/** The configuration for the tests that `include` names, relative to the package. */
export const testConfigFor = (...include: string[]): ViteUserConfig =>
  defineConfig({
    resolve: { conditions: sourceConditions('node') },
    ssr: { resolve: { conditions: sourceConditions('node') } },
    // Every core has a worker: vitest leaves one for itself, which on two cores is half of them.
    test: { include, maxWorkers: '100%', testTimeout },
  });

export const testConfig: ViteUserConfig = testConfigFor('test/**/*.test.ts');

/**
 * The same for tests on a GPU: where FIRSTHAND_WGSL names a folder, their shaders are kept there, for
 * `scripts/naga.mjs`.
 */
export const recordingConfig: ViteUserConfig =
  process.env['FIRSTHAND_WGSL'] === undefined
    ? testConfig
    : mergeConfig(testConfig, {
        test: { setupFiles: [fileURLToPath(new URL('tests/support/record-shaders.ts', import.meta.url))] },
      });
