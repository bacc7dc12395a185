/**
 * The script of a worker, as text, since the package has no file beside its JavaScript. A worker of a
 * blocking team takes messages in its event loop until it has all, then waits for jobs inside WebAssembly,
 * and returns to the event loop when a job announces messages. A worker of a page's team takes jobs as
 * messages as well.
 */
import { scalarImports } from '../math/functions.ts';
import { REASON_LENGTH, WORDS } from './synchronization.ts';

/** What a worker is sent. */
export type Message =
  | {
      readonly action: 'begin';
      readonly memory: WebAssembly.Memory;
      readonly synchronization: WebAssembly.Module;
      readonly thread: number;
      /** Whether it waits for jobs inside WebAssembly, so that a job must announce messages. */
      readonly isAsleep: boolean;
    }
  /** A plan: the modules of its kernels, the one that calls them, and the number of threads that run it. */
  | {
      readonly action: 'plan';
      readonly plan: number;
      readonly kernels: readonly WebAssembly.Module[];
      readonly run: WebAssembly.Module;
      readonly threads: number;
    }
  /** Runs a plan with the workspace at `base`. */
  | { readonly action: 'run'; readonly plan: number; readonly base: number }
  | { readonly action: 'forget'; readonly plan: number };

/** What a worker of a page's team answers: it is up, the job is done, or why it has crashed. */
export type Answer = { readonly says: 'up' | 'done' } | { readonly says: 'crashed'; readonly reason: string };

/** A script that runs in browsers and in Node, there also as a module. */
export function workerSource(): string {
  const imports = Object.entries(scalarImports()).map(([name, value]) => `${name}: ${sourceOf(name, value)}`);
  return `'use strict';
const env = { ${imports.join(', ')}, stamp() {}, now: () => performance.now() };
const plans = new Map();
const node = globalThis.process?.getBuiltinModule?.('node:worker_threads');
const port = node === undefined ? globalThis : node.parentPort;
let words, synchronization, thread, isAsleep;
let seen = 0;
let taken = 0;

const instantiate = (module, env) => new WebAssembly.Instance(module, { env }).exports;
const actions = {
  begin(message) {
    ({ thread, isAsleep } = message);
    env.memory = message.memory;
    words = new Int32Array(message.memory.buffer);
    synchronization = instantiate(message.synchronization, env);
    env.barrier = synchronization.barrier;
    if (!isAsleep) port.postMessage({ says: 'up' });
  },
  plan({ plan, kernels, run, threads }) {
    const own = Object.assign({}, env, ...kernels.map((module) => instantiate(module, env)));
    plans.set(plan, { run: instantiate(run, own).run, threads });
  },
  run({ plan, base }) {
    const { run, threads } = plans.get(plan);
    if (thread < threads) run(base, thread, threads);
    if (thread === 0 && !isAsleep) port.postMessage({ says: 'done' });
  },
  forget({ plan }) {
    plans.delete(plan);
  },
};
const load = (address) => Atomics.load(words, address / 4);

const hasFailed = () => synchronization !== undefined && load(${WORDS.failed}) !== 0;

function receive(message) {
  // Without one of the threads a job would be done in part, and nothing would tell.
  if (hasFailed()) return;
  try {
    actions[message.action](message);
    if (!isAsleep) return;
    seen = load(${WORDS.job});
    Atomics.store(words, (${WORDS.taken} + 64 * thread) / 4, ++taken);
    while (taken === load(${WORDS.sent})) {
      seen = synchronization.next(seen);
      const plan = load(${WORDS.plan});
      if (plan >= 0) actions.run({ plan, base: load(${WORDS.base}) });
    }
  } catch (error) {
    if (synchronization === undefined) throw error;
    // A failure after another worker's crash is its consequence.
    if (hasFailed()) return;
    const reason = Array.from(String(error)).slice(0, ${REASON_LENGTH});
    reason.forEach((character, index) => Atomics.store(words, ${WORDS.reason} / 4 + 1 + index, character.codePointAt(0)));
    Atomics.store(words, ${WORDS.reason} / 4, reason.length);
    synchronization.fail();
    if (!isAsleep) port.postMessage({ says: 'crashed', reason: reason.join('') });
  }
}

if (node === undefined) port.onmessage = ({ data }) => receive(data);
else port.on('message', receive);
`;
}

/** The text of a function that refers only to globals of JavaScript. */
function sourceOf(name: string, value: (x: number, y: number) => number): string {
  const text = String(value);
  return text.includes('[native code]') ? `Math.${name}` : `(${text})`;
}
