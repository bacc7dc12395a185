/**
 * One pass over the columns of a row: the loop, the elements that are folded, the elements that are stored.
 */
import type { LoopKernel, Pass, Store } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from '../emit/axes.ts';
import type { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope } from '../emit/expression-writer.ts';
import { Operands } from '../emit/operands.ts';
import { accumulatorOf, type Accumulator } from './reductions.ts';
import type { OperandLayout } from '../emit/shader.ts';

/** The expressions of a kernel, and the scope of the row under way. */
export interface Row {
  readonly scope: Scope;
  readonly expressions: ExpressionWriter;
}

/** Which columns an invocation takes: from `first` on, every `step`th, at most `count` in all. */
export interface ColumnRange {
  readonly first: string;
  readonly step: number;
  readonly count: number;
}

/** Summands above which sums are added up in blocks. */
const BLOCK = 32;

/**
 * One pass over some columns of a row: resets the accumulators of its reductions, loops over the columns, in
 * blocks where there are many, and folds and stores at each.
 * @returns the accumulators, which hold what these columns have given
 */
export function loopOverColumns(
  kernel: LoopKernel,
  { reductions: numbers, stores }: Pass,
  { scope, expressions }: Row,
  body: Block,
  { first, step, count }: ColumnRange,
): readonly Accumulator[] {
  const { rows, columns, reductions } = kernel;
  const accumulators = numbers.map((number) => accumulatorOf(reductions[number]!, number, expressions));
  // What does not change with the column is computed in front of the loop.
  scope.block = body.insertionPoint();
  for (const accumulator of accumulators) accumulator.begin(body);
  const total = sizeOf(columns);
  const next = step === 1 ? 'column++' : `column += ${step}`;
  const write = (loop: Block): void => {
    declareAxes(loop, rows.length, columns, 'column');
    const inner = new Scope(loop.insertionPoint(), range(columns.length, rows.length), scope);
    const values = expressions.write(
      [...numbers.map((number) => reductions[number]!.value), ...stores.map(({ value }) => value)],
      inner,
    );
    const places = stores.map(({ index }) => expressions.index(index, inner));
    accumulators.forEach((accumulator, place) => accumulator.add(inner.block, values[place]!, 'column'));
    stores.forEach(({ operand }, place) =>
      inner.block.line(expressions.operands.store(operand, places[place]!, values[numbers.length + place]!)),
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

/** Begins a row, whose number is `row`. The result of reduction n is called rn there. */
export function openRow(kernel: LoopKernel, layout: OperandLayout, body: Block, row: string): Row {
  declareAxes(body, 0, kernel.rows, row);
  const scope = new Scope(body.insertionPoint(), range(kernel.rows.length));
  const reduced = (reduction: number): { name: string; scope: Scope } => ({ name: `r${reduction}`, scope });
  return {
    scope,
    expressions: new ExpressionWriter(new Operands(kernel.operands, layout), extentsOf(kernel), { reduced }),
  };
}

/** Stores at the place of a scope. */
export function storeAll(expressions: ExpressionWriter, stores: readonly Store[], scope: Scope): void {
  const values = expressions.write(
    stores.map(({ value }) => value),
    scope,
  );
  const places = stores.map(({ index }) => expressions.index(index, scope));
  stores.forEach(({ operand }, place) =>
    scope.block.line(expressions.operands.store(operand, places[place]!, values[place]!)),
  );
}
