// The rules of docs/semantics.md on the WebAssembly device with threads, on the main thread of a page, which
// never waits.
import { describeSemantics } from '@firsthand/conformance';
import { createWasm } from '@firsthand/wasm';
import { inject } from 'vitest';

describeSemantics('wasm on a page, two threads', () => createWasm({ threads: { count: 2, divideFrom: 0 } }), {
  tinySteps: inject('full') ? 100_000 : 1000,
});
