/**
 * Einstein summation: name every axis, multiply, and sum over the names that the output lacks. `ij,jk->ik` is
 * the matrix product. A repeated name within an operand takes its diagonal; several operands are contracted
 * two at a time, cheapest pair first, each pair by one batched matmul.
 */
import { binary } from './binary.ts';
import { ShapeError } from './errors.ts';
import { matmul } from './matmul.ts';
import { NDArray } from './ndarray.ts';
import { broadcastArrays, requireArray, widen } from './operands.ts';
import { describeValue } from './options.ts';
import { reduce } from './reduce.ts';
import { formatShape, sizeOf } from './shape.ts';

/** An operand whose axes have distinct names. */
interface Term {
  readonly array: NDArray;
  readonly labels: readonly string[];
}

interface Equation {
  readonly inputs: readonly string[][];
  readonly output: readonly string[];
}

const ELLIPSIS = '…';
const EQUATION = "an equation like 'ij,jk->ik'";

const fail = (problem: string, expected: string, operands: readonly NDArray[] = []): ShapeError =>
  new ShapeError({ operation: 'einsum', problem, operands, expected });

/** One label per axis; the ellipsis stays as one. */
function parseLabels(equation: string, text: string): string[] {
  const labels = text.replaceAll(' ', '').replace('...', ELLIPSIS).split('');
  if (!labels.every((label) => /^[A-Za-z…]$/.test(label))) {
    throw fail(
      `cannot read '${text}' in '${equation}': axes are named by single letters, with at most one ...`,
      EQUATION,
    );
  }
  return labels;
}

function parse(equation: string, arrays: readonly NDArray[]): Equation {
  const [left, right, ...rest] = equation.split('->') as [string, ...string[]];
  const inputs = left.split(',').map((text) => parseLabels(equation, text));
  if (rest.length > 0 || inputs.length !== arrays.length) {
    throw fail(
      `'${equation}' describes ${inputs.length} operands; ${arrays.length} were given`,
      'as many operands as it describes',
      arrays,
    );
  }
  // What an ellipsis stands for: numbered from the last axis, so that shorter ones align with longer ones.
  const spans = inputs.map((labels, k) => {
    const span = labels.includes(ELLIPSIS) ? arrays[k]!.ndim - (labels.length - 1) : 0;
    if (span < 0 || (!labels.includes(ELLIPSIS) && labels.length !== arrays[k]!.ndim)) {
      const problem = `'${labels.join('')}' names ${labels.length} axes of operand ${k}, whose shape is ${formatShape(arrays[k]!.shape)}`;
      throw fail(problem, 'a letter for each axis', arrays);
    }
    return span;
  });
  const numbered = (span: number): string[] => Array.from({ length: span }, (_, i) => `${span - i}`);
  const expand = (labels: string[], span: number): string[] =>
    labels.flatMap((label) => (label === ELLIPSIS ? numbered(span) : [label]));
  const longest = Math.max(0, ...spans);
  const named = inputs.flat().filter((label) => label !== ELLIPSIS);
  const implicit = [
    ...numbered(longest),
    ...named.filter((label) => named.indexOf(label) === named.lastIndexOf(label)).sort(),
  ];
  const output = right === undefined ? implicit : expand(parseLabels(equation, right), longest);
  for (const label of output) {
    const known = named.includes(label) || Number(label) <= longest;
    if (!known || output.indexOf(label) !== output.lastIndexOf(label)) {
      const problem = `output axis '${label}' of '${equation}' ${known ? 'appears twice' : 'is in no operand'}`;
      throw fail(problem, 'each letter of the output once, and only letters of the operands', arrays);
    }
  }
  return { inputs: inputs.map((labels, k) => expand(labels, spans[k]!)), output };
}

