/**
 * Late gathers compute less: gather(f(a, b), i) = f(gather(a, i), gather(b, i)), so that of a row that is
 * normalised and then indexed at one element, such as log softmax at the label, only that element is
 * normalised. An index out of range reads NaN; f must pass it on, and one of its operands must still be
 * gathered.
 */
import type { DType, Node, NodeOf, Shape } from '@firsthand/graph';
import { isFloat } from '@firsthand/graph';
import { BINARY_TRAITS, sizeOf, UNARY_TRAITS } from '@firsthand/linalg';
import type { Rewriter, Rule } from './rewrite.ts';
import { constantOf, isConstant, type Move, moveRule, movedBy, type MoveKind, rule } from './rewrite-rule.ts';
import { axesBefore } from './reshape.ts';

/** How many times fewer elements the gathered value must have. */
const GAIN = 4;
/** How many operations a gather looks through. */
const REACH = 64;
/** Whether a node is float arithmetic that gives NaN where any operand is NaN. */
function passesNaN(node: Node): boolean {
  if (node.op === 'unary') return UNARY_TRAITS[node.attrs.kind].passesNaN && isFloat(node.dtype);
  if (node.op === 'binary') return BINARY_TRAITS[node.attrs.kind].passesNaN && isFloat(node.dtype);
  return node.op === 'cast' && isFloat(node.dtype) && isFloat(node.inputs[0]!.dtype);
}

/** What is repeated along an axis, or null for other nodes. */
function repeatedAlong(node: Node, axis: number): Node | null {
  const source = movedBy(node, 'expand')?.source ?? null;
  return source !== null && source.shape[axis] === 1 && node.shape[axis] !== 1 ? source : null;
}

/** Whether a node is the result of a matrix product, moved or not. */
function isProduct(node: Node): boolean {
  let below = node;
  while (below.op === 'movement') below = below.inputs[0]!;
  return below.op === 'output';
}

/**
 * Whether a gather gains by looking through arithmetic: where that needs a number per row, which must be
 * known before any element of the row is. Otherwise the arithmetic may well be the last step of a matrix
 * product, and is better gathered than done twice.
 */
function isWorthLookingThrough(x: Node, axis: number): boolean {
  const seen = new Set<Node>([x]);
  let isOfProduct = false;
  for (const node of seen) {
    if (isProduct(node)) isOfProduct = true;
    if (!passesNaN(node)) continue;
    for (const input of node.inputs) {
      if (repeatedAlong(input, axis) !== null) return true;
      if (seen.size < REACH) seen.add(input);
    }
  }
  return !isOfProduct;
}

const gatherRule = (
  name: string,
  apply: (x: Node, index: Node, axis: number, make: Rewriter, node: NodeOf<'gather'>) => Node | null,
): Rule =>
  rule('gather', name, (node, make) => apply(node.inputs[0]!, node.inputs[1]!, node.attrs.axis, make, node));

const withAxis = (shape: Shape, axis: number, extent: number): number[] =>
  shape.map((each, position) => (position === axis ? extent : each));

/** What an index out of range reads. */
const missing = (dtype: DType): number => (isFloat(dtype) ? NaN : 0);

