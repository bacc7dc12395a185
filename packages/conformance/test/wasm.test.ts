/**
 * The WebAssembly device with plain SIMD, in any engine. What relaxed SIMD needs of the engine stands in
 * ../relaxed.
 */
import { createWasm } from '@firsthand/wasm';
import { describeConformance } from '../src/suite.ts';

const create = () => createWasm({ relaxedSimd: false, threads: 1 });
describeConformance('wasm', create, { randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 100 });
