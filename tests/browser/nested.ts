// A worker of the page, with a device that has threads of its own: one whose runs wait for them, and one that
// does not.
import { createWasm } from '@firsthand/wasm';

import { compute, type Computed } from '../../packages/wasm/test/support/computation.ts';

const waiting = await createWasm({ threads: { count: 2, divideFrom: 0, wait: true }, relaxedSimd: false });
const running = await createWasm({ threads: { count: 2, divideFrom: 0 }, relaxedSimd: false });
const results = [await compute(waiting), await compute(running), await compute(waiting)];
const isSynchronous = [waiting, running].every((device) => device.readSync !== undefined);
postMessage({ isSynchronous, results } satisfies Computed);