const GATHER_RULES: readonly Rule[] = [
  // Every index is out of range: NaN, or 0 for integers.
  gatherRule('gather from nothing', (x, _, __, make, { shape, dtype }) =>
    sizeOf(x.shape) === 0 ? make.constant(missing(dtype), shape, dtype) : null,
  ),
  // 0 for integers, NaN for floats.
  gatherRule('gather(c, i) = c where c is what is missing', (x, _, __, make, { shape, dtype }) => {
    return isConstant(x, missing(dtype)) ? make.constant(missing(dtype), shape, dtype) : null;
  }),
  // One index is read for all, known now.
  gatherRule('gather(x, k) is a part of x', (x, index, axis, make, { shape, dtype }) => {
    const position = constantOf(index);
    if (position === null) return null;
    if (!(position >= 0 && position < x.shape[axis]!)) return make.constant(missing(dtype), shape, dtype);
    const begin = x.shape.map((_, each) => (each === axis ? position : 0));
    return make.expand(make.shrink(x, begin, withAxis(x.shape, axis, position + 1)), shape);
  }),
  // Each element is read at its own index.
  gatherRule('gather(x, 0, 1, 2, …) is the beginning of x', (x, index, axis, make, { shape }) => {
    if (index.op !== 'iota' || index.attrs.axis !== axis || shape[axis]! > x.shape[axis]!) return null;
    const begin = x.shape.map(() => 0);
    return make.shrink(x, begin, shape);
  }),
  // Where the axis is one of x.
  gatherRule('gather(reshape(x), i) = reshape(gather(x, reshape(i)))', (x, index, axis, make, { shape }) => {
    const reshaped = movedBy(x, 'reshape');
    if (reshaped === null) return null;
    const { source } = reshaped;
    const along = axesBefore(source.shape, x.shape)[axis]!;
    if (along < 0) return null;
    const positions = make.reshape(index, withAxis(source.shape, along, shape[axis]!));
    return make.reshape(make.make('gather', { axis: along }, [source, positions]), shape);
  }),
  // F gives NaN for NaN, which an index out of range reads; where fewer elements are computed.
  gatherRule('gather(f(a, b), i) = f(gather(a, i), gather(b, i))', (x, index, axis, make, { shape }) => {
    if (!passesNaN(x) || sizeOf(x.shape) < GAIN * sizeOf(shape) || !isWorthLookingThrough(x, axis))
      return null;
    const isGathered = (input: Node): boolean => input.op !== 'const' && repeatedAlong(input, axis) === null;
    if (!x.inputs.some(isGathered)) return null;
    const operands = x.inputs.map((input) => {
      if (input.op === 'const') return make.constant(input.attrs.value, shape, input.dtype);
      const repeated = repeatedAlong(input, axis);
      return repeated === null ? make.make('gather', { axis }, [input, index]) : make.expand(repeated, shape);
    });
    return make.like(x, operands);
  }),
];

const OTHER_RULES: readonly Rule[] = [
  // Nothing is written.
  rule('scatter', 'scatter of nothing', ({ inputs: [base, , source] }) =>
    sizeOf(source!.shape) === 0 ? base! : null,
  ),
  // The first of equals.
  rule('argReduce', 'argmax of equal elements is 0', ({ attrs, inputs: [x], shape }, make) =>
    x!.op === 'const' || x!.shape[attrs.axis] === 1 ? make.constant(0, shape, 'int32') : null,
  ),
  // Sorting is stable.
  rule('sort', 'equal elements stay in their order', ({ attrs, inputs: [x], shape }, make) =>
    x!.op === 'const' || x!.shape[attrs.axis] === 1
      ? make.make('iota', { shape, axis: attrs.axis }, [])
      : null,
  ),
  // There is one.
  rule('iota', 'indices along an axis of extent 1 are 0', ({ attrs, shape }, make) =>
    shape[attrs.axis] === 1 ? make.constant(0, shape, 'int32') : null,
  ),
];

/** Indices count along one axis wherever it goes: null where the movement makes them something else. */
function iotaRule<K extends MoveKind>(
  kind: K,
  axisAfter: (move: Move<K>, shape: Shape, axis: number) => number,
): Rule {
  return moveRule(kind, `${kind} of indices`, (move, x, make, { shape }) => {
    if (x.op !== 'iota') return null;
    const axis = axisAfter(move, x.shape, x.attrs.axis);
    return axis < 0 ? null : make.make('iota', { shape, axis }, []);
  });
}

const IOTA_RULES: readonly Rule[] = [
  // Where their axis stays an axis.
  iotaRule('reshape', ({ shape }, from, axis) => axesBefore(from, shape).indexOf(axis)),
  // Their axis moves.
  iotaRule('permute', ({ axes }, _, axis) => axes.indexOf(axis)),
  // Other axes repeat them.
  iotaRule('expand', (_, __, axis) => axis),
  // Their axis keeps its beginning.
  iotaRule('shrink', ({ begin }, _, axis) => (begin[axis] === 0 ? axis : -1)),
  // Other axes repeat them.
  iotaRule('flip', ({ axes }, _, axis) => (axes.includes(axis) ? -1 : axis)),
];

/** Sums of many scattered floats, kept in float64 as the reference keeps them. */
// Sums of many are then rounded once, as in the reference.
export const SCATTER_IN_FLOAT64: Rule = rule(
  'scatter',
  'scatter add in float64',
  ({ attrs, inputs: [base, index, source], dtype }, make) => {
    if (attrs.mode !== 'add' || (dtype !== 'float32' && dtype !== 'float16')) return null;
    return make.cast(
      make.make('scatter', attrs, [make.cast(base!, 'float64'), index!, make.cast(source!, 'float64')]),
      dtype,
    );
  },
);

/** Rules about indices. */
export const INDEX_RULES: readonly Rule[] = [...GATHER_RULES, ...OTHER_RULES, ...IOTA_RULES];
