/**
 * Values that are read together: who reads a function's value wants its gradient too, and the two share the
 * forward pass. Reading one of them computes the others in the same program, so that nothing is computed
 * twice (rule 13).
 */
import type { Node } from '@firsthand/graph';

const companions = /* @__PURE__ */ new WeakMap<Node, readonly Node[]>();

/**
 * The value and its gradients are computed together, whichever is read first. Constants are on no device, and
 * need no company.
 */
export function shareProgram(value: Node, gradients: readonly Node[]): void {
  const all = [value, ...gradients].filter(({ device }) => device !== null);
  for (const each of all) companions.set(each, all);
}

/**
 * The nodes with those that are computed together with them. It is said once: afterwards the values are
 * there.
 */
export function withCompanions(nodes: readonly Node[]): readonly Node[] {
  if (!nodes.some((node) => companions.has(node))) return nodes;
  const all = new Set(nodes);
  for (const node of nodes) {
    for (const other of companions.get(node) ?? []) all.add(other);
  }
  for (const node of all) companions.delete(node);
  return [...all];
}
