/**
 * The epilogue of a product (bias, activation, residual, stores): a function of the element's axes and its
 * total, so that its text occurs once, however many elements an invocation has.
 */
import { axisName, type ContractKernel } from '@firsthand/compiler';
import { Block, functionText } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope, type Surroundings } from '../emit/expression-writer.ts';
import { Operands } from '../emit/operands.ts';
import { range } from '../emit/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout } from '../emit/shader.ts';

/** The epilogue function, and the expression writer of its shader. */
export interface Epilogue {
  readonly expressions: ExpressionWriter;
  readonly declaration: string;
  /** A statement that calls it. */
  call(row: string, column: string, total: string): string;
}

/**
 * @param isEdged whether it is also called for rows and columns beyond the matrix, for which it returns at
 *   once
 * @param vectors operands that are declared as arrays of vec4
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
  const signature = `epilogue(${parameters}, total: ${elementType(dtype)})`;
  const first = batch.map((_, axis) => `${axisName(axis)}, `).join('');
  return {
    expressions,
    declaration: `\n${functionText('What is computed from the total of an element, and stored.', signature, body)}`,
    call: (rowText, columnText, total) => `epilogue(${first}${rowText}, ${columnText}, ${total});`,
  };
}
