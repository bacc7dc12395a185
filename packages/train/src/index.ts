/** The training loop, metrics and checkpoints: the public names of the package, and nothing else. */
export type { Batch, BatchSource } from './batch.ts';
export { type CheckpointContents, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
export { evaluate, type EvaluateOptions, type LossFunction, type StepValues } from './evaluate.ts';
export { type Callbacks, fit, type FitOptimizer, type FitOptions, type History, type StepReport } from './fit.ts';
export { accuracy, type Metrics, RunningMeans, type Totals } from './metrics.ts';
export { type EpochReport, Progress, type ProgressState } from './progress.ts';
