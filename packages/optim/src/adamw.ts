/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019): running means of the gradient and of its
 * square, with the bias of their zero initial values corrected, give each element a step size of its own.
 * `adamw-update.ts` has the formula.
 */
import type { Tensor } from '@firsthand/autograd';
import { checkCount, checkOptions, describeValue, OptionError, type OptionKeys } from '@firsthand/linalg';
import {
  type AdamWCoefficients,
  adamWFormula,
  adamWStep,
  type AdamWVariables,
  coefficientsOf,
} from './adamw-update.ts';
import { type GroupOptions, withSettings } from './group.ts';
import { Optimizer, type StateShapes } from './optimizer.ts';
import { requireAtLeast } from './settings.ts';

/** Settings of `AdamW`. */
export interface AdamWSettings {
  /** η, the learning rate; 0.001 if not given */
  readonly lr: number;
  /** β₁ and β₂, how slowly the two running means forget; 0.9 and 0.999 if not given */
  readonly betas: readonly [number, number];
  /** ε, added to the root of the mean square; 1e-8 if not given */
  readonly eps: number;
  /** λ: each step multiplies parameters by 1 − η·λ; 0.01 if not given */
  readonly weightDecay: number;
}

/** The state of `AdamW` for one parameter. */
export type AdamWState = AdamWVariables;

const DEFAULTS: AdamWSettings = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 };

const KEYS: OptionKeys<AdamWSettings> = { lr: 'number', betas: true, eps: 'number', weightDecay: 'number' };

/**
 * Adam with decoupled weight decay.
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { AdamW } from '@firsthand/optim';
 * const w = tensor([3, -4], { requiresGrad: true });
 * const optimizer = new AdamW([w], { lr: 0.5, weightDecay: 0 });
 * w.square().sum().backward();
 * optimizer.step();
 * optimizer.zeroGrad();
 * console.log(await w.toArray()); // [ 2.5, -3.5 ]
 * ```
 */
export class AdamW extends Optimizer<AdamWSettings, AdamWState> {
  /** @throws FirsthandError if a setting is out of range */
  constructor(
    parameters: Iterable<Tensor> | Iterable<GroupOptions<AdamWSettings>>,
    settings?: Partial<AdamWSettings>,
  ) {
    checkCount('AdamW', arguments.length, 2, 'new AdamW(model.parameters(), { lr })');
    super(
      parameters,
      withSettings(DEFAULTS, checkOptions('AdamW', settings, KEYS)),
      stateShapes,
      AdamW.prototype.update,
    );
  }

  protected override numbersOf({ betas, eps, weightDecay }: AdamWSettings): readonly number[] {
    const coefficients = coefficientsOf(betas, eps, weightDecay);
    return COEFFICIENTS.map((name) => coefficients[name]);
  }

  protected update(
    parameter: Tensor,
    gradient: Tensor,
    rate: Tensor,
    state: AdamWState,
    group: AdamWSettings,
    numbers: Tensor | null,
  ): void {
    const next =
      numbers === null
        ? adamWStep(parameter, gradient, state, rate, group)
        : varyingStep(parameter, gradient, state, rate, numbers);
    parameter.assign(next.parameter);
    state.mean.assign(next.mean);
    state.square.assign(next.square);
    state.step.assign(next.step);
  }
}

function stateShapes({ betas, eps, weightDecay }: AdamWSettings, { shape }: Tensor): StateShapes<AdamWState> {
  if (!Array.isArray(betas) || betas.length !== 2) {
    throw new OptionError({
      operation: 'AdamW',
      problem: `betas is ${describeValue(betas)}`,
      expected: 'two numbers, [β₁, β₂]',
    });
  }
  for (const beta of betas) requireAtLeast('AdamW', 'a beta', beta, 0, 1);
  requireAtLeast('AdamW', 'eps', eps, 0);
  requireAtLeast('AdamW', 'weightDecay', weightDecay, 0);
  return { mean: shape, square: shape, step: [] };
}

const COEFFICIENTS = [
  'beta1',
  'rest1',
  'log1',
  'beta2',
  'rest2',
  'log2',
  'eps',
  'weightDecay',
] as const satisfies readonly (keyof AdamWCoefficients<number>)[];

/** The same step with the coefficients of `numbersOf` in a tensor: their values vary between runs. */
function varyingStep(
  parameter: Tensor,
  gradient: Tensor,
  state: AdamWState,
  rate: Tensor,
  numbers: Tensor,
): AdamWState & { readonly parameter: Tensor } {
  const scalars = numbers.unbind();
  const coefficients = Object.fromEntries(COEFFICIENTS.map((name, index) => [name, scalars[index]!]));
  const [next, mean, square, step] = adamWFormula(
    parameter,
    gradient,
    state,
    rate,
    coefficients as unknown as AdamWCoefficients<Tensor>,
  );
  return { parameter: next, mean, square, step };
}
