/** Computes a block of a matrix that lies nowhere: the pieces that it touches, one after the other. */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitInnerLoop } from '../kernels/loop.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, emitCount, type Count } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';
import { emitRange } from './blocks.ts';
import { pieceKernel, type FillPlan } from './fill-plan.ts';
import type { ContractPlan } from './plan.ts';

/** What a fill is written for. */
export interface FillContext {
  readonly kernel: ContractKernel;
  readonly plan: ContractPlan;
  readonly fill: FillPlan;
  /** The addresses of the kernel's operands, and the counters of its batch axes. */
  readonly params: readonly Local[];
  readonly batch: readonly Local[];
  readonly tools: Tools;
  /** Where the block goes. It becomes the address of the element at k = 0 and n = 0, which need not be in the block. */
  readonly address: Local;
}

/**
 * Computes the elements of a block.
 * @param k its values of k: whole pieces; from a constant on, all there are
 * @param columns its columns; where whole tiles end, or up to a constant, with all that are left over
 */
export function emitFill(
  code: Code,
  { kernel, plan, fill, params, batch, tools, address }: FillContext,
  k: { readonly first: Count; readonly count: Count },
  columns: { readonly from: Count; readonly to: Count },
): void {
  const { axes, wholeColumns } = plan;
  const { inPiece } = fill;
  const { bytes } = arithmeticOf(kernel.dtype, false);
  const strides = { k: plan.strides.b[axes.k]!, n: plan.strides.b[axes.n]! };
  const { to } = columns;
  const endOfK = typeof k.first === 'number' ? kernel.k : (): Code => pushCount(code, k.first, k.count).op('i32.add');
  const endOfN = typeof to === 'number' ? kernel.n : (): Code => pushCount(code, kernel.n, to, to, wholeColumns).op('i32.eq').op('select');
  const [first, end] = [quotientOf(code, k.first, inPiece.k, 0), quotientOf(code, endOfK, inPiece.k, 0)];
  const [left, right] = [quotientOf(code, columns.from, inPiece.n, 0), quotientOf(code, endOfN, inPiece.n, inPiece.n - 1)];
  code.get(address);
  emitAddProduct(code, first, -inPiece.k * strides.k);
  emitAddProduct(code, left, -inPiece.n * strides.n);
  code.set(address);
  const piece = pieceKernel(kernel, fill, { k: strides.k / bytes, n: strides.n / bytes });
  const [row, column, at] = [code.local('i32'), code.local('i32'), code.local('i32')];
  emitRange(code, row, first, end, 1, () =>
    emitRange(code, column, left, right, 1, () => {
      code.get(address);
      emitAddProduct(code, row, inPiece.k * strides.k);
      emitAddProduct(code, column, inPiece.n * strides.n);
      code.set(at);
      emitInnerLoop(code, piece, [...params.slice(0, kernel.operands.length), at], tools, [...batch, row, column]);
    }),
  );
  code.release(row, column, at, ...[first, end, left, right].filter((count) => typeof count !== 'number'));
}

function pushCount(code: Code, ...counts: readonly Count[]): Code {
  for (const count of counts) emitCount(code, count);
  return code;
}

/** ⌊(value + more)/by⌋, of a count or of what code leaves on the stack. */
function quotientOf(code: Code, value: Count | (() => Code), by: number, more: number): Count {
  if (typeof value === 'number') return Math.floor((value + more) / by);
  const quotient = code.local('i32');
  if (typeof value === 'function') value();
  else code.get(value);
  emitAddProduct(code, 1, more);
  if (by > 1) code.i32(by).op('i32.div_u');
  code.set(quotient);
  return quotient;
}
