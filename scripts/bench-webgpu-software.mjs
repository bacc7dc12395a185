// `npm run bench:webgpu:software`: the comparison on WebGPU on a machine without a GPU, in the tests'
// headless Chromium, which has one in software.
import { loadChromium } from './chromium.mjs';
import { install, run } from './workspace.mjs';

if (!install()) process.exit(1);
const { chromium } = await loadChromium();
const { executablePath, env } = chromium();
const words = process.argv.slice(2).filter((word) => word !== '--');
process.exitCode = run(
  process.execPath,
  ['scripts/start.mjs', 'bench', 'webgpu', '--chromium', executablePath, ...words],
  { env },
);
