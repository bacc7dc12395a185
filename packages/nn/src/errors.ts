/**
 * The error of saved state that does not fit. It lists all mismatches at once, so that a wrong checkpoint is
 * understood in one attempt, and it is thrown before anything is loaded.
 */
import { FirsthandError } from '@firsthand/linalg';

/** What differs between a model and a state dict. */
export interface StateDictMismatch {
  /** names that the model has and the state lacks */
  readonly missing: readonly string[];
  /** names that the state has and the model lacks */
  readonly unexpected: readonly string[];
  /** names whose shape, dtype or device differs, with both */
  readonly mismatched: readonly string[];
}

/** A state dict that does not fit the model; the model is as it was. */
export class StateDictError extends FirsthandError implements StateDictMismatch {
  override readonly name: string = 'StateDictError';
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly mismatched: readonly string[];

  /** @param message what does not fit what, and what to do, if it is not about a state dict that is loaded */
  constructor(
    { missing, unexpected, mismatched }: StateDictMismatch,
    operation = 'loadStateDict',
    message?: { readonly subject: string; readonly expected: string; readonly remedy: string },
  ) {
    const lists = Object.entries({ missing, unexpected, mismatched }).filter(([, names]) => names.length > 0);
    const details = lists.map(([kind, names]) => `${kind}: ${names.join(', ')}`).join('; ');
    const { subject, expected, remedy } = message ?? {
      subject: 'the state does not fit the model',
      expected: 'the names, shapes and dtypes of the model',
      remedy:
        mismatched.length > 0
          ? 'build the model as the one that was saved'
          : 'build it so, or pass { strict: false } to load the rest',
    };
    super({ operation, problem: `${subject}: ${details}`, expected, remedy });
    this.missing = missing;
    this.unexpected = unexpected;
    this.mismatched = mismatched;
  }
}
