/**
 * The programs of a stream for blocks of every size that occurs: how its state begins, a step, and what
 * becomes of the state in the end; with the working memory that a thread needs to run them.
 */
import { compileProgram, type Kernel, type CustomKernel, type Plan } from '@firsthand/compiler';
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
import { hider, streamOf, type Stream } from './stream.ts';

/**
 * Rows and columns of a block: the scores between them and what they are made of stay in a second-level
 * cache.
 */
export const BLOCK: { readonly rows: number; readonly columns: number } = { rows: 128, columns: 128 };

/** An array that has a part for each row, or for each column: an operand, and elements per part. */
export interface StreamArray {
  readonly operand: number;
  readonly width: number;
}

/** A program of a stream. */
export type StepPlan = Plan<WasmKernelPlan>;

/** The programs for blocks of some rows. */
export interface RowBlock {
  readonly rows: number;
  /** No arguments; gives the state. */
  readonly begin: StepPlan;
  /**
   * For blocks of columns of each size, the large one first: the arrays of the rows, of the columns, the
   * state, the first row and the first column; gives the state.
   */
  readonly steps: readonly { readonly columns: number; readonly plan: StepPlan }[];
  /** The state; gives the outputs. */
  readonly finish: StepPlan;
}

/** A stream for given shapes. */
export interface StreamPlan {
  readonly stream: Stream;
  readonly dtype: DType;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  /** What is added to a query for the last key that it sees; null where all see all. */
  readonly shift: number | null;
  readonly rowArrays: readonly StreamArray[];
  readonly columnArrays: readonly StreamArray[];
  readonly outputs: readonly StreamArray[];
  /** The large block first, then what is left over, if there is a rest. */
  readonly blocks: readonly RowBlock[];
  /**
   * Offsets in a thread's working memory: the first row and column, the state, as it becomes, and what
   * programs need.
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
export function kernelsOf({ blocks }: StreamPlan): readonly Kernel[] {
  return blocks.flatMap(({ begin, steps, finish }) => {
    return [begin, ...steps.map((step) => step.plan), finish].flatMap(({ kernels }) =>
      kernels.map(({ kernel }) => kernel),
    );
  });
}

/** Full blocks first, then the rest. */
function sizesOf(count: number, block: number): readonly number[] {
  return [block, count % block].filter((size) => size > 0 && size <= count);
}

/** The plan of a kernel. @param plan plans a kernel of a step */
export function planStream(kernel: CustomKernel, plan: (kernel: Kernel) => WasmKernelPlan): StreamPlan {
  const stream = streamOf(kernel);
  const attrs = kernel.attrs as AttentionAttrs;
  const arrayOf = ({ operand, shape }: { readonly operand: number; readonly shape: Shape }): StreamArray => ({
    operand,
    width: shape.at(-1)!,
  });
  const rowArrays = stream.rows.map((input) => arrayOf(kernel.inputs[input]!));
  const columnArrays = stream.columns.map((input) => arrayOf(kernel.inputs[input]!));
  const first = kernel.inputs[stream.rows[0]!]!;
  const batch = sizeOf(first.shape.slice(0, -2));
  const [rows, columns] = [first.shape.at(-2)!, kernel.inputs[stream.columns[0]!]!.shape.at(-2)!];
  const dtype = kernel.operands[first.operand]!.dtype;
  const keysBeyond = stream.rowsAreQueries ? columns - rows : rows - columns;
  const shift = attrs.causal ? keysBeyond : null;
  const state = stream.state(kernel.inputs.map(({ shape }) => shape.at(-1)!));
  const target = { plan, float64: true };
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
      ),
      steps: sizesOf(columns, BLOCK.columns).map((across) => ({
        columns: across,
        plan: compileProgram(
          stepProgram(stream, attrs, shift, count, across, {
            rowArrays,
            columnArrays,
            states: states(),
            dtype,
          }),
          target,
        ),
      })),
      finish: compileProgram({ args: ending, effects: [], roots: stream.finish(ending) }, target),
    };
  });
  const programs = blocks.flatMap(({ begin, steps, finish }) => [
    begin,
    ...steps.map((step) => step.plan),
    finish,
  ]);
  const bytes = state.map(({ width }) => blockSize(blocks[0]!.rows * width * DTYPES[dtype].bytes));
  let end = blockSize(8);
  const place = (size: number): number => (end += size) - size;
  const scratch = { starts: 0, state: bytes.map(place), next: bytes.map(place) };
  const arena = place(blockSize(Math.max(...programs.map(({ arenaBytes }) => arenaBytes))));
  return {
    stream,
    dtype,
    batch,
    rows,
    columns,
    shift,
    rowArrays,
    columnArrays,
    outputs: kernel.outputs.map(arrayOf),
    blocks,
    scratch: { ...scratch, arena, bytes: end },
  };
}

interface StepParts {
  readonly rowArrays: readonly StreamArray[];
  readonly columnArrays: readonly StreamArray[];
  readonly states: readonly Leaf[];
  readonly dtype: DType;
}

function stepProgram(
  stream: Stream,
  attrs: AttentionAttrs,
  shift: number | null,
  rows: number,
  columns: number,
  { rowArrays, columnArrays, states, dtype }: StepParts,
): Program {
  const ofRows = rowArrays.map(({ width }) => argument([rows, width], dtype));
  const ofColumns = columnArrays.map(({ width }) => argument([columns, width], dtype));
  const [rowStart, columnStart] = [argument([], 'int32'), argument([], 'int32')];
  const hide = shift === null ? (scores: Node): Node => scores : hider(stream, shift, rowStart, columnStart);
  const next = stream.step(attrs, { rows: ofRows, columns: ofColumns, state: states, hide });
  return {
    args: [...ofRows, ...ofColumns, ...states, rowStart, columnStart],
    effects: next.map((node, index) => ({ node, into: states[index]! })),
    roots: [],
  };
}

function argument(shape: Shape, dtype: DType): Leaf {
  return argumentLeaf(constant(0, shape, dtype));
}
