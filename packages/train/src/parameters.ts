/**
 * Whether a training can change anything: an optimizer made for another model, parameters that no group has,
 * gradients that never arrive. Each would train for hours without a word, and each shows before the first
 * step is over.
 */
import type { Tensor } from '@firsthand/autograd';
import { FirsthandError } from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';

/** Groups of parameters, as an optimizer has them. */
type Groups = readonly { readonly parameters?: Iterable<Tensor> }[];

/** The largest number of names in a message. */
const NAMED = 5;

function list(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** What the optimizer updates, by name; null if it does not say. */
export function updatedTensors(model: Module, groups: Groups): ReadonlyMap<Tensor, string> | null {
  if (groups.some(({ parameters }) => parameters === undefined)) return null;
  const names = new Map<Tensor, string>(
    [...model.namedParameters()].map(([name, parameter]) => [parameter, name]),
  );
  const all = groups.flatMap(({ parameters }) => [...parameters!]);
  return new Map(
    all.map((tensor, index) => [tensor, names.get(tensor) ?? tensor.name ?? `parameter ${index}`]),
  );
}

/**
 * Compares the model's parameters with those that the optimizer updates.
 * @returns warnings: parameters that require a gradient and that the optimizer does not have, and tensors
 *   that it has and the model has not
 * @throws FirsthandError if neither has a tensor that requires a gradient, or the optimizer has none of the
 *   model's
 */
export function compareParameters(model: Module, updated: ReadonlyMap<Tensor, string>): string[] {
  const ofModel = model.namedParameters();
  const trainable = [...ofModel].filter(([, parameter]) => parameter.requiresGrad);
  if (trainable.length === 0 && ![...updated.keys()].some(({ requiresGrad }) => requiresGrad)) {
    throw new FirsthandError({
      operation: 'fit',
      problem: `there is nothing to train: ${ofModel.size === 0 ? 'the model has no parameters' : `all ${countOf(ofModel.size, 'parameter')} of the model are frozen`}`,
      expected: ofModel.size === 0 ? 'layers, or Parameter fields' : 'requiresGrad = true',
      remedy:
        ofModel.size === 0
          ? 'give it layers, or Parameter fields'
          : 'set requiresGrad = true on those that are to learn',
    });
  }
  const missing = trainable.filter(([, parameter]) => !updated.has(parameter)).map(([name]) => name);
  if (missing.length > 0 && missing.length === trainable.length) {
    throw new FirsthandError({
      operation: 'fit',
      problem: `the optimizer has none of the model's parameters (${list(missing)}); it was made for another model`,
      expected: "the model's parameters",
      remedy: 'make it with this model.parameters()',
    });
  }
  const members = new Set<Tensor>(ofModel.values());
  const foreign = [...updated].filter(([tensor]) => !members.has(tensor)).map(([, name]) => name);
  const warnings: string[] = [];
  if (missing.length > 0) {
    warnings.push(
      `${countOf(missing.length, 'parameter')} of the model will not change, since the optimizer does not have them: ` +
        `${list(missing)}; give them to it, or set requiresGrad = false on them`,
    );
  }
  if (foreign.length > 0) {
    warnings.push(
      `${countOf(foreign.length, 'tensor')} of the optimizer are not the model's: ${list(foreign)}; ` +
        'they are updated, but are no part of its state dict',
    );
  }
  return warnings;
}

/**
 * Looks at the gradients of the first step before the optimizer takes it.
 * @returns a warning if tensors that require a gradient have none, else null
 * @throws FirsthandError if no tensor has one
 */
export function inspectGradients(updated: ReadonlyMap<Tensor, string>): string | null {
  const without = [...updated].filter(([{ grad }]) => grad === null);
  if (without.length === updated.size) {
    throw new FirsthandError({
      operation: 'fit',
      problem: `none of the optimizer's ${countOf(updated.size, 'parameter')} got a gradient: the loss does not depend on ${list(without.map(([, name]) => name))}`,
      expected: 'a gradient',
      remedy: 'compute it from model.forward(…) without detach(), and leave requiresGrad true',
    });
  }
  const expected = without.filter(([{ requiresGrad }]) => requiresGrad).map(([, name]) => name);
  if (expected.length === 0) return null;
  return (
    `${countOf(expected.length, 'parameter')} got no gradient in the first step, since the loss does not depend on them: ` +
    `${list(expected)}; use them in forward, or set requiresGrad = false on them`
  );
}
