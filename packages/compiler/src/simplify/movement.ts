/**
 * Chains of movements in a normal form: two of a kind become one, those that move nothing vanish, and the
 * others are ordered as far as they pass each other. From the value outwards: shrink, pad, flip, permute,
 * reshape, expand. What is cut is cut early, and what is repeated is repeated late.
 */
import type { Node, Shape } from '@firsthand/graph';
import { equalShapes } from '@firsthand/linalg';
import type { Rewriter, Rule } from './rewrite.ts';
import { type Move, type MoveKind, moveRule, movedBy } from './rewrite-rule.ts';
import { axesBefore, axisGroups, isSqueeze } from './reshape.ts';

/** The axes of a value that is permuted, for a list over the axes of the result. */
function unpermuted<T>(list: readonly T[], axes: readonly number[]): T[] {
  const result = list.slice();
  axes.forEach((axis, position) => {
    result[axis] = list[position]!;
  });
  return result;
}

/**
 * `expand(reshape(source))` for `reshape(expand(source))`, or null where a repeated axis and another become
 * one.
 */
function reshapeBelow(source: Shape, expanded: Shape, to: Shape): Shape | null {
  const inner = to.map(() => 1);
  for (const group of axisGroups(expanded, to)) {
    const repeated = group.from.filter((axis) => source[axis] === 1).length;
    if (repeated === group.from.length) continue;
    if (repeated > 0) return null;
    for (const axis of group.to) inner[axis] = to[axis]!;
  }
  return inner;
}

/** Whether a permutation leaves the axes longer than 1 in their order. */
function movesOnlyOnes(axes: readonly number[], shape: Shape): boolean {
  const longer = axes.filter((axis) => shape[axis] !== 1);
  return longer.every((axis, position) => position === 0 || axis > longer[position - 1]!);
}

const NEUTRAL: readonly Rule[] = [
  // Moves nothing.
  moveRule('reshape', 'reshape to the same shape', ({ shape }, x) =>
    equalShapes(shape, x.shape) ? x : null,
  ),
  // Repeats nothing.
  moveRule('expand', 'expand to the same shape', ({ shape }, x) => (equalShapes(shape, x.shape) ? x : null)),
  // Is a reshape: the elements stay in their order.
  moveRule('permute', 'permute of axes of extent 1', ({ axes }, x, make, { shape }) =>
    movesOnlyOnes(axes, x.shape) ? make.reshape(x, shape) : null,
  ),
  // Moves nothing.
  moveRule('pad', 'pad by nothing', (_, x, __, { shape }) => (equalShapes(shape, x.shape) ? x : null)),
  // Moves nothing.
  moveRule('shrink', 'shrink to all of it', (_, x, __, { shape }) =>
    equalShapes(shape, x.shape) ? x : null,
  ),
  // Moves nothing.
  moveRule('flip', 'flip of axes of extent 1', ({ axes }, x, make) => {
    const longer = axes.filter((axis) => x.shape[axis] !== 1);
    if (longer.length === axes.length && axes.length > 0) return null;
    return longer.length === 0 ? x : make.flip(x, longer);
  }),
];

/** What may be written for `move` after `inner`, both given: null where they don't pass each other. */
type Pair<K extends MoveKind, L extends MoveKind> = (
  move: Move<K>,
  inner: Move<L>,
  source: Node,
  make: Rewriter,
  shapes: { readonly between: Shape; readonly to: Shape },
) => Node | null;

function nameOfPair(kind: MoveKind, innerKind: MoveKind): string {
  return kind === innerKind ? `two of ${kind} are one` : `${kind}(${innerKind}) = ${innerKind}(${kind})`;
}

function pairRule<K extends MoveKind, L extends MoveKind>(kind: K, innerKind: L, apply: Pair<K, L>): Rule {
  return moveRule(kind, nameOfPair(kind, innerKind), (move, x, make, { shape }) => {
    const below = movedBy(x, innerKind);
    return below === null
      ? null
      : apply(move, below.move, below.source, make, { between: x.shape, to: shape });
  });
}

