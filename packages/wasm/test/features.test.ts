/**
 * Feature detection: what this engine has is found, and what an engine lacks or a page forbids is an error
 * that says what to do.
 */
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { DeviceError } from '@firsthand/graph';
import { build } from 'esbuild';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { detectFeatures } from '../src/engine/features.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

const src = fileURLToPath(new URL('../src/', import.meta.url));

/** A program on the sources, as one file of JavaScript. */
async function bundled(contents: string, format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: src },
    bundle: true,
    write: false,
    format,
    conditions: ['@firsthand/source'],
  });
  return outputFiles[0]!.text;
}

/**
 * f32x4.relaxed_madd of three zero vectors, written by hand: magic and version, type () → (), one function,
 * its body.
 */
const RELAXED: readonly number[] = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  [1, 4, 1, 0x60, 0, 0],
  [3, 2, 1, 0],
  [10, 62, 1, 60, 0],
  [1, 2, 3].flatMap(() => [0xfd, 12, ...new Array<number>(16).fill(0)]),
  [0xfd, 0x85, 0x02, 0x1a, 0x0b],
].flat();

describe('relaxed SIMD', () => {
  const has = WebAssembly.validate(Uint8Array.from(RELAXED));

  test('is used where the engine has it, and never where it is not wanted', () => {
    expect(detectFeatures()).toEqual({ relaxedSimd: has });
    expect(detectFeatures('auto')).toEqual({ relaxedSimd: has });
    expect(detectFeatures(false)).toEqual({ relaxedSimd: false });
  });

  test('that is insisted on is there, or an error', () => {
    if (has) expect(detectFeatures(true)).toEqual({ relaxedSimd: true });
    else expect(() => detectFeatures(true)).toThrow(/relaxed SIMD .*leave the option out/);
  });

  test('is found by an engine that has it: this Node, with its flag where it needs one', async () => {
    const flags =
      Number(process.versions.node.split('.')[0]) < 22 ? ['--experimental-wasm-relaxed-simd'] : [];
    const input = await bundled(
      "import { detectFeatures } from './engine/features.ts'; console.log(detectFeatures(true));",
      'esm',
    );
    expect(
      execFileSync(process.execPath, [...flags, '--input-type=module'], { input, encoding: 'utf8' }),
    ).toBe('{ relaxedSimd: true }\n');
  });
});

describe('an engine that cannot', () => {
  const error = (): unknown => {
    try {
      return detectFeatures();
    } catch (thrown) {
      return thrown;
    }
  };

  test('without WebAssembly', () => {
    vi.stubGlobal('WebAssembly', undefined);
    expect(error()).toBeInstanceOf(DeviceError);
    expect(String(error())).toMatch(/no WebAssembly.*createReference/);
  });

  test('without SIMD', () => {
    vi.stubGlobal('WebAssembly', { validate: () => false });
    expect(error()).toBeInstanceOf(DeviceError);
    expect(String(error())).toMatch(/SIMD.*createReference/);
  });

  test('under a policy that forbids compiling, as Node has for contexts of its own', async () => {
    const code = await bundled(
      "import { detectFeatures } from './engine/features.ts'; globalThis.detect = detectFeatures;",
      'iife',
    );
    const run = (wasm: boolean): unknown => {
      const context = createContext({ TextEncoder }, { codeGeneration: { strings: true, wasm } });
      return runInContext(`${code}\ntry { detect(false) } catch (error) { error }`, context);
    };
    expect(run(true)).toEqual({ relaxedSimd: false });
    expect(run(false)).toMatchObject({
      name: 'DeviceError',
      message: expect.stringContaining("script-src 'self' 'wasm-unsafe-eval'") as string,
      cause: { name: 'CompileError' },
    });
  });
});
