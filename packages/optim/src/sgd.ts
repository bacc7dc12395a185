/**
 * Gradient descent with momentum (Polyak 1964; Sutskever et al. 2013), in torch's form. With g the gradient
 * plus λ·p: b ← g at the first step, then μ·b + (1 − d)·g; p ← p − η·b, or with Nesterov's momentum p ← p −
 * η·(g + μ·b).
 */
import { ones, type Tensor } from '@firsthand/autograd';
import { checkCount, checkOptions, FirsthandError, type OptionKeys } from '@firsthand/linalg';
import { type GroupOptions, withSettings } from './group.ts';
import { Optimizer, type StateShapes } from './optimizer.ts';
import { requireAtLeast } from './settings.ts';
import { widen } from './widen.ts';

/** Settings of `SGD`. */
export interface SGDSettings {
  /** η, the learning rate */
  readonly lr: number;
  /** μ; 0 if not given */
  readonly momentum: number;
  /** d, by which a gradient enters the momentum less; 0 if not given */
  readonly dampening: number;
  /** look ahead along the momentum; false if not given, needs momentum and no dampening */
  readonly nesterov: boolean;
  /** λ, added to the gradient as λ·p; 0 if not given */
  readonly weightDecay: number;
}

const DEFAULTS: Omit<SGDSettings, 'lr'> = { momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 };

const KEYS: OptionKeys<SGDSettings> = {
  lr: 'number',
  momentum: 'number',
  dampening: 'number',
  nesterov: 'boolean',
  weightDecay: 'number',
};

/**
 * Stochastic gradient descent.
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { SGD } from '@firsthand/optim';
 * const w = tensor([3, -4], { requiresGrad: true });
 * const optimizer = new SGD([w], { lr: 0.25 });
 * for (let step = 0; step < 2; step++) {
 *   w.square().sum().backward();
 *   optimizer.step();
 *   optimizer.zeroGrad();
 * }
 * console.log(await w.toArray()); // [ 0.75, -1 ]
 * ```
 */
export class SGD extends Optimizer<SGDSettings, SGDState> {
  /** @throws FirsthandError if a setting is out of range */
  constructor(
    parameters: Iterable<Tensor> | Iterable<GroupOptions<SGDSettings>>,
    settings: Partial<SGDSettings> & Pick<SGDSettings, 'lr'>,
  ) {
    checkCount('SGD', arguments.length, 2, 'new SGD(model.parameters(), { lr })');
    const given = checkOptions('SGD', settings, KEYS);
    super(parameters, withSettings({ ...DEFAULTS, lr: given.lr }, given), stateShapes, SGD.prototype.update);
  }

  protected update(
    parameter: Tensor,
    gradient: Tensor,
    rate: Tensor,
    state: SGDState,
    group: SGDSettings,
  ): void {
    const { momentum, dampening, nesterov, weightDecay } = group;
    // Of float16 all of this is float32, and the new parameter is rounded.
    const [p, slope] = [widen(parameter), widen(gradient)];
    const g = weightDecay === 0 ? slope : slope.add(p.mul(weightDecay));
    let direction = g;
    if (state.momentum !== undefined) {
      // b and the flag begin at 0, so that μ·b + (1 − d·flag)·g is g at the first step.
      const entering = state.started === undefined ? g : g.mul(state.started.mul(-dampening).add(1));
      const b = state.momentum.mul(momentum).add(entering);
      direction = nesterov ? g.add(b.mul(momentum)) : b;
      state.momentum.assign(b);
      state.started?.assign(ones([], { dtype: p.dtype, device: parameter.device }));
    }
    parameter.assign(p.sub(direction.mul(rate)).cast(parameter.dtype));
  }
}

/** b, and 1 once it holds a gradient, where dampening makes the first step differ. */
export interface SGDState {
  readonly momentum?: Tensor;
  readonly started?: Tensor;
}

function stateShapes(settings: SGDSettings, { shape }: Tensor): StateShapes<SGDState> {
  const { momentum, dampening, nesterov, weightDecay } = settings;
  requireAtLeast('SGD', 'momentum', momentum, 0);
  requireAtLeast('SGD', 'weightDecay', weightDecay, 0);
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    const expected = 'a momentum and no dampening';
    throw new FirsthandError({
      operation: 'SGD',
      problem: `nesterov needs ${expected}, got ${momentum} and ${dampening}`,
      expected,
    });
  }
  if (momentum === 0) return {};
  return dampening === 0 ? { momentum: shape } : { momentum: shape, started: [] };
}
