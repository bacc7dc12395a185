// The page of apps/mnist-page, built by Vite from the packages' built files and used as a person would: it
// trains, shows how the loss falls, reads what is drawn while it trains, and says what is wrong where
// something is. It is served with a Content-Security-Policy, and asks for nothing but its own files.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Browser, chromium as playwright, type Page } from 'playwright';
import { build, preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { chromium, webgpuArgs } from '../support/chromium.ts';
import { root } from '../support/repository.ts';

const app = join(root, 'apps/mnist-page');
const outDir = mkdtempSync(join(tmpdir(), 'firsthand-mnist-page-'));
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src data:; worker-src 'self'";
let server: PreviewServer;
let address = '';

beforeAll(async () => {
  const shared = { root: app, configFile: join(app, 'vite.config.ts'), logLevel: 'error' } as const;
  await build({ ...shared, build: { outDir, emptyOutDir: true } });
  const headers = { 'Content-Security-Policy': policy };
  server = await preview({ ...shared, build: { outDir }, preview: { host: '127.0.0.1', headers } });
  [address = ''] = server.resolvedUrls!.local;
});
afterAll(async () => {
  await server.close();
  rmSync(outDir, { recursive: true });
});

/** Starts a browser for some of the tests. */
function browserWith(
  more: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): () => Browser {
  let browser: Browser;
  beforeAll(async () => {
    const { executablePath, args, env } = chromium();
    browser = await playwright.launch({
      executablePath,
      env: { ...env, ...environment },
      args: [...args, ...more],
    });
  });
  afterAll(async () => browser.close());
  return () => browser;
}

/**
 * Opens the page, with its digits there; when the test is over it has asked for nothing of others, and met no
 * error.
 */
async function open(
  browser: Browser,
  options: { readonly width?: number; readonly hasTouch?: boolean; readonly locale?: string | null } = {},
): Promise<Page> {
  // The chart's numbers are written in the browser's language; null leaves it to the environment.
  const { width = 1400, hasTouch = false, locale = 'en-US' } = options;
  const page = await browser.newPage({
    viewport: { width, height: 1000 },
    hasTouch,
    ...(locale === null ? {} : { locale }),
  });
  page.setDefaultTimeout(60_000);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith('data:'))
      faults.push(`asked for ${request.url()}`);
  });
  onTestFinished(async () => {
    await page.close();
    expect(faults).toEqual([]);
  });
  await page.goto(address);
  await page.getByRole('status').filter({ hasText: 'Ready.' }).waitFor();
  return page;
}

/** Presses Start, with a device and with settings by their labels. */
async function start(page: Page, device: string, settings: Readonly<Record<string, number>>): Promise<void> {
  await page.getByRole('radio', { name: device }).check();
  if (!(await page.getByLabel('epochs').isVisible())) await page.getByText('Settings').click();
  for (const [label, value] of Object.entries(settings))
    await page.getByLabel(label, { exact: true }).fill(String(value));
  await page.getByRole('button', { name: 'Start' }).click();
}

/** Waits for a message in the line beside the buttons. */
const said = async (page: Page, message: string): Promise<void> =>
  page.getByRole('status').filter({ hasText: message }).waitFor();

/** The number in a tile. */
async function tile(page: Page, name: string): Promise<number> {
  const [text = ''] = await page.locator('.tiles div', { hasText: name }).locator('dd').allTextContents();
  return Number(text.replaceAll(/[^\d.]/g, ''));
}

/** The running mean of the loss under the pointer, at a share of the chart's width. */
async function lossAt(page: Page, share: number): Promise<number> {
  const { x, y, width, height } = (await page.locator('.u-over').boundingBox())!;
  await page.mouse.move(x + share * width, y + height / 2);
  return Number(
    await page.locator('.u-legend .u-series', { hasText: 'running mean' }).locator('.u-value').textContent(),
  );
}

/** Draws an upright oval. */
async function drawZero(page: Page): Promise<void> {
  await page.locator('#pad').scrollIntoViewIfNeeded();
  const { x, y, width } = (await page.locator('#pad').boundingBox())!;
  const at = (turn: number): [number, number] => [
    x + width * (0.5 + 0.2 * Math.sin(2 * Math.PI * turn)),
    y + width * (0.5 - 0.32 * Math.cos(2 * Math.PI * turn)),
  ];
  await page.mouse.move(...at(0));
  await page.mouse.down();
  for (let i = 1; i <= 24; i++) await page.mouse.move(...at(i / 24));
  await page.mouse.up();
}

