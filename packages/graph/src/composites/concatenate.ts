/**
 * Concatenation along one axis. As one operation of n parts its gradient is n cuts, and a device can store
 * each part where it belongs in the result: work and memory are linear in n. The body, for devices that know
 * no better, joins by halves.
 */
import { equalShapes, formatShape, normalizeAxis, ShapeError } from '@firsthand/linalg';
import { callNode } from '../ir/node.ts';
import { slice } from '../operations/derived.ts';
import { iota, lt, pad, reshape, shrink, where } from '../operations/ops.ts';
import { operandOf, requireSameDType, shapesDiffer } from '../ir/shapes.ts';
import type { Attrs, Composite, Node, Shape, Spec } from '../ir/types.ts';

interface ConcatenateAttrs extends Attrs {
  readonly axis: number;
}

/** Parts of one call: more are joined in groups, so that no call has too many operands for the engine. */
const MOST_PARTS = 4096;

const withExtent = (shape: Shape, axis: number, extent: number): number[] =>
  shape.map((each, index) => (index === axis ? extent : each));

const nothingToJoin = (operation: string): ShapeError =>
  new ShapeError({ operation, expected: 'at least one tensor' });

function inferConcatenate({ axis }: ConcatenateAttrs, ...parts: readonly Spec[]): readonly Spec[] {
  const [first, ...rest] = parts;
  if (first === undefined) throw nothingToJoin('cat');
  let extent = first.shape[axis]!;
  for (const part of rest) {
    requireSameDType('cat', first, part);
    if (!equalShapes(withExtent(part.shape, axis, 0), withExtent(first.shape, axis, 0))) {
      const shapes = [first, part].map(({ shape }) => formatShape(shape)).join(' and ');
      const problem = `${shapes} differ outside axis ${axis}`;
      throw new ShapeError({
        operation: 'cat',
        problem,
        operands: [first, part].map(operandOf),
        expected: 'the same sizes there',
      });
    }
    extent += part.shape[axis]!;
  }
  return [{ shape: withExtent(first.shape, axis, extent), dtype: first.dtype }];
}

/** Two parts: each padded to the whole, and picked by the index. */
function join(a: Node, b: Node, axis: number): Node {
  const [first, second] = [a.shape[axis]!, b.shape[axis]!];
  const none = a.shape.map(() => 0);
  const left = pad(a, none, withExtent(none, axis, second));
  const right = pad(b, withExtent(none, axis, first), none);
  return where(lt(iota(left.shape, axis), first), left, right);
}

/** The box of a part, by the extents of those before it. */
export function partBoxes(
  parts: readonly Spec[],
  axis: number,
): readonly { readonly begin: readonly number[]; readonly end: readonly number[] }[] {
  let start = 0;
  return parts.map(({ shape }) => {
    const begin = shape.map((_, each) => (each === axis ? start : 0));
    start += shape[axis]!;
    return { begin, end: withExtent(shape, axis, start) };
  });
}

/** Concatenation as an operation; called through `concatenate`. */
export const concatenateComposite: Composite<ConcatenateAttrs> = {
  name: 'concatenate',
  infer: inferConcatenate,
  body({ axis }, ...parts) {
    const joined = (from: number, to: number): Node => {
      if (to - from === 1) return parts[from]!;
      const middle = (from + to) >> 1;
      return join(joined(from, middle), joined(middle, to), axis);
    };
    return [joined(0, parts.length)];
  },
  // y = [x₁ x₂ …]: dxᵢ is the part of g where xᵢ is
  vjp([g], _outs, { axis }, ...parts) {
    if (g === null || g === undefined) return parts.map(() => null);
    const boxes = partBoxes(parts, axis);
    return parts.map(({ requiresGrad }, number) =>
      requiresGrad ? shrink(g, boxes[number]!.begin, boxes[number]!.end) : null,
    );
  },
  residuals: (_received, _outs, _attrs, ...parts) => parts.map(() => []),
};

/** Joins values along an axis. @throws ShapeError, DTypeError */
export function concatenate(parts: readonly Node[], axis: number): Node {
  const [first] = parts;
  if (first === undefined) throw nothingToJoin('cat');
  const along = normalizeAxis('cat', axis, first.shape.length);
  let joined = parts;
  while (joined.length > MOST_PARTS) {
    const groups = Array.from({ length: Math.ceil(joined.length / MOST_PARTS) }, (_, group) =>
      joined.slice(group * MOST_PARTS, (group + 1) * MOST_PARTS),
    );
    joined = groups.map((group) => callNode(concatenateComposite, { axis: along }, ...group)[0]!);
  }
  return joined.length === 1 ? joined[0]! : callNode(concatenateComposite, { axis: along }, ...joined)[0]!;
}

/** Joins equal shapes along a new axis. @throws ShapeError, DTypeError */
export function stack(parts: readonly Node[], axis: number): Node {
  const [first] = parts;
  if (first === undefined) throw nothingToJoin('stack');
  const along = normalizeAxis('stack', axis, first.shape.length + 1);
  const shape = first.shape.toSpliced(along, 0, 1);
  const lifted = parts.map((part) => {
    if (!equalShapes(part.shape, first.shape)) throw shapesDiffer('stack', [first, part]);
    return reshape(part, shape);
  });
  return concatenate(lifted, along);
}

/** The slices of a value at each index of an axis, without that axis. */
export function unbind(x: Node, axis: number): readonly Node[] {
  const along = normalizeAxis('unbind', axis, x.shape.length);
  const rest = x.shape.toSpliced(along, 1);
  return Array.from({ length: x.shape[along]! }, (_, index) =>
    reshape(
      shrink(
        x,
        x.shape.map((_, each) => (each === along ? index : 0)),
        withExtent(x.shape, along, index + 1),
      ),
      rest,
    ),
  );
}

/** Elements shifted along an axis; what leaves at one end enters at the other. */
export function roll(x: Node, shift: number, axis: number): Node {
  const along = normalizeAxis('roll', axis, x.shape.length);
  const extent = x.shape[along]!;
  const offset = extent === 0 ? 0 : ((shift % extent) + extent) % extent;
  if (offset === 0) return x;
  return concatenate([slice(x, along, extent - offset, extent), slice(x, along, 0, extent - offset)], along);
}
