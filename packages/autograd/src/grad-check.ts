/**
 * Gradients against central differences, (f(x + ε) − f(x − ε)) / 2ε, element by element, in float64. A result
 * with several elements is weighted with fixed unequal weights first, so that no two errors cancel.
 */
import { checkCount, checkOptions, DTypeError, type OptionKeys } from '@firsthand/linalg';
import { tensor } from './create.ts';
import { requireFunction } from './linearize.ts';
import { operandNodes } from './operands.ts';
import { realize } from './realize.ts';
import { withoutStatistics } from './statistics.ts';
import { type Tensor } from './tensor.ts';
import { vjp } from './functional.ts';

/** The step of the differences, and how far the two derivatives may be apart. */
export interface GradCheckOptions {
  /** Half the distance of the two points. */
  readonly eps?: number;
  readonly rtol?: number;
  readonly atol?: number;
}

/** One element whose two derivatives disagree. */
export interface GradCheckMismatch {
  /** Which input, and which of its elements in row-major order. */
  readonly input: number;
  readonly element: number;
  readonly analytic: number;
  readonly numeric: number;
}

/** What `gradCheck` found. */
export interface GradCheckReport {
  readonly ok: boolean;
  /** Elements compared. */
  readonly checked: number;
  /** Largest |analytic − numeric| / (atol + rtol·|numeric|): above 1 is a mismatch. */
  readonly worst: number;
  readonly mismatches: readonly GradCheckMismatch[];
}

const KEYS: OptionKeys<GradCheckOptions> = { eps: 'number', rtol: 'number', atol: 'number' };

/** @throws DTypeError unless the tensor is float64 */
function requireDouble(x: Tensor, expected: string, remedy: string): void {
  if (x.dtype !== 'float64')
    throw new DTypeError({
      operation: 'gradCheck',
      problem: `needs ${expected}, got ${x.dtype}`,
      operands: [x],
      expected,
      remedy,
    });
}

/**
 * Compares the gradients of `f` at the inputs with central differences.
 * @throws DTypeError unless all inputs are float64
 */
export async function gradCheck(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options?: GradCheckOptions,
): Promise<GradCheckReport> {
  checkCount('gradCheck', arguments.length, 3, 'gradCheck(f, inputs, { eps, rtol, atol })');
  const { eps = 1e-6, rtol = 1e-5, atol = 1e-7 } = checkOptions('gradCheck', options, KEYS);
  requireFunction('gradCheck', f);
  operandNodes(inputs, 'gradCheck');
  for (const input of inputs) {
    requireDouble(input, 'float64 inputs', "use cast('float64')");
  }
  const weighted = (...args: Tensor[]): Tensor => {
    const value = f(...args);
    requireDouble(value, 'a float64 result of the function', 'it must stay in float64');
    const weights = Float64Array.from({ length: value.size }, (_, index) => 1 + 0.37 * Math.sin(index + 1));
    return value.mul(tensor(weights, { shape: value.shape, device: value.device })).sum();
  };
  const [value, pull] = vjp(weighted, ...inputs);
  const gradients = pull(tensor(1, { dtype: 'float64', device: value.device }));
  await realize(...gradients);
  const analytic = await Promise.all(gradients.map((each) => each.data()));
  const points = await Promise.all(inputs.map((input) => input.data()));
  const at = (input: number, element: number, shift: number): Promise<number> => {
    const args = points.map((point, index) => {
      const moved = Float64Array.from(point);
      if (index === input) moved[element] = moved[element]! + shift;
      return tensor(moved, { shape: inputs[index]!.shape, device: inputs[index]!.device });
    });
    return withoutStatistics(() => weighted(...args)).item();
  };
  let worst = 0;
  let checked = 0;
  const mismatches: GradCheckMismatch[] = [];
  for (const [input, point] of points.entries()) {
    for (let element = 0; element < point.length; element++) {
      const numeric = ((await at(input, element, eps)) - (await at(input, element, -eps))) / (2 * eps);
      const exact = analytic[input]![element]!;
      const error = Math.abs(exact - numeric) / (atol + rtol * Math.abs(numeric));
      checked++;
      // A NaN on either side is a mismatch.
      if (!(error <= 1)) mismatches.push({ input, element, analytic: exact, numeric });
      worst = error > worst || Number.isNaN(error) ? error : worst;
    }
  }
  return { ok: mismatches.length === 0, checked, worst, mismatches };
}
