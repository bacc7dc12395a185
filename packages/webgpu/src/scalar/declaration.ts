/** What a function of the library is: its WGSL, and which others it calls. */

/** A function in WGSL. */
export interface Declaration<Name extends string> {
  /** The functions that it calls. */
  readonly needs: readonly Name[];
  /** From the comment above it to its last brace. */
  readonly code: string;
}

/** Functions by name. */
export type Declarations<Own extends string, Called extends string> = {
  readonly [K in Own]: Declaration<Called>;
};
