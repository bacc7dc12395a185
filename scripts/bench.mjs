// `npm run bench -- [word …]`: runs every program in the `bench` folders whose path contains one of the
// words, or all of them, one after the other, each in a process of its own, so that no measurement warms or
// burdens the next.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { loadChromium } from './chromium.mjs';
import { bundle } from './typescript.mjs';
import { install, root, run } from './workspace.mjs';

const words = process.argv.slice(2).filter((word) => word !== '--');
const programs = ['packages', 'apps'].flatMap((group) =>
  readdirSync(join(root, group)).flatMap((name) => {
    const bench = join(group, name, 'bench');
    const files = existsSync(join(root, bench))
      ? readdirSync(join(root, bench)).filter((file) => file.endsWith('.ts'))
      : [];
    return files.map((file) => ({ folder: join(group, name), file: join('bench', file) }));
  }),
);
const chosen = programs.filter(
  ({ folder, file }) => words.length === 0 || words.some((word) => join(folder, file).includes(word)),
);
if (chosen.length === 0) {
  console.error(
    `bench: nothing matches ${words.join(' ')}; there are: ${programs.map(({ folder, file }) => join(folder, file)).join(', ')}`,
  );
  process.exit(1);
}
if (!install()) process.exit(1);
// Programs for the GPU get the tests' one in software, which is unpacked if nobody has before, and with
// FIRSTHAND_GPU=hardware the machine's own.
if (chosen.some(({ folder }) => folder === join('packages', 'webgpu'))) (await loadChromium()).softwareGPU();
for (const { folder, file } of chosen) {
  console.log(`\n# ${join(folder, file)}`);
  const status = run(process.execPath, ['--enable-source-maps', '--expose-gc', await bundle(folder, file)]);
  if (status !== 0) process.exitCode = status;
}
