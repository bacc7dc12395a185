/**
 * The page from outside: a server on this machine gives it its files and asks it one thing at a time. The page's request for the next thing to do stays
 * unanswered until there is one. A page that is closed or hangs fails what it is asked, then and later.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PageContender } from './contender.ts';
import type { Asked } from './contender-process.ts';
import type { PageFiles } from './page-build.ts';
import type { Reply } from './protocol.ts';
import type { PageSetting } from './results.ts';
import { decodeWords, GONE_PATH, type Order, TALK_PATH, type Words } from './wire.ts';

/** Longer than a training step's first run takes anywhere, in milliseconds. */
const PATIENCE = 900_000;

/** They isolate the page from all others, in return for which its clock is precise. */
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** A thing to do, before what there is to show is added. */
type Task = Order extends infer Each ? (Each extends Order ? Omit<Each, 'lines'> : never) : never;

/** What to do with a reply that is waited for. */
type Receive = (reply: Reply) => void;

export class PageServer {
  /** What the page says about itself, once it is there; null where it has no WebGPU. */
  readonly setting: Promise<PageSetting | null>;
  readonly #server: Server;
  readonly #greet: (setting: PageSetting | null) => void;
  #greeted = false;
  /** The page's request, while there is nothing to do. */
  #waiting: ServerResponse | null = null;
  #next: Task | null = null;
  #lines: string[] = [];
  #receive: Receive | null = null;
  #failure: string | null = null;

  constructor(files: PageFiles) {
    const { promise, resolve } = withResolver<PageSetting | null>();
    this.setting = promise;
    this.#greet = resolve;
    this.#server = createServer((request, response) => {
      if (request.method === 'POST' && request.url === TALK_PATH) void this.#hear(request, response);
      else if (request.method === 'POST' && request.url === GONE_PATH) {
        response.end();
        this.fail('the page was closed, or loaded again');
      } else {
        const file = files.get(request.url ?? '');
        response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': file?.type ?? 'text/plain', ...ISOLATION });
        response.end(file?.body);
      }
    });
    this.#server.keepAliveTimeout = 0; // a page that computes is silent for long
  }

  /** @returns where the page is found */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** One of the contenders in the page. */
  contender(name: PageContender): Asked {
    return {
      ask: (request) => {
        if (this.#failure !== null) return Promise.resolve({ kind: 'failed', message: this.#failure });
        return new Promise((resolve) => {
          const timer = setTimeout(() => this.fail(`no answer in ${PATIENCE / 1000} s`), PATIENCE);
          this.#receive = (reply) => {
            clearTimeout(timer);
            this.#receive = null;
            resolve(reply);
          };
          this.#order({ kind: 'ask', contender: name, request });
        });
      },
      stop() {},
    };
  }

  /** Something that the page shall show, with the next thing that it is asked. */
  tell(line: string): void {
    this.#lines.push(line);
  }

  /** Nothing more will come of the page. */
  fail(message: string): void {
    this.#failure ??= message;
    this.#receive?.({ kind: 'failed', message: this.#failure });
  }

  /** Tells the page that all is done. */
  async close(): Promise<void> {
    if (this.#failure === null) this.#order({ kind: 'end' });
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
      setTimeout(() => this.#server.closeAllConnections(), 1000).unref();
    });
  }

  #order(task: Task): void {
    this.#next = task;
    this.#send();
  }

  /** Answers the page, if it waits and there is something to do. */
  #send(): void {
    if (this.#waiting === null || this.#next === null) return;
    const order = { ...this.#next, lines: this.#lines } as Order;
    const response = this.#waiting;
    [this.#waiting, this.#next, this.#lines] = [null, null, []];
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(order));
  }

  async #hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const words: Words = decodeWords(Buffer.concat(chunks));
    if (words.kind === 'hello') {
      if (this.#greeted) {
        response.end(JSON.stringify({ kind: 'end', lines: ['Another page is at it. Start the command again.'] } satisfies Order));
        return;
      }
      this.#greeted = true;
      this.#waiting = response;
      this.#greet(words.setting);
      return;
    }
    this.#waiting = response;
    this.#receive?.(words.reply);
    this.#send();
  }
}

function withResolver<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
