/**
 * The server of the page: it serves the files and sends one request at a time. The page polls for the next
 * order with a request that stays unanswered until there is one. A page that is closed or hangs fails the
 * request and every later one.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PageContender } from './contender.ts';
import type { ContenderClient } from './contender-process.ts';
import type { PageFiles } from './page-build.ts';
import type { Reply } from './protocol.ts';
import type { PageSetting } from './results.ts';
import { decodeWords, GONE_PATH, type Order, TALK_PATH, type Words } from './wire.ts';

/** Longer than a training step's first run takes anywhere, in milliseconds. */
const TIMEOUT = 900_000;

/** They isolate the page from all others, in return for which its clock is precise. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** What there is to do, before what there is to show is added. */
type Instruction = Order extends infer Each ? (Each extends Order ? Omit<Each, 'lines'> : never) : never;

/** Someone who waits for something. */
interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

export class PageServer {
  readonly #server: Server;
  readonly #lines: string[] = [];
  /** What the page has said about itself; undefined while it is not there. */
  #setting: PageSetting | null | undefined;
  #welcome: Waiting<PageSetting | null> | null = null;
  /** The page's request, while there is nothing to do. */
  #request: ServerResponse | null = null;
  #next: Instruction | null = null;
  #asking: Waiting<Reply> | null = null;
  #failure: string | null = null;

  constructor(files: PageFiles) {
    this.#server = createServer((request, response) => {
      if (request.method === 'POST' && request.url === TALK_PATH) void this.#hear(request, response);
      else if (request.method === 'POST' && request.url === GONE_PATH) void this.#miss(request, response);
      else {
        const file = files.get(request.url ?? '');
        response.writeHead(file === undefined ? 404 : 200, {
          'Content-Type': file?.type ?? 'text/plain',
          ...ISOLATION,
        });
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

  /**
   * What the page says about itself, once it is there; null where it has no WebGPU.
   * @throws Error (by rejecting) if it will not come
   */
  async hello(): Promise<PageSetting | null> {
    if (this.#failure !== null) throw new Error(this.#failure);
    if (this.#setting !== undefined) return this.#setting;
    return new Promise((resolve, reject) => {
      this.#welcome = { resolve, reject };
    });
  }

  /** Has the page load itself again, so that nothing is left of what was done in it. */
  async reload(): Promise<void> {
    if (this.#failure !== null) return;
    this.#setting = undefined;
    this.#order({ kind: 'reload' });
    await this.hello().catch(() => {}); // the next request says why
  }

  /** One of the contenders in the page. */
  contender(name: PageContender): ContenderClient {
    return {
      ask: async (request) => {
        if (this.#failure !== null) return { kind: 'failed', message: this.#failure };
        const timer = setTimeout(() => this.fail(`no answer in ${TIMEOUT / 1000} s`), TIMEOUT);
        const reply = new Promise<Reply>((resolve, reject) => {
          this.#asking = { resolve, reject };
        });
        this.#order({ kind: 'ask', contender: name, request });
        return reply
          .catch((error: Error): Reply => ({ kind: 'failed', message: error.message }))
          .finally(() => clearTimeout(timer));
      },
      stop() {},
    };
  }

  /** Something that the page shall show, from the next time on that it is told something. */
  tell(line: string): void {
    this.#lines.push(line);
  }

  /** Nothing more will come of the page. */
  fail(message: string): void {
    this.#failure ??= message;
    for (const each of [this.#welcome, this.#asking]) each?.reject(new Error(this.#failure));
    [this.#welcome, this.#asking] = [null, null];
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

  #order(instruction: Instruction): void {
    this.#next = instruction;
    this.#send();
  }

  /** Answers the page, if it waits and there is something to do. */
  #send(): void {
    if (this.#request === null || this.#next === null) return;
    this.#request.setHeader('Content-Type', 'application/json');
    this.#request.end(JSON.stringify({ ...this.#next, lines: this.#lines } satisfies Order));
    [this.#request, this.#next] = [null, null];
  }

  async #hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const words: Words = decodeWords(await bodyOf(request));
    if (words.kind === 'hello' && this.#setting !== undefined) {
      response.end(
        JSON.stringify({
          kind: 'end',
          lines: ['Another page is at it. Start the command again.'],
        } satisfies Order),
      );
      return;
    }
    this.#request = response;
    if (words.kind === 'hello') {
      this.#setting = words.setting;
      this.#welcome?.resolve(words.setting);
      this.#welcome = null;
    } else {
      const asking = this.#asking;
      this.#asking = null;
      asking?.resolve(words.reply);
    }
    this.#send();
  }

  async #miss(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reason = (await bodyOf(request)).toString();
    response.end();
    this.fail(reason);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