const COMPOSED: readonly Rule[] = [
  // The order of the elements never changes.
  pairRule('reshape', 'reshape', ({ shape }, _, source, make) => make.reshape(source, shape)),
  // Permutations are a group.
  pairRule('permute', 'permute', ({ axes }, inner, source, make) =>
    make.permute(
      source,
      axes.map((axis) => inner.axes[axis]!),
    ),
  ),
  // What is repeated is the same.
  pairRule('expand', 'expand', ({ shape }, _, source, make) => make.expand(source, shape)),
  // Zeros around zeros.
  pairRule('pad', 'pad', ({ before, after }, inner, source, make) =>
    make.pad(
      source,
      before.map((width, axis) => width + inner.before[axis]!),
      after.map((width, axis) => width + inner.after[axis]!),
    ),
  ),
  // The inner box moves the outer one.
  pairRule('shrink', 'shrink', ({ begin, end }, inner, source, make) =>
    make.shrink(
      source,
      begin.map((start, axis) => start + inner.begin[axis]!),
      end.map((stop, axis) => stop + inner.begin[axis]!),
    ),
  ),
  // An axis that is turned twice stays.
  pairRule('flip', 'flip', ({ axes }, inner, source, make) => {
    const once = [
      ...axes.filter((axis) => !inner.axes.includes(axis)),
      ...inner.axes.filter((axis) => !axes.includes(axis)),
    ];
    return make.flip(
      source,
      once.sort((a, b) => a - b),
    );
  }),
];

const CUT_EARLY: readonly Rule[] = [
  // What is left of the value, and of the zeros on either side.
  pairRule('shrink', 'pad', ({ begin, end }, inner, source, make) => {
    const { shape } = source;
    const at = (position: number, axis: number): number =>
      Math.min(Math.max(position - inner.before[axis]!, 0), shape[axis]!);
    const after = shape.map((extent, axis) =>
      Math.max(end[axis]! - Math.max(inner.before[axis]! + extent, begin[axis]!), 0),
    );
    const from = begin.map(at);
    const until = end.map(at);
    const visible = make.shrink(source, from, until);
    return make.pad(
      visible,
      begin.map((start, axis) => end[axis]! - start - after[axis]! - (until[axis]! - from[axis]!)),
      after,
    );
  }),
  // The box is turned with the axis.
  pairRule('shrink', 'flip', ({ begin, end }, { axes }, source, make) => {
    const turned = (list: readonly number[], other: readonly number[]): number[] =>
      list.map((position, axis) => (axes.includes(axis) ? source.shape[axis]! - other[axis]! : position));
    return make.flip(make.shrink(source, turned(begin, end), turned(end, begin)), axes);
  }),
  // The box is permuted with the axes.
  pairRule('shrink', 'permute', ({ begin, end }, { axes }, source, make) =>
    make.permute(make.shrink(source, unpermuted(begin, axes), unpermuted(end, axes)), axes),
  ),
  // Where each axis that is cut is an axis of the value, or the outermost part of one.
  pairRule('shrink', 'reshape', ({ begin, end }, _, source, make, { between, to }) => {
    const [from, until] = [source.shape.map(() => 0), source.shape.slice()];
    for (const group of axisGroups(source.shape, between)) {
      const [old, axis] = [group.from[0]!, group.to[0]!];
      const cut = group.to.filter((each) => to[each] !== between[each]);
      if (cut.length === 0) continue;
      if (group.from.length > 1 || cut.length > 1 || cut[0] !== axis) return null;
      const inner = source.shape[old]! / between[axis]!;
      from[old] = begin[axis]! * inner;
      until[old] = end[axis]! * inner;
    }
    return make.reshape(make.shrink(source, from, until), to);
  }),
  // Of what is repeated, fewer copies; an axis of extent 1 stays.
  pairRule('shrink', 'expand', ({ begin, end }, _, source, make, { between, to }) => {
    const isRepeated = (axis: number): boolean => source.shape[axis] !== between[axis];
    const visible = make.shrink(
      source,
      begin.map((start, axis) => (isRepeated(axis) ? 0 : start)),
      end.map((stop, axis) => (isRepeated(axis) ? 1 : stop)),
    );
    return make.expand(visible, to);
  }),
  // The zeros are turned with the axis.
  pairRule('pad', 'flip', ({ before, after }, { axes }, source, make) => {
    const turned = (list: readonly number[], other: readonly number[]): number[] =>
      list.map((width, axis) => (axes.includes(axis) ? other[axis]! : width));
    return make.flip(make.pad(source, turned(before, after), turned(after, before)), axes);
  }),
  // The zeros are permuted with the axes.
  pairRule('pad', 'permute', ({ before, after }, { axes }, source, make) =>
    make.permute(make.pad(source, unpermuted(before, axes), unpermuted(after, axes)), axes),
  ),
  // Where each axis that is padded is an axis of the value.
  pairRule('pad', 'reshape', ({ before, after }, _, source, make, { between, to }) => {
    const old = axesBefore(source.shape, between);
    const [front, back] = [source.shape.map(() => 0), source.shape.map(() => 0)];
    for (const [axis, extent] of between.entries()) {
      if (to[axis] === extent) continue;
      if (old[axis]! < 0) return null;
      front[old[axis]!] = before[axis]!;
      back[old[axis]!] = after[axis]!;
    }
    return make.reshape(make.pad(source, front, back), to);
  }),
  // Where no axis that is padded is a repeated one.
  pairRule('pad', 'expand', ({ before, after }, _, source, make, { between, to }) => {
    const isMixed = between.some((extent, axis) => extent !== to[axis] && source.shape[axis] !== extent);
    return isMixed ? null : make.expand(make.pad(source, before, after), to);
  }),
];

