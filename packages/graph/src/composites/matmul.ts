/**
 * Matrix product over the last two axes: C[…, m, n] = Σₖ A[…, m, k]·B[…, k, n]; leading axes broadcast. The
 * body is the definition; every device is expected to bring a kernel.
 */
import { broadcastShapes, ShapeError } from '@firsthand/linalg';
import { sumTo } from '../operations/derived.ts';
import { call } from '../ir/node.ts';
import { expand, mul, reshape, sum, transpose } from '../operations/ops.ts';
import type { Composite, Node, Spec } from '../ir/types.ts';
import { describe, operandOf, requireNumbers, requireSameDType } from '../ir/shapes.ts';

function inferMatmul(a: Spec, b: Spec): Spec {
  requireSameDType('matmul', a, b);
  requireNumbers('matmul', a, "use cast('float32')");
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new ShapeError({
      operation: 'matmul',
      operands: [a, b].map(operandOf),
      expected: 'two axes or more',
    });
  }
  const inner = a.shape.at(-1)!;
  const other = b.shape.at(-2)!;
  if (inner !== other) {
    const problem = `inner sizes differ: ${describe(a)} · ${describe(b)} (${inner} ≠ ${other})`;
    throw new ShapeError({
      operation: 'matmul',
      problem,
      operands: [a, b].map(operandOf),
      expected: `a second operand […, ${inner}, n]`,
    });
  }
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return { shape: [...batch, a.shape.at(-2)!, b.shape.at(-1)!], dtype: a.dtype };
}

/** The matrix product as an operation; called through `matmul`. */
export const matmulComposite: Composite = {
  name: 'matmul',
  infer: (_, a, b) => [inferMatmul(a, b)],
  body(_, a, b) {
    const { shape } = inferMatmul(a, b);
    const full = [...shape.slice(0, -1), a.shape.at(-1)!, shape.at(-1)!]; // (…, m, k, n)
    const left = reshape(a, [...a.shape, 1]); // (…, m, k, 1)
    const right = reshape(b, [...b.shape.slice(0, -2), 1, ...b.shape.slice(-2)]); // (…, 1, k, n)
    return [sum(mul(expand(left, full), expand(right, full)), { axis: -2 })];
  },
  // C = A B: dA = G Bᵀ, dB = Aᵀ G, summed over broadcast axes.
  vjp([g], _outs, _attrs, a, b) {
    if (g === null || g === undefined) return [null, null];
    return [
      a.requiresGrad ? sumTo(matmul(g, transpose(b)), a.shape) : null,
      b.requiresGrad ? sumTo(matmul(transpose(a), g), b.shape) : null,
    ];
  },
  residuals: (_received, _outs, _attrs, a, b) => [[b], [a]],
};

/**
 * Matrix product; one-dimensional operands act as a row on the left and as a column on the right, and lose
 * that axis again.
 */
export function matmul(a: Node, b: Node): Node {
  if (a.shape.length === 0 || b.shape.length === 0) {
    const problem = `scalars have no inner axis: ${describe(a)} · ${describe(b)}`;
    const expected = 'vectors or matrices';
    throw new ShapeError({
      operation: 'matmul',
      problem,
      operands: [a, b].map(operandOf),
      expected,
      remedy: 'use mul',
    });
  }
  const left = a.shape.length === 1 ? reshape(a, [1, a.shape[0]!]) : a;
  const right = b.shape.length === 1 ? reshape(b, [b.shape[0]!, 1]) : b;
  const product = call(matmulComposite, {}, left, right)[0]!;
  if (left === a && right === b) return product;
  const drop = [
    ...(left === a ? [] : [product.shape.length - 2]),
    ...(right === b ? [] : [product.shape.length - 1]),
  ];
  return reshape(
    product,
    product.shape.filter((_, axis) => !drop.includes(axis)),
  );
}
