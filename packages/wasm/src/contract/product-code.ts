/**
 * What the parts of a product's code share: the kernel and its plan, the counters of its loops, addresses in
 * the working memory, and how matrices that lie nowhere are computed there.
 */
import type { ImplicitMatrix, ContractKernel, StoredMatrix } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, emitCount, type Count, type View } from './address.ts';
import type { Arithmetic } from './arithmetic.ts';
import { emitFill, type Extent } from './fill.ts';
import type { Pieces } from './fill-plan.ts';
import type { ContractPlan } from './plan.ts';

/** The code of one product in the making. */
export interface ProductCode {
  readonly code: Code;
  readonly kernel: ContractKernel;
  readonly plan: ContractPlan;
  readonly pieces: Pieces;
  readonly arithmetic: Arithmetic;
  /** The addresses of the operands, then that of the working memory. */
  readonly params: readonly Local[];
  /**
   * Loop counters: the batch axes, then m and n of the current tile, then the first k of the current block.
   */
  readonly places: readonly Local[];
  readonly tools: Tools;
}

/** Values of k from `first`. */
export interface Block {
  readonly first: Count;
  readonly count: Count;
}

/** Pushes an address in the working memory. */
export function pushScratch({ code, params }: ProductCode, offset: number): Code {
  code.get(params.at(-1)!);
  emitAddProduct(code, 1, offset);
  return code;
}

/** The places of the batch axes. */
export function batchPlaces({ kernel, places }: ProductCode): readonly (readonly [number, Local])[] {
  return kernel.batch.map((_, axis) => [axis, places[axis]!] as const);
}

/** Where a matrix lies; one that is computed gets a local for its address. */
export function viewOf(
  { code, params, arithmetic }: ProductCode,
  factor: StoredMatrix | ImplicitMatrix,
  strides: readonly number[],
): View {
  if ('value' in factor) return { operand: code.local('i32'), offset: 0, strides };
  return { operand: params[factor.operand]!, offset: factor.index.offset * arithmetic.bytes, strides };
}

/**
 * Computes a block of a matrix that lies nowhere at an offset of the working memory.
 * @param side the left matrix or the right
 */
export function emitBlockFill(
  product: ProductCode,
  side: 'a' | 'b',
  { operand, strides }: View,
  offset: number,
  { first, count }: Block,
  outer: Extent,
): void {
  const { code, kernel, plan, pieces, params, places, tools } = product;
  const axis = side === 'a' ? plan.axes.m : plan.axes.n;
  pushScratch(product, offset).set(operand);
  const end = (): void => {
    emitCount(code, first);
    emitCount(code, count);
    code.op('i32.add');
  };
  emitFill(
    code,
    {
      kernel,
      fill: plan.fills[side]!,
      piece: pieces[side]!,
      params,
      tools,
      strides: { k: strides[plan.axes.k]!, n: strides[axis]! },
      batch: places.slice(0, plan.axes.m),
      address: operand,
    },
    { k: { first, end: typeof first === 'number' ? kernel.k : end }, n: outer },
  );
}
