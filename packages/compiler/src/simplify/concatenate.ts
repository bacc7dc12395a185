/**
 * Concatenations in a form in which they meet: parts that are slices of one value become that value again, a
 * slice of a concatenation becomes the part that it shows, and stacks along any axis become rows one after
 * the other, so that each part is one piece of memory and the same parts joined twice are one array.
 */
import { concatenateComposite, type Node, type NodeOf, type Shape } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { isConcatenation, isMatmul } from './inline.ts';
import type { Rewriter, Rule } from './rewrite.ts';
import { inexact, movedBy, moveRule, rule } from './rewrite-rule.ts';

/** A concatenation: its axis, its parts, and where each begins along the axis. */
export interface Concatenation {
  readonly axis: number;
  readonly parts: readonly Node[];
}

/** What a node concatenates, or null for other nodes. */
export function concatenationOf(node: Node): Concatenation | null {
  const called = node.op === 'output' ? node.inputs[0]! : node;
  return isConcatenation(called)
    ? { axis: called.attrs.attrs['axis'] as number, parts: called.inputs }
    : null;
}

/** Builds a concatenation. */
export function concatenated(parts: readonly Node[], axis: number, make: Rewriter): Node {
  return make.call(concatenateComposite, { axis }, parts);
}

const withExtent = (shape: Shape, axis: number, extent: number): number[] =>
  shape.map((each, position) => (position === axis ? extent : each));

function concatenationRule(
  name: string,
  apply: (parts: readonly Node[], axis: number, make: Rewriter, node: NodeOf<'output'>) => Node | null,
): Rule {
  return rule('output', name, (node, make) => {
    const found = concatenationOf(node);
    return found === null ? null : apply(found.parts, found.axis, make, node);
  });
}

/** Constants of one value side by side are one part. */
function mergeConstants(parts: readonly Node[], axis: number, make: Rewriter): Node | null {
  const merged: Node[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (last?.op === 'const' && part.op === 'const' && Object.is(last.attrs.value, part.attrs.value)) {
      const shape = withExtent(part.shape, axis, last.shape[axis]! + part.shape[axis]!);
      merged[merged.length - 1] = make.constant(part.attrs.value, shape, part.dtype);
    } else {
      merged.push(part);
    }
  }
  return merged.length === parts.length ? null : concatenated(merged, axis, make);
}

