/**
 * The features of the engine, detected by validating tiny modules: WebAssembly, SIMD, which is required, and
 * relaxed SIMD (fused multiply-add), which is optional. Whether the page's policy permits compiling shows
 * only when compiling.
 */
import { DeviceError } from '@firsthand/graph';
import type { Code, Local } from '../assembler/code.ts';
import { Module } from '../assembler/module.ts';

/** What kernels may use. Other features give other code, and other bits (rule 24). */
export interface Features {
  /** Fused multiply-add: `f32x4.relaxed_madd`. */
  readonly relaxedSimd: boolean;
}

const INSTEAD = 'createReference() of @firsthand/graph runs everywhere';

/**
 * The features to generate code for.
 * @param relaxedSimd `'auto'` uses it if the engine has it, `false` does not, `true` requires it
 * @throws DeviceError if the engine lacks WebAssembly or SIMD, or required relaxed SIMD, or the page forbids
 *   compiling
 */
export function detectFeatures(relaxedSimd: boolean | 'auto' = 'auto'): Features {
  if (typeof WebAssembly === 'undefined') {
    throw lacking(
      'WebAssembly',
      'this JavaScript engine has no WebAssembly, or it has been switched off',
      INSTEAD,
    );
  }
  const simd = probe((code, x) => code.op('f32x4.add', x, x).set(x));
  if (!WebAssembly.validate(simd)) {
    const problem =
      'this engine has no WebAssembly SIMD (Chrome and Edge 91, Firefox 89, Safari 16.4, Node 16 have it)';
    throw lacking('WebAssembly SIMD', problem, INSTEAD);
  }
  requirePermission(simd);
  const relaxed = WebAssembly.validate(probe((code, x) => code.op('f32x4.relaxed_madd', x, x, x).set(x)));
  if (relaxedSimd === true && !relaxed) {
    const having = 'Chrome and Edge 114 and Node 22 have it, Node 20 with --experimental-wasm-relaxed-simd';
    throw lacking(
      'relaxed SIMD',
      `this engine has no relaxed SIMD (${having})`,
      'leave the option out to do without',
    );
  }
  return { relaxedSimd: relaxed && relaxedSimd !== false };
}

/** The error of an engine or a page that lacks something. */
function lacking(expected: string, problem: string, remedy: string, cause?: unknown): DeviceError {
  return new DeviceError(
    { operation: 'wasm', problem, expected, remedy },
    cause === undefined ? {} : { cause },
  );
}

/** A module with one function of a vector. */
function probe(build: (code: Code, x: Local) => void): Uint8Array<ArrayBuffer> {
  const module = new Module({ initial: 0, maximum: 1, shared: false });
  module.function('probe', { params: ['v128'], results: [] }, (code, [x]) => build(code, x!));
  return module.toBytes();
}

/** @throws DeviceError if a valid module may not be compiled */
function requirePermission(bytes: Uint8Array<ArrayBuffer>): void {
  try {
    void new WebAssembly.Module(bytes);
  } catch (cause) {
    const expected = "script-src 'self' 'wasm-unsafe-eval'";
    const remedy = `a page's Content-Security-Policy must allow it: ${expected}`;
    throw lacking(expected, 'compiling WebAssembly is forbidden here', remedy, cause);
  }
}
