/**
 * The client of a contender in a child process: one request at a time. A child that dies or hangs fails the
 * request and every later one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { ContenderOptions, NodeContender } from './contender.ts';
import type { Reply, Request } from './protocol.ts';

/** Sends requests to a contender, in a process of its own or, in tests, in this one. */
export interface ContenderClient {
  ask(request: Request): Promise<Reply>;
  stop(): void;
}

/** How a child hears requests and gives replies. */
export interface Channel {
  /** @param fail is called where the request does not reach the child */
  send(request: Request, fail: () => void): void;
  /** @returns a function that ends it */
  listen(receive: (reply: Reply) => void): () => void;
  /** There will be no more requests; the child ends by itself. */
  close(): void;
}

/** The word that tells the program to be a contender; its name and its device follow. */
export const CONTENDER_WORD = '--contender';

/** The longest time for a reply, in milliseconds; no task takes as long. */
const TIMEOUT = 180_000;

/**
 * Set for contenders, so that one that is started wrongly, and takes itself for the program, does not start
 * contenders in its turn.
 */
export const CONTENDER_MARK = 'FIRSTHAND_BENCH_CONTENDER';

/**
 * Of the flags that Node was started with, those about WebAssembly. Others may hold a program, which is not
 * the contender's, or a value in the next word.
 */
export function engineFlags(flags: readonly string[]): string[] {
  return flags.filter((flag) => /^--[\w-]*(wasm|liftoff)/.test(flag));
}

/**
 * Starts a contender that runs in Node.
 * @param program the file of this program, which the child runs with other words
 */
export function startContender(
  program: string,
  name: NodeContender,
  { device }: ContenderOptions,
): ContenderClient {
  const child = fork(program, [CONTENDER_WORD, name, device], {
    execArgv: [...engineFlags(process.execArgv), '--expose-gc'],
    env: { ...process.env, [CONTENDER_MARK]: '1' },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return connectThrough(child, {
    send(request, fail) {
      child.send(request, (error) => {
        if (error !== null) fail();
      });
    },
    listen(receive) {
      const hear = (reply: unknown): void => receive(reply as Reply);
      child.on('message', hear);
      return () => child.off('message', hear);
    },
    close() {
      if (child.connected) child.disconnect();
    },
  });
}

/** The client of a child whose errors go into a pipe. */
export function connectThrough(child: ChildProcess, channel: Channel): ContenderClient {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2000);
  });
  let ended: string | null = null;
  const end = (reason: string): void => {
    const lines = words.trim().split('\n');
    ended ??= [reason, lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1)!]
      .filter((part) => part !== '')
      .join(': ');
  };
  child.once('error', (error) => end(error.message));
  child.once('close', (code, signal) => end(`the process ended with ${signal ?? `exit code ${code}`}`));
  return {
    async ask(request) {
      if (ended === null) {
        const reply = await sendAndWait(child, channel, request);
        if (reply !== null) return reply;
        end(`no answer in ${TIMEOUT / 1000} s`);
        child.kill('SIGKILL');
      }
      return { kind: 'failed', message: ended ?? 'the process ended' };
    },
    stop() {
      channel.close();
    },
  };
}

/** The reply, or null if there will be none. */
function sendAndWait(child: ChildProcess, channel: Channel, request: Request): Promise<Reply | null> {
  return new Promise((resolve) => {
    const finish = (reply: Reply | null): void => {
      clearTimeout(timer);
      deafen();
      child.off('close', close);
      resolve(reply);
    };
    const close = (): void => finish(null);
    const timer = setTimeout(close, TIMEOUT);
    const deafen = channel.listen(finish);
    child.once('close', close);
    channel.send(request, () => child.kill('SIGKILL')); // its end says what was wrong
  });
}
