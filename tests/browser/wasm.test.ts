// The conformance suite on the WebAssembly device, with one thread, in a page: Chromium has relaxed SIMD.
import { describeConformance } from '@firsthand/conformance';
import { createWasm } from '@firsthand/wasm';
import { inject } from 'vitest';

describeConformance(
  'wasm in a page, one thread, relaxed SIMD',
  () => createWasm({ relaxedSimd: true, threads: 1 }),
  {
    randomPrograms: inject('full') ? 10_000 : 50,
  },
);
