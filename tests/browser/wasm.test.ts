// The conformance suite on the WebAssembly device, in a page: Chromium has relaxed SIMD.
import { describeConformance } from '@firsthand/conformance';
import { createWasm } from '@firsthand/wasm';
import { inject } from 'vitest';

describeConformance('wasm in a page, relaxed SIMD', () => createWasm({ relaxedSimd: true }), {
  randomPrograms: inject('full') ? 10_000 : 50,
});
