/**
 * What an operation of a random program is: when it applies, and what it does to tensors and to the oracle's
 * arrays.
 */
import type { Tensor } from '@firsthand/autograd';
import type { Dense } from '../oracle/dense.ts';

/** Notes a choice between branches, and how far the element is from the other branch. */
export type Decide = (branch: number, distance: number) => void;

export interface Operation {
  readonly operands: 1 | 2;
  /** Whether the shapes fit; `detail` is a number that picks axes and widths. */
  readonly fits: (a: Dense, b: Dense, detail: number) => boolean;
  readonly tensor: (a: Tensor, b: Tensor, detail: number) => Tensor;
  readonly oracle: (a: Dense, b: Dense, detail: number, decide: Decide) => Dense;
}