/** The ten probabilities. */
const probabilities = async (page: Page): Promise<number[]> =>
  page
    .locator('#bars li')
    .evaluateAll((bars) =>
      (bars as HTMLElement[]).map(({ style }) =>
        Number(style.getPropertyValue('--probability') || Number.NaN),
      ),
    );

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('in a browser without a GPU', () => {
  const browser = browserWith();

  test('it learns on wasm: the loss falls, the accuracy rises, a drawn digit and the test digits are read', async () => {
    const page = await open(browser());
    await drawZero(page);
    await page.getByText('There is no network').waitFor();
    await start(page, 'wasm', { epochs: 2, 'training images': 10_000, 'images per step': 64 });
    await said(page, 'Done.');
    expect(await page.locator('#tile-device').textContent()).toBe('wasm');
    expect(await page.locator('#tile-step').textContent()).toBe('314 / 314');
    expect(await tile(page, 'images/s')).toBeGreaterThan(0);
    const losses = [await lossAt(page, 0.03), await lossAt(page, 0.25), await lossAt(page, 0.97)];
    expect(losses[0]).toBeGreaterThan(1);
    expect(losses).toEqual(losses.toSorted((a, b) => b - a));
    expect(losses[2]).toBeLessThan(0.4);
    expect(await tile(page, 'loss')).toBeCloseTo(losses[2]!, 1);
    expect(await tile(page, 'test accuracy')).toBeGreaterThan(80);
    expect(await page.locator('#epochs tbody tr').count()).toBe(2);

    await page.getByText('It reads 0').waitFor();
    const shares = await probabilities(page);
    expect(shares).toHaveLength(10);
    expect(sum(shares)).toBeCloseTo(1, 5);
    const readings = page.getByRole('button', { name: /^A \d, read as \d with \d+ %$/ });
    expect(await readings.count()).toBe(10);
    const first = (await readings.first().getAttribute('aria-label'))!;
    await readings.first().click();
    await page.getByText(`It reads ${first.at(13)}`).waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    expect((await probabilities(page)).every(Number.isNaN)).toBe(true);
  });

  // The longest time between two frames in each of some windows. A busy machine may hold up a frame in one of
  // them or another; training in the page's own thread would hold up frames in all, since a step of this size
  // takes longer on the reference device than is allowed here.
  test('the page answers while it trains: a window in which no frame takes 100 ms; and it stops when told to', async () => {
    const page = await open(browser());
    await start(page, 'reference', { 'images per step': 2500 });
    await page.waitForFunction(
      () => Number.parseInt(document.getElementById('tile-step')!.textContent, 10) >= 1,
    );
    const longest = page.evaluate(
      async (windows) =>
        new Promise<number[]>((resolve) => {
          const [gaps, began]: [number[], number] = [
            Array.from({ length: windows }, () => 0),
            performance.now(),
          ];
          let last = began;
          const frame = (now: number): void => {
            const window = Math.floor((now - began) / 600);
            if (window >= windows) return resolve(gaps);
            gaps[window] = Math.max(gaps[window] ?? 0, now - last);
            last = now;
            requestAnimationFrame(frame);
          };
          requestAnimationFrame(frame);
        }),
      5,
    );
    await drawZero(page);
    await page.getByText('It reads').waitFor();
    const gaps = await longest;
    const step = 2500 * (1000 / (await tile(page, 'images/s')));
    console.log(
      `the longest times between frames in five windows: ${gaps.map((gap) => gap.toFixed(0)).join(', ')} ms; a step: ${step.toFixed(0)} ms`,
    );
    expect(step).toBeGreaterThan(100);
    expect(Math.min(...gaps)).toBeLessThan(100);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Stop' }).click();
    await said(page, 'Stopped.');
  });

  test('what is wrong is said, with what to do: no WebGPU, steps that are too large, a setting that cannot be', async () => {
    const page = await open(browser());
    const alert = page.getByRole('alert');
    await start(page, 'webgpu', { epochs: 1, 'training images': 1000 });
    await alert.getByText('The webgpu device cannot be used here').waitFor();
    expect(await alert.textContent()).toMatch(/webgpu: .*Choose the wasm device/s);
    await start(page, 'wasm', { 'learning rate': 1e30 });
    await alert.getByText('try a learning rate below 1e+30').waitFor();
    await start(page, 'wasm', { epochs: 0 });
    expect(await page.getByLabel('epochs').evaluate((input) => input.matches(':invalid:focus'))).toBe(true);
    await page.getByLabel('learning rate').clear();
    await start(page, 'wasm', { epochs: 1 });
    await said(page, 'Done.');
    expect(await alert.isVisible()).toBe(false);
  });

  test('400 pixels are wide enough, and a finger draws without scrolling the page', async () => {
    const page = await open(browser(), { width: 400, hasTouch: true });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400);
    await page.locator('#pad').scrollIntoViewIfNeeded();
    const scrolled = await page.evaluate(() => scrollY);
    const { x, y, width } = (await page.locator('#pad').boundingBox())!;
    const touches = await page.context().newCDPSession(page);
    const touch = async (type: 'touchStart' | 'touchMove' | 'touchEnd', share?: number): Promise<unknown> =>
      touches.send('Input.dispatchTouchEvent', {
        type,
        touchPoints: share === undefined ? [] : [{ x: x + width / 2, y: y + share * width }],
      });
    await touch('touchStart', 0.2);
    for (let share = 0.25; share < 0.8; share += 0.05) await touch('touchMove', share);
    await touch('touchEnd');
    const inked = await page.locator('#seen').evaluate(async (image: HTMLImageElement) => {
      await image.decode();
      const context = new OffscreenCanvas(28, 28).getContext('2d')!;
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, 28, 28);
      return Array.from({ length: 28 }, (_, row) => data[4 * (28 * row + 14) + 3]! > 128).filter(Boolean)
        .length;
    });
    expect(inked).toBe(20);
    expect(await page.evaluate(() => scrollY)).toBe(scrolled);
  });
});

