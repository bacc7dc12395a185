/**
 * Environments without the features of Node and pages: service workers, worklets, pages that forbid workers.
 * Each is a Node process in which globals are removed before the program begins. The device computes on one
 * thread there, and nothing waits for ever.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { bundle, runProgram } from './support/run-program.ts';

/** A product that several threads would share, whose checksum depends on every element, three times. */
const COMPUTE = `
  const compute = async (options) => {
    try {
      const device = await createWasm(options);
      const x = tensor(Float32Array.from({ length: 90000 }, (_, place) => place % 7), { shape: [300, 300], device });
      const values = [];
      for (let round = 0; round < 3; round++) {
        values.push(await x.matmul(x).add(round).sum().item());
        // Workers come up, or do not, while the event loop turns.
        if (globalThis.setTimeout !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      device.dispose();
      return values.join();
    } catch (error) {
      return error.constructor.name === 'Error' ? String(error) : error.message;
    }
  };`;
/** The same in plain loops, of which all sums are integers that float32 holds. */
const RIGHT = ((): string => {
  const x = Array.from({ length: 300 }, (_, row) =>
    Array.from({ length: 300 }, (__, column) => (300 * row + column) % 7),
  );
  const sums = (of: (k: number) => number): number[] => x.map((_, k) => of(k));
  const columns = sums((k) => x.reduce((sum, row) => sum + row[k]!, 0));
  const rows = sums((k) => x[k]!.reduce((a, b) => a + b, 0));
  const total = columns.reduce((sum, column, k) => sum + column * rows[k]!, 0);
  return [0, 1, 2].map((round) => Math.fround(total + 90_000 * round)).join();
})();

const NO_NODE = `Object.defineProperty(process, 'getBuiltinModule', { value: undefined });`;
const FOUR_CORES = `Object.defineProperty(globalThis, 'navigator', { value: { hardwareConcurrency: 4 }, configurable: true });`;
const NO_WAIT = `Atomics.wait = () => { throw new TypeError('Atomics.wait cannot be called in this context'); };`;
const worker = (body: string): string =>
  `globalThis.Worker = class extends EventTarget { constructor() { super(); ${body} } postMessage() {} terminate() {} };`;
const FORBIDDEN = worker(`throw new DOMException('forbidden', 'SecurityError');`);
const BLOCKED = worker(`setTimeout(() => this.dispatchEvent(new Event('error')), 5);`);
const SILENT = worker('');

let program = '';
beforeAll(async () => {
  program = await bundle(`
    import { tensor } from '@firsthand/autograd';
    import { createWasm } from '@firsthand/wasm';
    ${COMPUTE}
    globalThis.compute = compute;
    // After so many bytes a read gives the event loop a turn, of which a worklet has no other than promises.
    globalThis.long = async () => {
      const device = await createWasm();
      const x = tensor(new Float32Array(2 ** 24).fill(1), { device });
      const y = x.add(1);
      await y.data();
      return y.sum().item();
    };`);
});

/** The results of each set of options, and the warnings on the console, in an environment. */
function runIn(
  environment: string,
  ...options: readonly string[]
): { readonly results: readonly string[]; readonly warnings: readonly string[] } {
  const calls = options.map((each) => `results.push(await compute(${each}));`).join('\n');
  const output = runProgram(`${environment}
    const warnings = [], results = [];
    console.warn = (text) => warnings.push(text);
    ${program}
    ${calls}
    console.log(JSON.stringify({ results, warnings }));
    process.exit(0);`);
  return JSON.parse(output) as ReturnType<typeof runIn>;
}

