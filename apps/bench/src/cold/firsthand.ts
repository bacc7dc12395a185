/**
 * The first step of the MLP with this project: a program from its imports to the first loss, as small as one
 * writes it.
 */
import { compile, setDefaultDevice, type Tensor, tensor } from '@firsthand/autograd';
import { array } from '@firsthand/linalg';
import { loss } from '@firsthand/nn';
import { AdamW } from '@firsthand/optim';
import { createWasm } from '@firsthand/wasm';
import { startingParameters, trainingBatches } from '../inputs.ts';
import { MLP } from '../mlp.ts';
import { ADAM, type MLPTask } from '../tasks.ts';

export async function firstLoss(task: MLPTask): Promise<number> {
  setDefaultDevice(await createWasm({ threads: 1 }));
  const model = new MLP(task.inputs, task.hidden, task.classes);
  model.loadStateDict(
    new Map(startingParameters(task).map(({ name, shape, values }) => [name, array(values, { shape })])),
  );
  const { rate, beta1, beta2, epsilon } = ADAM;
  const optimizer = new AdamW(model.parameters(), {
    lr: rate,
    betas: [beta1, beta2],
    eps: epsilon,
    weightDecay: 0,
  });
  const step = compile((x: Tensor, y: Tensor) => {
    const value = loss.crossEntropy(model.forward(x), y);
    value.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return value;
  });
  const [batch] = trainingBatches(task);
  return step(tensor(batch!.x, { shape: [task.batch, task.inputs] }), tensor(batch!.y)).item();
}
