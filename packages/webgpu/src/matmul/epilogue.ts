/**
 * What becomes of a finished sum: a function that is called with its axes and its value, so that the text is
 * there once, however many sums an invocation has.
 */
import { axisName, type ContractKernel } from '@firsthand/compiler';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope, type Surroundings } from '../emit/expression-writer.ts';
import { Operands } from '../emit/operands.ts';
import { range } from '../emit/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout } from '../emit/shader.ts';

/** The function `finish`, and the expressions of the shader that it is a part of. */
export interface Epilogue {
  readonly expressions: ExpressionWriter;
  readonly declaration: string;
  /** A call of it. */
  call(row: string, column: string, total: string): string;
}

/**
 * @param isEdged whether it is called for rows and columns beyond the edges of the matrix too, where it does
 * nothing @param vectors arrays that are declared as vectors of four
 */
export function epilogueOf(
  kernel: ContractKernel,
  layout: OperandLayout,
  isEdged: { readonly rows: boolean; readonly columns: boolean },
  vectors?: ReadonlySet<number>,
): Epilogue {
  const { batch, m, n, dtype, stores } = kernel;
  const axes = range(batch.length + 2);
  const body = new Block(1);
  const scope = new Scope(body, axes);
  const surroundings: Surroundings = { total: { name: 'total', scope } };
  const expressions = new ExpressionWriter(
    new Operands(kernel.operands, layout, vectors),
    extentsOf(kernel),
    surroundings,
  );
  const [row, column] = [axisName(batch.length), axisName(batch.length + 1)];
  const outside = [isEdged.rows ? `${row} >= ${m}` : '', isEdged.columns ? `${column} >= ${n}` : ''].filter(
    (text) => text !== '',
  );
  if (outside.length > 0)
    body
      .open(`if (${outside.length === 1 ? outside[0]! : outside.map((text) => `(${text})`).join(' | ')})`)
      .line('return;');
  scope.block = body.insertionPoint();
  expressions.storeAll(stores, scope);
  const parameters = axes.map((axis) => `${axisName(axis)}: i32`).join(', ');
  const first = batch.map((_, axis) => `${axisName(axis)}, `).join('');
  return {
    expressions,
    declaration: `\n// What becomes of a sum.\nfn finish(${parameters}, total: ${elementType(dtype)}) {\n${body.toString()}}`,
    call: (rowText, columnText, total) => `finish(${first}${rowText}, ${columnText}, ${total});`,
  };
}
