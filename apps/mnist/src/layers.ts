/**
 * What goes through each layer: how large its outputs are, how large the loss's gradient is with respect to
 * its parameters, and how far these have moved. Outputs and gradients come from one forward and one backward
 * pass over a probe batch, outside of training, so that training costs nothing for being watched: activations
 * that grow or die from layer to layer, or gradients that vanish, show here first.
 */
import { realize, type Tensor } from '@firsthand/autograd';
import { type Layer, loss, type Module } from '@firsthand/nn';
import type { LayerStatistics } from './tables.ts';

/** Images and labels of one batch, on the model's device. */
export interface Batch {
  readonly image: Tensor; // (N, 784)
  readonly label: Tensor; // (N)
}

/** A copy of the parameters' elements, by name. */
export type Snapshot = ReadonlyMap<string, ArrayLike<number>>;

/** The parameters as they are now. */
export async function snapshot(model: Module): Promise<Snapshot> {
  const entries = [...model.namedParameters()].map(
    async ([name, parameter]) => [name, await parameter.data()] as const,
  );
  return new Map(await Promise.all(entries));
}

/**
 * Measures every layer of the model. Leaves the gradients as it found them: there must be none.
 * @param before the parameters that updates are counted from
 */
export async function measureLayers(
  model: Layer,
  probe: Batch,
  before: Snapshot,
): Promise<LayerStatistics[]> {
  const outputs = new Map<string, Tensor>();
  const layers = [...model.namedModules()].filter(([name]) => name !== '');
  const unsubscribe = layers.map(([name, layer]) =>
    layer.onForward((_, __, output) => outputs.set(name, output as Tensor)),
  );
  loss.crossEntropy(model.forward(probe.image), probe.label).backward();
  for (const end of unsubscribe) end();
  const parameters = model.parameters();
  // Together: one forward pass serves all
  await realize(...outputs.values(), ...parameters.map((parameter) => parameter.grad!));
  const after = await snapshot(model);
  const gradients = new Map<string, ArrayLike<number>>();
  for (const [name, parameter] of model.namedParameters()) {
    gradients.set(name, await parameter.grad!.data());
    parameter.grad = null;
  }
  const statistics = layers.map(async ([name]): Promise<LayerStatistics> => {
    const ofLayer = [...after.keys()].filter((parameter) => parameter.startsWith(`${name}.`));
    const activation = rootMeanSquare([await outputs.get(name)!.data()]);
    if (ofLayer.length === 0) return { name, activation, gradient: null, update: null };
    const change = ofLayer.map((parameter) =>
      Float64Array.from(after.get(parameter)!, (value, i) => value - before.get(parameter)![i]!),
    );
    const size = rootMeanSquare(ofLayer.map((parameter) => before.get(parameter)!));
    return {
      name,
      activation,
      gradient: rootMeanSquare(ofLayer.map((parameter) => gradients.get(parameter)!)),
      update: rootMeanSquare(change) / size,
    };
  });
  return Promise.all(statistics);
}

/** √(Σ x² / n) over all the arrays' elements. */
function rootMeanSquare(arrays: readonly ArrayLike<number>[]): number {
  let squares = 0;
  let count = 0;
  for (const array of arrays) {
    for (let i = 0; i < array.length; i++) squares += array[i]! ** 2;
    count += array.length;
  }
  return Math.sqrt(squares / count);
}
