/**
 * How Vite serves and builds the page. The packages need no setting: a build takes what is published of them. The development server takes their sources, as all that
 * runs in this repository does, so that it needs no build and shows a change at once.
 */
import { defaultClientConditions, defineConfig, type UserConfigFnObject } from 'vite';

const config: UserConfigFnObject = defineConfig(({ command }) => ({
  base: './',
  resolve: { conditions: command === 'serve' ? ['@firsthand/source', ...defaultClientConditions] : [...defaultClientConditions] },
  worker: { format: 'es' },
}));

export default config;
