// The rules of docs/semantics.md on the WebAssembly device with plain SIMD.
import { createWasm } from '@firsthand/wasm';
import { describeSemantics } from '../src/semantics.ts';

const create = () => createWasm({ relaxedSimd: false, threads: 1 });
describeSemantics('wasm', create, { tinySteps: process.env['FIRSTHAND_FULL'] === '1' ? 1_000_000 : 4000 });
