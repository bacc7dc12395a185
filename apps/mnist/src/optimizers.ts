/** The optimizers that a run can choose from, each with a learning rate that suits this task. Another optimizer is another line. */
import type { Tensor } from '@firsthand/autograd';
import { AdamW, SGD } from '@firsthand/optim';

export type OptimizerName = 'adamw' | 'sgd';

interface OptimizerChoice {
  /** Used where the command line names none. */
  readonly learningRate: number;
  readonly create: (parameters: readonly Tensor[], lr: number) => AdamW | SGD;
}

export const OPTIMIZERS: { readonly [K in OptimizerName]: OptimizerChoice } = {
  adamw: { learningRate: 0.003, create: (parameters, lr) => new AdamW(parameters, { lr, weightDecay: 0.1 }) },
  sgd: { learningRate: 0.1, create: (parameters, lr) => new SGD(parameters, { lr, momentum: 0.9, nesterov: true }) },
};
