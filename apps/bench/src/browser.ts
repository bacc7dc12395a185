/**
 * A Chromium without a window, with a GPU in software, so that the comparison runs on a machine that has
 * neither screen nor GPU.
 */
const ARGUMENTS = [
  '--no-sandbox', // only with a sandbox of the kernel's own would it start as root, as in a container
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

/** A browser that shows a page. */
export interface Shown {
  close(): Promise<void>;
}

/**
 * Starts a browser, which finds its libraries and drivers by this process's environment, and opens a page in
 * it.
 * @param executablePath the browser's program
 * @param fail hears why nothing more will come of the page
 */
export async function openPage(
  executablePath: string,
  url: string,
  fail: (message: string) => void,
): Promise<Shown> {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  browser.once('disconnected', () => fail('the browser ended'));
  const page = await browser.newPage();
  page.once('crash', () => fail('the page crashed'));
  const tellError = ({ message }: Error): void => fail(`the page failed: ${message}`);
  page.on('pageerror', tellError);
  await page.goto(url);
  page.off('pageerror', tellError); // once it runs, errors are its own to tell
  return browser;
}
