/** One pass over the columns of a row: the loop, the elements that are folded, the elements that are stored. */
import type { LoopKernel, Pass, Store } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from './axes.ts';
import type { Block } from '../emit/block.ts';
import { Expressions, extentsOf, Scope } from '../emit/expressions.ts';
import { Operands } from '../emit/operands.ts';
import type { Accumulator } from './reductions.ts';
import type { OperandLayout } from '../shader.ts';

/** Which columns an invocation takes: from `first` on, every `step`th, at most `count` in all. */
export interface Columns {
  readonly first: string;
  readonly step: number;
  readonly count: number;
  /** The column to stop at, where it is not the end of the row. */
  readonly end?: string;
}

/** Summands above which sums are added up in blocks. */
const BLOCK = 32;

/** Loops over columns, in blocks where there are many. `write` writes the body, with the column's axes declared; `column` is the position in the row. */
export function sweep(
  block: Block,
  extents: readonly number[],
  firstAxis: number,
  { first, step, count, end }: Columns,
  accumulators: readonly Accumulator[],
  write: (inner: Block) => void,
): void {
  const total = sizeOf(extents);
  const stop = end ?? String(total);
  const perBlock = accumulators.length > 0 && count > BLOCK ? 2 ** Math.ceil(Math.log2(Math.sqrt(count))) : 0;
  const inBody = (inner: Block): void => {
    declareAxes(inner, firstAxis, extents, 'column');
    write(inner.slot());
  };
  const next = step === 1 ? 'column++' : `column += ${step}`;
  if (perBlock === 0) return inBody(block.nest(`for (var column = ${first}; column < ${stop}; ${next})`));
  const width = perBlock * step;
  const outer = block.nest(`for (var begin = ${first}; begin < ${stop}; begin += ${width})`);
  for (const accumulator of accumulators) accumulator.beginBlock(outer);
  const isEven = end === undefined && first === '0' && total % width === 0;
  const limit = isEven ? `begin + ${width}` : `min(begin + ${width}, ${stop})`;
  inBody(outer.nest(`for (var column = begin; column < ${limit}; ${next})`));
  for (const accumulator of accumulators) accumulator.endBlock(outer);
}

/** The expressions of a kernel's rows, and the scope of one of them, whose number is `row`. The result of reduction n is called rn there. */
export function openRow(
  kernel: LoopKernel,
  layout: OperandLayout,
  body: Block,
  row: string,
): { readonly scope: Scope; readonly expressions: Expressions } {
  declareAxes(body, 0, kernel.rows, row);
  const scope = new Scope(body.slot(), range(kernel.rows.length));
  const reduced = (reduction: number): { name: string; scope: Scope } => ({ name: `r${reduction}`, scope });
  return { scope, expressions: new Expressions(new Operands(kernel.operands, layout), extentsOf(kernel), { reduced }) };
}

/** What a pass does at one column. */
export function writePass(
  { reductions }: LoopKernel,
  { reductions: numbers, stores }: Pass,
  accumulators: readonly Accumulator[],
  expressions: Expressions,
  scope: Scope,
): void {
  const values = expressions.write([...numbers.map((number) => reductions[number]!.value), ...stores.map(({ value }) => value)], scope);
  const places = stores.map(({ index }) => expressions.place(index, scope));
  accumulators.forEach((accumulator, place) => accumulator.add(scope.block, values[place]!, 'column'));
  stores.forEach(({ operand }, place) =>
    scope.block.line(expressions.operands.store(operand, places[place]!, values[numbers.length + place]!)),
  );
}

/** Stores at the place of a scope. */
export function storeAll(expressions: Expressions, stores: readonly Store[], scope: Scope): void {
  const values = expressions.write(
    stores.map(({ value }) => value),
    scope,
  );
  const places = stores.map(({ index }) => expressions.place(index, scope));
  stores.forEach(({ operand }, place) => scope.block.line(expressions.operands.store(operand, places[place]!, values[place]!)));
}
