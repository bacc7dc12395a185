/**
 * A handle is a mutable reference to a node: a tensor, a parameter, an optimizer's state. An update rebinds
 * it; readers built earlier still have the node that they read.
 */
import type { Node, Variable } from '@firsthand/graph';
import { bufferOf } from './buffer-reference.ts';
import type { BufferReference } from './buffer-reference.ts';

/**
 * Why a handle is rebound: a gradient accumulates, a running statistic moves, a parameter or its optimizer
 * state is updated.
 */
export type EffectKind = 'grad' | 'stat' | 'update';

/**
 * A rebinding that has been requested and has not run. A `root` is the value that `backward` started from: it
 * is stored, not rebound.
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
  /** False once the value can no longer be requested: it is used, and never stored. */
  keep: boolean;
  /** The saved tensors of a root that may be differentiated again: stored with it. */
  readonly saved: readonly Node[];
  /**
   * Leaves made of `target` while it was pending, with their handles: they will share its buffer.
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
   * Whether an update may overwrite the storage at once (optimizer state, gradients), or keeps the previous
   * version.
   */
  readonly inPlace: boolean;
  /**
   * True for a gradient: replacing it belongs to the step that uses it, and starts no run.
   */
  isGradient = false;
  /** The version before the current one. */
  previous: BufferReference | null = null;
  pending: PendingEffect | null = null;
  pendingCount = 0;

  /** The trace that has given the handle a placeholder, while it lasts. */
  adoptedBy: object | null = null;

  /** The buffer whose reference count includes this handle. */
  buffer: BufferReference | null = null;

  constructor(node: Node, name: string | null = null, inPlace = false) {
    this.node = node;
    this.name = name;
    this.inPlace = inPlace;
    if (node.hasHandle) node.hasReaders = true;
    node.hasHandle = true;
    this.referTo(bufferOf(node));
  }

  /** `node`, a leaf made of the pending value, shares its buffer once that exists; `handle` refers to it. */
  shareWith(handle: Handle, node: Node): void {
    if (this.pending !== null && node.inputs[0] === this.pending.target)
      this.pending.sharers.push({ node, handle });
  }

  /** Counts this handle among the references of `buffer`, and of no other. */
  referTo(buffer: BufferReference | null): void {
    if (this.buffer !== null) this.buffer.referenceCount--;
    if (buffer !== null) buffer.referenceCount++;
    this.buffer = buffer;
  }
}
