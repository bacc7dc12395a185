/**
 * One pass over the columns of a row: the loop over the reduction axes, what it accumulates, what it stores.
 */
import type { LoopKernel, Pass } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from '../emit/axes.ts';
import type { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope } from '../emit/expression-writer.ts';
import { Operands } from '../emit/operands.ts';
import type { OperandLayout } from '../emit/shader.ts';
import { accumulatorOf, type Accumulator } from './reductions.ts';

/** The expressions of a kernel, and the scope of the current row. */
export interface Row {
  readonly scope: Scope;
  readonly expressions: ExpressionWriter;
}

/** The columns of an invocation: every `step`th from `first` on, at most `count`. */
export interface ColumnRange {
  readonly first: string;
  readonly step: number;
  readonly count: number;
}

/** Summands above which sums are blocked. */
const BLOCK = 32;

/** Begins the row with the number `row`. The result of reduction n is named rn there. */
export function openRow(kernel: LoopKernel, layout: OperandLayout, body: Block, row: string): Row {
  const axes = range(kernel.rows.length);
  declareAxes(body, axes, kernel.rows, row);
  const scope = new Scope(body.insertionPoint(), axes);
  const reduced = (reduction: number): { name: string; scope: Scope } => ({ name: `r${reduction}`, scope });
  return {
    scope,
    expressions: new ExpressionWriter(new Operands(kernel.operands, layout), extentsOf(kernel), { reduced }),
  };
}

/**
 * Emits one pass over some columns of a row: resets the accumulators of its reductions, then at each column
 * accumulates and stores. Long loops are blocked.
 * @returns the accumulators, which hold the reductions over these columns
 */
export function loopOverColumns(
  kernel: LoopKernel,
  { reductions: numbers, stores }: Pass,
  { scope, expressions }: Row,
  body: Block,
  { first, step, count }: ColumnRange,
): readonly Accumulator[] {
  const { rows, columns, reductions } = kernel;
  const columnAxes = range(columns.length, rows.length);
  const accumulators = numbers.map((number) => accumulatorOf(reductions[number]!, number, expressions));
  // Loop invariants are defined before the loop.
  scope.block = body.insertionPoint();
  for (const accumulator of accumulators) accumulator.begin(body);
  const total = sizeOf(columns);
  const next = step === 1 ? 'column++' : `column += ${step}`;
  const write = (loop: Block): void => {
    declareAxes(loop, columnAxes, columns, 'column');
    const inner = new Scope(loop.insertionPoint(), columnAxes, scope);
    const values = expressions.write(
      [...numbers.map((number) => reductions[number]!.value), ...stores.map(({ value }) => value)],
      inner,
    );
    const indices = stores.map(({ index }) => expressions.index(index, inner));
    accumulators.forEach((accumulator, each) => accumulator.add(inner.block, values[each]!, 'column'));
    stores.forEach(({ operand }, store) =>
      inner.block.line(expressions.operands.store(operand, indices[store]!, values[numbers.length + store]!)),
    );
  };
  if (accumulators.length === 0 || count <= BLOCK) {
    write(body.open(`for (var column = ${first}; column < ${total}; ${next})`));
    return accumulators;
  }
  const width = 2 ** Math.ceil(Math.log2(Math.sqrt(count))) * step;
  const outer = body.open(`for (var begin = ${first}; begin < ${total}; begin += ${width})`);
  for (const accumulator of accumulators) accumulator.beginBlock(outer);
  const limit = first === '0' && total % width === 0 ? `begin + ${width}` : `min(begin + ${width}, ${total})`;
  write(outer.open(`for (var column = begin; column < ${limit}; ${next})`));
  for (const accumulator of accumulators) accumulator.endBlock(outer);
  return accumulators;
}

/** Names the results of a pass. */
export function declareResults(
  body: Block,
  { reductions }: Pass,
  accumulators: readonly Accumulator[],
): void {
  reductions.forEach((number, each) => body.line(`let r${number} = ${accumulators[each]!.result()};`));
}
