/**
 * The sum of the gradients that reach a node on several paths. The gradients of n slices of an array are n
 * arrays, each zero outside of a box: where the boxes do not overlap, their sum is one concatenation, and its
 * cost does not grow with n. Gradients of gathered elements become one scatter. All others are added in the
 * order in which they arrive.
 */
import { add, concatenate, constant, node, pad, scatter } from '@firsthand/graph';
import type { Movement, Node, NodeOf } from '@firsthand/graph';

/** Σ terms. @param terms of one shape and dtype; at least one */
export function sumGradients(terms: readonly Node[]): Node {
  const isPlain = terms.length === 1 || terms.every(({ op }) => op !== 'movement' && op !== 'scatter');
  const joined = isPlain ? terms : joinPadded(joinScattered(terms));
  return joined.reduce((left, right) => add(left, right));
}

/**
 * Joins terms with equal keys, each group at the position of its first term; terms without a key stay.
 */
function joinGroups(
  terms: readonly Node[],
  keyOf: (term: Node) => string | null,
  join: (group: readonly Node[]) => readonly Node[],
): readonly Node[] {
  const groups = new Map<string | Node, Node[]>();
  for (const term of terms) {
    const key = keyOf(term) ?? term;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [term]);
    else group.push(term);
  }
  return [...groups].flatMap(([key, group]) =>
    typeof key === 'string' && group.length > 1 ? join(group) : group,
  );
}

// ---- gathers: elements scattered into zeros

function isScattered(term: Node): term is NodeOf<'scatter'> {
  const [base] = term.inputs;
  return (
    term.op === 'scatter' &&
    term.attrs.mode === 'add' &&
    base!.op === 'const' &&
    base.attrs.fixed === true &&
    Object.is(base.attrs.value, 0)
  );
}

/** Σ scatter(0, iₖ, sₖ) = scatter(0, [i₁ i₂ …], [s₁ s₂ …]) */
const joinScattered = (terms: readonly Node[]): readonly Node[] =>
  joinGroups(
    terms,
    (term) => (isScattered(term) ? `${term.attrs.axis} ${term.inputs[1]!.dtype}` : null),
    (group) => {
      const { inputs, attrs } = group[0] as NodeOf<'scatter'>;
      const joined = (operand: number): Node =>
        concatenate(
          group.map((term) => term.inputs[operand]!),
          attrs.axis,
        );
      return [scatter('add', inputs[0]!, joined(1), joined(2), attrs.axis)];
    },
  );

// ---- cuts: boxes in zeros

/** Rearrangements are linear: a rearranged sum is the sum of the rearranged terms. */
const REARRANGEMENTS: ReadonlySet<Movement['kind']> = /* @__PURE__ */ new Set<Movement['kind']>([
  'reshape',
  'permute',
  'flip',
]);

/**
 * A term that is `source` from `begin` to `end` of one axis, and zero elsewhere; then padded along others,
 * and rearranged.
 */
interface Padded {
  readonly source: Node;
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
  /** The extent of the axis, with its zeros. */
  readonly extent: number;
  /** The zeros along other axes. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** The rearrangements, outermost first. */
  readonly chain: readonly Movement[];
}

function paddedOf(term: Node): Padded | null {
  const chain: Movement[] = [];
  let padded = term;
  for (; padded.op === 'movement' && REARRANGEMENTS.has(padded.attrs.kind); padded = padded.inputs[0]!)
    chain.push(padded.attrs);
  if (padded.op !== 'movement' || padded.attrs.kind !== 'pad') return null;
  const { before, after } = padded.attrs;
  const axis = before.findLastIndex((width, each) => width > 0 || after[each]! > 0);
  if (axis < 0) return null;
  const extent = padded.shape[axis]!;
  return {
    source: padded.inputs[0]!,
    axis,
    begin: before[axis]!,
    end: extent - after[axis]!,
    extent,
    before: before.with(axis, 0),
    after: after.with(axis, 0),
    chain,
  };
}

/** Joins boxes along one axis after the other: a grid of them becomes rows, which become the whole. */
function joinPadded(terms: readonly Node[]): readonly Node[] {
  const known = new Map<Node, Padded | null>(terms.map((term) => [term, paddedOf(term)]));
  const joined = joinGroups(
    terms,
    (term) => {
      const padded = known.get(term)!;
      if (padded === null) return null;
      const { source, axis, extent, before, after, chain } = padded;
      return JSON.stringify([axis, extent, source.shape.with(axis, 0), before, after, chain]);
    },
    (group) => layersOf(group.map((term) => known.get(term)!)).map(concatenated),
  );
  return joined.length < terms.length ? joinPadded(joined) : joined;
}

/** Layers of boxes that do not overlap; equal boxes are added first. */
function layersOf(boxes: readonly Padded[]): readonly (readonly Padded[])[] {
  const distinct = new Map<string, Padded>();
  for (const box of boxes) {
    const key = `${box.begin} ${box.end}`;
    const same = distinct.get(key);
    distinct.set(key, same === undefined ? box : { ...box, source: add(same.source, box.source) });
  }
  const layers: Padded[][] = [];
  for (const box of [...distinct.values()].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const layer = layers.find((each) => each.at(-1)!.end <= box.begin);
    if (layer === undefined) layers.push([box]);
    else layer.push(box);
  }
  return layers;
}

/** The boxes concatenated along the axis, with zeros between them. */
function concatenated(layer: readonly Padded[]): Node {
  const { axis, extent, before, after, chain, source, begin, end } = layer[0]!;
  const rearranged = (value: Node): Node =>
    chain.reduceRight((moved, movement) => node('movement', movement, [moved]), value);
  if (layer.length === 1)
    return rearranged(pad(source, before.with(axis, begin), after.with(axis, extent - end)));
  const parts: Node[] = [];
  let filled = 0;
  const fill = (until: number): void => {
    if (until > filled) parts.push(constant(0, source.shape.with(axis, until - filled), source.dtype));
    filled = until;
  };
  for (const box of layer) {
    fill(box.begin);
    parts.push(box.source);
    filled = box.end;
  }
  fill(extent);
  const joined = concatenate(parts, axis);
  const isWhole = [...before, ...after].every((width) => width === 0);
  return rearranged(isWhole ? joined : pad(joined, before, after));
}
