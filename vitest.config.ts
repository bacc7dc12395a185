// Every test that needs no build, in one run. Those of the packages as they would be published are a run of their own: tests/published.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { projects: ['packages/*', 'apps/*', 'tests'] } });
