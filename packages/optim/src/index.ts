/**
 * Optimizers, learning-rate schedules and gradient clipping: the public names of the package, and nothing
 * else.
 */
export { AdamW, type AdamWSettings, type AdamWState } from './adamw.ts';
export { adamW, adamWComposite, type AdamWOptions, type AdamWVariables } from './adamw-update.ts';
export { clipGradNorm, clipGradValue } from './clip.ts';
export type { GroupOptions, ParameterGroup } from './group.ts';
export { Optimizer, type OptimizerState, type SavedOptimizerState, type StateShapes } from './optimizer.ts';
export * as schedule from './schedule.ts';
export type { Schedule } from './schedule.ts';
export { SGD, type SGDSettings, type SGDState } from './sgd.ts';
