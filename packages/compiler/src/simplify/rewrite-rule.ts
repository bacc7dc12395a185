/**
 * How rules are written down: one function per kind of node, which hands a rule its operands by name, and the
 * questions that rules ask of nodes.
 */
import type { BinaryKind, Movement, Node, NodeOf, Op, ReduceKind, UnaryKind } from '@firsthand/graph';
import type { Rewriter, Rule, Site } from './rewrite.ts';

/** For rules that give the same value with another rounding, or zero with another sign. */
export function inexact(rule: Rule): Rule {
  return { ...rule, exact: false };
}

/** A rule for nodes of one operation. Its name is its equation; why it holds is written beside it. */
export function rule<K extends Op>(
  op: K,
  name: string,
  apply: (node: NodeOf<K>, make: Rewriter) => Node | null,
  at: readonly Site[] = [op],
): Rule {
  return { name, exact: true, at, apply: apply as (node: Node, make: Rewriter) => Node | null };
}

/** A rule for functions of one operand. */
export function unaryRule(
  kinds: readonly UnaryKind[],
  name: string,
  apply: (x: Node, make: Rewriter, node: NodeOf<'unary'>) => Node | null,
): Rule {
  const at = kinds.map((kind): Site => `unary ${kind}`);
  return rule('unary', name, (node, make) => apply(node.inputs[0]!, make, node), at);
}

/** A rule for functions of two operands. */
export function binaryRule(
  kinds: readonly BinaryKind[],
  name: string,
  apply: (a: Node, b: Node, make: Rewriter, node: NodeOf<'binary'>) => Node | null,
): Rule {
  const at = kinds.map((kind): Site => `binary ${kind}`);
  return rule('binary', name, (node, make) => apply(node.inputs[0]!, node.inputs[1]!, make, node), at);
}

/** A rule for reductions. */
export function reduceRule(
  kinds: readonly ReduceKind[],
  name: string,
  apply: (x: Node, axes: readonly number[], make: Rewriter, node: NodeOf<'reduce'>) => Node | null,
): Rule {
  const at = kinds.map((kind): Site => `reduce ${kind}`);
  return rule('reduce', name, (node, make) => apply(node.inputs[0]!, node.attrs.axes, make, node), at);
}

/** Movements that only say where elements are; a barrier says more. */
export type MoveKind = Exclude<Movement['kind'], 'barrier'>;
/** One movement by its kind. */
export type Move<K extends MoveKind = MoveKind> = Extract<Movement, { kind: K }>;

/** A rule for movements of one kind. */
export function moveRule<K extends MoveKind>(
  kind: K,
  name: string,
  apply: (move: Move<K>, x: Node, make: Rewriter, node: NodeOf<'movement'>) => Node | null,
): Rule {
  const site: Site = `movement ${kind}`;
  return rule('movement', name, (node, make) => apply(node.attrs as Move<K>, node.inputs[0]!, make, node), [
    site,
  ]);
}

// ---- questions

/** The value of a constant, or null for other nodes. */
export function constantOf(node: Node): number | null {
  return node.op === 'const' ? node.attrs.value : null;
}

/** Whether a node is a constant of exactly this value: 0 and −0 differ. */
export function isConstant(node: Node, value: number): boolean {
  return node.op === 'const' && Object.is(node.attrs.value, value);
}

/** The operand of a function of one operand, or null for other nodes. */
export function operandOf(node: Node, kind: UnaryKind): Node | null {
  return node.op === 'unary' && node.attrs.kind === kind ? node.inputs[0]! : null;
}

/** The operands of a function of two operands, or null for other nodes. */
export function operandsOf(node: Node, kind: BinaryKind): readonly [Node, Node] | null {
  return node.op === 'binary' && node.attrs.kind === kind ? [node.inputs[0]!, node.inputs[1]!] : null;
}

/** The movement at the top of a node, if it is of the kind, and what it moves. */
export function movedBy<K extends MoveKind>(
  node: Node,
  kind: K,
): { readonly move: Move<K>; readonly source: Node } | null {
  return node.op === 'movement' && node.attrs.kind === kind
    ? { move: node.attrs as Move<K>, source: node.inputs[0]! }
    : null;
}
