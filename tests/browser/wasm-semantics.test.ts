// The rules of docs/semantics.md on the WebAssembly device, in a page: Chromium has relaxed SIMD.
import { describeSemantics } from '@firsthand/conformance';
import { createWasm } from '@firsthand/wasm';
import { inject } from 'vitest';

describeSemantics('wasm in a page, relaxed SIMD', () => createWasm({ relaxedSimd: true }), {
  tinySteps: inject('full') ? 1_000_000 : 1000,
});
