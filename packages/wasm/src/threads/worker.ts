/**
 * What a worker runs, as text, since the package has no file beside its JavaScript. A worker takes messages in its event loop until it has all, then it waits for jobs inside
 * WebAssembly, and comes back when a job says that there are messages.
 */
import { scalarImports } from '../math/float64.ts';
import { WORDS } from './control.ts';

/** What a worker is told. */
export type Message =
  | {
      readonly action: 'begin';
      readonly memory: WebAssembly.Memory;
      readonly control: WebAssembly.Module;
      readonly thread: number;
      readonly threads: number;
    }
  /** A plan: the modules of its kernels, and the one that calls them. */
  | { readonly action: 'plan'; readonly plan: number; readonly kernels: readonly WebAssembly.Module[]; readonly run: WebAssembly.Module }
  | { readonly action: 'forget'; readonly plan: number };

/** The source of a worker: a classic script that runs in browsers and in Node. */
export function workerSource(): string {
  const imports = Object.entries(scalarImports()).map(([name, value]) => `${name}: ${sourceOf(name, value)}`);
  return `'use strict';
const env = { ${imports.join(', ')}, stamp() {} };
const plans = new Map();
let words, control, thread, threads;
let seen = 0;
let taken = 0;

const instantiate = (module, env) => new WebAssembly.Instance(module, { env }).exports;
const actions = {
  begin(message) {
    ({ thread, threads } = message);
    env.memory = message.memory;
    words = new Int32Array(message.memory.buffer);
    control = instantiate(message.control, env);
    env.barrier = control.barrier;
  },
  plan({ plan, kernels, run }) {
    const own = Object.assign({}, env, ...kernels.map((module) => instantiate(module, env)));
    plans.set(plan, instantiate(run, own).run);
  },
  forget({ plan }) {
    plans.delete(plan);
  },
};
const load = (address) => Atomics.load(words, address / 4);

function receive(message) {
  try {
    actions[message.action](message);
    seen = load(${WORDS.job});
    Atomics.store(words, (${WORDS.taken} + 64 * thread) / 4, ++taken);
    while (taken === load(${WORDS.sent})) {
      seen = control.next(seen);
      const plan = load(${WORDS.plan});
      if (plan >= 0) plans.get(plan)(load(${WORDS.base}), thread, threads);
    }
  } catch (error) {
    const reason = String(error).slice(0, 1000);
    if (control === undefined) throw error;
    Array.from(reason, (character, index) => Atomics.store(words, ${WORDS.reason} / 4 + 1 + index, character.codePointAt(0)));
    Atomics.store(words, ${WORDS.reason} / 4, reason.length);
    control.fail();
  }
}

if (typeof require === 'function') require('node:worker_threads').parentPort.on('message', receive);
else onmessage = ({ data }) => receive(data);
`;
}

/** The text of a function that refers to nothing but what every JavaScript engine has. */
function sourceOf(name: string, value: (x: number, y: number) => number): string {
  const text = String(value);
  return text.includes('[native code]') ? `Math.${name}` : `(${text})`;
}
