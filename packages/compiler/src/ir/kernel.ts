/**
 * The vocabulary of kernels: a program becomes a list of loop nests over scalar expressions. A kernel names
 * its arrays by operand number, so that kernels with the same body are the same code; a planned kernel binds
 * the operands to buffers. A scalar expression is a graph: an object that occurs twice is computed once.
 */
import type {
  ArgReduceKind,
  Attrs,
  BinaryKind,
  Composite,
  DType,
  ReduceKind,
  ScanKind,
  Shape,
  Spec,
  UnaryKind,
} from '@firsthand/graph';
import type { Index } from './index-expression.ts';

/** What one iteration of a kernel computes. Axes are numbered from the outermost loop to the innermost. */
export type Scalar =
  | { readonly op: 'const'; readonly dtype: DType; readonly value: number }
  /**
   * The element of an operand. Loads under a guard (`where` on `inside`) may point anywhere where the guard
   * is false.
   */
  | { readonly op: 'load'; readonly dtype: DType; readonly operand: number; readonly index: Index }
  /** The integer that an index expression gives. */
  | { readonly op: 'index'; readonly dtype: 'int32'; readonly index: Index }
  /** low ≤ index < high */
  | {
      readonly op: 'inside';
      readonly dtype: 'bool';
      readonly index: Index;
      readonly low: number;
      readonly high: number;
    }
  /**
   * The element at index + position·stride of an operand, for 0 ≤ position < extent; elsewhere NaN, or 0 for
   * integers and bool. `position` is int32 or uint32.
   */
  | {
      readonly op: 'gather';
      readonly dtype: DType;
      readonly operand: number;
      readonly index: Index;
      readonly position: Scalar;
      readonly stride: number;
      readonly extent: number;
    }
  /**
   * Word `index` of the Philox stream: block counter + ⌊index/4⌋, word index mod 4; float32 is (word >>>
   * 8)·2⁻²⁴. All four inputs are uint32.
   */
  | {
      readonly op: 'random';
      readonly dtype: 'uint32' | 'float32';
      readonly key: readonly [Scalar, Scalar];
      readonly counter: readonly [Scalar, Scalar];
      readonly index: Index;
    }
  /** float16 results are computed in float32 and rounded to float16 by every operation. */
  | { readonly op: 'unary'; readonly dtype: DType; readonly kind: UnaryKind; readonly x: Scalar }
  /** `dtype` is the result's: bool for comparisons. The operands share one dtype. */
  | {
      readonly op: 'binary';
      readonly dtype: DType;
      readonly kind: BinaryKind;
      readonly a: Scalar;
      readonly b: Scalar;
    }
  | {
      readonly op: 'where';
      readonly dtype: DType;
      readonly condition: Scalar;
      readonly a: Scalar;
      readonly b: Scalar;
    }
  | { readonly op: 'cast'; readonly dtype: DType; readonly x: Scalar }
  /** The result of a reduction of an earlier pass: one value per row. */
  | { readonly op: 'reduced'; readonly dtype: DType; readonly reduction: number }
  /** In a contract kernel the finished sum, in a scan kernel the running sum that includes this element. */
  | { readonly op: 'total'; readonly dtype: DType };

/** The names of scalar operations. */
export type ScalarOp = Scalar['op'];

/** One array that a kernel touches. */
export interface Operand {
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  readonly access: 'read' | 'write' | 'update';
}

/** operand[index] = value. In one iteration all values are computed before any is stored. */
export interface Store {
  readonly operand: number;
  readonly index: Index;
  readonly value: Scalar;
}

/**
 * A reduction over all columns of a row. argmax and argmin give the position among the columns (in row-major
 * order) of the first extreme, or of the first NaN.
 */
export interface Reduction {
  readonly kind: ReduceKind | ArgReduceKind;
  /** The result's dtype: that of `value`, int32 for argmax and argmin. */
  readonly dtype: DType;
  readonly value: Scalar;
}

/** One loop over the reduction axes of a row: reductions by number, and stores at every column. */
export interface Pass {
  /** Numbers in `LoopKernel.reductions`; a pass reads results of earlier passes only. */
  readonly reductions: readonly number[];
  readonly stores: readonly Store[];
}

/** The loops over the columns of a row, one pass after another, and the stores after the last. */
export interface RowLoops {
  /** Extents of the columns, whose axes come after those of the rows. At least one. */
  readonly columns: readonly number[];
  readonly reductions: readonly Reduction[];
  readonly passes: readonly Pass[];
  /** Once per row, after the last pass: indices over the row axes only. */
  readonly rowStores: readonly Store[];
}

