/** The contender that says what is right: plain loops, which anyone can check by reading. */
import type { Contender, Prepared } from '../contender.ts';
import { attentionInputs, mapInputs, matmulInputs, startingParameters, trainingBatches } from '../inputs.ts';
import { attentionForwardAndBackward } from '../loops/attention.ts';
import { GRADIENTS, MAPS } from '../loops/maps.ts';
import { multiply } from '../loops/matmul.ts';
import { createStep } from '../loops/training.ts';
import type { AttentionTask, MapTask, MatmulTask, TrainingTask } from '../tasks.ts';

export function createLoops(): Contender {
  return {
    async prepare(work) {
      switch (work.kind) {
        case 'matmul':
          return prepareMatmul(work);
        case 'map':
          return prepareMap(work);
        case 'attention':
          return prepareAttention(work);
        case 'training':
          return prepareTraining(work);
      }
    },
  };
}

/** What is run again and again, with the last result at hand. */
function repeat(compute: () => readonly Float32Array[]): Prepared {
  let last: readonly Float32Array[] = [];
  return {
    run() {
      last = compute();
    },
    outputs: async () => last,
    release() {
      last = [];
    },
  };
}

function prepareMatmul(task: MatmulTask): Prepared {
  const [a, b] = matmulInputs(task);
  return repeat(() => [multiply(task, a, b)]);
}

function prepareMap(task: MapTask): Prepared {
  const { operands, upstream } = mapInputs(task);
  const given = {
    operands: operands.map(({ values }) => values),
    y: new Float32Array(task.rows * task.columns),
    upstream: upstream.values,
    rows: task.rows,
    columns: task.columns,
  };
  const loop = (task.gradient ? GRADIENTS : MAPS)[task.map];
  return repeat(() => loop(given));
}

function prepareAttention(task: AttentionTask): Prepared {
  const { operands, upstream } = attentionInputs(task);
  const values = operands.map((operand) => operand.values);
  return repeat(() => attentionForwardAndBackward(task, values, upstream.values));
}

function prepareTraining(task: TrainingTask): Prepared {
  const step = createStep(task, startingParameters(task));
  const batches = trainingBatches(task);
  const losses: number[] = [];
  return {
    run() {
      losses.push(step(batches[losses.length % batches.length]!));
    },
    outputs: async () => [Float32Array.from(losses)],
    release() {},
  };
}
