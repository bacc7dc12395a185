// Matrix products written down by strides, for tests and benchmarks.
import type { ContractKernel, Index, Operand, Store } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';

/**
 * c[…, m, n] = Σₖ a[…, m, k]·b[…, k, n]. `transposed` names the operands whose last two axes are exchanged in
 * memory, `shared` those that the batch shares.
 */
export interface Product {
  readonly batch?: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype?: DType;
  readonly transposed?: string;
  readonly shared?: string;
  /** Elements in front of the first one, and between lines. */
  readonly offset?: number;
  readonly gap?: number;
}

/**
 * A matrix for each index of the batch: its index over some axes of the kernel, and the elements of all.
 */
function matrix(
  p: Product,
  name: string,
  axes: readonly [number, number],
  extents: readonly [number, number],
): { readonly index: Index; readonly length: number } {
  const { batch = [], transposed = '', shared = '', offset = 0, gap = 0 } = p;
  const isTransposed = transposed.includes(name);
  const [lines, length] = isTransposed ? [extents[1], extents[0]] : extents;
  const line = length + gap;
  const terms: [number, number][] = isTransposed
    ? [
        [axes[0], 1],
        [axes[1], line],
      ]
    : [
        [axes[0], line],
        [axes[1], 1],
      ];
  let step = lines * line;
  for (let axis = batch.length - 1; axis >= 0 && !shared.includes(name); axis--) {
    terms.unshift([axis, step]);
    step *= batch[axis]!;
  }
  const sorted = terms.toSorted(([left], [right]) => left - right);
  return {
    index: {
      offset,
      terms: sorted.map(([axis, coefficient]) => ({ coefficient, atom: { kind: 'axis', axis } })),
    },
    length: offset + step,
  };
}

/**
 * The kernel of a product that stores its totals as operand 2; or that does with them what `stores` say, with
 * more operands from number 3 on.
 */
export function productKernel(
  p: Product,
  stores?: (c: Index) => readonly Store[],
  more: readonly Operand[] = [],
): ContractKernel {
  const { batch = [], m, n, k, dtype = 'float32' } = p;
  const [am, an, ak] = [batch.length, batch.length + 1, batch.length + 2];
  const [a, b, c] = [
    matrix(p, 'a', [am, ak], [m, k]),
    matrix(p, 'b', [ak, an], [k, n]),
    matrix(p, 'c', [am, an], [m, n]),
  ];
  return {
    kind: 'contract',
    operands: [
      { dtype, length: a.length, access: 'read' },
      { dtype, length: b.length, access: 'read' },
      { dtype, length: c.length, access: 'write' },
      ...more,
    ],
    batch,
    m,
    n,
    k,
    dtype,
    a: { operand: 0, index: a.index },
    b: { operand: 1, index: b.index },
    stores: stores?.(c.index) ?? [{ operand: 2, index: c.index, value: { op: 'total', dtype } }],
    rowEpilogue: null,
  };
}
