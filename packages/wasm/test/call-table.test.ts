// Every public function follows the convention: an option that does not exist and an argument too
// many are errors that name the right call.
import { testCalls } from '../../../tests/support/call-table.ts';
import * as wasm from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;

testCalls(wasm, [], {
  createWasm: {
    call: (options = {}, ...more) =>
      (wasm.createWasm as Call)({ threads: 1, ...(options as object) }, ...more),
    options: { threads: 'thread', relaxedSimd: 'relaxedSIMD', maxBytes: 'max_bytes', timings: 'timing' },
  },
});
