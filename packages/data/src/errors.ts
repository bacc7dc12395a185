/**
 * The error of files. Bytes from outside are hostile until parsed, so a reader checks lengths, offsets and
 * overlaps before it believes them, and says where the first thing is that cannot be true.
 */
import { type ErrorFacts, FirsthandError } from '@firsthand/linalg';

/**
 * Where in a file something is wrong: `offset` in bytes from its start, `line` counted from 1 (text formats
 * only).
 */
export interface FormatErrorPlace {
  readonly offset?: number;
  readonly line?: number;
}

/** A file, or a state that was saved to one, that does not say what its format requires. */
export class FormatError extends FirsthandError {
  override readonly name: string = 'FormatError';
  /** bytes from the start of the file to what is wrong, or null where no single place is */
  readonly offset: number | null;
  /** the line of a text file, counted from 1, or null */
  readonly line: number | null;

  /**
   * @param facts the reader, what is wrong, and what was expected in its place; or a whole message, for a
   *   format of one's own
   * @param place where in the file, with which the message ends
   */
  constructor(facts: (ErrorFacts & { readonly problem: string }) | string, place: FormatErrorPlace = {}) {
    const { offset = null, line = null } = place;
    const places = [
      ...(line === null ? [] : [`line ${line}`]),
      ...(offset === null ? [] : [`byte ${offset}`]),
    ];
    const at = places.length === 0 ? '' : ` (at ${places.join(', ')})`;
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
