/**
 * Companions: a function's value and its gradients, which share the forward pass. Reading one of them
 * computes the others in the same program, so that nothing is computed twice (rule 13).
 */
import type { Node } from '@firsthand/graph';

const companions = /* @__PURE__ */ new WeakMap<Node, readonly Node[]>();

/**
 * Computes the value and its gradients in one program, whichever is read first. Constants need no program.
 */
export function shareProgram(value: Node, gradients: readonly Node[]): void {
  const all = [value, ...gradients].filter(({ device }) => device !== null);
  for (const each of all) companions.set(each, all);
}

/** The nodes and their companions, which are then forgotten: their values are stored. */
export function withCompanions(nodes: readonly Node[]): readonly Node[] {
  if (!nodes.some((node) => companions.has(node))) return nodes;
  const all = new Set(nodes);
  for (const node of nodes) {
    for (const other of companions.get(node) ?? []) all.add(other);
  }
  for (const node of all) companions.delete(node);
  return [...all];
}
