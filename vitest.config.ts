// Every test that needs no build, in one run. Those in a browser and those of the packages as they would be
// published are runs of their own: tests/browser, tests/published.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { projects: ['packages/*', 'packages/conformance/relaxed', 'apps/*', 'tests'] },
});
