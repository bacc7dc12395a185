/**
 * Random programs on a device against the oracle: every value, and the gradients of a weighted sum of all
 * values against central differences of the oracle, f′(x) ≈ (8(f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h.
 * The same program runs in several ways, which must agree: at once, after some values were read, as a
 * functional gradient, and compiled.
 */
import { compile, noGrad, realize, vjp } from '@firsthand/autograd';
import type { Device, DType, Tensor } from '@firsthand/autograd';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectValues, toTensor } from '../compare.ts';
import type { Dense } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';
import type { RandomProgram } from './program.ts';
import { describeProgram, evaluate, programs, run } from './program.ts';

/** Half the smallest distance of two points. */
const STEP = 1e-4;

const weightsOf = (value: { readonly shape: readonly number[] }, index: number): Dense =>
  samples(value.shape, -1, 1, index + 1);

function objective(values: readonly Dense[]): number {
  return values.reduce((total, value, index) => {
    const weights = weightsOf(value, index);
    return total + value.data.reduce((sum, each, position) => sum + each * weights.data[position]!, 0);
  }, 0);
}

function tensorObjective(values: readonly Tensor[]): Tensor {
  const parts = values.map((value, index) =>
    value.mul(toTensor(weightsOf(value, index), value.dtype, { device: value.device })).sum(),
  );
  return parts.reduce((a, b) => a.add(b));
}

/** The gradient of the objective; null where a neighbouring point takes another branch. */
function differences(program: RandomProgram): (number | null)[][] {
  const { decisions } = evaluate(program, program.inputs);
  return program.inputs.map((input, which) =>
    input.data.map((value, position) => {
      const at = (shift: number): number | null => {
        const moved = { shape: input.shape, data: input.data.with(position, value + shift) };
        const result = evaluate(program, program.inputs.with(which, moved));
        return result.decisions === decisions ? objective(result.values) : null;
      };
      const [far, near, nearUp, farUp] = [at(-2 * STEP), at(-STEP), at(STEP), at(2 * STEP)];
      if (far === null || near === null || nearUp === null || farUp === null) return null;
      return (8 * (nearUp - near) - (farUp - far)) / (12 * STEP);
    }),
  );
}

/** One of the calls that give gradients of the objective with respect to the inputs. */
type GradientMode = (program: RandomProgram, inputs: readonly Tensor[]) => Promise<readonly Tensor[]>;

async function backward(values: readonly Tensor[], inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
  tensorObjective(values).backward();
  return inputs.map((input) => input.grad!);
}

const GRADIENT_MODES: { readonly [name: string]: GradientMode } = {
  'backward at once': (program, inputs) => backward(run(program, inputs), inputs),
  'backward after the objective was read': async (program, inputs) => {
    const total = tensorObjective(run(program, inputs));
    await total.item();
    total.backward();
    return inputs.map((input) => input.grad!);
  },
  'backward after every second value was read': async (program, inputs) => {
    const values = run(program, inputs);
    await realize(...values.filter((_, index) => index % 2 === 1));
    return backward(values, inputs);
  },
  'a functional gradient': async (program, inputs) => {
    const [total, pull] = vjp(
      (...args) => tensorObjective(run(program, args)),
      ...inputs.map((input) => input.detach()),
    );
    return pull(total.detach().mul(0).add(1));
  },
  'a compiled functional gradient, called twice': async (program, inputs) => {
    const step = compile((...args: Tensor[]) =>
      vjp((...each) => tensorObjective(run(program, each)), ...args)[1](
        toTensor({ shape: [], data: [1] }, args[0]!.dtype, { device: args[0]!.device }),
      ),
    );
    const args = inputs.map((input) => input.detach());
    await realize(...step(...args));
    return step(...args);
  },
  'compiled, backward inside': async (program, inputs) => {
    const step = compile(() => {
      tensorObjective(run(program, inputs)).backward();
    });
    step();
    for (const input of inputs) input.grad = null;
    step();
    return inputs.map((input) => input.grad!);
  },
};

async function expectGradient(
  program: RandomProgram,
  mode: GradientMode,
  dtype: DType,
  device: Device,
): Promise<number> {
  const inputs = program.inputs.map((input) => toTensor(input, dtype, { requiresGrad: true, device }));
  const gradients = await mode(program, inputs);
  const scale = 1 + Math.abs(objective(evaluate(program, program.inputs).values));
  const tolerance =
    dtype === 'float64'
      ? { relative: 1e-5, absolute: 1e-7 * scale }
      : { relative: 1e-2, absolute: 1e-3 * scale };
  let compared = 0;
  for (const [which, expected] of differences(program).entries()) {
    const actual = await gradients[which]!.data();
    const known = expected.map((value, position) => value ?? actual[position]!);
    compared += expected.filter((value) => value !== null).length;
    await expectValues(gradients[which]!, { shape: program.inputs[which]!.shape, data: known }, tolerance);
  }
  return compared;
}

async function explained(program: RandomProgram, fn: () => Promise<void>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    throw new Error(
      `${describeProgram(program)}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** Time limit of a number of random programs, ms: a GPU in software compiles shaders for each. */
export const timeoutOf = (runs: number): number => 60_000 + 1000 * runs;

export function describeRandomGraphs(device: GetDevice, runs: number): void {
  const dtype = (): DType => (device().supports('float64') ? 'float64' : 'float32');
  const tolerance = (): { relative: number; absolute: number } =>
    dtype() === 'float64' ? { relative: 1e-9, absolute: 1e-9 } : { relative: 1e-3, absolute: 1e-4 };

  test(
    `the values of ${runs} random programs, together, one by one, and without recording`,
    { timeout: timeoutOf(runs) },
    async () => {
      const check = (program: RandomProgram): Promise<void> =>
        explained(program, async () => {
          const { values } = evaluate(program, program.inputs);
          const inputs = program.inputs.map((input) => toTensor(input, dtype(), { requiresGrad: true }));
          const recorded = run(program, inputs);
          await realize(...recorded);
          const unrecorded = noGrad(() => run(program, inputs));
          for (const [index, expected] of values.entries()) {
            await expectValues(recorded[index]!, expected, tolerance());
            await expectValues(unrecorded[index]!, expected, tolerance());
          }
        });
      await fc.assert(fc.asyncProperty(programs, check), { numRuns: runs });
    },
  );

  test.each(Object.entries(GRADIENT_MODES))(
    `the gradients of ${runs} random programs: %s`,
    { timeout: timeoutOf(runs) },
    async (_, mode) => {
      let compared = 0;
      const check = (program: RandomProgram): Promise<void> =>
        explained(program, async () => {
          compared += await expectGradient(program, mode, dtype(), device());
        });
      await fc.assert(fc.asyncProperty(programs, check), { numRuns: runs });
      expect(compared, 'elements compared').toBeGreaterThan(runs);
    },
  );
}
