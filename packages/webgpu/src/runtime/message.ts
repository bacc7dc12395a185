/** The message of whatever has been thrown. */

/** The message of an error, or whatever else has been thrown as text. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
