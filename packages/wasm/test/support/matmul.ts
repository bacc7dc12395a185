// Matrix products written down by strides, run as WebAssembly in memory that has room for nothing else, and
// computed by plain double loops.
import type { ContractKernel, Index, Operand, Store } from '@firsthand/compiler';
import { allocate, DTYPES, type DType, type TypedArray } from '@firsthand/linalg';
import { setFlagsFromString } from 'node:v8';
import { expect } from 'vitest';
import type { Code, Local } from '../../src/assembler/code.ts';
import { Module } from '../../src/assembler/module.ts';
import { planMatmulKernel } from '../../src/matmul/matmul.ts';
import type { Tile } from '../../src/matmul/register-tile.ts';
import { TILES } from '../../src/matmul/tile-sizes.ts';
import { detectFeatures } from '../../src/engine/features.ts';
import { functionsOf } from '../../src/runtime/plan-kernel.ts';
import { FLOAT64_IMPORTS, scalarImports } from '../../src/math/functions.ts';
import { expectSameByRanges } from './ranges.ts';

const PAGE = 65536;
const GUARD = 0xa5;
const GAP = 64;
/** The relative error of one rounding. */
const ROUNDING: { readonly [K in DType]?: number } = {
  float32: 2 ** -24,
  float64: 2 ** -52,
  int32: 0,
  uint32: 0,
};

/** The layout of an array: offset + Σ strides·coordinate, in elements. */
export interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * c[…, m, n] = Σₖ a[…, m, k]·b[…, k, n]. The axes of a are the batch's, m and k; those of b the batch's, k
 * and n; those of c the batch's, m and n.
 */
export interface Product {
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: DType;
  readonly a: Layout;
  readonly b: Layout;
  readonly c: Layout;
}

/**
 * Node 20 has fused multiply-add behind a flag, which can be set until the first module that uses it is
 * compiled.
 */
export function enableRelaxedSimd(): void {
  if (!detectFeatures().relaxedSimd) setFlagsFromString('--experimental-wasm-relaxed-simd');
  expect(detectFeatures(true)).toEqual({ relaxedSimd: true });
}

/** Row-major, or with the last two axes exchanged in memory. */
export function compact(extents: readonly number[], isTransposed = false): Layout {
  const rank = extents.length;
  const order = extents.map((_, axis) => axis);
  if (isTransposed) order.push(...order.splice(rank - 2, 1));
  const strides = new Array<number>(rank).fill(0);
  let step = 1;
  for (const axis of order.toReversed()) {
    strides[axis] = step;
    step *= extents[axis]!;
  }
  return { offset: 0, strides };
}

/** A product of compact operands. */
export function product(
  sizes: {
    readonly batch?: readonly number[];
    readonly m: number;
    readonly n: number;
    readonly k: number;
    readonly dtype?: DType;
  },
  transposed = '',
): Product {
  const { batch = [], m, n, k, dtype = 'float32' } = sizes;
  const a = compact([...batch, m, k], transposed.includes('a'));
  const b = compact([...batch, k, n], transposed.includes('b'));
  return { batch, m, n, k, dtype, a, b, c: compact([...batch, m, n], transposed.includes('c')) };
}

/** The index of a layout whose axes are these axes of the kernel. */
export function indexOf({ offset, strides }: Layout, axes: readonly number[]): Index {
  return {
    offset,
    terms: strides.flatMap((factor, position) =>
      factor === 0 ? [] : [{ coefficient: factor, atom: { kind: 'axis', axis: axes[position]! } }],
    ),
  };
}

/** Elements from the first to the last of a layout, or as many as `offset` asks for. */
function lengthOf({ offset, strides }: Layout, extents: readonly number[]): number {
  return (
    1 + offset + strides.reduce((sum, stride, axis) => sum + Math.max(0, stride * (extents[axis]! - 1)), 0)
  );
}

/**
 * The kernel of a product that stores its totals; or that does with them what `stores` say, with operands
 * from number 3 on, and number 2 for c.
 */
