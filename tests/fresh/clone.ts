// A fresh clone of the repository as it is in the working tree: the files that git tracks or would track, and
// nothing that was installed, built or cached. Commands are started in it as a person starts them, in the
// language of the person's terminal.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

import { root } from '../support/repository.ts';

/** How a command ended. */
export interface Ending {
  readonly code: number | null;
  /** what it printed on both streams */
  readonly output: string;
}

/** The environment of a terminal: without what npm, vitest and the tests have put into this process's. */
function terminal(language: string): NodeJS.ProcessEnv {
  const isOurs =
    /^(?:npm_(?:lifecycle|package|command|execpath|node)|INIT_CWD$|NODE_ENV$|VITEST|VK_|LD_LIBRARY_PATH$|FIRSTHAND_(?!GPU|CHROMIUM))/;
  const inherited = Object.entries(process.env).filter(([name]) => !isOurs.test(name));
  const path = process.env['PATH']!.split(':').filter((folder) => !folder.includes('node_modules'));
  return {
    ...Object.fromEntries(inherited),
    PATH: path.join(':'),
    LANG: language,
    LC_ALL: language,
    LANGUAGE: language,
  };
}

export class Clone {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'firsthand-fresh-'));
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Set<ChildProcess>();

  /** @throws Error if the working tree is none of git's, which alone knows what a clone would hold */
  constructor(language: string) {
    this.#env = terminal(language);
    const { status, stdout, stderr } = spawnSync(
      'git',
      ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(`git does not say which files a clone has: ${stderr}`);
    for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
      mkdirSync(dirname(join(this.folder, file)), { recursive: true });
      cpSync(join(root, file), join(this.folder, file), { verbatimSymlinks: true });
    }
  }

  /**
   * Runs a command line of words to its end.
   * @param line such as `npm start -- --epochs 1`
   * @param options.until text by which enough has been seen: the command and all that it has started are then
   *   ended
   * @param options.signal is sent instead, as a terminal does to all that runs in it
   * @param options.folder where, inside the clone
   */
  async run(
    line: string,
    {
      until,
      signal = 'SIGKILL',
      folder = '.',
    }: { until?: RegExp; signal?: NodeJS.Signals; folder?: string } = {},
  ): Promise<Ending> {
    const { child, seen } = this.#start(line, folder);
    if (until !== undefined) {
      await this.#see(child, seen, until);
      this.#signal(child, signal);
    }
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    this.#running.delete(child);
    return { code, output: seen.text };
  }

  /**
   * Starts a command line that goes on until `stop` is called. @returns what was found by the pattern in its
   * output
   */
  async serve(
    line: string,
    until: RegExp,
  ): Promise<{ readonly found: RegExpExecArray; stop(): Promise<void> }> {
    const { child, seen } = this.#start(line, '.');
    const found = await this.#see(child, seen, until);
    const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const stop = async (): Promise<void> => {
      this.#signal(child, 'SIGTERM');
      await closed;
      this.#running.delete(child);
    };
    return { found, stop };
  }

  #start(line: string, folder: string): { readonly child: ChildProcess; readonly seen: { text: string } } {
    const [program = '', ...args] = line.split(' ');
    const seen = { text: '' };
    // A process group of its own, so that a signal reaches npm and all that it has started.
    const child = spawn(program, args, {
      cwd: join(this.folder, folder),
      env: this.#env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        seen.text += text;
      });
    }
    return { child, seen };
  }

  /** Waits until the output shows a text. @throws Error with all of the output if the command ends before */
  async #see(child: ChildProcess, seen: { readonly text: string }, until: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      // Vite colours what it prints.
      const found = until.exec(stripVTControlCharacters(seen.text));
      if (found !== null) return found;
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`ended before ${String(until)}:\n${seen.text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #signal(child: ChildProcess, signal: NodeJS.Signals): void {
    try {
      process.kill(-child.pid!, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ended meanwhile
    }
  }

  /** Ends what still runs, and removes the clone. */
  remove(): void {
    for (const child of this.#running) this.#signal(child, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
