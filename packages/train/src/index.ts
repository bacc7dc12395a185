/** The training loop, metrics and checkpoints: the public names of the package, and nothing else. */
export type { Batch, BatchSource } from './batch.ts';
export { type CheckpointContents, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
export { evaluate, type EvaluateOptions } from './evaluate.ts';
export { fit, type History } from './fit.ts';
export type { Callbacks, FitOptimizer, FitOptions, StepReport } from './fit-options.ts';
export { accuracy, type Metrics, RunningMeans, type Totals } from './metrics.ts';
export { type EpochReport, Progress, type ProgressState } from './progress.ts';
export { NonFiniteLossError, type NonFinitePolicy } from './non-finite.ts';
export { reportTable } from './report-table.ts';
export type { LossFunction, StepValues } from './step-values.ts';
