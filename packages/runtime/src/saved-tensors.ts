/**
 * Saved tensors: values that a program stores beyond the requested ones because the derivative of a requested
 * value reads them (residuals), so that no forward pass is computed twice (rule 13). `backward` releases
 * them.
 */
import type { Node } from '@firsthand/graph';
import { bufferOf, releaseBuffer } from './buffer-reference.ts';

/** The nodes that the derivative of `root` reads: stored until that is taken, or `root` is dropped. */
export interface SavedSet {
  readonly root: Node;
  readonly nodes: readonly Node[];
}

export class SavedTensors {
  /** Roots that were not requested themselves, but a function of them that has no derivative. */
  readonly #implied = new WeakSet<Node>();
  /** Their number, dropped ones included. */
  impliedCount = 0;
  readonly #ofRoot = new WeakMap<Node, readonly Node[]>();

  /** A saved set has been stored; its root was requested, or is only `implied`. */
  add({ root, nodes }: SavedSet, implied: boolean): void {
    if (nodes.length === 0) return;
    this.#ofRoot.set(root, nodes);
    if (implied) {
      this.#implied.add(root);
      this.impliedCount++;
    }
    for (const node of nodes) {
      const buffer = bufferOf(node);
      if (buffer !== null) buffer.savedFor++;
    }
  }

  /** Frees what was saved for `root` and for no other root. */
  release(root: Node): void {
    for (const node of this.#ofRoot.get(root) ?? []) {
      const buffer = bufferOf(node);
      if (buffer === null || --buffer.savedFor > 0 || buffer.requested) continue;
      node.stored = null;
      releaseBuffer(buffer, 'a value kept for backward()');
    }
    this.#ofRoot.delete(root);
    if (this.#implied.delete(root)) this.impliedCount--;
  }

  /** Frees what was saved for the implied roots among `nodes`. */
  releaseImplied(nodes: readonly Node[]): void {
    for (const node of nodes) if (this.#implied.has(node)) this.release(node);
  }
}
