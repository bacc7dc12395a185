/**
 * Values that a program keeps beyond what it was asked for: those that the derivative of an asked value reads, so that no forward
 * pass is computed twice (rule 13). The backward pass releases them.
 */
import { releaseCell } from './cell.ts';
import type { Node } from './types.ts';

export class KeptValues {
  readonly #ofRoot = new WeakMap<Node, readonly Node[]>();
  /** For how many roots a node is kept. */
  readonly #roots = new WeakMap<Node, number>();
  /** Nodes whose values somebody has asked for: they stay as long as the node does. */
  readonly #asked = new WeakSet<Node>();

  /** Somebody has asked for the value of `node`: no backward pass takes it away. */
  ask(node: Node): void {
    this.#asked.add(node);
  }

  /** `root` has been asked for, and `saved` has been stored for its derivative. */
  add(root: Node, saved: readonly Node[]): void {
    this.ask(root);
    if (saved.length === 0) return;
    this.#ofRoot.set(root, saved);
    for (const node of saved) this.#roots.set(node, (this.#roots.get(node) ?? 0) + 1);
  }

  /** Frees what was kept for `root` and for no other root. */
  release(root: Node): void {
    for (const node of this.#ofRoot.get(root) ?? []) {
      const roots = (this.#roots.get(node) ?? 1) - 1;
      this.#roots.set(node, roots);
      const { cell } = node;
      if (roots > 0 || cell === null || this.#asked.has(node)) continue;
      node.cell = null;
      releaseCell(cell, 'a value kept for backward()');
    }
    this.#ofRoot.delete(root);
  }
}
