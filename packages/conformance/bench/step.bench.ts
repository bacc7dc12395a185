/**
 * What the host does for one training step of the network 784-128-10 (forward, backward, AdamW), apart from
 * the arithmetic: building the graph, keying it and finding its program, and replaying a compiled step. The
 * device here computes nothing.
 */
import { runtimeOf } from '@firsthand/runtime';
import type { Node, Program } from '@firsthand/graph';
import type { Device, Executable, Storage } from '@firsthand/runtime';
import { zeros } from '@firsthand/linalg';
import {
  compile,
  crossEntropy,
  defaultGenerator,
  effectGroup,
  hostValue,
  stateVariable,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import { adamW } from '@firsthand/optim';

/** A device whose programs give storages and do no work. */
function createIdle(): Device {
  const storage = (bytes: number, dtype: Storage['dtype']): Storage => ({
    dtype,
    length: bytes / 4,
    bytes,
    dispose() {},
  });
  return {
    name: 'idle',
    supports: () => true,
    prepare(program: Program): Executable {
      const outputs = [...program.effects.map((effect) => effect.node), ...program.roots].map((node: Node) =>
        storage(4 * node.shape.reduce((size, extent) => size * extent, 1), node.dtype),
      );
      const done = Promise.resolve();
      return {
        run: () => ({ outputs, done }),
        report: () => ({ device: 'idle', kernels: [], peakBytes: 0 }),
      };
    },
    upload: (data, dtype) => storage(data.byteLength, dtype),
    read: async (stored) => new Float32Array(stored.length),
    readSync: (stored) => new Float32Array(stored.length),
    memory: () => ({ live: 0, peak: 0 }),
    dispose() {},
  };
}

const device = createIdle();
const batch = 64;
const parameter = (shape: readonly number[]): Tensor =>
  tensor(defaultGenerator().normal(shape), { requiresGrad: true, device });
const state = (shape: readonly number[]): Tensor => stateVariable(zeros(shape), { device });
const parameters = [parameter([128, 784]), parameter([128]), parameter([10, 128]), parameter([10])];
const moments = parameters.map(({ shape }) => ({
  mean: state(shape),
  square: state(shape),
  step: state([]),
}));

function step(x: Tensor, y: Tensor): Tensor {
  const [w1, b1, w2, b2] = parameters as [Tensor, Tensor, Tensor, Tensor];
  const hidden = x.matmul(w1.transpose()).add(b1).relu();
  const logits = hidden.matmul(w2.transpose()).add(b2);
  const loss = crossEntropy(logits, y).mean();
  loss.backward();
  effectGroup(() => {
    const rate = hostValue(() => 1e-3, { device });
    parameters.forEach((each, index) => {
      const state = moments[index]!;
      const { parameter: next, mean, square, step: count } = adamW(each, each.grad!, state, { lr: rate });
      each.assign(next);
      state.mean.assign(mean);
      state.square.assign(square);
      state.step.assign(count);
    });
  });
  for (const each of parameters) each.grad = null;
  return loss;
}

const images = tensor(new Float32Array(batch * 784), { shape: [batch, 784], device });
const labels = tensor(new Int32Array(batch), { device });

function median(run: () => void, count = 400): number {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[count >> 1]!;
}

const runtime = runtimeOf(device);
// Building without running: the effects of each step are enqueued after the clock stops.
const building: number[] = [];
const enqueueing: number[] = [];
for (let index = 0; index < 600; index++) {
  const start = performance.now();
  step(images, labels);
  const built = performance.now();
  runtime.flush();
  building.push(built - start);
  enqueueing.push(performance.now() - built);
}
const middle = (times: readonly number[]): string =>
  times
    .slice(200)
    .sort((a, b) => a - b)[200]!
    .toFixed(3);
console.log(`building the graph of one step        ${middle(building)} ms`);
console.log(`enqueueing it (components, key, run)  ${middle(enqueueing)} ms`);
const compiled = compile(step);
compiled(images, labels);
console.log(`replaying the compiled step           ${median(() => compiled(images, labels)).toFixed(3)} ms`);
console.log(`compilations ${runtime.counters.compilations}, programs ${runtime.counters.programs}`);
