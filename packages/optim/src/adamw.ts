/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019): running means of the gradient and of its square, corrected for having begun
 * at 0, give each element a step size of its own. The formula, and its fused form, are autograd's `adamW`.
 */
import { adamW, type Tensor } from '@firsthand/autograd';
import { type GroupOptions, Optimizer, type StateShapes } from './optimizer.ts';
import { requireAtLeast } from './settings.ts';

/** Settings of `AdamW`. */
export interface AdamWSettings {
  /** η, the learning rate; 0.001 if not given */
  readonly lr: number;
  /** β₁ and β₂, how slowly the two running means forget; 0.9 and 0.999 if not given */
  readonly betas: readonly [number, number];
  /** ε, added to the root of the mean square; 1e-8 if not given */
  readonly epsilon: number;
  /** λ: each step multiplies parameters by 1 − η·λ; 0.01 if not given */
  readonly weightDecay: number;
}

/** Running means of the gradient and of its square, and the number of steps, a scalar. */
export interface AdamWState {
  readonly mean: Tensor;
  readonly square: Tensor;
  readonly step: Tensor;
}

const DEFAULTS: AdamWSettings = { lr: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 };

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
  constructor(parameters: Iterable<Tensor> | Iterable<GroupOptions<AdamWSettings>>, settings: Partial<AdamWSettings> = {}) {
    super(parameters, { ...DEFAULTS, ...settings }, stateShapes);
  }

  protected update(parameter: Tensor, gradient: Tensor, rate: Tensor, state: AdamWState, group: AdamWSettings): void {
    const { betas, epsilon, weightDecay } = group;
    const next = adamW(parameter, gradient, state, { lr: rate, betas, eps: epsilon, weightDecay });
    parameter.assign(next.parameter);
    state.mean.assign(next.mean);
    state.square.assign(next.square);
    state.step.assign(next.step);
  }
}

function stateShapes({ betas, epsilon, weightDecay }: AdamWSettings, { shape }: Tensor): StateShapes<AdamWState> {
  for (const beta of betas) requireAtLeast('AdamW', 'a beta', beta, 0, 1);
  requireAtLeast('AdamW', 'epsilon', epsilon, 0);
  requireAtLeast('AdamW', 'weightDecay', weightDecay, 0);
  return { mean: shape, square: shape, step: [] };
}
