// The conformance suite on the WebAssembly device with threads, on the main thread of a page, which never
// waits.
import { describeConformance } from '@firsthand/conformance';
import { createWasm } from '@firsthand/wasm';
import { inject } from 'vitest';

describeConformance(
  'wasm on a page, two threads',
  () => createWasm({ threads: { count: 2, divideFrom: 0 } }),
  {
    randomPrograms: inject('full') ? 1000 : 25,
  },
);
