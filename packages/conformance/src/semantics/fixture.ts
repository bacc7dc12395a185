/**
 * What the tests of the semantics stand on: a fresh device per test, with its counters, and a small network
 * whose training step is written out with nothing but tensors. The network's numbers do not matter; how often
 * they are computed does.
 */
import {
  hostValue,
  noGrad,
  realize,
  setDefaultDevice,
  stateVariable,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import { effectGroup, runtimeOf } from '@firsthand/runtime';
import type { Counters, Device } from '@firsthand/runtime';
import { engine } from '#engine';
import { zeros } from '@firsthand/linalg';

/** Makes the device under test; called once per test. */
export type CreateDevice = () => Device | Promise<Device>;

/** A fresh device, made the default one. */
export async function freshDevice(createDevice: CreateDevice): Promise<Device> {
  const device = await createDevice();
  setDefaultDevice(device);
  return device;
}

/** What the counters of a device's runtime gain while `work` runs. */
export async function counted(device: Device, work: () => unknown): Promise<Counters> {
  const before = { ...runtimeOf(device).counters };
  await work();
  const after = runtimeOf(device).counters;
  return {
    compilations: after.compilations - before.compilations,
    programs: after.programs - before.programs,
    recomputed: after.recomputed - before.recomputed,
  };
}

/** `rows` × `columns` numbers between −1 and 1 that look random and are the same each time. */
export function sample(rows: number, columns: number, seed: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, index) =>
    Math.sin(1.3 * index + 7.1 * seed + 0.5),
  );
}

/** A batch for the network: inputs (rows, 4), targets (rows, 3). */
export function batch(rows: number, seed: number): { readonly x: Tensor; readonly y: Tensor } {
  return {
    x: tensor(sample(rows, 4, seed), { shape: [rows, 4] }),
    y: tensor(sample(rows, 3, seed + 100), { shape: [rows, 3] }),
  };
}

/** Two layers, 4 → 8 → 3, with a squared error; its parameters are named w1 and w2. */
export class Network {
  readonly w1: Tensor = tensor(sample(4, 8, 1), { shape: [4, 8], requiresGrad: true, name: 'w1' });
  readonly w2: Tensor = tensor(sample(8, 3, 2), { shape: [8, 3], requiresGrad: true, name: 'w2' });

  get parameters(): readonly Tensor[] {
    return [this.w1, this.w2];
  }
  /** x: (rows, 4). Result: (rows, 3). */
  forward(x: Tensor): Tensor {
    return x.matmul(this.w1).tanh().matmul(this.w2);
  }
  /** The mean squared error, a scalar. */
  loss({ x, y }: { readonly x: Tensor; readonly y: Tensor }): Tensor {
    return this.forward(x).sub(y).square().mean();
  }
  /** All parameters as one list of numbers. */
  async values(): Promise<readonly number[]> {
    await realize(...this.parameters);
    return [...(await this.w1.data()), ...(await this.w2.data())];
  }
}

/** Gradient descent with momentum, m ← μm + g, w ← w − ηm, as an optimizer would write it. */
export class Momentum {
  rate: number;
  readonly moments: readonly Tensor[];
  readonly #parameters: readonly Tensor[];

  constructor(parameters: readonly Tensor[], rate = 0.1) {
    this.rate = rate;
    this.#parameters = parameters;
    this.moments = parameters.map(({ shape, device, name }) =>
      stateVariable(zeros(shape), { device, name: `${name}.moment` }),
    );
  }
  step(): void {
    effectGroup(() =>
      noGrad(() => {
        this.#parameters.forEach((parameter, index) => {
          const { grad } = parameter;
          if (grad === null) return;
          const rate = hostValue(() => this.rate, { device: parameter.device });
          const moment = this.moments[index]!;
          moment.assign(moment.mul(0.9).add(grad));
          parameter.assign(parameter.sub(moment.mul(rate)));
        });
      }),
    );
  }
  zeroGrad(): void {
    for (const parameter of this.#parameters) parameter.grad = null;
  }
}

/** One step of training: forward, backward, update, and the gradients dropped last. Gives the loss. */
export function trainingStep(
  network: Network,
  optimizer: Momentum,
  data: { readonly x: Tensor; readonly y: Tensor },
): Tensor {
  const loss = network.loss(data);
  loss.backward();
  optimizer.step();
  optimizer.zeroGrad();
  return loss;
}

/** Runs the garbage collector until its finalizers free nothing more. Gives the live bytes. */
export async function collect(device: Device): Promise<number> {
  let { live } = device.memory();
  for (let quiet = 0; quiet < 3;) {
    engine.collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 2));
    const now = device.memory().live;
    quiet = now === live ? quiet + 1 : 0;
    live = now;
  }
  return live;
}