/**
 * for each row { for each pass { for each column … }; row stores }. A map has one pass without reductions,
 * and its innermost axis as column; a reduce has one pass, and stores per row; softmax has three passes.
 * Every extent is at least 1.
 */
export interface LoopKernel extends RowLoops {
  readonly kind: 'loop';
  readonly operands: readonly Operand[];
  /** Extents of the parallel axes: axes 0 to rows.length − 1. */
  readonly rows: readonly number[];
}

/** A matrix in memory: an index into an operand. */
export interface StoredMatrix {
  readonly operand: number;
  readonly index: Index;
}

/**
 * An implicit matrix: not materialised, each element is computed where the product reads it (the windows of a
 * convolution, a cast). Axes: the batch axes of the product, then those whose product is k, then those whose
 * product is m or n.
 */
export interface ImplicitMatrix {
  readonly value: Scalar;
  /**
   * Extents whose product is k, and extents whose product is m or n: at least one of each, outermost first.
   */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

/**
 * total[batch, m, n] = Σₖ a[batch, m, k]·b[batch, k, n], then the stores, then the row epilogue after each
 * row. Axes: the batch axes, then m, n, k; the stores run over the batch axes, m and n. The dtype of both
 * matrices is that of the total: float32, float64, int32 or uint32.
 */
export interface ContractKernel {
  readonly kind: 'contract';
  readonly operands: readonly Operand[];
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: DType;
  /** Stored; or computed, for targets that ask for it. */
  readonly a: StoredMatrix | ImplicitMatrix;
  readonly b: StoredMatrix | ImplicitMatrix;
  readonly stores: readonly Store[];
  /**
   * The row epilogue (softmax, norm, loss), run as soon as a row is complete; null for none. Its axes are the
   * batch axes and m, then the columns. It loads what the stores of that row wrote.
   */
  readonly rowEpilogue: RowLoops | null;
}

/**
 * A scan along the columns of each row: running sums of `value`, running products of it, or total =
 * coefficient·total + value. Stores at every column, whose values contain `total`. Floats are accumulated in
 * float64 where the target has it.
 */
export interface ScanKernel {
  readonly kind: 'scan';
  readonly scan: ScanKind;
  readonly operands: readonly Operand[];
  readonly rows: readonly number[];
  /** Extent of the last axis. */
  readonly count: number;
  readonly dtype: DType;
  readonly value: Scalar;
  /** The coefficients of the linear recurrence; null for sums and products. */
  readonly coefficient: Scalar | null;
  readonly stores: readonly Store[];
}

/**
 * For each index in row-major order: where 0 ≤ position < extent, target[index + position·stride] is set to
 * `value`, or has it added. The target holds the base already. So the last `set` wins, and sums have one
 * order.
 */
export interface ScatterKernel {
  readonly kind: 'scatter';
  readonly operands: readonly Operand[];
  readonly extents: readonly number[];
  readonly mode: 'add' | 'set';
  readonly target: number;
  readonly index: Index;
  readonly position: Scalar;
  readonly stride: number;
  readonly extent: number;
  readonly value: Scalar;
}

/**
 * The int32 permutation that sorts `value` along the last axis of each row: stable, −0 equal to 0, NaN last
 * in both directions.
 */
export interface SortKernel {
  readonly kind: 'sort';
  readonly operands: readonly Operand[];
  readonly rows: readonly number[];
  readonly count: number;
  readonly descending: boolean;
  /** Over the rows and the sorted axis. */
  readonly value: Scalar;
  /** Where the permutation goes: over the rows and the sorted axis. */
  readonly target: { readonly operand: number; readonly index: Index };
}

/** An array that a kernel reads or writes whole, packed in row-major order. */
export interface WholeArray {
  readonly operand: number;
  readonly shape: Shape;
}

/** A composite for which the target has code of its own. An array that is passed twice is one operand. */
export interface CustomKernel {
  readonly kind: 'custom';
  readonly operands: readonly Operand[];
  readonly composite: Composite;
  readonly attrs: Attrs;
  readonly inputs: readonly WholeArray[];
  readonly outputs: readonly WholeArray[];
}

/** A loop nest, or what stands for one. */
export type Kernel = LoopKernel | ContractKernel | ScanKernel | ScatterKernel | SortKernel | CustomKernel;
/** The kinds of kernels. */
export type KernelKind = Kernel['kind'];

/**
 * The location of a buffer: `offset` bytes into an argument, an output or the arena. A part of another array
 * begins at a multiple of the target's `partAlignment`, any other arena buffer at a multiple of `ALIGNMENT`.
 */
export type BufferLocation =
  | { readonly kind: 'argument'; readonly argument: number; readonly offset: number }
  | { readonly kind: 'output'; readonly output: number; readonly offset: number }
  | { readonly kind: 'arena'; readonly offset: number };

/** Bytes to which arena offsets are rounded: one cache line. */
export const ALIGNMENT = 64;

/** One array of a plan. */
export interface PlanBuffer {
  readonly dtype: DType;
  readonly length: number;
  readonly location: BufferLocation;
}

/**
 * What a target has planned for a kernel; targets add what they emit code from (tiles, partition,
 * dispatches).
 */
export interface KernelPlan {
  /** Bytes of working memory that the kernel needs while it runs. */
  readonly scratch: number;
  /**
   * Of a matrix product with a row epilogue: whether to fuse the two. Default: two kernels, and this plan is
   * dropped.
   */
  readonly fusesRowEpilogue?: boolean;
}

/** One kernel of a plan, with the buffers that are its operands. */
export interface PlannedKernel<P extends KernelPlan = KernelPlan> {
  /** One object for all kernels of a plan that are equal. */
  readonly kernel: Kernel;
  /** The target's answer for this kernel, one object for all that are equal. */
  readonly plan: P;
  /** Numbers in `Plan.buffers`, one per operand. */
  readonly buffers: readonly number[];
  /** Working memory: the bytes of the target's plan, and their offset in the arena. */
  readonly scratch: { readonly bytes: number; readonly offset: number };
  /** What it computes, in the words of the graph: `softmax`, `matmul + add + relu`. */
  readonly name: string;
  readonly nodes: readonly string[];
  /** Why it was not fused with its neighbours. */
  readonly boundary: string;
}

/** An output of a program: the argument whose storage it overwrites, or null for a storage of its own. */
export interface PlanOutput {
  readonly buffer: number;
  readonly dtype: DType;
  readonly length: number;
  readonly into: number | null;
}

/** An executable plan: kernels in order, and the location of every array. */
export interface Plan<P extends KernelPlan = KernelPlan> {
  /** All of each argument, and what else kernels touch; some are parts of others. */
  readonly buffers: readonly PlanBuffer[];
  readonly kernels: readonly PlannedKernel<P>[];
  /** In the order of the program: effects, then roots. */
  readonly outputs: readonly PlanOutput[];
  /** Bytes of the arena. */
  readonly arenaBytes: number;
  /** The largest number of bytes of intermediates (and scratch) alive at once: no arena is smaller. */
  readonly liveBytes: number;
}

/** What a device tells the compiler of itself. */
export interface Target<P extends KernelPlan = KernelPlan> {
  /** Plans a kernel. Called once for each distinct kernel of a program; code is emitted from the answer. */
  plan(kernel: Kernel): P;
  /** Whether to accumulate scattered sums in float64. */
  readonly float64: boolean;
  /** Whether the target has a custom kernel for a call of a composite. Default: for matrix products only. */
  hasKernel?(composite: Composite, attrs: Attrs, inputs: readonly Spec[]): boolean;
  /** Whether matrix products may have implicit operands, where that is cheaper than materialising them. */
  readonly implicitMatrices?: boolean;
  /**
   * Whether a product casts float16 in a left matrix whose rows are not contiguous: element by element, but
   * without another array.
   */
  readonly widensColumns?: boolean;
  /**
   * Whether the target has code for row epilogues: it then plans a matrix product fused with the
   * row-wise kernel (softmax, norm, loss) behind it. Default: false.
   */
  readonly rowEpilogues?: boolean;
  /** Whether to split large full reductions into partial ones, which threads share. Default: false. */
  readonly splitsReductions?: boolean;
  /**
   * Most operations of a kernel of single numbers: straight-line code that runs once is not worth a long
   * compilation. Default: 1024.
   */
  readonly singleLimit?: number;
  /**
   * Arrays that a kernel may bind: fusion stops before it exceeds them, small arrays apart. Default: no
   * limit.
   */
  readonly arrayLimit?: number;
  /** Bytes of an element in memory; by default those of its dtype. */
  elementBytes?(dtype: DType): number;
  /**
   * Whether float16 elements are stored as float32: a matrix product then reads such an array without a cast.
   * Default: false.
   */
  readonly storesHalvesAsFloats?: boolean;
  /** Alignment in bytes of a part of an array that is bound as an operand. Default: 1. */
  readonly partAlignment?: number;
  /** Bytes to which offsets in the arena are rounded, a multiple of `ALIGNMENT`, which is the default. */
  readonly alignment?: number;
}
