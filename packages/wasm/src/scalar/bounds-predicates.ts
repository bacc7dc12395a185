/**
 * Bounds predicates: the `inside` expressions of a kernel, and conditions made of them. Where an axis is
 * split (index-set splitting), a predicate may be constant over a range: then a `where` has one branch.
 */
import type { Scalar, ScalarOf } from '@firsthand/compiler';
import { axesOf, coarsePredicate, type BoundsPredicate } from './indices.ts';
import type { CodegenScope } from './codegen-scope.ts';

/** The bounds predicates of one kernel. */
export class BoundsPredicates {
  readonly #scope: CodegenScope;
  readonly #of: ReadonlyMap<Scalar, BoundsPredicate>;
  readonly #all: readonly BoundsPredicate[];

  /** @param scalars all expressions of the kernel */
  constructor(scope: CodegenScope, scalars: readonly Scalar[]) {
    const tests = scalars.filter((scalar) => scalar.op === 'inside');
    this.#scope = scope;
    this.#of = new Map(tests.map((test) => [test, coarsePredicate(test, (index) => scope.rangeOf(index))]));
    this.#all = [...this.#of.values()];
  }

  /** All predicates over the ranges that code is emitted for, in as few loop variables as possible. */
  here(): readonly BoundsPredicate[] {
    return this.#all.map((predicate) => ({
      ...predicate,
      index: this.#scope.withoutSingleValues(predicate.index),
    }));
  }

  /** The predicate of an expression, in as few loop variables as possible. */
  of(scalar: ScalarOf<'inside'>): BoundsPredicate {
    return this.#of.get(scalar)!;
  }

  /** Whether some predicate may differ between lanes in the current ranges. */
  vary(): boolean {
    const { laneAxis } = this.#scope;
    return (
      laneAxis !== null &&
      this.#all.some(
        (predicate) =>
          ((axesOf(predicate.index) >>> laneAxis) & 1) === 1 && this.#truthOfPredicate(predicate) === null,
      )
    );
  }

  /**
   * The value of a condition made of predicates, if it is constant over the current ranges; null if it is
   * not, or has other operands.
   */
  truthOf(scalar: Scalar): boolean | null {
    if (scalar.op === 'const') return scalar.value !== 0;
    if (scalar.op === 'inside') return this.#truthOfPredicate(this.of(scalar));
    if (scalar.op === 'unary' && scalar.kind === 'logicalNot') {
      const truth = this.truthOf(scalar.x);
      return truth === null ? null : !truth;
    }
    if (scalar.op === 'binary' && (scalar.kind === 'logicalAnd' || scalar.kind === 'logicalOr')) {
      const decides = scalar.kind === 'logicalOr';
      const [a, b] = [this.truthOf(scalar.a), this.truthOf(scalar.b)];
      if (a === decides || b === decides) return decides;
      return a === null || b === null ? null : !decides;
    }
    return null;
  }

  #truthOfPredicate({ index, low, high }: BoundsPredicate): boolean | null {
    const [least, most] = this.#scope.rangeOf(this.#scope.resolve(index));
    if (least >= low && most < high) return true;
    return most < low || least >= high ? false : null;
  }
}
