/**
 * Caches for expensive values of a row. Where several passes over a row need the same value (the exponentials
 * of a softmax: first their sum, then each divided by it), the first pass stores it in working memory, and
 * later ones load it. This is a rewrite of the kernel: row caches become further operands.
 */
import {
  inputsOf,
  scalarsIn,
  type Index,
  type LoopKernel,
  type Operand,
  type Pass,
  type Scalar,
  type ScalarOf,
  type ScalarOp,
} from '@firsthand/compiler';
import { bytesOf } from '../scalar/registers.ts';
import { costOfTree } from './cost.ts';
import { axesOf } from '../scalar/indices.ts';

/** Values that are cheaper than this are recomputed. */
const EXPENSIVE = 8;
/** Rows that need more bytes are recomputed: storing them would cost as much. */
const CACHE_BYTES = 2 ** 18;

/** A kernel with row caches: operands in working memory, one after the other. */
export interface CachedKernel {
  readonly kernel: LoopKernel;
  /** Bytes from the start of the working memory, for each additional operand. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

type Rebuild<K extends ScalarOp> = (scalar: ScalarOf<K>, replace: (input: Scalar) => Scalar) => Scalar;
const same = (scalar: Scalar): Scalar => scalar;
const REBUILD: { readonly [K in ScalarOp]: Rebuild<K> } = {
  const: same,
  load: same,
  index: same,
  inside: same,
  gather: (scalar, replace) => ({ ...scalar, position: replace(scalar.position) }),
  random: (scalar, replace) => ({
    ...scalar,
    key: [replace(scalar.key[0]), replace(scalar.key[1])],
    counter: [replace(scalar.counter[0]), replace(scalar.counter[1])],
  }),
  unary: (scalar, replace) => ({ ...scalar, x: replace(scalar.x) }),
  binary: (scalar, replace) => ({ ...scalar, a: replace(scalar.a), b: replace(scalar.b) }),
  where: (scalar, replace) => ({
    ...scalar,
    condition: replace(scalar.condition),
    a: replace(scalar.a),
    b: replace(scalar.b),
  }),
  cast: (scalar, replace) => ({ ...scalar, x: replace(scalar.x) }),
  reduced: same,
  total: same,
};

/** The expressions that a pass computes. */
export function rootsOf({ reductions }: LoopKernel, pass: Pass): readonly Scalar[] {
  return [
    ...pass.reductions.map((number) => reductions[number]!.value),
    ...pass.stores.map(({ value }) => value),
  ];
}

/** The kernel with caches for expensive values that several passes need. */
export function withRowCache(kernel: LoopKernel): CachedKernel {
  const { rows, columns, passes, operands } = kernel;
  if (passes.length < 2) return { kernel, offsets: [], bytes: 0 };
  const chosen = chooseCached(kernel);
  const index = rowMajor(rows.length, columns);
  const length = columns.reduce((product, extent) => product * extent, 1);
  // A load that depends on no loop would be hoisted before the store.
  if (chosen.size === 0 || length === 1) return { kernel, offsets: [], bytes: 0 };
  const caches = new Map<Scalar, { readonly operand: number; readonly pass: number }>();
  const added: Operand[] = [];
  const offsets: number[] = [];
  let bytes = 0;
  for (const [scalar, pass] of chosen) {
    // The register is stored as it is.
    const dtype = scalar.dtype === 'float64' ? 'float64' : 'float32';
    const size = Math.ceil((length * bytesOf(dtype)) / 16) * 16;
    if (bytes + size > CACHE_BYTES) continue;
    caches.set(scalar, {
      operand: operands.length + added.push({ dtype, length, access: 'update' }) - 1,
      pass,
    });
    offsets.push(bytes);
    bytes += size;
  }
  const rewriters = passes.map((_, pass) =>
    rewriter((scalar) => {
      const cache = caches.get(scalar);
      return cache === undefined || cache.pass >= pass
        ? null
        : { op: 'load', dtype: scalar.dtype, operand: cache.operand, index };
    }),
  );
  const reductions = kernel.reductions.map((reduction, number) => {
    const pass = passes.findIndex((each) => each.reductions.includes(number));
    return { ...reduction, value: rewriters[pass]!(reduction.value) };
  });
  const rewritten = passes.map((pass, position): Pass => ({
    reductions: pass.reductions,
    stores: [
      ...pass.stores.map((store) => ({ ...store, value: rewriters[position]!(store.value) })),
      ...[...caches].flatMap(([value, cache]) =>
        cache.pass === position
          ? [{ operand: cache.operand, index, value: rewriters[position]!(value) }]
          : [],
      ),
    ],
  }));
  return {
    kernel: { ...kernel, operands: [...operands, ...added], reductions, passes: rewritten },
    offsets,
    bytes,
  };
}

/**
 * The outermost expensive expressions that change along a row and occur in several passes, with the first of
 * these passes.
 */
function chooseCached(kernel: LoopKernel): ReadonlyMap<Scalar, number> {
  const firstPass = new Map<Scalar, number>();
  const chosen = new Map<Scalar, number>();
  kernel.passes.forEach((pass, position) => {
    const roots = rootsOf(kernel, pass);
    const visited = new Set<Scalar>();
    const visit = (scalar: Scalar): void => {
      if (visited.has(scalar)) return;
      visited.add(scalar);
      const first = firstPass.get(scalar);
      if (
        first !== undefined &&
        first < position &&
        changesAlongRow(scalar, kernel.rows.length) &&
        costOfTree(scalar) >= EXPENSIVE
      ) {
        chosen.set(scalar, first);
        return;
      }
      for (const input of inputsOf(scalar)) visit(input);
    };
    for (const root of roots) visit(root);
    for (const scalar of scalarsIn(roots)) if (!firstPass.has(scalar)) firstPass.set(scalar, position);
  });
  return chosen;
}

function changesAlongRow(scalar: Scalar, rows: number): boolean {
  return scalarsIn([scalar]).some((each) => 'index' in each && axesOf(each.index) >>> rows !== 0);
}

/** The index among the columns. */
export function rowMajor(rows: number, columns: readonly number[]): Index {
  let coefficient = 1;
  const terms = columns.map((_, column) => {
    const axis = rows + columns.length - 1 - column;
    const term = { coefficient, atom: { kind: 'axis' as const, axis } };
    coefficient *= columns[axis - rows]!;
    return term;
  });
  return { offset: 0, terms: terms.toReversed() };
}

/** Replaces expressions within others; an expression with nothing to replace stays the same object. */
function rewriter(replacement: (scalar: Scalar) => Scalar | null): (scalar: Scalar) => Scalar {
  const known = new Map<Scalar, Scalar>();
  return (root) => {
    for (const scalar of scalarsIn([root], (each) => known.has(each))) {
      const inputs = inputsOf(scalar);
      const isChanged = inputs.some((input) => known.get(input) !== input);
      const rebuilt = isChanged
        ? (REBUILD[scalar.op] as (scalar: Scalar, replace: (input: Scalar) => Scalar) => Scalar)(
            scalar,
            (input) => known.get(input)!,
          )
        : scalar;
      known.set(scalar, replacement(scalar) ?? rebuilt);
    }
    return known.get(root)!;
  };
}
