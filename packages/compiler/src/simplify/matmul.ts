/**
 * Matrix products in the form that kernels like: one tall product and not a batch with a common factor, one
 * long inner sum and not a sum of products, no transposition of the result; and for products without much of
 * a matrix in them, a sum of products that fuses with its neighbours.
 */
import type { Node, NodeOf } from '@firsthand/graph';
import { equalShapes, sizeOf } from '@firsthand/linalg';
import { isMatmul } from './inline.ts';
import type { Rewriter, Rule } from './rewrite.ts';
import { inexact, movedBy, moveRule, reduceRule, rule } from './rewrite-rule.ts';

/**
 * Whether a call is a matrix product that deserves a kernel of its own. A row times a matrix, a matrix times
 * a column, and sums of one or two products are better written as a reduction.
 */
export function isContract(node: Node): boolean {
  if (!isMatmul(node)) return false;
  const [rows, columns] = node.shape.slice(-2);
  const inner = node.inputs[0]!.shape.at(-1)!;
  return rows! > 1 && columns! > 1 && inner > 2;
}

/** The operands of a matrix product, or null for other nodes. */
function matricesOf(node: Node): readonly [Node, Node] | null {
  const called = node.op === 'output' ? node.inputs[0]! : node;
  return isMatmul(called) ? [called.inputs[0]!, called.inputs[1]!] : null;
}

function productRule(
  name: string,
  apply: (a: Node, b: Node, make: Rewriter, node: NodeOf<'output'>) => Node | null,
): Rule {
  return rule('output', name, (node, make) => {
    const matrices = matricesOf(node);
    return matrices === null ? null : apply(matrices[0], matrices[1], make, node);
  });
}

const isBatched = (x: Node): boolean => sizeOf(x.shape.slice(0, -2)) > 1;
/** (…, r, c) as (…·r, c) */
const stacked = (x: Node, make: Rewriter): Node =>
  make.reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);

function transposed(x: Node, make: Rewriter): Node {
  const rank = x.shape.length;
  const axes = x.shape.map((_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
  return make.permute(x, axes);
}

/**
 * Whether all axes but the last are contiguous in the value below the movements, as far as can be seen: then
 * stacking them costs nothing.
 */
function stacksWithoutCopy(x: Node): boolean {
  const permuted = movedBy(x, 'permute');
  if (permuted === null) return movedBy(x, 'expand') === null;
  const rows = permuted.move.axes.slice(0, -1).filter((axis) => permuted.source.shape[axis] !== 1);
  const [first = 0] = rows;
  const between = permuted.source.shape
    .map((_, axis) => axis)
    .filter((axis) => axis >= first && permuted.source.shape[axis] !== 1);
  return rows.every((axis, position) => axis === between[position]);
}

/** Elements to be copied before a value can be stacked. */
const copied = (x: Node): number => (stacksWithoutCopy(x) ? 0 : sizeOf(x.shape));

/** What is repeated along batch axes only, or the node itself: a product repeats its operands by itself. */
function withoutRepetition(x: Node): Node {
  const source = movedBy(x, 'expand')?.source;
  return source !== undefined && equalShapes(source.shape.slice(-2), x.shape.slice(-2)) ? source : x;
}

/** Rules about matrix products. */
export const MATMUL_RULES: readonly Rule[] = [
  // Batches broadcast by themselves.
  productRule('expand(a)·b = expand(a·b)', (a, b, make, { shape }) => {
    const [left, right] = [withoutRepetition(a), withoutRepetition(b)];
    return left === a && right === b ? null : make.expand(make.matmul(left, right), shape);
  }),
  // Each row of the result is a row of some aᵢ times b.
  productRule('a batch of aᵢ·b is one product', (a, b, make, { shape }) => {
    if (isBatched(b) || a.shape.length + b.shape.length === 4 || !stacksWithoutCopy(a)) return null;
    return make.reshape(make.matmul(stacked(a, make), stacked(b, make)), shape);
  }),
  inexact(
    // The definition, whose products are rounded before they are added.
    productRule('a·b ≈ Σ aₖ·bₖ', (a, b, make, node) => {
      const called = node.inputs[0] as NodeOf<'call'>;
      return isContract(called)
        ? null
        : make.adopt(called.attrs.composite.body(called.attrs.attrs, a, b), [a, b])[0]!;
    }),
  ),
];

/** Rules that would compute a product twice if anything else read it: they apply where nothing does. */
export const SINGLE_READER_RULES: readonly Rule[] = [
  inexact(
    // The same products, added in one sum and not by batches.
    reduceRule(['sum'], 'Σᵢ aᵢ·bᵢ ≈ [a₁ a₂ …]·[b₁; b₂; …]', (x, axes, make, { shape }) => {
      const matrices = matricesOf(x);
      if (matrices === null || make.readersOf(x) !== 1) return null;
      const [a, b] = matrices;
      const batch = x.shape.slice(0, -2);
      const isWhole =
        axes.every((axis) => axis < batch.length) &&
        batch.every((extent, axis) => extent === 1 || axes.includes(axis));
      const areSame = [a, b].every((matrix) => sizeOf(matrix.shape.slice(0, -2)) === sizeOf(batch));
      const turned = transposed(a, make);
      if (!isWhole || !areSame || copied(turned) + copied(b) > sizeOf(x.shape)) return null;
      return make.reshape(make.matmul(transposed(stacked(turned, make), make), stacked(b, make)), shape);
    }),
  ),
  inexact(
    // The same products; partial sums may be formed in another order.
    moveRule('permute', '(a·b)ᵀ ≈ bᵀ·aᵀ', ({ axes }, x, make) => {
      const matrices = matricesOf(x);
      if (matrices === null || make.readersOf(x) !== 1) return null;
      const rank = axes.length;
      const isTransposition = axes.every(
        (axis, position) => axis === (position < rank - 2 ? position : 2 * rank - 3 - position),
      );
      return isTransposition
        ? make.matmul(transposed(matrices[1], make), transposed(matrices[0], make))
        : null;
    }),
  ),
];
