// The one vitest configuration, shared by every package: `@firsthand/*` imports resolve to TypeScript source, so tests need no build.
// vitest runs test files through vite's server pipeline, hence the condition stands twice.
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const conditions = ['@firsthand/source', 'module', 'node', 'development|production'];

export const testConfig: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['test/**/*.test.ts', '*.test.ts'], testTimeout: 20_000 },
});
