/**
 * Values that a program keeps beyond what it was asked for: those that the derivative of an asked value
 * reads, so that no forward pass is computed twice (rule 13). The backward pass releases them.
 */
import { releaseCell } from './cell.ts';
import type { Node } from './types.ts';

/**
 * What the derivative of `root` will read: kept until that is differentiated, or nobody holds it any more.
 */
export interface Saved {
  readonly root: Node;
  readonly nodes: readonly Node[];
}

export class KeptValues {
  /** Roots that nobody has asked for themselves, but a function without a derivative of them. */
  readonly #implied = new WeakSet<Node>();
  /** How many of those there are, dropped ones included. */
  implied = 0;
  readonly #ofRoot = new WeakMap<Node, readonly Node[]>();
  /** For how many roots a node is kept. */
  readonly #roots = new WeakMap<Node, number>();
  /** Nodes whose values somebody has asked for: they stay as long as the node does. */
  readonly #asked = new WeakSet<Node>();

  /** Somebody has asked for the value of `node`: no backward pass takes it away. */
  ask(node: Node): void {
    this.#asked.add(node);
  }

  /**
   * `nodes` have been stored for the derivative of `root`, which has been asked for, or is only `implied`.
   */
  add({ root, nodes }: Saved, implied: boolean): void {
    if (nodes.length === 0) return;
    this.#ofRoot.set(root, nodes);
    if (implied) {
      this.#implied.add(root);
      this.implied++;
    }
    for (const node of nodes) this.#roots.set(node, (this.#roots.get(node) ?? 0) + 1);
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
    if (this.#implied.delete(root)) this.implied--;
  }

  /** Frees what was kept for the implied roots among `nodes`. */
  releaseImplied(nodes: readonly Node[]): void {
    for (const node of nodes) if (this.#implied.has(node)) this.release(node);
  }
}
