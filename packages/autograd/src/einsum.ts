/**
 * Einstein summation: `einsum('bij,bjk->bik', a, b)`. Letters name axes; a letter that is missing in the
 * result is summed. Two operands at a time become one matrix product: letters of both and of the result are
 * batch axes, letters of both only are summed.
 */
import {
  eq,
  iota,
  matmul,
  permute,
  reshape,
  sum,
  where,
  constant,
  expand,
  mul,
  operandOf,
  widened,
} from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import { formatShape, ShapeError, sizeOf } from '@firsthand/linalg';
import { Tensor } from './tensor.ts';
import { operandNodes } from './operands.ts';

interface Labelled {
  readonly labels: readonly string[];
  readonly node: Node;
}

/**
 * @throws ShapeError if the equation and the operands disagree
 * @example
 * ```ts
 * import { einsum, tensor } from '@firsthand/autograd';
 * const m = tensor([[1, 2], [3, 4]]);
 * console.log(await einsum('ij,jk->ik', m, m).toArray()); // [ [ 7, 10 ], [ 15, 22 ] ]
 * console.log(await einsum('ii->', m).item()); // 5
 * ```
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  const nodes = operandNodes(operands, 'einsum');
  const { terms, result } = parse(equation, nodes);
  return new Tensor(widened((...wide) => contractAll(equation, terms, result, wide), ...nodes));
}

function contractAll(
  equation: string,
  terms: readonly (readonly string[])[],
  result: readonly string[],
  nodes: readonly Node[],
): Node {
  let work: Labelled[] = nodes.map((node, index) => takeDiagonals(equation, { labels: terms[index]!, node }));
  checkSizes(equation, work);
  while (work.length > 1) {
    const [first, second, ...rest] = work;
    const needed = new Set([...result, ...rest.flatMap(({ labels }) => labels)]);
    work = [contract(first!, second!, needed), ...rest];
  }
  const final = sumOut(work[0]!, new Set(result));
  return permute(
    final.node,
    result.map((label) => final.labels.indexOf(label)),
  );
}

/** The error of an equation and operands that disagree. */
function disagreement(
  problem: string,
  nodes: readonly Node[],
  expected: string,
  remedy?: string,
): ShapeError {
  return new ShapeError({ operation: 'einsum', problem, operands: nodes.map(operandOf), expected, remedy });
}

function parse(
  equation: string,
  nodes: readonly Node[],
): { readonly terms: readonly (readonly string[])[]; readonly result: readonly string[] } {
  const match = /^\s*([a-zA-Z,\s]*?)\s*(?:->\s*([a-zA-Z\s]*))?$/.exec(equation);
  if (match === null) {
    const remedy = 'write letters, commas and one arrow, as in "ij,jk->ik"';
    throw disagreement(`"${equation}" is no equation`, nodes, 'letters, commas and one arrow', remedy);
  }
  const letters = (text: string): string[] => [...text.replaceAll(/\s/g, '')];
  const terms = match[1]!.split(',').map(letters);
  if (terms.length !== nodes.length) {
    throw disagreement(
      `"${equation}" names ${terms.length} operands, got ${nodes.length}`,
      nodes,
      `${terms.length} operands`,
    );
  }
  const all = terms.flat();
  // Without an arrow the result has the letters that occur once, in alphabetical order.
  const implicit = [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort();
  const result = match[2] === undefined ? implicit : letters(match[2]);
  const unknown = result.find((label) => !all.includes(label));
  if (unknown !== undefined || new Set(result).size !== result.length) {
    const expected = 'each of its letters once, and only letters of the operands';
    throw disagreement(`the result of "${equation}" must name ${expected}`, nodes, expected);
  }
  return { terms, result };
}

/**
 * A letter that occurs twice in one operand names its diagonal: mask the rest with zeros, and sum one of the
 * two axes.
 */
function takeDiagonals(equation: string, { labels, node }: Labelled): Labelled {
  if (labels.length !== node.shape.length) {
    const problem = `"${labels.join('')}" in "${equation}" names ${labels.length} axes, the operand is ${formatShape(node.shape)}`;
    throw disagreement(problem, [node], `an operand of ${labels.length} axes`);
  }
  const second = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (second < 0) return { labels, node };
  const first = labels.indexOf(labels[second]!);
  if (node.shape[first] !== node.shape[second]) {
    const sizes = `${node.shape[first]} and ${node.shape[second]}`;
    throw disagreement(
      `axis "${labels[second]}" has sizes ${sizes} in ${formatShape(node.shape)}`,
      [node],
      'one size for each letter',
    );
  }
  const onDiagonal = eq(iota(node.shape, first), iota(node.shape, second));
  const masked = where(onDiagonal, node, constant(0, [], node.dtype));
  return takeDiagonals(equation, {
    labels: labels.toSpliced(second, 1),
    node: sum(masked, { axis: second }),
  });
}

function checkSizes(equation: string, operands: readonly Labelled[]): void {
  const sizes = new Map<string, number>();
  for (const { labels, node } of operands) {
    labels.forEach((label, axis) => {
      const size = node.shape[axis]!;
      const known = sizes.get(label) ?? size;
      if (known !== size) {
        const problem = `axis "${label}" of "${equation}" has sizes ${known} and ${size}`;
        throw disagreement(
          problem,
          operands.map((each) => each.node),
          'one size for each letter',
        );
      }
      sizes.set(label, size);
    });
  }
}

/** Sums the axes that nobody needs any more. */
function sumOut({ labels, node }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { labels, node };
  return { labels: labels.filter((label) => needed.has(label)), node: sum(node, { axis: axes }) };
}

/** One matrix product: (batch, rows, inner) · (batch, inner, columns). */
function contract(a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const left = sumOut(a, new Set([...needed, ...b.labels]));
  const right = sumOut(b, new Set([...needed, ...a.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const inner = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const sizeOfLabel = (label: string): number => {
    const at = left.labels.indexOf(label);
    return at >= 0 ? left.node.shape[at]! : right.node.shape[right.labels.indexOf(label)]!;
  };
  const arrange = (operand: Labelled, groups: readonly (readonly string[])[]): Node => {
    const order = groups.flat().map((label) => operand.labels.indexOf(label));
    const merged = groups.map((group) => sizeOf(group.map(sizeOfLabel)));
    return reshape(permute(operand.node, order), merged);
  };
  const labels = [...batch, ...rows, ...columns];
  const shape = labels.map(sizeOfLabel);
  if (inner.length === 0) {
    // Nothing is summed: an outer product needs no matrix product.
    const one = arrange(left, [batch, rows, []]);
    const other = arrange(right, [batch, [], columns]);
    const wide = [one.shape[0]!, one.shape[1]!, other.shape[2]!];
    return { labels, node: reshape(mul(expand(one, wide), expand(other, wide)), shape) };
  }
  const product = matmul(arrange(left, [batch, rows, inner]), arrange(right, [batch, inner, columns]));
  return { labels, node: reshape(product, shape) };
}
