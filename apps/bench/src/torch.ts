/**
 * PyTorch, where the machine has it: a program in Python (`contenders/pytorch.py`) that speaks the same
 * protocol in lines of JSON. It cannot make the numbers that go in, so that they travel with the request.
 */
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TorchContender } from './contender.ts';
import { type ContenderClient, connectThrough } from './contender-process.ts';
import { attentionInputs, batchShapes, startingParameters, trainingBatches } from './inputs.ts';
import { peersFolder } from './peers.ts';
import type { Reply, Request } from './protocol.ts';
import { ADAM, TASKS, WEIGHT_DECAY, type Work } from './tasks.ts';

/** How many threads each has. */
const THREADS: { readonly [K in TorchContender]: number } = { 'torch-1': 1, 'torch-2': 2 };

/** The interpreter, which `FIRSTHAND_PYTHON` may name. */
export const python = (): string => process.env['FIRSTHAND_PYTHON'] ?? 'python3';

/** The version of PyTorch, or null where the interpreter, or PyTorch, is not there. */
export function torchVersion(): string | null {
  const { status, stdout } = spawnSync(python(), ['-c', 'import torch; print(torch.__version__)'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
}

/** An array as Python reads it. */
interface PlainArray {
  readonly type: 'float32' | 'int32';
  readonly shape: readonly number[];
  readonly bytes: string;
}

function plain(values: Float32Array | Int32Array, shape: readonly number[]): PlainArray {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
  return { type: values instanceof Int32Array ? 'int32' : 'float32', shape, bytes };
}

/** The numbers that go into a task, or null for one that is not written in PyTorch here. */
export function plainInputs(work: Work): object | null {
  if (work.kind === 'attention') {
    const { operands, upstream } = attentionInputs(work);
    return {
      operands: operands.map(({ values, shape }) => plain(values, shape)),
      upstream: plain(upstream.values, upstream.shape),
    };
  }
  if (work.kind !== 'training') return null;
  const [xShape, yShape] = batchShapes(work);
  return {
    parameters: startingParameters(work).map(({ name, shape, values }) => ({
      name,
      ...plain(values, shape),
    })),
    batches: trainingBatches(work).map(({ x, y }) => ({ x: plain(x, xShape), y: plain(y, yShape) })),
    adam: { ...ADAM, weightDecay: WEIGHT_DECAY[work.model] },
  };
}

/** @throws SyntaxError if the line is no reply */
function decodeReply(line: string): Reply {
  const reply = JSON.parse(line) as Reply;
  if (reply.kind !== 'prepared') return reply;
  const outputs = (reply.outputs as unknown as readonly string[]).map((text) => {
    const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
    return new Float32Array(bytes.buffer);
  });
  return { ...reply, outputs };
}

/** Starts PyTorch with its number of threads. */
export function startTorch(name: TorchContender): ContenderClient {
  const program = join(dirname(peersFolder()), 'src/contenders/pytorch.py');
  const child = spawn(python(), [program, String(THREADS[name])], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: child.stdout });
  child.stdin.on('error', () => {}); // the end of the process says it
  const client = connectThrough(child, {
    send(request, fail) {
      child.stdin.write(`${JSON.stringify(request)}\n`, (error) => {
        if (error !== null && error !== undefined) fail();
      });
    },
    listen(receive) {
      const hear = (line: string): void => receive(decodeReply(line));
      lines.on('line', hear);
      return () => lines.off('line', hear);
    },
    close() {
      child.stdin.end();
    },
  });
  return {
    async ask(request: Request) {
      if (request.kind !== 'prepare') return client.ask(request);
      const work = TASKS.find(({ id }) => id === request.task)?.work;
      const inputs = work === undefined || work.kind === 'footprint' ? null : plainInputs(work);
      if (inputs === null) return { kind: 'unable' };
      const whole: Request & { readonly work: unknown; readonly inputs: object } = {
        ...request,
        work,
        inputs,
      };
      return client.ask(whole);
    },
    stop: () => client.stop(),
  };
}