describe('without workers', () => {
  test('a service worker: one thread by default, and none of a number', () => {
    const { results, warnings } = runIn(
      `${NO_WAIT} ${NO_NODE} ${FOUR_CORES} delete URL.createObjectURL; delete URL.revokeObjectURL;`,
      '',
      '{ threads: 1 }',
      '{ threads: 4 }',
      `{ threads: { wait: true } }`,
    );
    expect(results).toEqual([RIGHT, RIGHT, expect.stringMatching(/^wasm: 4 threads need workers/), RIGHT]);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['no Blob', `delete globalThis.Blob; ${SILENT}`],
    ['no URL', `delete globalThis.URL; ${SILENT}`],
    ['no navigator', `delete globalThis.navigator; ${SILENT}`],
    [
      'a page that is not isolated, though it has the constructor',
      `globalThis.crossOriginIsolated = false; ${SILENT}`,
    ],
    ['no memory to share', `delete globalThis.SharedArrayBuffer; ${SILENT}`],
    ['no process', `delete globalThis.process;`],
    ['a process that stands in for Node’s', `process.getBuiltinModule = () => undefined;`],
  ])('%s', (_, environment) => {
    // What the test itself needs is kept aside.
    const { results, warnings } = runIn(
      `const kept = globalThis.process; ${NO_WAIT} ${NO_NODE.replace('undefined', '() => undefined, configurable: true, writable: true')} ${environment} queueMicrotask(() => (globalThis.process = kept));`,
      '',
    );
    expect(results).toEqual([RIGHT]);
    expect(warnings).toEqual([]);
  });

  test('a worklet: JavaScript and nothing else', () => {
    const output = runProgram(`
      import { createContext, runInContext } from 'node:vm';
      const lines = [];
      const context = createContext({ print: (text) => lines.push(text) });
      // A worklet's thread may not wait, nor has it timers, clocks or text encoders; JavaScript's own objects
      // are there.
      runInContext(${JSON.stringify(`${NO_WAIT} (async () => { ${program}\nprint(await compute()); print(await compute({ threads: { wait: true } })); print(await compute({ threads: 2 })); print(await long()); })().catch((error) => print(String(error.stack)))`)}, context);
      for (let round = 0; round < 500 && lines.length < 4; round++) await new Promise((resolve) => setTimeout(resolve, 10));
      console.log(JSON.stringify(lines));
      process.exit(0);`);
    expect(JSON.parse(output)).toEqual([
      RIGHT,
      RIGHT,
      expect.stringMatching(/^wasm: 2 threads need workers/),
      2 ** 25,
    ]);
  });
});

describe.each([
  ['a page’s main thread', NO_WAIT],
  ['a thread that may wait', ''],
])('workers that do not start, on %s', (_, waiting) => {
  test.each([
    ['forbidden when they are constructed', FORBIDDEN, 'SecurityError: forbidden'],
    ['blocked when their script is loaded', BLOCKED, 'worker-src blob:'],
  ])(
    '%s: one thread, said once for each device; a number of threads is a typed error',
    (__, environment, reason) => {
      const { results, warnings } = runIn(
        `${waiting} ${NO_NODE} ${FOUR_CORES} ${environment}`,
        '',
        '{ threads: 3 }',
        '',
      );
      expect(results).toEqual([
        RIGHT,
        expect.stringMatching(/^wasm: 3 threads were asked for, and a worker does not start/),
        RIGHT,
      ]);
      expect(results[1]).toContain(reason);
      expect(warnings).toEqual(
        new Array(2).fill(expect.stringMatching(/one thread, since its workers do not start/)),
      );
    },
  );

  test('silent: nothing waits for them', () => {
    const { results } = runIn(`${waiting} ${NO_NODE} ${FOUR_CORES} ${SILENT}`, '', '{ threads: 3 }');
    expect(results).toEqual([RIGHT, RIGHT]);
  });
});

test('where createWasm waits for workers, a number that does not start is a typed error of it', () => {
  const { results } = runIn(
    `${NO_NODE} ${FOUR_CORES} ${BLOCKED}`,
    '{ threads: { count: 3, wait: true } }',
    '{ threads: { wait: true } }',
  );
  expect(results).toEqual([
    expect.stringMatching(/^wasm: 3 threads were asked for, and a worker does not start/),
    RIGHT,
  ]);
});
