/**
 * The page: it reports its adapter, answers requests and shows its progress. All contenders live in it, so
 * that they share one adapter and take turns on it; each starts with its first request.
 */
import { element } from '@firsthand/kit/dom';
import type { PageContender } from '../contender.ts';
import type { Reply, Request } from '../protocol.ts';
import type { PageSetting } from '../results.ts';
import { encodeWords, GONE_PATH, type Order, TALK_PATH, type Words } from '../wire.ts';
import { type Host, Worker } from '../worker.ts';
import { describePage } from './adapter.ts';
import { Instrument } from './instrument.ts';
import { Observed } from './observed.ts';
import { STARTERS } from './starters.ts';

/**
 * How often a contender's JavaScript is looked at after its turns, for how long each time, and for how long
 * at most, in milliseconds.
 */
const CLOSELY = { samples: 9, each: 50, most: 10_000 };

const host: Host = {
  now: () => performance.now(),
  // Unlike a timer, a message comes at once.
  pause: () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener('message', () => {
        port1.close();
        resolve();
      });
      port1.start();
      port2.postMessage(null);
    }),
};

/** A contender that has started, and who answers for it. */
interface Seat {
  readonly observed: Observed;
  readonly worker: Worker;
}

const instrument = new Instrument();
const seats = new Map<PageContender, Promise<Seat>>();

async function start(name: PageContender): Promise<Seat> {
  const observed = new Observed(await STARTERS[name](), instrument);
  return { observed, worker: new Worker(observed, host) };
}

/** Never rejects. Before a task is given back, its JavaScript is looked at closely. */
async function answer(name: PageContender, request: Request): Promise<Reply> {
  let seat = seats.get(name);
  if (seat === undefined) seats.set(name, (seat = start(name)));
  try {
    const { observed, worker } = await seat;
    if (request.kind === 'release') {
      observed.closely = true;
      const end = performance.now() + CLOSELY.most;
      for (let look = 0; look < CLOSELY.samples && (look === 0 || performance.now() < end); look++)
        await worker.answer({ kind: 'time', milliseconds: CLOSELY.each });
      observed.closely = false;
    }
    return await worker.answer(request);
  } catch (error) {
    return { kind: 'failed', message: `it did not start: ${String(error)}` };
  }
}

async function talk(words: Words): Promise<Order> {
  const response = await fetch(TALK_PATH, { method: 'POST', body: encodeWords(words) });
  return (await response.json()) as Order;
}

function showSetting(setting: PageSetting | null): void {
  element('adapter', HTMLElement).textContent =
    setting?.adapter ?? 'none: this browser gives the page no WebGPU adapter';
  element('software', HTMLElement).hidden = setting?.software !== true;
}

/** What is being done, in words. */
const DOING: { readonly [K in Request['kind']]: string } = {
  prepare: 'checks',
  warmUp: 'warms up',
  time: 'is timed',
  release: 'is measured',
};

function showOrder(order: Order): void {
  element('results', HTMLElement).textContent = order.lines.join('\n');
  element('state', HTMLElement).textContent =
    order.kind === 'ask' ? `${order.contender} ${DOING[order.request.kind]}` : 'done';
}

function sayClosed(): void {
  navigator.sendBeacon(GONE_PATH, 'the page was closed, or loaded again');
}

async function main(): Promise<void> {
  instrument.install(globalThis);
  const setting = await describePage();
  showSetting(setting);
  addEventListener('pagehide', sayClosed);
  let order = await talk({ kind: 'hello', setting });
  while (order.kind === 'ask') {
    showOrder(order);
    order = await talk({ kind: 'reply', reply: await answer(order.contender, order.request) });
  }
  removeEventListener('pagehide', sayClosed);
  if (order.kind === 'reload') location.reload();
  else showOrder(order);
}

main().catch((error: unknown) => {
  const text = `the page failed: ${String(error)}`;
  element('state', HTMLElement).textContent = text;
  navigator.sendBeacon(GONE_PATH, text);
});
