/**
 * The seam between kernels and the runtime: a kernel becomes one or more shaders, which are text and numbers
 * and nothing else. Everything about a kernel's memory that changes its text is said in a layout, so that
 * equal texts are one pipeline.
 */

/** What a shader binds, in the order of `@binding` numbers. */
export type Binding =
  | { readonly kind: 'operand'; readonly operand: number; readonly access: Access }
  /** Operands that lie side by side in one buffer, since there are more than a shader may bind. */
  | { readonly kind: 'packed' }
  /** The working memory of the kernel, as 32-bit words. */
  | { readonly kind: 'scratch' };

/** How a binding is declared. */
export type Access = 'read' | 'read_write';

/** One dispatch. */
export interface Shader {
  /** A module with the entry point `main`; its bindings are those of group 0. */
  readonly wgsl: string;
  readonly bindings: readonly Binding[];
  /**
   * Workgroups in all. They are numbered by `groupNumber` of emit/module.ts, however they are laid out in
   * three dimensions.
   */
  readonly workgroups: number;
}

/** Where the operands of one kernel lie, as far as its text depends on it. */
export interface OperandLayout {
  /**
   * For each operand the one whose memory it is: itself, but for an array that is overwritten by what is
   * computed from it.
   */
  readonly aliasOf: readonly number[];
  /**
   * Arrays of the arena are declared writable in every kernel: they are parts of one buffer, which must not
   * be bound both ways.
   */
  readonly access: readonly Access[];
  /** For operands in the packed buffer the word that they begin at. */
  readonly packed: ReadonlyMap<number, number>;
}
