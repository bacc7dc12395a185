// The rules of docs/semantics.md on the WebAssembly device with relaxed SIMD.
import { createWasm } from '@firsthand/wasm';
import { describeSemantics } from '../src/semantics.ts';

const create = () => createWasm({ relaxedSimd: true, threads: 1 });
describeSemantics('wasm, relaxed SIMD', create, {
  tinySteps: process.env['FIRSTHAND_FULL'] === '1' ? 1_000_000 : 4000,
});