/** The size of every label; axes under an ellipsis broadcast, named ones must agree. */
function measure(
  equation: string,
  inputs: readonly string[][],
  arrays: readonly NDArray[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  inputs.forEach((labels, k) =>
    labels.forEach((label, axis) => {
      const length = arrays[k]!.shape[axis]!;
      const known = sizes.get(label);
      if (known === undefined || /\d/.test(label)) {
        sizes.set(label, broadcastArrays('einsum', arrays, [[length], [known ?? 1]])[0]!);
      } else if (known !== length) {
        throw fail(
          `axis '${label}' of '${equation}' has sizes ${known} and ${length}`,
          'one size for each letter',
          arrays,
        );
      }
    }),
  );
  return sizes;
}

/** The operand as a term: broadcast under its ellipsis, with the diagonal taken where a label repeats. */
function toTerm(array: NDArray, labels: readonly string[], sizes: ReadonlyMap<string, number>): Term {
  const view = array.broadcastTo(labels.map((label) => sizes.get(label)!));
  const distinct = [...new Set(labels)];
  const strides = distinct.map((label) =>
    view.strides.reduce((sum, stride, axis) => (labels[axis] === label ? sum + stride : sum), 0),
  );
  const shape = distinct.map((label) => sizes.get(label)!);
  return { array: NDArray.fromParts(view.data, shape, strides, view.offset, view.dtype), labels: distinct };
}

/** Sums over the labels that nobody needs any more. */
function sumOut({ array, labels }: Term, needed: ReadonlySet<string>): Term {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { array, labels };
  return { array: reduce('sum', array, axes), labels: labels.filter((label) => needed.has(label)) };
}

/** The axes in the given order of labels. */
function order({ array, labels }: Term, wanted: readonly string[]): NDArray {
  return array.permute(wanted.map((label) => labels.indexOf(label)));
}

/** Multiplies two terms and sums over the labels that they share and nobody else needs. */
function contract(a: Term, b: Term, needed: ReadonlySet<string>): Term {
  const left = sumOut(a, new Set([...needed, ...b.labels]));
  const right = sumOut(b, new Set([...needed, ...a.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const summed = shared.filter((label) => !needed.has(label));
  const leftOnly = left.labels.filter((label) => !shared.includes(label));
  const rightOnly = right.labels.filter((label) => !shared.includes(label));
  const lengths = (term: Term, wanted: readonly string[]): number[] =>
    wanted.map((label) => term.array.shape[term.labels.indexOf(label)]!);
  const [batchShape, leftShape, rightShape, summedShape] = [
    lengths(left, batch),
    lengths(left, leftOnly),
    lengths(right, rightOnly),
    lengths(left, summed),
  ];
  const labels = [...batch, ...leftOnly, ...rightOnly];
  const x = order(left, [...batch, ...leftOnly, ...summed]);
  const y = order(right, [...batch, ...summed, ...rightOnly]);
  if (summed.length === 0) {
    const ones = rightShape.map(() => 1);
    const spread = y.reshape([...batchShape, ...leftShape.map(() => 1), ...rightShape]);
    return { array: binary('mul', x.reshape([...batchShape, ...leftShape, ...ones]), spread), labels };
  }
  const inner = sizeOf(summedShape);
  const product = matmul(
    x.reshape([...batchShape, sizeOf(leftShape), inner]),
    y.reshape([...batchShape, inner, sizeOf(rightShape)]),
  );
  return { array: product.reshape([...batchShape, ...leftShape, ...rightShape]), labels };
}

/**
 * The pair whose contraction takes the fewest multiplications: the product of the sizes of all labels in it.
 */
function cheapestPair(terms: readonly Term[], sizes: ReadonlyMap<string, number>): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Infinity;
  for (let i = 0; i < terms.length; i++) {
    for (let j = i + 1; j < terms.length; j++) {
      const labels = new Set([...terms[i]!.labels, ...terms[j]!.labels]);
      const cost = sizeOf([...labels].map((label) => sizes.get(label)!));
      if (cost < least) [best, least] = [[i, j], cost];
    }
  }
  return best;
}

/**
 * Einstein summation.
 * @param equation a letter per axis, operands separated by commas: `bij,bjk->bik`. `...` stands for any
 *   leading axes, which broadcast.
 *   Without `->` the output has the letters that appear once, in alphabetical order.
 * @param arrays the operands, of one type
 * @returns the sum over all letters that the output lacks
 * @throws ShapeError if the equation cannot be read or does not fit the shapes
 * @throws DTypeError if types differ or are bool
 * @example
 * ```ts
 * import { arange, einsum } from '@firsthand/linalg';
 * const x = arange(4).reshape([2, 2]);
 * console.log(einsum('ii->', x).get(), einsum('ij,kj->ik', x, x).toArray()); // 3 [ [ 1, 3 ], [ 3, 13 ] ]
 * ```
 */
export function einsum(equation: string, ...arrays: NDArray[]): NDArray {
  if (typeof equation !== 'string') throw fail(`the equation is ${describeValue(equation)}`, EQUATION);
  arrays.forEach((x, k) => requireArray('einsum', x, `operand ${k}`));
  const { inputs, output } = parse(equation, arrays);
  const sizes = measure(equation, inputs, arrays);
  // Of float16, what several operands give on the way is float32; operands of several types are refused where
  // they meet.
  const isHalf = arrays.every((array) => array.dtype === 'float16');
  let terms = arrays.map((array, k) => toTerm(isHalf ? widen(array) : array, inputs[k]!, sizes));
  while (terms.length > 1) {
    const pair = cheapestPair(terms, sizes);
    const others = terms.filter((_, k) => !pair.includes(k));
    const needed = new Set([...output, ...others.flatMap((term) => term.labels)]);
    terms = [...others, contract(terms[pair[0]]!, terms[pair[1]]!, needed)];
  }
  const result = order(sumOut(terms[0]!, new Set(output)), output).copy();
  return isHalf ? result.astype('float16') : result;
}