/** A part that is a box of a value; in another shape, perhaps. */
interface Slice {
  readonly source: Node;
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

function sliceOf(part: Node): Slice | null {
  const cut = movedBy(movedBy(part, 'reshape')?.source ?? part, 'shrink');
  return cut === null ? null : { source: cut.source, begin: cut.move.begin, end: cut.move.end };
}

/**
 * The box that slices of one value make up along one axis of it, and that axis; null where they do not follow
 * one another.
 */
function boxOf(slices: readonly Slice[]): (Slice & { readonly along: number }) | null {
  const [first, second] = slices;
  if (first === undefined || second === undefined || first.source !== second.source) return null;
  const along = first.begin.findIndex((start, axis) => start !== second.begin[axis]);
  if (along < 0) return null;
  let end = first.begin[along]!;
  for (const slice of slices) {
    const isNext = slice.begin[along] === end && slice.source === first.source;
    const isLike = slice.begin.every(
      (start, axis) => axis === along || (start === first.begin[axis] && slice.end[axis] === first.end[axis]),
    );
    if (!isNext || !isLike) return null;
    end = slice.end[along]!;
  }
  return { ...first, end: withExtent(first.end, along, end), along };
}

/** [x₀ x₁ …] of slices that follow one another, as one slice. */
function mergeSlices(parts: readonly Node[], axis: number, make: Rewriter, shape: Shape): Node | null {
  const slices: Slice[] = [];
  for (const part of parts) {
    const slice = sliceOf(part);
    if (slice === null || (slices.length > 0 && slice.source !== slices[0]!.source)) return null;
    slices.push(slice);
  }
  const box = boxOf(slices);
  if (box === null) return null;
  const whole = make.shrink(box.source, box.begin, box.end);
  const areInShape = parts.every((part) => movedBy(part, 'shrink') !== null);
  if (areInShape && box.along === axis) return whole;
  if (axis !== 0) return null;
  // Along the first axis elements follow one another in row-major order: those of a slice do so, too, where
  // no longer axis comes before the one that is cut.
  const isRows = slices.every(({ begin, end }) =>
    begin.every(
      (start, each) =>
        each >= box.along || end[each]! - start === 1 || end[box.along]! - begin[box.along]! === 1,
    ),
  );
  if (!isRows) return null;
  const others = whole.shape.map((_, each) => each).filter((each) => each !== box.along);
  return make.reshape(make.permute(whole, [box.along, ...others]), shape);
}

/** A stack along any axis as rows: parts of extent 1 along the axis, joined along the first of the others. */
function stackAsRows(parts: readonly Node[], axis: number, make: Rewriter, shape: Shape): Node | null {
  const rank = shape.length;
  const isLeading = sizeOf(shape.slice(0, axis)) === 1;
  if (rank > 1 && parts.every((part) => part.shape[axis] === 1)) {
    const rest = shape.toSpliced(axis, 1);
    const rows = parts.map((part) => make.reshape(part, rest));
    const stacked = make.reshape(concatenated(rows, 0, make), [parts.length, ...rest]);
    return make.permute(stacked, [
      ...rest.slice(0, axis).map((_, each) => each + 1),
      0,
      ...rest.slice(axis).map((_, each) => each + axis + 1),
    ]);
  }
  if (axis === 0 || !isLeading) return null;
  const rows = parts.map((part) => make.reshape(part, part.shape.slice(axis)));
  return make.reshape(concatenated(rows, 0, make), shape);
}

/** [a₁; a₂; …]·b, where all parts are products of rows with one matrix, and nothing else reads them. */
function joinProducts(parts: readonly Node[], axis: number, make: Rewriter): Node | null {
  if (axis !== 0 || parts.length < 2) return null;
  const lefts: Node[] = [];
  let right: Node | null = null;
  for (const part of parts) {
    if (part.op !== 'output' || part.shape.length !== 2) return null;
    const called = part.inputs[0]!;
    if (!isMatmul(called) || (right !== null && called.inputs[1] !== right) || make.readersOf(part) !== 1)
      return null;
    right = called.inputs[1]!;
    lefts.push(called.inputs[0]!);
  }
  return make.matmul(concatenated(lefts, 0, make), right!);
}

/** Where each part of a concatenation begins along the axis, looked up once for each slice. */
const starts = /* @__PURE__ */ new WeakMap<readonly Node[], Int32Array>();

function startsOf({ parts, axis }: Concatenation): Int32Array {
  let known = starts.get(parts);
  if (known === undefined) {
    known = new Int32Array(parts.length + 1);
    for (let part = 0; part < parts.length; part++)
      known[part + 1] = known[part]! + parts[part]!.shape[axis]!;
    starts.set(parts, known);
  }
  return known;
}

/** The number of the part with an index along the axis. */
function partAt(begins: Int32Array, index: number): number {
  let [low, high] = [0, begins.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (begins[middle]! <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Rules about concatenations. Parts have elements: what has none is left out first. */
export const CONCATENATION_RULES: readonly Rule[] = [
  // No elements are joined.
  concatenationRule('concatenation with nothing', (parts, axis, make) => {
    const filled = parts.filter((part) => part.shape[axis]! > 0);
    return filled.length === parts.length ? null : concatenated(filled, axis, make);
  }),
  // Is that one.
  concatenationRule('concatenation of one', (parts) => (parts.length === 1 ? parts[0]! : null)),
  // Constants of one value side by side.
  concatenationRule('[c c] = c', mergeConstants),
  // Along one axis, where nothing else reads [a b].
  concatenationRule('[[a b] c] = [a b c]', (parts, axis, make) => {
    const isJoined = (part: Node): boolean =>
      make.readersOf(part) === 1 && concatenationOf(part)?.axis === axis;
    if (!parts.some(isJoined)) return null;
    return concatenated(
      parts.flatMap((part) => (isJoined(part) ? concatenationOf(part)!.parts : [part])),
      axis,
      make,
    );
  }),
  // Of one value, one after the other.
  concatenationRule('slices side by side are one slice', (parts, axis, make, { shape }) =>
    mergeSlices(parts, axis, make, shape),
  ),
  // Each part is one row, or several.
  concatenationRule('a stack is rows, moved', (parts, axis, make, { shape }) =>
    stackAsRows(parts, axis, make, shape),
  ),
  inexact(
    // Each row of the result is a row of some aᵢ times b.
    concatenationRule('[a₁·b; a₂·b; …] ≈ [a₁; a₂; …]·b', (parts, axis, make) =>
      joinProducts(parts, axis, make),
    ),
  ),
  // Where it shows a part, or some of one.
  moveRule('shrink', 'shrink([a b]) = shrink(a)', ({ begin, end }, x, make) => {
    const found = concatenationOf(x);
    if (found === null) return null;
    const { axis, parts } = found;
    const begins = startsOf(found);
    const number = partAt(begins, begin[axis]!);
    const start = begins[number]!;
    if (end[axis]! > begins[number + 1]!) return null;
    return make.shrink(
      parts[number]!,
      withExtent(begin, axis, begin[axis]! - start),
      withExtent(end, axis, end[axis]! - start),
    );
  }),
];
