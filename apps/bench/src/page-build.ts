/**
 * The page's files, made by esbuild in memory: the page with this project's sources in it, and each peer that
 * takes part as a file of its own.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { OURS, type PageContender } from './contender.ts';
import { PEER_PATHS, type PagePeer } from './page/peer-paths.ts';
import { peersFolder } from './peers.ts';

/** A file as it is served. */
interface PageFile {
  readonly type: string;
  readonly body: Uint8Array;
}

/** By path. */
export type PageFiles = ReadonlyMap<string, PageFile>;

/**
 * What a program in `peers/` would write to have the library; the layers of tfjs are loaded for the gradients
 * that they register.
 */
const PEER_SOURCES: { readonly [K in PagePeer]: string } = {
  'tfjs-webgpu':
    "import '@tensorflow/tfjs-backend-webgpu'; import '@tensorflow/tfjs-layers'; export * from '@tensorflow/tfjs-core';",
  'jax-js': "export * from '@jax-js/jax';",
};

const COMMON: BuildOptions = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  logLevel: 'error',
  minify: false,
};

async function script(options: BuildOptions): Promise<PageFile> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({ ...COMMON, ...options, write: false });
  return { type: 'text/javascript', body: outputFiles[0]!.contents };
}

/** @returns the files of a page for these contenders */
export async function buildPage(contenders: readonly PageContender[]): Promise<PageFiles> {
  const source = join(dirname(peersFolder()), 'src/page');
  const files = new Map<string, PageFile>();
  files.set('/', { type: 'text/html', body: readFileSync(join(source, 'index.html')) });
  // Dawn's package is what Node has instead of a browser's WebGPU.
  files.set(
    '/main.js',
    await script({
      entryPoints: [join(source, 'main.ts')],
      conditions: ['@firsthand/source'],
      external: ['webgpu'],
    }),
  );
  for (const name of contenders) {
    if (name === OURS) continue;
    const stdin = { contents: PEER_SOURCES[name], resolveDir: peersFolder() };
    files.set(PEER_PATHS[name], await script({ stdin }));
  }
  return files;
}
