/**
 * The programs of a blockwise algorithm for each size of block that occurs (initial state, step, outputs),
 * and the working memory that a thread needs to run them.
 */
import { compileProgram, KernelTable, type Kernel, type CustomKernel, type Plan } from '@firsthand/compiler';
import {
  argumentLeaf,
  constant,
  type AttentionAttrs,
  type Leaf,
  type Node,
  type Program,
  type Shape,
} from '@firsthand/graph';
import { DTYPES, sizeOf, type DType } from '@firsthand/linalg';
import type { WasmKernelPlan } from '../kernels/kernel-plan.ts';
import { blockSize } from '../memory/heap.ts';
import { causalMask, algorithmOf, type BlockwiseAlgorithm } from './algorithms.ts';

/** Rows and columns of a block: their scores and intermediates stay in a second-level cache. */
export const BLOCK: { readonly rows: number; readonly columns: number } = { rows: 128, columns: 128 };

/** An array indexed by row or by column: its operand, and elements per index. */
export interface BlockArray {
  readonly operand: number;
  readonly width: number;
}

/** A program of the algorithm. */
export type StepPlan = Plan<WasmKernelPlan>;

/** The programs for blocks of one number of rows. */
export interface RowBlock {
  readonly rows: number;
  /** No arguments; gives the state. */
  readonly begin: StepPlan;
  /**
   * For blocks of columns of each size, the large one first. Arguments: the arrays of the rows, of the
   * columns, the state, the first row and the first column. Outputs: the state.
   */
  readonly steps: readonly { readonly columns: number; readonly plan: StepPlan }[];
  /** The state; gives the outputs. */
  readonly outputs: StepPlan;
}

/** A blockwise algorithm for given shapes. */
export interface BlockwisePlan {
  readonly algorithm: BlockwiseAlgorithm;
  readonly dtype: DType;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  /** Added to a query: the last key that it sees. Null without a causal mask. */
  readonly diagonalOffset: number | null;
  readonly rowArrays: readonly BlockArray[];
  readonly columnArrays: readonly BlockArray[];
  readonly outputs: readonly BlockArray[];
  /** The full block first, then the remainder, if there is one. */
  readonly blocks: readonly RowBlock[];
  /**
   * Offsets in a thread's working memory: the first row and column, the state, the next state, and the
   * programs' arena.
   */
  readonly scratch: {
    readonly starts: number;
    readonly state: readonly number[];
    readonly next: readonly number[];
    readonly arena: number;
    readonly bytes: number;
  };
}

/** All kernels of a plan's programs. */
export function kernelsOf({ blocks }: BlockwisePlan): readonly Kernel[] {
  return blocks.flatMap(({ begin, steps, outputs }) => {
    return [begin, ...steps.map((step) => step.plan), outputs].flatMap(({ kernels }) =>
      kernels.map(({ kernel }) => kernel),
    );
  });
}

/** Full blocks first, then the rest. */
function sizesOf(count: number, block: number): readonly number[] {
  return [block, count % block].filter((size) => size > 0 && size <= count);
}

/** The plan of a kernel. @param plan plans a kernel of a step */
export function planBlockwise(kernel: CustomKernel, plan: (kernel: Kernel) => WasmKernelPlan): BlockwisePlan {
  const algorithm = algorithmOf(kernel);
  const attrs = kernel.attrs as AttentionAttrs;
  const arrayOf = ({ operand, shape }: { readonly operand: number; readonly shape: Shape }): BlockArray => ({
    operand,
    width: shape.at(-1)!,
  });
  const rowArrays = algorithm.rows.map((input) => arrayOf(kernel.inputs[input]!));
  const columnArrays = algorithm.columns.map((input) => arrayOf(kernel.inputs[input]!));
  const first = kernel.inputs[algorithm.rows[0]!]!;
  const batch = sizeOf(first.shape.slice(0, -2));
  const [rows, columns] = [first.shape.at(-2)!, kernel.inputs[algorithm.columns[0]!]!.shape.at(-2)!];
  const dtype = kernel.operands[first.operand]!.dtype;
  const keysBeyond = algorithm.rowsAreQueries ? columns - rows : rows - columns;
  const diagonalOffset = attrs.causal ? keysBeyond : null;
  const state = algorithm.state(kernel.inputs.map(({ shape }) => shape.at(-1)!));
  const target = { plan, float64: true };
  const table = new KernelTable<WasmKernelPlan>(target);
  const blocks = sizesOf(rows, BLOCK.rows).map((count): RowBlock => {
    const states = (): Leaf[] => state.map(({ width }) => argument([count, width], dtype));
    const ending = states();
    return {
      rows: count,
      begin: compileProgram(
        {
          args: [],
          effects: [],
          roots: state.map(({ width, initial }) => constant(initial, [count, width], dtype)),
        },
        target,
        table,
      ),
      steps: sizesOf(columns, BLOCK.columns).map((across) => ({
        columns: across,
        plan: compileProgram(
          stepProgram(algorithm, attrs, diagonalOffset, count, across, {
            rowArrays,
            columnArrays,
            states: states(),
            dtype,
          }),
          target,
          table,
        ),
      })),
      outputs: compileProgram({ args: ending, effects: [], roots: algorithm.outputs(ending) }, target, table),
    };
  });
  const programs = blocks.flatMap(({ begin, steps, outputs }) => [
    begin,
    ...steps.map((step) => step.plan),
    outputs,
  ]);
  const bytes = state.map(({ width }) => blockSize(blocks[0]!.rows * width * DTYPES[dtype].bytes));
  let end = blockSize(8);
  const allocate = (size: number): number => (end += size) - size;
  const scratch = { starts: 0, state: bytes.map(allocate), next: bytes.map(allocate) };
  const arena = allocate(blockSize(Math.max(...programs.map(({ arenaBytes }) => arenaBytes))));
  return {
    algorithm: algorithm,
    dtype,
    batch,
    rows,
    columns,
    diagonalOffset: diagonalOffset,
    rowArrays,
    columnArrays,
    outputs: kernel.outputs.map(arrayOf),
    blocks,
    scratch: { ...scratch, arena, bytes: end },
  };
}

interface StepParts {
  readonly rowArrays: readonly BlockArray[];
  readonly columnArrays: readonly BlockArray[];
  readonly states: readonly Leaf[];
  readonly dtype: DType;
}

function stepProgram(
  algorithm: BlockwiseAlgorithm,
  attrs: AttentionAttrs,
  diagonalOffset: number | null,
  rows: number,
  columns: number,
  { rowArrays, columnArrays, states, dtype }: StepParts,
): Program {
  const ofRows = rowArrays.map(({ width }) => argument([rows, width], dtype));
  const ofColumns = columnArrays.map(({ width }) => argument([columns, width], dtype));
  const [rowStart, columnStart] = [argument([], 'int32'), argument([], 'int32')];
  const mask =
    diagonalOffset === null
      ? (scores: Node): Node => scores
      : causalMask(algorithm, diagonalOffset, rowStart, columnStart);
  const next = algorithm.step(attrs, { rows: ofRows, columns: ofColumns, state: states, mask: mask });
  return {
    args: [...ofRows, ...ofColumns, ...states, rowStart, columnStart],
    effects: next.map((node, index) => ({ node, into: states[index]! })),
    roots: [],
  };
}

function argument(shape: Shape, dtype: DType): Leaf {
  return argumentLeaf(constant(0, shape, dtype));
}