export function kernelOf(
  p: Product,
  stores?: readonly Store[],
  more: readonly Operand[] = [],
): ContractKernel {
  const { batch, m, n, k, dtype } = p;
  const outer = batch.map((_, axis) => axis);
  const [am, an, ak] = [batch.length, batch.length + 1, batch.length + 2];
  const total: Store = { operand: 2, index: indexOf(p.c, [...outer, am, an]), value: { op: 'total', dtype } };
  return {
    kind: 'contract',
    operands: [
      { dtype, length: lengthOf(p.a, [...batch, m, k]), access: 'read' },
      { dtype, length: lengthOf(p.b, [...batch, k, n]), access: 'read' },
      { dtype, length: lengthOf(p.c, [...batch, m, n]), access: 'write' },
      ...more,
    ],
    batch,
    m,
    n,
    k,
    dtype,
    a: { operand: 0, index: indexOf(p.a, [...outer, am, ak]) },
    b: { operand: 1, index: indexOf(p.b, [...outer, ak, an]) },
    stores: stores ?? [total],
    rowEpilogue: null,
  };
}

/** Numbers between −1 and 1, or any 32 bits, that look random. */
export function numbers(dtype: DType, length: number, seed: number): TypedArray {
  const array = allocate(dtype, length);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    array[index] = DTYPES[dtype].isFloat ? state / 2 ** 31 - 1 : state;
  }
  return array;
}

/**
 * Random elements for all operands of a kernel; those that are only written hold them too, to show what is
 * overwritten.
 */
export function operandsFor({ operands }: ContractKernel): TypedArray[] {
  return operands.map(({ dtype, length }, operand) => numbers(dtype, length, operand + 1));
}

/** How a kernel is compiled. */
export interface ProductOptions {
  readonly relaxedSimd: boolean;
  readonly tile: Tile;
}

/**
 * What a kernel leaves in its operands. Everything else in memory, and operands that are only read, must stay
 * as they are. The operand `first` starts at address 0 and the next one ends where the memory does, so that
 * whoever reads on traps.
 */
export function runContract(
  kernel: ContractKernel,
  arrays: readonly TypedArray[],
  { relaxedSimd, tile }: ProductOptions,
  first = 0,
): TypedArray[] {
  const plan = planMatmulKernel(kernel, tile);
  const { scratch } = plan;
  const count = arrays.length;
  const order = arrays.map((_, position) => (first + position) % count);
  const last = order.splice(1, 1)[0]!;
  const addresses: number[] = [];
  let end = 0;
  const index = (bytes: number): number => {
    const address = end;
    end = Math.ceil((end + bytes + GAP) / 64) * 64;
    return address;
  };
  for (const operand of order) addresses[operand] = index(arrays[operand]!.byteLength);
  const scratchAt = index(scratch);
  const pages = Math.ceil((end + arrays[last]!.byteLength) / PAGE);
  addresses[last] = pages * PAGE - arrays[last]!.byteLength;

  const module = new Module({ initial: pages, maximum: pages, shared: false });
  const functions = new Map(
    [...functionsOf(kernel, plan)].map((name) => {
      const params = Array.from({ length: FLOAT64_IMPORTS[name] }, () => 'f64' as const);
      return [name, module.importFunction(name, { params, results: ['f64'] })] as const;
    }),
  );
  const params = Array.from({ length: count + 1 }, () => 'i32' as const);
  const define = (): never => {
    throw new Error('a product calls no kernel');
  };
  const tools = { features: { relaxedSimd }, functions, module, define };
  const exported = { exported: true };
  module.function(
    'kernel',
    { params, results: [] },
    (code, locals) => plan.emit(code, locals, tools, null),
    exported,
  );
  const division = plan.partition;
  if (division !== null) {
    const { axis } = division;
    const build = (code: Code, locals: readonly Local[]): void => {
      const part = { axis, first: locals[count + 1]!, end: locals[count + 2]! };
      plan.emit(code, locals.slice(0, count + 1), tools, part);
    };
    module.function('part', { params: [...params, 'i32', 'i32'], results: [] }, build, exported);
  }
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const compiled = new WebAssembly.Module(module.toBytes());
  const { exports } = new WebAssembly.Instance(compiled, {
    env: { memory, ...(functions.size > 0 ? scalarImports() : {}) },
  });

  const bytes = new Uint8Array(memory.buffer).fill(GUARD);
  const bytesOf = (array: TypedArray): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  arrays.forEach((array, operand) => bytes.set(bytesOf(array), addresses[operand]));
  const expected = bytes.slice();
  const before = bytes.slice();
  (exports['kernel'] as (...addresses: number[]) => void)(...addresses, scratchAt);
  if (division !== null) {
    const run = exports['part'] as (...addresses: readonly number[]) => void;
    expectSameByRanges(run, division, [...addresses, scratchAt], {
      memory: bytes,
      before,
      scratch: [scratchAt, scratchAt + scratch],
    });
  }
  const results = arrays.map((array, operand) => {
    const result = array.slice() as TypedArray;
    bytesOf(result).set(bytes.subarray(addresses[operand], addresses[operand]! + array.byteLength));
    if (kernel.operands[operand]!.access !== 'read') expected.set(bytesOf(result), addresses[operand]);
    return result;
  });
  expected.set(bytes.subarray(scratchAt, scratchAt + scratch), scratchAt);
  expect(Buffer.compare(bytes, expected), 'bytes beside the results').toBe(0);
  return results;
}

