/** The declaration of a library function: its WGSL, and the functions that it calls. */

/** A function in WGSL. */
export interface Declaration<Name extends string> {
  /** The functions that it calls. */
  readonly needs: readonly Name[];
  /** The text, from the comment above it to its last brace. */
  readonly code: string;
}

/** Functions by name. */
export type Declarations<Defined extends string, Called extends string> = {
  readonly [K in Defined]: Declaration<Called>;
};
