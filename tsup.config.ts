// JavaScript of one package: a single ESM file with its source map. Declarations come from `tsc -b`, since TypeScript 7 has no compiler API for tsup to use.
import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  sourcemap: true,
  clean: true,
});
