// Every shader that the tests of the GPU device give to Dawn, given to naga too, the WGSL compiler of
// Firefox, Deno and wgpu. naga comes with PyPI's package `wgpu`, which is installed in a temporary folder;
// without Python and its `venv` and `pip` this fails, loudly, since it then checks nothing.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { loadChromium } from './chromium.mjs';
import { pnpm, run } from './workspace.mjs';

/** The release whose naga checks the shaders. */
const PACKAGE = 'wgpu==0.32.0';
/** Tests whose shaders are many and of every kind. */
const TESTS = ['packages/webgpu/', 'packages/conformance/test/webgpu.test.ts'];

const { softwareGPU } = await loadChromium();
const folder = mkdtempSync(join(tmpdir(), 'firsthand-naga-'));
const shaders = join(folder, 'shaders');
const bin = join(folder, 'venv', process.platform === 'win32' ? 'Scripts' : 'bin');
mkdirSync(shaders);

/** @returns {number} the status of the first step that fails, or 0 */
const check = () => {
  /** @type {readonly (readonly [string, ...string[]])[]} */
  const steps = [
    [process.platform === 'win32' ? 'python' : 'python3', '-m', 'venv', join(folder, 'venv')],
    [join(bin, 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE],
  ];
  for (const [command, ...args] of steps) {
    const status = run(command, args);
    if (status === 0) continue;
    console.error(
      `\nnaga has checked NOTHING: \`${[command, ...args].join(' ')}\` failed; Python 3 with venv and pip is needed, and a package index`,
    );
    return status;
  }
  const status = pnpm(['exec', 'vitest', 'run', '--reporter=dot', ...TESTS], {
    env: { ...process.env, FIRSTHAND_WGSL: shaders },
  });
  if (status !== 0) return status;
  softwareGPU();
  return run(join(bin, 'python'), ['scripts/naga.py', shaders]);
};

try {
  process.exitCode = check();
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
