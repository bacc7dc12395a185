/** Computes a block of a matrix that lies nowhere: the pieces that it touches, one after the other. */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitInnerMap } from '../kernels/loop.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, emitCount, type Count } from './address.ts';
import { emitRange } from './blocks.ts';
import { pieceKernel, type FillPlan } from './fill-plan.ts';

/** Values of one side of a matrix: from ≤ value < to. */
export interface Range {
  readonly from: Count;
  readonly to: Count;
}

/** What a fill is written for. */
export interface FillContext {
  readonly kernel: ContractKernel;
  readonly plan: FillPlan;
  /** The addresses of the kernel's operands, and the counters of its batch axes. */
  readonly params: readonly Local[];
  readonly batch: readonly Local[];
  readonly tools: Tools;
  /** Where the block goes. It becomes the address of the element at k = 0 and n = 0, which need not be in the block. */
  readonly address: Local;
  /** Bytes of an element, and between neighbours along k and along n. */
  readonly bytes: number;
  readonly strides: { readonly k: number; readonly n: number };
}

/** Computes the elements of ranges of k and n; that of k is made of whole pieces. */
export function emitFill(code: Code, context: FillContext, k: Range, n: Range): void {
  const { kernel, plan, params, batch, tools, address, bytes, strides } = context;
  const { inPiece } = plan;
  const piece = pieceKernel(kernel, plan, { k: strides.k / bytes, n: strides.n / bytes });
  const [first, end] = [emitQuotient(code, k.from, inPiece.k, 0), emitQuotient(code, k.to, inPiece.k, 0)];
  const [left, right] = [emitQuotient(code, n.from, inPiece.n, 0), emitQuotient(code, n.to, inPiece.n, inPiece.n - 1)];
  code.get(address);
  emitAddProduct(code, first, -inPiece.k * strides.k);
  emitAddProduct(code, left, -inPiece.n * strides.n);
  code.set(address);
  const [row, column, at] = [code.local('i32'), code.local('i32'), code.local('i32')];
  emitRange(code, row, first, end, 1, () =>
    emitRange(code, column, left, right, 1, () => {
      code.get(address);
      emitAddProduct(code, row, inPiece.k * strides.k);
      emitAddProduct(code, column, inPiece.n * strides.n);
      code.set(at);
      emitInnerMap(code, piece, [...params.slice(0, kernel.operands.length), at], tools, [...batch, row, column]);
    }),
  );
  code.release(row, column, at, ...[first, end, left, right].filter((count) => typeof count !== 'number'));
}

/** ⌊(count + more)/by⌋ */
function emitQuotient(code: Code, count: Count, by: number, more: number): Count {
  if (typeof count === 'number') return Math.floor((count + more) / by);
  const quotient = code.local('i32');
  emitCount(code, count);
  emitAddProduct(code, 1, more);
  if (by > 1) code.i32(by).op('i32.div_u');
  code.set(quotient);
  return quotient;
}
