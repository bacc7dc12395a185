/** Computes a block of an implicit matrix into working memory, one tile after the other. */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitInnerLoop } from '../kernels/loop-kernel.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, type Count } from './address.ts';
import { emitRange } from './blocked-loops.ts';
import type { LoopPlan } from '../kernels/loop-plan.ts';
import type { ImplicitPlan } from './implicit-plan.ts';

/** What packing an implicit matrix needs. */
export interface ImplicitContext {
  readonly kernel: ContractKernel;
  readonly implicit: ImplicitPlan;
  /** The loops of one tile. */
  readonly tileLoops: LoopPlan;
  /** Bytes between neighbours in working memory. */
  readonly strides: { readonly k: number; readonly n: number };
  /** The addresses of the kernel's operands, and the counters of its batch axes. */
  readonly params: readonly Local[];
  readonly batch: readonly Local[];
  readonly tools: Tools;
  /**
   * The address of the block; it becomes that of the element at k = 0 and n = 0, which need not be in the
   * block.
   */
  readonly address: Local;
}

/** Values from `first` to `end`: a count, or a number that code leaves on the stack. */
export interface Extent {
  readonly first: Count;
  readonly end: Count | (() => void);
}

/**
 * Computes all tiles that overlap a block.
 * @param n columns of the right matrix, or rows of the left one
 */
export function packImplicit(
  code: Code,
  { kernel, implicit, tileLoops, strides, params, batch, tools, address }: ImplicitContext,
  { k, n }: { readonly k: Extent; readonly n: Extent },
): void {
  const { tile } = implicit;
  const [first, end] = [quotientOf(code, k.first, tile.k, 0), quotientOf(code, k.end, tile.k, tile.k - 1)];
  const [left, right] = [quotientOf(code, n.first, tile.n, 0), quotientOf(code, n.end, tile.n, tile.n - 1)];
  code.get(address);
  emitAddProduct(code, first, -tile.k * strides.k);
  emitAddProduct(code, left, -tile.n * strides.n);
  code.set(address);
  const [row, column, at] = [code.local('i32'), code.local('i32'), code.local('i32')];
  emitRange(code, row, first, end, 1, () =>
    emitRange(code, column, left, right, 1, () => {
      code.get(address);
      emitAddProduct(code, row, tile.k * strides.k);
      emitAddProduct(code, column, tile.n * strides.n);
      code.set(at);
      emitInnerLoop(code, tileLoops, [...params.slice(0, kernel.operands.length), at], tools, [
        ...batch,
        row,
        column,
      ]);
    }),
  );
  code.release(row, column, at, ...[first, end, left, right].filter((count) => typeof count !== 'number'));
}

/** ⌊(value + more)/by⌋ of a count, or of a number that code leaves on the stack. */
function quotientOf(code: Code, value: Count | (() => void), by: number, more: number): Count {
  if (typeof value === 'number') return Math.floor((value + more) / by);
  const quotient = code.local('i32');
  if (typeof value === 'function') value();
  else code.get(value);
  emitAddProduct(code, 1, more);
  if (by > 1) code.op('i32.div_u', by);
  code.set(quotient);
  return quotient;
}
