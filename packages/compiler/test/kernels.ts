// Kernels by hand: short names for index expressions, scalars and operands, and one kernel of each kind that
// the tests share.
import { BINARY_RULES } from '@firsthand/graph';
import type { BinaryKind, DType, ScanKind, UnaryKind } from '@firsthand/graph';
import type { Index } from '../src/ir/index-expression.ts';
import type {
  ContractKernel,
  LoopKernel,
  Operand,
  Scalar,
  ScanKernel,
  ScatterKernel,
  SortKernel,
  Store,
} from '../src/ir/kernel.ts';

/** offset + Σ factors[axis]·axis */
export function at(factors: readonly number[], offset = 0): Index {
  const terms = factors.flatMap((factor, axis) =>
    factor === 0 ? [] : [{ coefficient: factor, atom: { kind: 'axis', axis } as const }],
  );
  return { offset, terms };
}
export const reads = (dtype: DType, length: number): Operand => ({ dtype, length, access: 'read' });
export const writes = (dtype: DType, length: number): Operand => ({ dtype, length, access: 'write' });
export const updates = (dtype: DType, length: number): Operand => ({ dtype, length, access: 'update' });
export const load = (operand: number, index: Index, dtype: DType = 'float32'): Scalar => ({
  op: 'load',
  dtype,
  operand,
  index,
});
export const constant = (value: number, dtype: DType = 'float32'): Scalar => ({ op: 'const', dtype, value });
export const unary = (kind: UnaryKind, x: Scalar): Scalar => ({
  op: 'unary',
  dtype: kind === 'isNaN' || kind === 'logicalNot' ? 'bool' : x.dtype,
  kind,
  x,
});
export const binary = (kind: BinaryKind, a: Scalar, b: Scalar): Scalar => ({
  op: 'binary',
  dtype: BINARY_RULES[kind] === 'arithmetic' ? a.dtype : 'bool',
  kind,
  a,
  b,
});
export const where = (condition: Scalar, a: Scalar, b: Scalar): Scalar => ({
  op: 'where',
  dtype: a.dtype,
  condition,
  a,
  b,
});
export const cast = (x: Scalar, dtype: DType): Scalar => ({ op: 'cast', dtype, x });
export const reduced = (reduction: number, dtype: DType = 'float32'): Scalar => ({
  op: 'reduced',
  dtype,
  reduction,
});
export const total = (dtype: DType = 'float32'): Scalar => ({ op: 'total', dtype });
export const inside = (index: Index, low: number, high: number): Scalar => ({
  op: 'inside',
  dtype: 'bool',
  index,
  low,
  high,
});
export const store = (operand: number, index: Index, value: Scalar): Store => ({ operand, index, value });

/** A loop kernel without reductions over one axis. */
export function map(length: number, operands: readonly Operand[], ...stores: readonly Store[]): LoopKernel {
  return {
    kind: 'loop',
    operands,
    rows: [],
    columns: [length],
    reductions: [],
    passes: [{ reductions: [], stores }],
    rowStores: [],
  };
}

/** Softmax over the last axis, in three sweeps. */
export function softmax(rows: number, columns: number): LoopKernel {
  const place = at([columns, 1]);
  const shifted = unary('exp', binary('sub', load(0, place), reduced(0)));
  return {
    kind: 'loop',
    operands: [reads('float32', rows * columns), writes('float32', rows * columns)],
    rows: [rows],
    columns: [columns],
    reductions: [
      { kind: 'max', dtype: 'float32', value: load(0, place) },
      { kind: 'sum', dtype: 'float32', value: shifted },
    ],
    passes: [
      { reductions: [0], stores: [] },
      { reductions: [1], stores: [] },
      { reductions: [], stores: [store(1, place, binary('div', shifted, reduced(1)))] },
    ],
    rowStores: [],
  };
}

/** Several reductions of a [rows, columns] matrix of one dtype, each to a vector of its own, in one sweep. */
export function reduceRows(
  dtype: DType,
  rows: number,
  columns: number,
  kinds: readonly LoopKernel['reductions'][number]['kind'][],
): LoopKernel {
  const results = kinds.map((kind): DType => (kind === 'argmax' || kind === 'argmin' ? 'int32' : dtype));
  return {
    kind: 'loop',
    operands: [reads(dtype, rows * columns), ...results.map((result) => writes(result, rows))],
    rows: [rows],
    columns: [columns],
    reductions: kinds.map((kind, number) => ({
      kind,
      dtype: results[number]!,
      value: load(0, at([columns, 1]), dtype),
    })),
    passes: [{ reductions: kinds.map((_, number) => number), stores: [] }],
    rowStores: results.map((result, number) => store(1 + number, at([1]), reduced(number, result))),
  };
}

/** c = max(a·b + bias, 0), or the product alone: [batch, m, k]·[k, n]. */
export function contract(
  dtype: DType,
  batch: number,
  m: number,
  n: number,
  k: number,
  epilogue = false,
): ContractKernel {
  const sum = total(dtype);
  const value = epilogue
    ? binary('maximum', binary('add', sum, load(3, at([0, 0, 1]), dtype)), constant(0, dtype))
    : sum;
  return {
    kind: 'contract',
    operands: [
      reads(dtype, batch * m * k),
      reads(dtype, k * n),
      writes(dtype, batch * m * n),
      ...(epilogue ? [reads(dtype, n)] : []),
    ],
    batch: [batch],
    m,
    n,
    k,
    dtype,
    a: { operand: 0, index: at([m * k, k, 0, 1]) },
    b: { operand: 1, index: at([0, 0, 1, n]) },
    stores: [store(2, at([m * n, n, 1]), value)],
    rowEpilogue: null,
  };
}

/** A scan of each row; the factors of a linear recurrence are its terms in another order. */
export function scan(dtype: DType, rows: number, count: number, fold: ScanKind = 'sum'): ScanKernel {
  const place = at([count, 1]);
  return {
    kind: 'scan',
    scan: fold,
    operands: [reads(dtype, rows * count), writes(dtype, rows * count)],
    rows: [rows],
    count,
    dtype,
    value: load(0, place, dtype),
    coefficient: fold === 'linear' ? load(0, at([1, rows]), dtype) : null,
    stores: [store(1, place, total(dtype))],
  };
}

/** c[a[i], j] ← b[i, j], with c of shape [extent, width]. */
export function scatter(
  mode: 'add' | 'set',
  dtype: DType,
  count: number,
  width: number,
  extent: number,
): ScatterKernel {
  return {
    kind: 'scatter',
    operands: [reads('int32', count), reads(dtype, count * width), updates(dtype, extent * width)],
    extents: [count, width],
    mode,
    target: 2,
    index: at([0, 1]),
    position: load(0, at([1]), 'int32'),
    stride: width,
    extent,
    value: load(1, at([width, 1]), dtype),
  };
}

/** The order of each row. */
export function sort(dtype: DType, rows: number, count: number, descending: boolean): SortKernel {
  const place = at([count, 1]);
  return {
    kind: 'sort',
    operands: [reads(dtype, rows * count), writes('int32', rows * count)],
    rows: [rows],
    count,
    descending,
    value: load(0, place, dtype),
    target: { operand: 1, index: place },
  };
}
