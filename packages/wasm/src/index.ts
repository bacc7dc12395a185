/** The fast CPU device: the public names of the package, and nothing else. */
export { createWasm, type ThreadOptions, type WasmOptions } from './create-wasm.ts';
