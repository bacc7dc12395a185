/**
 * The error of files. Bytes from outside are hostile until parsed, so a reader checks lengths, offsets and
 * overlaps before it trusts them, and reports the position of the first contradiction.
 */
import { type ErrorFacts, FirsthandError } from '@firsthand/linalg';

/**
 * The position of a fault in a file: `offset` in bytes from its start, `line` counted from 1 (text formats
 * only).
 */
export interface FormatErrorPlace {
  readonly offset?: number;
  readonly line?: number;
}

/** A file, or a state that was saved to one, that does not say what its format requires. */
export class FormatError extends FirsthandError {
  override readonly name: string = 'FormatError';
  /** bytes from the start of the file to what is wrong, or null if there is no single position */
  readonly offset: number | null;
  /** the line of a text file, counted from 1, or null */
  readonly line: number | null;

  /**
   * @param facts the reader, what is wrong, and what was expected instead; or a whole message, for a
   *   format of one's own
   * @param position of the fault in the file, with which the message ends
   */
  constructor(facts: (ErrorFacts & { readonly problem: string }) | string, position: FormatErrorPlace = {}) {
    const { offset = null, line = null } = position;
    const positions = [
      ...(line === null ? [] : [`line ${line}`]),
      ...(offset === null ? [] : [`byte ${offset}`]),
    ];
    const at = positions.length === 0 ? '' : ` (at ${positions.join(', ')})`;
    if (typeof facts === 'string') super(facts + at);
    else
      super(
        facts.remedy === undefined
          ? { ...facts, problem: facts.problem + at }
          : { ...facts, remedy: facts.remedy + at },
      );
    this.offset = offset;
    this.line = line;
  }
}
