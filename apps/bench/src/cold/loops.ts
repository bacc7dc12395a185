/** The same in plain loops, which need nothing but the engine: what remains is its own start. */
import { startingParameters, trainingBatches } from '../inputs.ts';
import { createStep } from '../loops/training.ts';
import type { MLPTask } from '../tasks.ts';

export async function firstLoss(task: MLPTask): Promise<number> {
  const [batch] = trainingBatches(task);
  return createStep(task, startingParameters(task))(batch!);
}
