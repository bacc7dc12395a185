/**
 * Loading saved values into tensors: everything is compared first, then everything is assigned, so that a
 * model is never half loaded.
 */
import { type Data, effectGroup, Tensor } from '@firsthand/autograd';
import { array, DTYPES, equalShapes, formatShape, type NDArray } from '@firsthand/linalg';
import { StateDictError, type StateDictMismatch } from './errors.ts';

/**
 * Values by name, as `stateDict` gives them, or as a file holds them; what a reader gives may be passed
 * whole.
 */
export type StateDict =
  | ReadonlyMap<string, Tensor | Data>
  | { readonly tensors: ReadonlyMap<string, Tensor | Data>; readonly metadata?: unknown };

/** The map of a state dict. */
const entriesOf = (state: StateDict): ReadonlyMap<string, Tensor | Data> =>
  'tensors' in state ? state.tensors : state;

/**
 * The mismatch of one value with its place, or null. Floating-point values convert to the place's dtype,
 * others must have it.
 */
function mismatch(name: string, own: Tensor, value: Tensor | Data): string | null {
  const given: Tensor | NDArray = value instanceof Tensor ? value : array(value, { copy: false });
  if (!equalShapes(own.shape, given.shape))
    return `${name} (${formatShape(own.shape)}, the state has ${formatShape(given.shape)})`;
  if (own.dtype !== given.dtype && !(DTYPES[own.dtype].isFloat && DTYPES[given.dtype].isFloat))
    return `${name} (${own.dtype}, the state has ${given.dtype})`;
  if (given instanceof Tensor && given.device !== own.device)
    return `${name} (on ${own.device.name}, the state's is on ${given.device.name})`;
  return null;
}

/**
 * Compares a state with the tensors it is for.
 * @throws StateDictError if a shape, dtype or device differs; with `strict`, also if names are missing or
 *   left over
 */
export function compareStateDict(
  own: ReadonlyMap<string, Tensor>,
  state: StateDict,
  strict: boolean,
): StateDictMismatch {
  const values = entriesOf(state);
  const result = {
    missing: [...own.keys()].filter((name) => !values.has(name)),
    unexpected: [...values.keys()].filter((name) => !own.has(name)),
    mismatched: [...values].flatMap(([name, given]) => {
      const place = own.get(name);
      return place === undefined ? [] : (mismatch(name, place, given) ?? []);
    }),
  };
  const { missing, unexpected, mismatched } = result;
  if (mismatched.length > 0 || (strict && missing.length + unexpected.length > 0))
    throw new StateDictError(result);
  return result;
}

/** Assigns to each tensor the value of its name, all of them together; the state has been compared. */
export function assignStateDict(own: ReadonlyMap<string, Tensor>, state: StateDict): void {
  const values = entriesOf(state);
  effectGroup(() => {
    for (const [name, target] of own) {
      const given = values.get(name);
      if (given !== undefined) target.assign(given instanceof Tensor ? given.cast(target.dtype) : given);
    }
  });
}
