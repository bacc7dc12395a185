/**
 * Shared by the emitters of one product: the kernel and its plan, the counters of its loops, addresses in the
 * working memory, and packing of implicit matrices.
 */
import type { ImplicitMatrix, ContractKernel, StoredMatrix } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, type Count, type View } from './address.ts';
import type { Arithmetic } from './arithmetic.ts';
import { packImplicit, type Extent } from './implicit-matrix.ts';
import type { ImplicitTiles } from './implicit-tiles.ts';
import type { MatmulPlan } from './matmul-plan.ts';

/** The code of one product while it is emitted. */
export interface MatmulCode {
  readonly code: Code;
  readonly kernel: ContractKernel;
  readonly plan: MatmulPlan;
  readonly tiles: ImplicitTiles;
  readonly arithmetic: Arithmetic;
  /** The addresses of the operands, then that of the working memory. */
  readonly params: readonly Local[];
  /**
   * Loop counters: the batch axes, then m and n of the current tile, then the first k of the current block.
   */
  readonly counters: readonly Local[];
  readonly tools: Tools;
}

/** Values of k from `first`. */
export interface Block {
  readonly first: Count;
  readonly count: Count;
}

/** Pushes an address in the working memory. */
export function pushScratch({ code, params }: MatmulCode, offset: number): Code {
  code.get(params.at(-1)!);
  emitAddProduct(code, 1, offset);
  return code;
}

/** The counters of the batch axes, by axis. */
export function batchCounters({ kernel, counters }: MatmulCode): readonly (readonly [number, Local])[] {
  return kernel.batch.map((_, axis) => [axis, counters[axis]!] as const);
}

/** The layout of a matrix; an implicit one gets a local for the address of its packed block. */
export function viewOf(
  { code, params, arithmetic }: MatmulCode,
  matrix: StoredMatrix | ImplicitMatrix,
  strides: readonly number[],
): View {
  if ('value' in matrix) return { operand: code.local('i32'), offset: 0, strides };
  return { operand: params[matrix.operand]!, offset: matrix.index.offset * arithmetic.bytes, strides };
}

/**
 * Computes a block of an implicit matrix at an offset of the working memory.
 * @param side the left matrix or the right
 */
export function packImplicitBlock(
  product: MatmulCode,
  side: 'a' | 'b',
  { operand, strides }: View,
  offset: number,
  { first, count }: Block,
  outer: Extent,
): void {
  const { code, kernel, plan, tiles, params, counters, tools } = product;
  const axis = side === 'a' ? plan.axes.m : plan.axes.n;
  pushScratch(product, offset).set(operand);
  const end = (): void => void code.op('i32.add', first, count);
  packImplicit(
    code,
    {
      kernel,
      implicit: plan.implicit[side]!,
      tileLoops: tiles[side]!,
      params,
      tools,
      strides: { k: strides[plan.axes.k]!, n: strides[axis]! },
      batch: counters.slice(0, plan.axes.m),
      address: operand,
    },
    { k: { first, end: typeof first === 'number' ? kernel.k : end }, n: outer },
  );
}