/** All coordinates of some extents, in row-major order. */
function* indicesOf(extents: readonly number[]): Generator<readonly number[]> {
  const size = extents.reduce((product_, extent) => product_ * extent, 1);
  for (let index = 0; index < size; index++) {
    let rest = index;
    yield extents.map((_, axis) => {
      const inner = extents.slice(axis + 1).reduce((product_, extent) => product_ * extent, 1);
      const index = Math.floor(rest / inner);
      rest %= inner;
      return index;
    });
  }
}

/** The offset of the element at some coordinates. */
function elementAt({ offset, strides }: Layout, index: readonly number[]): number {
  return index.reduce((sum, at, axis) => sum + at * strides[axis]!, offset);
}

/** Every total, and the sum of its terms' magnitudes, in float64; integers modulo 2³². */
function* totalsOf(
  p: Product,
  a: TypedArray,
  b: TypedArray,
): Generator<{ index: readonly number[]; total: number; magnitude: number }> {
  const rank = p.batch.length;
  const { isFloat } = DTYPES[p.dtype];
  const [aStep, bStep] = [p.a.strides[rank + 1]!, p.b.strides[rank]!];
  for (const index of indicesOf([...p.batch, p.m, p.n])) {
    const outer = index.slice(0, rank);
    let from = elementAt(p.a, [...outer, index[rank]!, 0]);
    let at = elementAt(p.b, [...outer, 0, index[rank + 1]!]);
    let [total, magnitude] = [0, 0];
    for (let k = 0; k < p.k; k++, from += aStep, at += bStep) {
      const term = isFloat ? a[from]! * b[at]! : Math.imul(a[from]!, b[at]!);
      total = isFloat ? total + term : (total + term) | 0;
      magnitude += Math.abs(term);
    }
    if (p.dtype === 'uint32') total >>>= 0;
    yield { index: index, total, magnitude };
  }
}

/** Every tile, with separate and with fused multiply-adds. */
export const VARIANTS: readonly (readonly ProductOptions[])[] = [false, true].map((relaxedSimd) =>
  TILES.map((tile) => ({ relaxedSimd, tile })),
);

/**
 * Runs a product by some tiles, with separate and with fused multiply-adds, and compares with double loops.
 * All tiles must give the same bits.
 * @param every one list of ways for each kind of multiply-add
 */
export function expectProduct(
  p: Product,
  first = 0,
  every: readonly (readonly ProductOptions[])[] = VARIANTS,
): void {
  const kernel = kernelOf(p);
  const arrays = operandsFor(kernel);
  const results = every.map((variants) =>
    variants.map((variant) => runContract(kernel, arrays, variant, first)[2]!),
  );
  // A sum of r terms is off by at most r roundings of all that is added; sums of at most 1024 terms are added
  // up.
  const roundings = Math.min(p.k, 1024) + Math.ceil(p.k / 1024);
  const bound = roundings * ROUNDING[p.dtype]!;
  const worst = results.map(() => 0);
  for (const { index, total, magnitude } of totalsOf(p, arrays[0]!, arrays[1]!)) {
    const at = elementAt(p.c, index);
    results.forEach(([result], mode) => {
      const error = Math.abs(result![at]! - total) / Math.max(magnitude, 1e-300);
      if (!(error <= worst[mode]!)) worst[mode] = error;
    });
  }
  for (const error of worst) expect(error).toBeLessThanOrEqual(bound);
  for (const [result, ...others] of results) {
    others.forEach((other, tile) =>
      expect(
        Buffer.compare(new Uint8Array(other.buffer), new Uint8Array(result!.buffer)),
        `tile ${tile + 1}`,
      ).toBe(0),
    );
  }
}
