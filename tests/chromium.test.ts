// The browser of the tests starts, and gives pages a WebGPU adapter.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { chromium as playwright } from 'playwright';
import { expect, test } from 'vitest';

import { chromium, webgpuArgs } from './support/chromium.ts';

test('a page in the Chromium has a WebGPU adapter, in software', async () => {
  const { executablePath, args, env } = chromium();
  const browser = await playwright.launch({ executablePath, env, args: [...args, ...webgpuArgs] });
  // WebGPU exists only in pages from a server that is trusted, such as this machine.
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect(await page.evaluate(async () => (await navigator.gpu.requestAdapter())?.info.architecture)).toBe(
      'swiftshader',
    );
  } finally {
    await browser.close();
    server.close();
  }
}, 120_000);
