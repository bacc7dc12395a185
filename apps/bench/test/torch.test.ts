// PyTorch's side of the conversation: what travels to it, what comes back, and that it is left out where it
// is not there. Where it is, it computes what the plain loops do.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { firstDifference } from '../src/compare.ts';
import { createLoops } from '../src/contenders/loops.ts';
import { CONTENDERS, isTorch } from '../src/contender.ts';
import { TASKS, type Work } from '../src/tasks.ts';
import { plainInputs, startTorch, torchVersion } from '../src/torch.ts';

/** Milliseconds that a busy machine may take. */
const PATIENCE = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'firsthand-torch-'));
const workOf = (id: string): Work => TASKS.find((task) => task.id === id)!.work as Work;

/** An interpreter that answers with what it was asked: the threads, and the names of the parameters. */
const ECHO = `#!/usr/bin/env node
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { kind, inputs } = JSON.parse(line);
  const outputs = [Buffer.from(Float32Array.of(Number(process.argv[3]), inputs?.parameters.length ?? 0).buffer).toString('base64')];
  const reply = kind === 'prepare' ? { kind: 'prepared', outputs, times: [1], notes: {} } : { kind: 'done', notes: {} };
  console.log(JSON.stringify(reply));
});
`;

beforeAll(() => {
  for (const [name, text] of [
    ['echo', ECHO],
    ['broken', '#!/usr/bin/env node\nthrow new RangeError("no more");\n'],
  ] as const) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

const asInterpreter = (name: string): void => {
  vi.stubEnv('FIRSTHAND_PYTHON', join(folder, name));
};

const prepare = (task: string) => ({ kind: 'prepare', task, runs: 2, enough: 1e6 }) as const;

test('two contenders are PyTorch', () => {
  expect(CONTENDERS.filter(isTorch)).toEqual(['torch-1', 'torch-2']);
});

test('the numbers travel as bytes with their shapes', () => {
  const { operands } = plainInputs(workOf('attention/64')) as {
    operands: { type: string; shape: number[]; bytes: string }[];
  };
  expect(operands.map(({ type, shape }) => [type, shape])).toEqual(
    Array.from({ length: 3 }, () => ['float32', [1, 4, 64, 64]]),
  );
  expect(Buffer.from(operands[0]!.bytes, 'base64').length).toBe(4 * 4 * 64 * 64);
  expect(plainInputs(workOf('training/cnn'))).toMatchObject({
    parameters: [{ name: 'conv1.weight', shape: [16, 1, 3, 3] }, {}, {}, {}, {}, {}],
    batches: [{ x: { shape: [32, 1, 28, 28] }, y: { type: 'int32', shape: [32] } }, {}, {}, {}],
    adam: { rate: 1e-3, weightDecay: 0 },
  });
  expect(plainInputs(workOf('matmul/64'))).toBeNull();
});

describe('the process', () => {
  test('is asked in lines, and answers in lines', async () => {
    asInterpreter('echo');
    const asked = startTorch('torch-2');
    expect(await asked.ask(prepare('training/mlp'))).toEqual({
      kind: 'prepared',
      outputs: [Float32Array.of(2, 4)],
      times: [1],
      notes: {},
    });
    expect(await asked.ask({ kind: 'release' })).toEqual({ kind: 'done', notes: {} });
    asked.stop();
  });

  test('is not asked for what is not written in PyTorch', async () => {
    asInterpreter('echo');
    const asked = startTorch('torch-1');
    expect(await asked.ask(prepare('matmul/64'))).toEqual({ kind: 'unable' });
    expect(await asked.ask(prepare('footprint/bundle'))).toEqual({ kind: 'unable' });
    asked.stop();
  });

  test('that ends is a failure with its last words', async () => {
    asInterpreter('broken');
    const asked = startTorch('torch-1');
    expect(await asked.ask(prepare('training/mlp'))).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/RangeError: no more$/),
    });
  });

  test('that is not there has no version, and fails', async () => {
    asInterpreter('attic');
    expect(torchVersion()).toBeNull();
    expect(await startTorch('torch-1').ask(prepare('training/mlp'))).toMatchObject({ kind: 'failed' });
  });
});

test.skipIf(torchVersion() === null).each(['training/mlp', 'training/cnn', 'training/gpt', 'attention/64'])(
  'where PyTorch is, %s is that of the plain loops',
  async (task) => {
    const prepared = (await createLoops().prepare(workOf(task)))!;
    for (let run = 0; run < 2; run++) await prepared.run();
    const asked = startTorch('torch-1');
    const reply = await asked.ask(prepare(task));
    if (reply.kind !== 'prepared') throw new Error(JSON.stringify(reply));
    expect(firstDifference(reply.outputs, await prepared.outputs())).toBeNull();
    expect(await asked.ask({ kind: 'time', milliseconds: 5 })).toMatchObject({ kind: 'times' });
    expect(await asked.ask({ kind: 'release' })).toMatchObject({
      notes: { peakResidentBytes: expect.any(Number) },
    });
    asked.stop();
  },
  PATIENCE,
);
