/**
 * Random programs with effects on a device against the oracle: eager without reading, eager with reads in
 * between, compiled, and calls of both in turn. All give the same parameters, gradients, statistics and
 * losses.
 */
import {
  compile,
  defaultGenerator,
  manualSeed,
  noGrad,
  rand,
  stateVariable,
  updateStatistic,
} from '@firsthand/autograd';
import type { DType, Tensor } from '@firsthand/autograd';
import { array } from '@firsthand/linalg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectValues, toTensor } from '../compare.ts';
import type { GetDevice } from '../get-device.ts';
import { timeoutOf } from './graphs.ts';
import { DATA, execute, Oracle, START, statements } from './effect-oracle.ts';
import type { LossKind, Machine, Parameter, Reading, Statement } from './effect-oracle.ts';

/** Calls of one program: state and gradients go on from one to the next. */
const CALLS = 3;

class Tensors implements Machine<Tensor> {
  readonly w: Tensor;
  readonly v: Tensor;
  readonly m: Tensor;
  readonly s: Tensor;
  /** The data, an argument of compiled functions. */
  x: Tensor;

  constructor(dtype: DType) {
    const parameter = (name: 'w' | 'v'): Tensor => {
      const made = toTensor({ shape: [2], data: START[name] }, dtype, { requiresGrad: true });
      made.name = name;
      return made;
    };
    this.w = parameter('w');
    this.v = parameter('v');
    this.m = stateVariable(array(Float64Array.from(START.m), { dtype }), { name: 'm' });
    this.s = toTensor({ shape: [2], data: START.s }, dtype);
    this.x = Tensors.data(dtype);
  }
  static data(dtype: DType): Tensor {
    return toTensor({ shape: [2], data: DATA }, dtype);
  }
  forward(kind: LossKind): Tensor {
    const { w, v, s, x } = this;
    if (kind === 0) return w.mul(v).sub(x).square().sum();
    return kind === 1 ? w.sin().mul(x).add(v.mul(s)).sum() : w.tanh().sum();
  }
  backward(loss: Tensor, retain: boolean): void {
    loss.backward(undefined, { retainGraph: retain });
  }
  hasGradient(name: Parameter): boolean {
    return this[name].grad !== null;
  }
  step(name: Parameter, rate: number): void {
    noGrad(() => this[name].assign(this[name].sub(this[name].grad!.mul(rate))));
  }
  momentum(rate: number): void {
    noGrad(() => {
      this.m.assign(this.m.mul(0.9).add(this.w.grad!));
      this.w.assign(this.w.sub(this.m.mul(rate)));
    });
  }
  mix(): void {
    // Without noGrad: a variable's new value keeps no history in any case.
    this.w.assign(this.w.mul(0.9).add(this.v.mul(0.1)));
    this.v.assign(this.v.mul(0.9).sub(this.w.mul(0.1)));
  }
  statistic(): void {
    updateStatistic(this.s, this.s.mul(0.9).add(this.w.detach().mul(0.1)));
  }
  noise(): void {
    const { shape, dtype } = this.s;
    this.s.assign(this.s.mul(0.5).add(rand(shape, { dtype }).mul(0.1)));
  }
  zeroGrad(name: Parameter): void {
    this[name].grad = null;
  }
  tensorOf(reading: Reading<Tensor>): Tensor {
    switch (reading.kind) {
      case 'parameter':
        return this[reading.of];
      case 'gradient':
        return this[reading.of].grad!;
      case 'statistic':
        return this.s;
      case 'loss':
        return reading.of;
    }
  }
}

/** Runs the statements to their end without reading anything. */
function finish<Loss>(list: readonly Statement[], machine: Machine<Loss>): readonly Loss[] {
  const steps = execute(list, machine);
  let next = steps.next();
  while (next.done !== true) next = steps.next();
  return next.value;
}

/** One call of the program; gives the losses. */
type Call = (machine: Tensors, oracle: Oracle) => Promise<readonly Tensor[]>;
interface Mode {
  readonly calls: (list: readonly Statement[], dtype: DType) => Call;
}

const unread =
  (list: readonly Statement[]): Call =>
  async (machine) =>
    finish(list, machine);

const compiled = (list: readonly Statement[], dtype: DType): Call => {
  let machine: Tensors | null = null;
  const step = compile((x: Tensor) => {
    const outer = machine!.x;
    machine!.x = x;
    try {
      return [...finish(list, machine!)];
    } finally {
      machine!.x = outer;
    }
  });
  return async (given) => {
    machine = given;
    return step(Tensors.data(dtype));
  };
};