const REPEAT_LATE: readonly Rule[] = [
  // The turned axes are permuted.
  pairRule('flip', 'permute', ({ axes }, inner, source, make) => {
    const turned = axes.map((axis) => inner.axes[axis]!).sort((a, b) => a - b);
    return make.permute(make.flip(source, turned), inner.axes);
  }),
  // Where each axis that is turned is an axis of the value.
  pairRule('flip', 'reshape', ({ axes }, _, source, make, { between, to }) => {
    const before = axesBefore(source.shape, between);
    const turned = axes.map((axis) => before[axis]!).sort((a, b) => a - b);
    return turned.includes(-1) ? null : make.reshape(make.flip(source, turned), to);
  }),
  // Copies are alike in any order.
  pairRule('flip', 'expand', ({ axes }, _, source, make, { between, to }) => {
    const turned = axes.filter((axis) => source.shape[axis] === between[axis]);
    return make.expand(make.flip(source, turned), to);
  }),
  // Where the reshape only adds and drops axes of extent 1.
  pairRule('permute', 'reshape', ({ axes }, _, source, make, { between, to }) => {
    if (!isSqueeze(source.shape, between)) return null;
    const before = axesBefore(source.shape, between);
    const order = axes.map((axis) => before[axis]!).filter((axis) => axis >= 0);
    const ones = [...source.shape.keys()].filter((axis) => source.shape[axis] === 1);
    return make.reshape(make.permute(source, [...order, ...ones]), to);
  }),
  // Copies of permuted elements.
  pairRule('permute', 'expand', ({ axes }, _, source, make, { to }) =>
    make.expand(make.permute(source, axes), to),
  ),
  // Where no repeated axis becomes one with another.
  pairRule('reshape', 'expand', (_, __, source, make, { between, to }) => {
    const inner = reshapeBelow(source.shape, between, to);
    return inner === null ? null : make.expand(make.reshape(source, inner), to);
  }),
];

/** Rules about movements of movements. A barrier is none of them: nothing passes it. */
export const MOVEMENT_RULES: readonly Rule[] = [...NEUTRAL, ...COMPOSED, ...CUT_EARLY, ...REPEAT_LATE];
