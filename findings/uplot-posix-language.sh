#!/usr/bin/env bash
# Under LANG=C, as in most containers, a headless Chromium calls the page's language `en-US@posix`, which is no language tag (BCP 47): `Intl` refuses it. uPlot
# makes an Intl.NumberFormat of navigator.language when it is imported, so a page that only imports the library fails there, and works where LANG names a language.
# Packages: uplot 1.6.32, playwright-core 1.65.1, @sparticuz/chromium 153.0.0. Fails if this changes.
set -euo pipefail
source "$(dirname "$0")/support.sh"
in_temporary_folder
npm_install uplot@1.6.32 playwright-core@1.65.1 @sparticuz/chromium@153.0.0
use_swiftshader
node -e "process.stdout.write(require('node:zlib').brotliDecompressSync(require('node:fs').readFileSync('node_modules/@sparticuz/chromium/bin/chromium.br')))" --input-type=commonjs > chromium
chmod +x chromium
cat > check.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
const script = readFileSync('node_modules/uplot/dist/uPlot.iife.min.js', 'utf8');
const seen = [];
for (const LANG of ['C', 'en_US.UTF-8']) {
  const env = { ...process.env, LANG, LC_ALL: LANG, LANGUAGE: '' };
  const browser = await chromium.launch({ executablePath: './chromium', args: ['--no-sandbox'], env });
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', ({ name, message }) => errors.push(`${name}: ${message}`));
  await page.setContent(`<script>${script}</script>`);
  const { language, type } = await page.evaluate(() => ({ language: navigator.language, type: typeof globalThis.uPlot }));
  seen.push({ LANG, language, type, error: errors[0] ?? null });
  await browser.close();
}
console.table(seen);
const [c, utf8] = seen;
const holds = c.language === 'en-US@posix' && c.error?.startsWith('RangeError') && c.type === 'undefined' && utf8.error === null && utf8.type === 'function';
process.exit(holds ? 0 : 1);
JS
node check.mjs
