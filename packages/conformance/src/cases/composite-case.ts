/** What the tests of a composite are made of: operands, attributes and a definition in plain loops. */
import type { Attrs, Composite } from '@firsthand/autograd';
import type { Dense } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';

export interface Operand {
  readonly value: Dense;
  /** Floats are differentiated, in the dtype of the test. */
  readonly dtype: 'float' | 'int32' | 'bool';
}

export interface CompositeExample {
  readonly attrs: Attrs;
  readonly operands: readonly Operand[];
}

export interface CompositeCase {
  readonly composite: Composite;
  readonly examples: readonly CompositeExample[];
  readonly define: (attrs: Attrs, ...inputs: readonly Dense[]) => readonly Dense[];
  /** The outputs that have a meaning outside of the composite, and are differentiated. */
  readonly outputs: number;
}

export const float = (shape: readonly number[], seed = 1, low = -2, high = 2): Operand => ({
  value: samples(shape, low, high, seed),
  dtype: 'float',
});

/** A composite of any attributes, as the table holds it. */
export const erase = <A extends Attrs>(composite: Composite<A>): Composite => composite;
