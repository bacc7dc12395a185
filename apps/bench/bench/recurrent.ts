// Recurrent nets as one writes them by hand: a sequence (B, T, C) is taken apart, a cell runs over its steps
// in a plain loop, and the outputs are stacked; forward and backward with respect to weights and inputs, on
// one thread. For each number of steps: the first step, which traces and compiles, then compiled and plain
// steps, and PyTorch's where `FIRSTHAND_PYTHON` (or python3) has it. Milliseconds of processor time, since
// the machine may have other work; medians of steps taken in turns. A first step after others finds the
// engine warm. `BENCH_STEPS=64,256` sets the numbers of steps, `BENCH_NETS=LSTM` picks nets.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  chunk,
  compile,
  realize,
  setDefaultDevice,
  split,
  stack,
  type Tensor,
  tensor,
  zeros,
} from '@firsthand/autograd';
import { Generator } from '@firsthand/linalg';
import { createWasm } from '@firsthand/wasm';
import { python, torchVersion } from '../src/torch.ts';

const [BATCH, INPUTS, UNITS] = [32, 128, 128];
const ROUNDS = 15;
const STEPS = (process.env['BENCH_STEPS'] ?? '32,64,128,256').split(',').map(Number);

/** From the projected input of a step (B, gates·H), U (H, gates·H) and the states (B, H), the next states. */
type Cell = (input: Tensor, recurrent: Tensor, states: readonly Tensor[]) => readonly Tensor[];

const CELLS: { readonly [name: string]: { readonly gates: number; readonly next: Cell } } = {
  LSTM: {
    gates: 4,
    next(input, recurrent, [h, c]) {
      const [i, f, g, o] = chunk(input.add(h!.matmul(recurrent)), 4, 1) as [Tensor, Tensor, Tensor, Tensor];
      const cell = f.sigmoid().mul(c!).add(i.sigmoid().mul(g.tanh()));
      return [o.sigmoid().mul(cell.tanh()), cell];
    },
  },
  GRU: {
    gates: 3,
    next(input, recurrent, [h]) {
      const [xr, xz, xn] = chunk(input, 3, 1) as [Tensor, Tensor, Tensor];
      const [hr, hz, hn] = chunk(h!.matmul(recurrent), 3, 1) as [Tensor, Tensor, Tensor];
      const [r, z] = [xr.add(hr).sigmoid(), xz.add(hz).sigmoid()];
      const n = xn.add(r.mul(hn)).tanh();
      return [n.add(z.mul(h!.sub(n)))];
    },
  },
  RNN: { gates: 1, next: (input, recurrent, [h]) => [input.add(h!.matmul(recurrent)).tanh()] },
};

/** Ways to take a sequence apart. */
const TAKES: { readonly [name: string]: (x: Tensor) => readonly Tensor[] } = {
  unbind: (x) => x.unbind(1),
  narrow: (x) => Array.from({ length: x.shape[1]! }, (_, step) => x.narrow(1, step, 1).squeeze(1)),
  split: (x) => split(x, new Array<number>(x.shape[1]!).fill(1), 1).map((part) => part.squeeze(1)),
};

/** A net, and how its sequence is taken apart; the name before the comma is what `recurrent.py` goes by. */
const NETS: readonly (readonly [net: string, take: string])[] = [
  ['LSTM', 'unbind'],
  ['LSTM', 'narrow'],
  ['LSTM projected at once', 'unbind'],
  ['LSTM with a loss per step', 'split'],
  ['LSTM with the last output', 'unbind'],
  ['GRU', 'unbind'],
  ['RNN', 'unbind'],
];

/** A step: the loss, and the gradients of the inputs and of all parameters. */
function stepOf(net: string, take: string, steps: number): () => readonly Tensor[] {
  const [name] = net.split(' ') as [string];
  const { gates, next } = CELLS[name]!;
  const random = new Generator(1);
  const parameter = (shape: readonly number[], bound: number): Tensor =>
    tensor(random.uniform(shape, { low: -bound, high: bound }), { requiresGrad: true });
  const bound = 1 / Math.sqrt(UNITS);
  const weight = parameter([INPUTS, gates * UNITS], bound);
  const recurrent = parameter([UNITS, gates * UNITS], bound);
  const bias = parameter([gates * UNITS], bound);
  const x = parameter([BATCH, steps, INPUTS], 1);
  const project = (input: Tensor): Tensor => input.matmul(weight).add(bias);
  return () => {
    const isAtOnce = net.endsWith('projected at once');
    const parts = TAKES[take]!(isAtOnce ? project(x) : x);
    let states: readonly Tensor[] = [zeros([BATCH, UNITS]), zeros([BATCH, UNITS])];
    const outputs = parts.map((part) => {
      states = next(isAtOnce ? part : project(part), recurrent, states);
      return states[0]!;
    });
    let loss: Tensor;
    if (net.endsWith('with a loss per step')) {
      const losses = outputs.map((output) => output.square().mean());
      loss = losses.reduce((sum, each) => sum.add(each)).div(steps);
    } else {
      loss = (net.endsWith('with the last output') ? outputs.at(-1)! : stack(outputs, 1)).square().mean();
    }
    loss.backward();
    const gradients = [x, weight, recurrent, bias].map((each) => each.grad!);
    for (const each of [x, weight, recurrent, bias]) each.grad = null;
    return [loss, ...gradients];
  };
}

/** Milliseconds of processor time. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Steps of PyTorch in a process of its own. */
class Torch {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(net: string, steps: number) {
    const program = join(import.meta.dirname, '../../../../bench/recurrent.py');
    this.#child = spawn(python(), ['-W', 'ignore', program, net, String(steps), '1']);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }
  async step(): Promise<number> {
    this.#child.stdin.write('\n');
    const { value } = (await this.#lines.next()) as { readonly value: string };
    return Number(value);
  }
  stop(): void {
    this.#child.stdin.end();
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** One net: its first step, then steps in turns. */
async function measure(net: string, take: string, steps: number): Promise<string> {
  const step = stepOf(net, take, steps);
  const replayed = compile(step);
  const ways: Record<string, () => Promise<number>> = {
    compiled: () => timed(() => realize(...replayed())),
    plain: () => timed(() => realize(...step())),
  };
  const first = await ways['compiled']!();
  const torch = torchVersion() === null ? null : new Torch(net, steps);
  if (torch !== null) ways['torch'] = () => torch.step();
  const times = Object.keys(ways).map((way): readonly [string, number[]] => [way, []]);
  for (let round = 0; round < ROUNDS; round++) for (const [way, list] of times) list.push(await ways[way]!());
  torch?.stop();
  const { kernels, peakBytes } = replayed.reports()[0]!;
  const columns = times.map(([way, list]) => `${way} ${median(list).toFixed(1)}`);
  const compiled = `${kernels.length} kernels, ${new Set(kernels.map(({ source }) => source)).size} of them different`;
  return `T ${steps}: ${columns.join(', ')} ms; first ${first.toFixed(0)} ms, ${compiled}, ${(peakBytes / 2 ** 20).toFixed(1)} MiB`;
}

setDefaultDevice(await createWasm({ threads: 1 }));
for (const [net, take] of NETS) {
  if (!net.startsWith(process.env['BENCH_NETS'] ?? '')) continue;
  console.log(`\n## ${net}, ${take}\n`);
  for (const steps of STEPS) console.log(await measure(net, take, steps));
}
