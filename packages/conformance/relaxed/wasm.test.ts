/**
 * The WebAssembly device with relaxed SIMD: a multiplication and an addition are rounded together, so that
 * its bits are its own.
 */
import { createWasm } from '@firsthand/wasm';
import { describeConformance } from '../src/suite.ts';

const create = () => createWasm({ relaxedSimd: true, threads: 1 });
describeConformance('wasm, relaxed SIMD', create, {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 50,
});
