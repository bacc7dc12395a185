/**
 * Programs on the packages' sources as one file of JavaScript, as a bundler makes it for a page, and run in a
 * Node of their own.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const packages = new URL('../../../', import.meta.url);
const NAMES = ['linalg', 'graph', 'autograd', 'compiler', 'nn', 'optim', 'wasm'];
const alias = Object.fromEntries(
  NAMES.map((name) => [`@firsthand/${name}`, fileURLToPath(new URL(`${name}/src/index.ts`, packages))]),
);

/** The program, minified. It may import what a page that trains a network imports. */
export async function bundle(code: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(packages), loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    alias,
  });
  return outputFiles[0]!.text;
}

/** Runs a program; what it prints. It fails if the program does, or takes longer than a minute. */
export function runProgram(code: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], {
    input: code,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0 || stderr !== '') throw new Error(`the program ended with ${String(status)}: ${stderr}`);
  return stdout;
}
