// JavaScript of one package: an ESM file with its source map for each entry point that the package's exports
// map names. Declarations come from `tsc -b`, since TypeScript 7 has no compiler API for tsup to use.
import { readFileSync } from 'node:fs';

import { defineConfig } from 'tsup';

const { exports: map } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, Record<string, string>>;
};
const entry = Object.values(map).flatMap((conditions) => conditions['@firsthand/source'] ?? []);

export default defineConfig({
  entry,
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  sourcemap: true,
  clean: true,
});
