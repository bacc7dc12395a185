/**
 * Loading saved values into tensors: everything is compared first, then everything is assigned, so that a
 * model is never half loaded.
 */
import { type Data, effectGroup, Tensor } from '@firsthand/autograd';
import { array, DTYPES, equalShapes, formatShape, type NDArray } from '@firsthand/linalg';
import { StateDictError, type StateDictMismatch } from './errors.ts';

/** Values by name: a result of `stateDict`, or the whole result of a file reader. */
export type StateDict =
  | ReadonlyMap<string, Tensor | Data>
  | { readonly tensors: ReadonlyMap<string, Tensor | Data>; readonly metadata?: unknown };

/** The map of a state dict. */
const entriesOf = (state: StateDict): ReadonlyMap<string, Tensor | Data> =>
  'tensors' in state ? state.tensors : state;

/**
 * The mismatch of a value with the tensor that it is for, or null. Floating-point values convert to the
 * tensor's dtype, others must have it.
 */
function mismatch(name: string, target: Tensor, value: Tensor | Data): string | null {
  const given: Tensor | NDArray = value instanceof Tensor ? value : array(value, { copy: false });
  if (!equalShapes(target.shape, given.shape))
    return `${name} (${formatShape(target.shape)}, the state has ${formatShape(given.shape)})`;
  if (target.dtype !== given.dtype && !(DTYPES[target.dtype].isFloat && DTYPES[given.dtype].isFloat))
    return `${name} (${target.dtype}, the state has ${given.dtype})`;
  if (given instanceof Tensor && given.device !== target.device)
    return `${name} (on ${target.device.name}, the state's is on ${given.device.name})`;
  return null;
}

/**
 * Compares a state with the tensors it is for.
 * @throws StateDictError if a shape, dtype or device differs; with `strict`, also if names are missing or
 *   left over
 */
export function compareStateDict(
  targets: ReadonlyMap<string, Tensor>,
  state: StateDict,
  strict: boolean,
): StateDictMismatch {
  const values = entriesOf(state);
  const result = {
    missing: [...targets.keys()].filter((name) => !values.has(name)),
    unexpected: [...values.keys()].filter((name) => !targets.has(name)),
    mismatched: [...values].flatMap(([name, given]) => {
      const target = targets.get(name);
      return target === undefined ? [] : (mismatch(name, target, given) ?? []);
    }),
  };
  const { missing, unexpected, mismatched } = result;
  if (mismatched.length > 0 || (strict && missing.length + unexpected.length > 0))
    throw new StateDictError(result);
  return result;
}

/** Assigns to each tensor the value of its name, as one group of effects, after `compareStateDict`. */
export function assignStateDict(targets: ReadonlyMap<string, Tensor>, state: StateDict): void {
  const values = entriesOf(state);
  effectGroup(() => {
    for (const [name, target] of targets) {
      const given = values.get(name);
      if (given !== undefined) target.assign(given instanceof Tensor ? given.cast(target.dtype) : given);
    }
  });
}
