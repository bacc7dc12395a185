/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019): running means of the gradient and of its
 * square, corrected for having begun at 0, give each element a step size of its own. The formula, and its
 * fused form, are autograd's `adamW`.
 */
import { adamW, type AdamWOptions, type Tensor } from '@firsthand/autograd';
import { checkCount, checkOptions, describeValue, OptionError, type OptionKeys } from '@firsthand/linalg';
import { type GroupOptions, withSettings } from './group.ts';
import { Optimizer, type StateShapes } from './optimizer.ts';
import { requireAtLeast } from './settings.ts';
import { widen } from './widen.ts';

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

/** Running means of the gradient and of its square, and the number of steps, a scalar. */
export interface AdamWState {
  readonly mean: Tensor;
  readonly square: Tensor;
  readonly step: Tensor;
}

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

  protected override numbersOf({
    betas: [beta1, beta2],
    eps,
    weightDecay,
  }: AdamWSettings): readonly number[] {
    return [beta1, 1 - beta1, Math.log(beta1), beta2, 1 - beta2, Math.log(beta2), eps, weightDecay];
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
        ? adamW(parameter, gradient, state, optionsOf(group, rate))
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

const optionsOf = ({ betas, eps, weightDecay }: AdamWSettings, lr: Tensor): AdamWOptions => ({
  lr,
  betas,
  eps,
  weightDecay,
});

type Numbers = readonly [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];

/**
 * The same step with the numbers of the formula, as `numbersOf` lists them, from a tensor: autograd's `adamW`
 * has the derivation.
 */
function varyingStep(
  parameter: Tensor,
  gradient: Tensor,
  state: AdamWState,
  rate: Tensor,
  numbers: Tensor,
): AdamWState & { readonly parameter: Tensor } {
  const [beta1, rest1, log1, beta2, rest2, log2, eps, decay] = numbers.unbind() as unknown as Numbers;
  const [p, g] = [widen(parameter), widen(gradient)];
  const count = state.step.add(1);
  const correction = (log: Tensor): Tensor => count.mul(log).expm1().neg(); // 1 − βᵗ
  const mean = state.mean.mul(beta1).add(g.mul(rest1));
  const square = state.square.mul(beta2).add(g.mul(g).mul(rest2));
  const root = correction(log2).sqrt();
  const size = square.sqrt().add(root.mul(eps));
  const decayed = p.mul(rate.mul(decay).neg().add(1));
  const updated = decayed.sub(mean.div(size).mul(rate.mul(root).div(correction(log1))));
  return { parameter: updated.cast(parameter.dtype), mean, square, step: count };
}