describe.each([
  ['C', 'en-US@posix'],
  ['en_US.UTF-8', 'en-US'],
  ['de_DE.UTF-8', 'de-DE'],
])('in a browser of the language %s', (language, tag) => {
  const browser = browserWith([], { LANG: language, LC_ALL: language, LANGUAGE: language });

  test('it learns, and draws its curve', async () => {
    const page = await open(browser(), { locale: null });
    // What the page sees of it is a language in any case; its frames see what the browser says.
    const seen = await page.evaluate(() => {
      const frame = document.createElement('iframe');
      document.body.append(frame);
      const { language: inFrame } = frame.contentWindow!.navigator;
      frame.remove();
      return { inFrame, canonical: Intl.getCanonicalLocales(navigator.language).length };
    });
    expect(seen).toEqual({ inFrame: tag, canonical: 1 });
    await start(page, 'wasm', { epochs: 1, 'training images': 2500 });
    await said(page, 'Done.');
    expect(await lossAt(page, 0.97)).toBeGreaterThan(0);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  });
});

describe('in a browser with a GPU', () => {
  const browser = browserWith(webgpuArgs);

  test('it learns on webgpu, says so when the GPU is lost, and begins anew', async () => {
    const page = await open(browser());
    const alert = page.getByRole('alert');
    await drawZero(page);
    await start(page, 'webgpu', { epochs: 1, 'training images': 2500, 'images per step': 64 });
    await said(page, 'Done.');
    expect(await alert.isVisible()).toBe(false);
    expect(await page.locator('#tile-device').textContent()).toContain('webgpu, google swiftshader');
    expect(await tile(page, 'test accuracy')).toBeGreaterThan(80);
    await page.getByText('It reads 0').waitFor();
    expect(sum(await probabilities(page))).toBeCloseTo(1, 5);

    await start(page, 'webgpu', { epochs: 100 });
    await page.locator('#bars .likeliest').waitFor();
    // The process that is lost does not answer.
    void (await browser().newBrowserCDPSession()).send('Browser.crashGpuProcess').catch(() => {});
    await alert.getByText('The training ended').waitFor();
    expect(await alert.textContent()).toMatch(/webgpu: the GPU device has been lost.*Press Start/s);
    await start(page, 'webgpu', {});
    await page.locator('#bars .likeliest').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await said(page, 'Stopped.');
    expect(await alert.isVisible()).toBe(false);
  });
});
