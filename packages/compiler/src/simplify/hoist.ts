/**
 * Elementwise work done before its operands are moved, f(move(a), move(b)) = move(f(a, b)): what is repeated
 * is computed once and not per copy, and movements come together, where they cancel. Constants, and values
 * that are only repeated, follow any movement of the others.
 */
import type { Node, Op, Shape } from '@firsthand/graph';
import { broadcastShapes, sizeOf } from '@firsthand/linalg';
import type { Rewriter, Rule } from './rewrite.ts';
import { type Move, type MoveKind, movedBy } from './rewrite-rule.ts';

const ELEMENTWISE: readonly Op[] = ['unary', 'binary', 'where', 'cast'];

/** The first operand that is moved in the given way. */
function firstMoved<K extends MoveKind>(
  inputs: readonly Node[],
  kind: K,
): { readonly move: Move<K>; readonly source: Node } | null {
  for (const input of inputs) {
    const moved = movedBy(input, kind);
    if (moved !== null) return moved;
  }
  return null;
}

/** Each operand as it is before the movement, or null where one of them has another past. */
function before(
  inputs: readonly Node[],
  shape: Shape,
  undo: (input: Node) => Node | null,
  make: Rewriter,
): readonly Node[] | null {
  const sources: Node[] = [];
  for (const input of inputs) {
    const source = input.op === 'const' ? make.constant(input.attrs.value, shape, input.dtype) : undo(input);
    if (source === null) return null;
    sources.push(source);
  }
  return sources;
}

const sameList = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((each, position) => each === b[position]);

function hoistRule(name: string, apply: Rule['apply']): Rule {
  return { name, exact: true, at: ELEMENTWISE, apply };
}

// The elements stay in their order.
const hoistReshape = hoistRule('f(reshape(a)) = reshape(f(a))', (node, make) => {
  const first = firstMoved(node.inputs, 'reshape');
  if (first === null) return null;
  const { shape } = first.source;
  const undo = (input: Node): Node | null => {
    const moved = movedBy(input, 'reshape');
    if (moved !== null) return sameList(moved.source.shape, shape) ? moved.source : null;
    if (movedBy(input, 'expand') === null) return null;
    const repeated = make.reshape(input, shape);
    return movedBy(repeated, 'reshape') === null ? repeated : null;
  };
  const sources = before(node.inputs, shape, undo, make);
  return sources === null ? null : make.reshape(make.like(node, sources), node.shape);
});

// Each element takes its operands along.
const hoistPermute = hoistRule('f(permute(a)) = permute(f(a))', (node, make) => {
  const first = firstMoved(node.inputs, 'permute');
  if (first === null) return null;
  const { axes } = first.move;
  const inverse = axes.map((_, axis) => axes.indexOf(axis));
  const undo = (input: Node): Node | null => {
    const moved = movedBy(input, 'permute');
    if (moved !== null) return sameList(moved.move.axes, axes) ? moved.source : null;
    return movedBy(input, 'expand') === null ? null : make.permute(input, inverse);
  };
  const sources = before(node.inputs, first.source.shape, undo, make);
  return sources === null ? null : make.permute(make.like(node, sources), axes);
});

// Each element takes its operands along.
const hoistFlip = hoistRule('f(flip(a)) = flip(f(a))', (node, make) => {
  const first = firstMoved(node.inputs, 'flip');
  if (first === null) return null;
  const { axes } = first.move;
  const undo = (input: Node): Node | null => {
    const moved = movedBy(input, 'flip');
    if (moved !== null) return sameList(moved.move.axes, axes) ? moved.source : null;
    return movedBy(input, 'expand') !== null && make.flip(input, axes) === input ? input : null;
  };
  const sources = before(node.inputs, node.shape, undo, make);
  return sources === null ? null : make.flip(make.like(node, sources), axes);
});

// Outside the value, f meets zeros and constants only.
const hoistPad = hoistRule('f(pad(a)) = pad(f(a)) where f(0) = 0', (node, make) => {
  const first = firstMoved(node.inputs, 'pad');
  if (first === null) return null;
  const { move, source } = first;
  const undo = (input: Node): Node | null => {
    const moved = movedBy(input, 'pad');
    return moved !== null &&
      sameList(moved.move.before, move.before) &&
      sameList(moved.move.after, move.after)
      ? moved.source
      : null;
  };
  const sources = before(node.inputs, source.shape, undo, make);
  if (sources === null) return null;
  const outside = make.like(
    node,
    node.inputs.map((input) => make.constant(input.op === 'const' ? input.attrs.value : 0, [], input.dtype)),
  );
  const isZero = outside.op === 'const' && Object.is(outside.attrs.value, 0);
  return isZero ? make.pad(make.like(node, sources), move.before, move.after) : null;
});

// Equal operands give equal results; where fewer elements are computed.
const hoistExpand = hoistRule('f(expand(a)) = expand(f(a))', (node, make) => {
  let joined: Shape = node.shape.map(() => 1);
  for (const input of node.inputs) {
    if (input.op === 'const') continue;
    const moved = movedBy(input, 'expand');
    if (moved === null) return null;
    joined = broadcastShapes('expand', joined, moved.source.shape);
  }
  if (sizeOf(joined) === sizeOf(node.shape)) return null;
  const undo = (input: Node): Node => make.expand(movedBy(input, 'expand')!.source, joined);
  const sources = before(node.inputs, joined, undo, make)!;
  return make.expand(make.like(node, sources), node.shape);
});

/** Rules that take movements out of elementwise operations. */
export const HOIST_RULES: readonly Rule[] = [hoistReshape, hoistPermute, hoistFlip, hoistPad, hoistExpand];
