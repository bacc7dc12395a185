// A stranger's page trains a network on the packed packages, bundled by Vite and by webpack as they are, with
// no plugin and no setting for the packages. It is served with a Content-Security-Policy to a real browser,
// which loads the page and the JavaScript and asks for nothing else.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { transform } from 'esbuild';
import { type Browser, chromium as playwright } from 'playwright';
import { build, type InlineConfig } from 'vite';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import webpack from 'webpack';

import { chromium } from '../support/chromium.ts';
import { command } from '../support/command.ts';
import { read } from '../support/repository.ts';

const home = mkdtempSync(join(tmpdir(), 'firsthand-page-'));
const html = (script: string): string =>
  `<!doctype html><title>page</title><link rel="icon" href="data:," /><body>${script}</body>`;

/** What a page may load, minified and compressed, in bytes: every visitor pays for it. */
const largest = 155_000;

/** What makes the page's files from main.js, in a folder of `home`. */
const bundlers: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  async Vite(folder) {
    writeFileSync(join(home, 'index.html'), html('<script type="module" src="./main.js"></script>'));
    await build({ root: home, configFile: false, logLevel: 'error', build: { outDir: folder } });
  },
  async webpack(folder) {
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
      webpack(
        { mode: 'production', context: home, entry: './main.js', output: { path: folder } },
        (error, result) => {
          if (error === null) resolve(result);
          else reject(error);
        },
      );
    });
    if (stats?.hasErrors() !== false) throw new Error(stats?.toString('errors-only'));
    writeFileSync(join(folder, 'index.html'), html('<script type="module" src="./main.js"></script>'));
  },
};

/** Serves a folder with a policy for scripts. */
const serve = (folder: string, policy: string): Server =>
  createServer(({ url }, response) => {
    const file = url === '/' ? '/index.html' : url!;
    const type = { '.html': 'text/html', '.js': 'text/javascript' }[extname(file)];
    response.writeHead(type === undefined ? 404 : 200, {
      'Content-Type': type ?? 'text/plain',
      'Content-Security-Policy': `script-src ${policy}`,
    });
    response.end(type === undefined ? '' : readFileSync(join(folder, file)));
  });

let browser: Browser;

/**
 * Opens the page that lies in a folder. @returns the text that it shows in the end, the files it asked for,
 * and the errors it met
 */
async function visit(
  folder: string,
  policy: string,
): Promise<{ text: string; requests: string[]; errors: string[] }> {
  const server = serve(folder, policy);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await browser.newPage();
  const requests: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => requests.push(request.url().replace(/^http:\/\/[^/]+/, '')));
  page.on('pageerror', (error) => errors.push(String(error)));
  try {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => document.body.textContent !== '', undefined, { timeout: 60_000 });
    return { text: (await page.textContent('body'))!, requests, errors };
  } finally {
    await page.close();
    server.close();
  }
}

beforeAll(async () => {
  writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }');
  command(
    home,
    'npm',
    'install',
    '--offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...Object.values(inject('tarballs')),
  );
  writeFileSync(
    join(home, 'main.js'),
    (await transform(read('tests/fixtures/page.ts'), { loader: 'ts', target: 'es2022' })).code,
  );
  const { executablePath, args, env } = chromium();
  browser = await playwright.launch({ executablePath, args: [...args], env });
});
afterAll(async () => {
  await browser.close();
  rmSync(home, { recursive: true });
});

describe('a worker bundled by Vite', () => {
  const main = `const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => (document.body.textContent = data);`;
  const step = 'tensor([1, 2], { device }).mul(2).toArray()';
  const imports =
    "import { tensor } from '@firsthand/autograd';\nimport { createWasm } from '@firsthand/wasm';\n";
  const sources = {
    chained: `${imports}createWasm().then(async (device) => postMessage(device.name + ' ' + (await ${step})));`,
    topLevel: `${imports}const device = await createWasm();\npostMessage(device.name + ' ' + (await ${step}));`,
  };
  const bundle = async (source: string, options: InlineConfig): Promise<string> => {
    // Beside the packages, which are installed in the folder around it.
    const root = mkdtempSync(join(home, 'worker-'));
    writeFileSync(join(root, 'worker.js'), source);
    writeFileSync(join(root, 'main.js'), main);
    writeFileSync(join(root, 'index.html'), html('<script type="module" src="./main.js"></script>'));
    await build({ root, configFile: false, logLevel: 'silent', ...options });
    return join(root, 'dist');
  };

  test.each<[string, string, InlineConfig]>([
    ['needs no setting without top-level await', sources.chained, {}],
    ['with it needs the format that has one', sources.topLevel, { worker: { format: 'es' } }],
  ])('%s', async (_, source, options) => {
    const { text, errors } = await visit(await bundle(source, options), "'self' 'wasm-unsafe-eval'");
    expect([text, errors]).toEqual(['wasm 2,4', []]);
  });

  test('with it and without the format is refused by Vite, as the README says', async () => {
    await expect(bundle(sources.topLevel, {})).rejects.toThrow(/top-level await/i);
  });
});

describe.each(Object.keys(bundlers))('bundled by %s', (name) => {
  const folder = join(home, name);
  beforeAll(async () => {
    mkdirSync(folder);
    await bundlers[name]!(folder);
  });

  test('the page learns, from one file of JavaScript', async () => {
    const { text, requests, errors } = await visit(folder, "'self' 'wasm-unsafe-eval'");
    expect(errors).toEqual([]);
    const { device, first, last, accuracy } = JSON.parse(text) as {
      device: string;
      first: number;
      last: number;
      accuracy: number;
    };
    expect(device).toBe('wasm');
    expect(first).toBeGreaterThan(0.5);
    expect(last).toBeLessThan(0.1);
    expect(accuracy).toBeGreaterThan(0.95);
    expect(requests).toEqual(['/', expect.stringMatching(/^\/.*\.js$/)]);
  });

  test('a policy that forbids WebAssembly is named', async () => {
    const { text, errors } = await visit(folder, "'self'");
    expect(text).toMatch(/^DeviceError: .*Content-Security-Policy.*'wasm-unsafe-eval'/);
    expect(errors).toEqual([]);
  });

  test('the JavaScript is small', () => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.js'),
    );
    expect(files).toHaveLength(1);
    expect(gzipSync(readFileSync(join(folder, files[0]!))).length).toBeLessThan(largest);
  });
});
