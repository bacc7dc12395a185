/**
 * The programs in `cold/`, each with its library made into one file by esbuild: for Node, to be started cold,
 * and for a page, to be weighed. Of each library a program imports by name what it takes and no more.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BuildOptions, Metafile } from 'esbuild';
import { JAX_NAMES } from './cold/jax.ts';
import { TFJS_NAMES } from './cold/tfjs.ts';
import { peersFolder } from './peers.ts';
import type { MLPTask } from './tasks.ts';

/** Those who have such a program. */
export const COLD_CONTENDERS = ['firsthand', 'tfjs-wasm', 'jax-js', 'loops'] as const;
export type ColdContender = (typeof COLD_CONTENDERS)[number];

/** Its backend fetches this file, by the name that it has in its package. */
const TFJS_BINARIES = 'node_modules/@tensorflow/tfjs-backend-wasm/dist';
const TFJS_BINARY = 'tfjs-backend-wasm-simd.wasm';

interface Program {
  /** The file in `cold/`. */
  readonly file: string;
  /** What stands before the call: imports of the library. */
  readonly head: string;
  /** The library, as the program takes it. */
  readonly library: string;
}

function programOf(name: ColdContender): Program {
  switch (name) {
    case 'firsthand':
      return { file: 'firsthand.ts', head: '', library: '' };
    case 'loops':
      return { file: 'loops.ts', head: '', library: '' };
    case 'jax-js': {
      const names = `{ ${JAX_NAMES.join(', ')} }`;
      return { file: 'jax.ts', head: `import ${names} from '@jax-js/jax';`, library: `${names}, ` };
    }
    case 'tfjs-wasm': {
      const names = `{ ${TFJS_NAMES.join(', ')} }`;
      const head = [
        `import ${names} from '@tensorflow/tfjs-core';`,
        "import '@tensorflow/tfjs-core/dist/register_all_gradients';",
        "import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';",
        `setThreadsCount(1); setWasmPaths(${JSON.stringify(`${join(peersFolder(), TFJS_BINARIES)}/`)});`,
      ];
      return { file: 'tfjs.ts', head: head.join('\n'), library: `${names}, ` };
    }
  }
}

/** A program that prints the first loss, and how it is bundled wherever it runs. */
function optionsFor(name: ColdContender, task: MLPTask): BuildOptions {
  const { file, head, library } = programOf(name);
  const source = JSON.stringify(join(dirname(peersFolder()), 'src/cold', file));
  const call = `firstLoss(${library}${JSON.stringify(task)}).then((loss) => console.log(loss));`;
  return {
    stdin: { contents: `import { firstLoss } from ${source};\n${head}\n${call}`, resolveDir: peersFolder() },
    bundle: true,
    minify: true,
    target: 'es2022',
    conditions: ['@firsthand/source'],
    logLevel: 'error',
  };
}

/** Makes the program for Node. @returns its file */
export async function buildCold(name: ColdContender, task: MLPTask, folder: string): Promise<string> {
  const { build } = await import('esbuild');
  const outfile = join(folder, `${name}.cjs`);
  mkdirSync(folder, { recursive: true });
  await build({ ...optionsFor(name, task), outfile, format: 'cjs', platform: 'node' });
  return outfile;
}

/** Bytes that a page loads, minified and after gzip. */
export interface Weight {
  readonly minified: number;
  readonly gzipped: number;
}

/**
 * Weighs the program for a page: its script with what that imports before it runs, and the WebAssembly that
 * it fetches.
 */
export async function weigh(name: ColdContender, task: MLPTask): Promise<Weight> {
  const { build } = await import('esbuild');
  const outdir = join(peersFolder(), 'bundle');
  const options = {
    ...optionsFor(name, task),
    outdir,
    format: 'esm',
    platform: 'browser',
    splitting: true,
    metafile: true,
  } as const;
  const { outputFiles, metafile } = await build({ ...options, write: false });
  const loaded = loadedAtStart(metafile);
  const files = outputFiles
    .filter(({ path }) => loaded.has(path.split(/[\\/]/).at(-1)!))
    .map(({ contents }) => contents);
  if (name === 'tfjs-wasm')
    files.push(Uint8Array.from(readFileSync(join(peersFolder(), TFJS_BINARIES, TFJS_BINARY))));
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  return {
    minified: sum(files.map(({ length }) => length)),
    gzipped: sum(files.map((file) => gzipSync(file).length)),
  };
}

/**
 * The names of the files that the entry point needs before it runs; what is imported later, by a call, is not
 * among them.
 */
function loadedAtStart({ outputs }: Metafile): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (path: string): void => {
    const name = path.split('/').at(-1)!;
    if (names.has(name)) return;
    names.add(name);
    for (const { path: next, kind } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement') visit(next);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint === '<stdin>') visit(path);
  return names;
}
