// The rules of docs/semantics.md on the WebAssembly device, with one thread, in a page: Chromium has relaxed
// SIMD.
import { describeSemantics } from '@firsthand/conformance';
import { createWasm } from '@firsthand/wasm';
import { inject } from 'vitest';

describeSemantics(
  'wasm in a page, one thread, relaxed SIMD',
  () => createWasm({ relaxedSimd: true, threads: 1 }),
  {
    tinySteps: inject('full') ? 1_000_000 : 1000,
  },
);
