// The conformance suite and the semantic rules in a real page of a headless Chromium: vitest serves the
// sources, and the tests run in the page.
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

import { sourceConditions, testTimeout } from '../../vitest.shared.ts';
import { chromium, webgpuArgs } from '../support/chromium.ts';

const { executablePath, args, env } = chromium();
// What the rules about memory ask of the engine: packages/conformance/src/engine/browser.ts.
const launchOptions = {
  executablePath,
  env,
  args: [...args, ...webgpuArgs, '--js-flags=--expose-gc', '--enable-precise-memory-info'],
};

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether to run the long tests. */
    readonly full: boolean;
  }
}

export default defineConfig({
  resolve: { conditions: sourceConditions('browser') },
  // Named here, since a dependency that vite finds only while tests run makes it start them again.
  optimizeDeps: { include: ['fast-check'] },
  // The page is cross-origin isolated: it may share memory among threads.
  server: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  },
  test: {
    include: ['*.test.ts'],
    testTimeout,
    maxWorkers: '100%',
    provide: { full: process.env['FIRSTHAND_FULL'] === '1' },
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
