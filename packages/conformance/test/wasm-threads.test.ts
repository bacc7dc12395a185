/** The WebAssembly device with three threads, which share every kernel that can be divided, however small. */
import { createWasm } from '@firsthand/wasm';
import { describeConformance } from '../src/suite.ts';

const create = () => createWasm({ relaxedSimd: false, threads: { count: 3, divideFrom: 0, wait: true } });
describeConformance('wasm, three threads', create, {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 1000 : 25,
});