const MODES: { readonly [name: string]: Mode } = {
  'eager, read at the end': { calls: unread },
  'eager, read in between': {
    calls: (list) => async (machine) => {
      // The oracle of this call runs beside, so that what is read is checked at once.
      const steps = execute(list, machine);
      for (let next = steps.next(); ; next = steps.next()) {
        if (next.done === true) return next.value;
        await machine.tensorOf(next.value).data();
      }
    },
  },
  compiled: { calls: compiled },
  'compiled and eager in turn': {
    calls: (list, dtype) => {
      const [one, other] = [compiled(list, dtype), unread(list)];
      let count = 0;
      return (machine, oracle) => (count++ % 2 === 0 ? one : other)(machine, oracle);
    },
  },
};

async function check(list: readonly Statement[], mode: Mode, dtype: DType): Promise<number> {
  const tolerance =
    dtype === 'float64' ? { relative: 1e-9, absolute: 1e-10 } : { relative: 1e-4, absolute: 1e-5 };
  manualSeed(7);
  const [machine, oracle] = [new Tensors(dtype), new Oracle(defaultGenerator().state.key)];
  const call = mode.calls(list, dtype);
  const losses: Tensor[] = [];
  const expected: number[] = [];
  for (let index = 0; index < CALLS; index++) {
    losses.push(...(await call(machine, oracle)));
    expected.push(...finish(list, oracle).map(({ value }) => value));
  }
  fc.pre(Object.values(oracle.state).every((vector) => vector.every((value) => Math.abs(value) < 1e4)));
  expect(losses).toHaveLength(expected.length);
  for (const [index, loss] of losses.entries())
    await expectValues(loss, { shape: [], data: [expected[index]!] }, tolerance);
  for (const name of ['w', 'v', 'm', 's'] as const)
    await expectValues(machine[name], { shape: [2], data: oracle.state[name] }, tolerance);
  for (const name of ['w', 'v'] as const) {
    const [actual, gradient] = [machine[name].grad, oracle.gradients[name]];
    expect(actual === null, `${name}.grad is null`).toBe(gradient === null);
    if (actual !== null && gradient !== null)
      await expectValues(actual, { shape: [2], data: gradient }, tolerance);
  }
  return losses.length;
}

/** Programs that failed once: an update freed a value that a program after it still had to read. */
const KNOWN: readonly (readonly Statement[])[] = [
  [
    { do: 'mix' },
    { do: 'forward', slot: 0, kind: 0 },
    { do: 'momentum', rate: 0.1 },
    { do: 'statistic' },
    { do: 'backward', slot: 0, retain: false },
  ],
  [
    { do: 'forward', slot: 0, kind: 1 },
    { do: 'zeroGrad', parameter: 'w' },
    { do: 'statistic' },
    { do: 'zeroGrad', parameter: 'v' },
    { do: 'backward', slot: 0, retain: false },
  ],
  [
    { do: 'forward', slot: 0, kind: 1 },
    { do: 'backward', slot: 0, retain: false },
    { do: 'statistic' },
    { do: 'statistic' },
  ],
  [
    { do: 'statistic' },
    { do: 'forward', slot: 1, kind: 1 },
    { do: 'backward', slot: 1, retain: false },
    { do: 'statistic' },
    { do: 'statistic' },
    { do: 'forward', slot: 0, kind: 0 },
    { do: 'zeroGrad', parameter: 'w' },
  ],
  [
    { do: 'forward', slot: 0, kind: 2 },
    { do: 'mix' },
    { do: 'statistic' },
    { do: 'backward', slot: 0, retain: false },
    { do: 'backward', slot: 0, retain: false },
  ],
  [
    { do: 'statistic' },
    { do: 'mix' },
    { do: 'forward', slot: 1, kind: 0 },
    { do: 'mix' },
    { do: 'read', what: 'parameter' },
    { do: 'noise' },
    { do: 'backward', slot: 1, retain: false },
  ],
];

export function describeRandomEffects(device: GetDevice, runs: number): void {
  test.each(Object.entries(MODES))(
    `${runs} random programs of updates, gradients and reads: %s`,
    { timeout: timeoutOf(runs) },
    async (_, mode) => {
      let losses = 0;
      await fc.assert(
        fc.asyncProperty(statements, async (list) => {
          losses += await check(list, mode, device().supports('float64') ? 'float64' : 'float32');
        }),
        { numRuns: runs, examples: KNOWN.map((list) => [list]) },
      );
      expect(losses, 'losses compared').toBeGreaterThan(runs / 10);
    },
  );
}
