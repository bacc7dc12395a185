/**
 * Makes the optimizers that a run can choose from. Another optimizer is another line here, and its learning
 * rate in settings.ts.
 */
import type { Tensor } from '@firsthand/autograd';
import { AdamW, SGD } from '@firsthand/optim';
import type { OptimizerName } from './settings.ts';

export const OPTIMIZERS: {
  readonly [K in OptimizerName]: (parameters: readonly Tensor[], lr: number) => AdamW | SGD;
} = {
  adamw: (parameters, lr) => new AdamW(parameters, { lr, weightDecay: 0.1 }),
  sgd: (parameters, lr) => new SGD(parameters, { lr, momentum: 0.9, nesterov: true }),
};
