/**
 * A handle is a mutable reference to a node: what a tensor, a parameter or an optimizer's state is. Updating
 * one rebinds it; readers built earlier keep the node that they read.
 */
import type { Node, Variable } from './types.ts';

/**
 * Why a handle is rebound: a gradient accumulates, a running statistic moves, a parameter or its optimizer
 * state is updated.
 */
export type EffectKind = 'grad' | 'stat' | 'update';

/**
 * A rebinding that has been asked for and has not run. A `root` is the value that `backward` started from: it
 * is kept, not rebound.
 */
export interface PendingEffect {
  readonly sequence: number;
  /** Effects of one group are never separated. */
  readonly group: number;
  readonly kind: EffectKind | 'root';
  readonly handle: Handle | null;
  /** The node that receives the value's storage. */
  readonly target: Node;
  readonly value: Node;
  readonly previous: Node | null;
  /** False once nobody can ask for the value any more: it is used, and never stored. */
  keep: boolean;
  /** What a root needs to be differentiated again: kept with it. */
  readonly saved: readonly Node[];
  /**
   * Leaves made of `target` while it was pending, with their handles: they will share its storage, and own
   * it.
   */
  readonly sharers: { readonly node: Node; readonly handle: Handle }[];
  /** Called when the run is enqueued. */
  readonly enqueued: (() => void) | null;
}

/** A mutable reference to a node, with what the runtime must know of its updates. */
export class Handle implements Variable {
  node: Node;
  name: string | null;
  /**
   * Whether an update may overwrite the storage at once (optimizer state, gradients), or keeps one previous
   * generation.
   */
  readonly inPlace: boolean;
  /**
   * Whether it holds a gradient: replacing that belongs to the step in which it is used, and starts nothing.
   */
  isGradient = false;
  /** The generation before the present one. */
  previous: Node['cell'] = null;
  pending: PendingEffect | null = null;
  pendingCount = 0;

  /** The trace that has given the handle a placeholder, while it lasts. */
  adoptedBy: object | null = null;

  /** The cell that counts this handle among its owners. */
  held: Node['cell'] = null;

  constructor(node: Node, name: string | null = null, inPlace = false) {
    this.node = node;
    this.name = name;
    this.inPlace = inPlace;
    if (node.hasHandle) node.hasReaders = true;
    node.hasHandle = true;
    if (node.cell !== null) this.hold(node.cell);
  }

  /** A pending value will give its storage to `node` too, a leaf made of it; `handle` becomes an owner. */
  shareWith(handle: Handle, node: Node): void {
    if (this.pending !== null && node.inputs[0] === this.pending.target)
      this.pending.sharers.push({ node, handle });
  }

  /** Becomes an owner of `cell`, and of no other. */
  hold(cell: Node['cell']): void {
    if (this.held !== null) this.held.owners--;
    if (cell !== null) cell.owners++;
    this.held = cell;
  }
}
