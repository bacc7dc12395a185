/** Computes a block of a matrix that lies nowhere: the pieces that it touches, one after the other. */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitInnerLoop } from '../kernels/loop.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, type Count } from './address.ts';
import { emitRange } from './blocks.ts';
import type { LoopPlan } from '../kernels/loop-plan.ts';
import type { FillPlan } from './fill-plan.ts';

/** What a fill is written for. */
export interface FillContext {
  readonly kernel: ContractKernel;
  readonly fill: FillPlan;
  /** The loops of a piece. */
  readonly piece: LoopPlan;
  /** Bytes between neighbours in working memory. */
  readonly strides: { readonly k: number; readonly n: number };
  /** The addresses of the kernel's operands, and the counters of its batch axes. */
  readonly params: readonly Local[];
  readonly batch: readonly Local[];
  readonly tools: Tools;
  /**
   * Where the block goes. It becomes the address of the element at k = 0 and n = 0, which need not be in the
   * block.
   */
  readonly address: Local;
}

/** Values from `first` to `end`: a count, or what code leaves on the stack. */
export interface Extent {
  readonly first: Count;
  readonly end: Count | (() => void);
}

/**
 * Computes the elements of a block: all pieces that it touches.
 * @param n columns of the right matrix, or rows of the left one
 */
export function emitFill(
  code: Code,
  { kernel, fill, piece, strides, params, batch, tools, address }: FillContext,
  { k, n }: { readonly k: Extent; readonly n: Extent },
): void {
  const { inPiece } = fill;
  const [first, end] = [
    quotientOf(code, k.first, inPiece.k, 0),
    quotientOf(code, k.end, inPiece.k, inPiece.k - 1),
  ];
  const [left, right] = [
    quotientOf(code, n.first, inPiece.n, 0),
    quotientOf(code, n.end, inPiece.n, inPiece.n - 1),
  ];
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
      emitInnerLoop(code, piece, [...params.slice(0, kernel.operands.length), at], tools, [
        ...batch,
        row,
        column,
      ]);
    }),
  );
  code.release(row, column, at, ...[first, end, left, right].filter((count) => typeof count !== 'number'));
}

/** ⌊(value + more)/by⌋, of a count or of what code leaves on the stack. */
function quotientOf(code: Code, value: Count | (() => void), by: number, more: number): Count {
  if (typeof value === 'number') return Math.floor((value + more) / by);
  const quotient = code.local('i32');
  if (typeof value === 'function') value();
  else code.get(value);
  emitAddProduct(code, 1, more);
  if (by > 1) code.i32(by).op('i32.div_u');
  code.set(quotient);
  return quotient;
}
