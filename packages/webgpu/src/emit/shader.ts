/**
 * The seam between kernels and the runtime. A kernel is planned once; from the plan and the layout of its
 * operands its shaders are emitted, which are text and numbers only. The layout holds everything about a
 * kernel's memory that changes the text, so that equal texts share a pipeline.
 */
import type { KernelPlan } from '@firsthand/compiler';

/** What a shader binds, in the order of `@binding` numbers. */
export type Binding =
  | { readonly kind: 'operand'; readonly operand: number; readonly access: Access }
  /** The buffer of packed operands, where a kernel has more operands than a shader may bind. */
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
  /** Workgroups in all. `shaderOf` numbers them, however a dispatch arranges them in two dimensions. */
  readonly workgroups: number;
}

/** Where the operands of a kernel are in memory, as far as the text depends on it. */
export interface OperandLayout {
  /** For each operand the one whose memory it uses: itself, unless a result overwrites an argument. */
  readonly aliasOf: readonly number[];
  /**
   * Arrays of the arena are declared writable in every kernel: they are parts of one buffer, which must not
   * be bound in both ways.
   */
  readonly access: readonly Access[];
  /** For operands in the packed buffer the word at which they begin. */
  readonly packed: ReadonlyMap<number, number>;
}

/** How a kernel runs on the GPU, decided once; its shaders are emitted from it. */
export interface ShaderPlan<P = unknown> extends KernelPlan {
  /** Which invocations compute what: data that prints. */
  readonly partition: P;
  /** The dispatches of the kernel, in order. */
  emit(layout: OperandLayout): readonly Shader[];
}
