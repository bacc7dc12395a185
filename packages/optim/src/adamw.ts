/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019): running means of the gradient and of its square, corrected for having begun
 * at 0, give each element a step size of its own. The formula, and its fused form, are autograd's `adamW`.
 */
import { adamW, type Tensor } from '@firsthand/autograd';
import { checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import { type GroupOptions, Optimizer, type StateShapes } from './optimizer.ts';
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
  constructor(parameters: Iterable<Tensor> | Iterable<GroupOptions<AdamWSettings>>, settings?: Partial<AdamWSettings>) {
    checkCount('AdamW', arguments.length, 2, 'new AdamW(model.parameters(), { lr })');
    super(parameters, { ...DEFAULTS, ...checkOptions('AdamW', settings, KEYS) }, stateShapes);
  }

  protected update(parameter: Tensor, gradient: Tensor, rate: Tensor, state: AdamWState, group: AdamWSettings): void {
    const { betas, eps, weightDecay } = group;
    const next = adamW(parameter, gradient, state, { lr: rate, betas, eps, weightDecay });
    parameter.assign(next.parameter);
    state.mean.assign(next.mean);
    state.square.assign(next.square);
    state.step.assign(next.step);
  }
}

function stateShapes({ betas, eps, weightDecay }: AdamWSettings, { shape }: Tensor): StateShapes<AdamWState> {
  for (const beta of betas) requireAtLeast('AdamW', 'a beta', beta, 0, 1);
  requireAtLeast('AdamW', 'eps', eps, 0);
  requireAtLeast('AdamW', 'weightDecay', weightDecay, 0);
  return { mean: shape, square: shape, step: [] };
}
