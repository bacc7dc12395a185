/**
 * Guards: the `inside` expressions of a kernel, and conditions made of them. Where the loops around the code
 * run over parts of their axes, a guard may be decided, and with it which branch of a `where` exists at all.
 */
import type { Scalar, ScalarOf } from '@firsthand/compiler';
import { axesOf, coarseGuard, type Guard } from './indices.ts';
import type { Nest } from './nest.ts';

/** The guards of one kernel. */
export class Guards {
  readonly #nest: Nest;
  readonly #of: ReadonlyMap<Scalar, Guard>;
  readonly #all: readonly Guard[];

  /** @param scalars all expressions of the kernel */
  constructor(nest: Nest, scalars: readonly Scalar[]) {
    const tests = scalars.filter((scalar) => scalar.op === 'inside');
    this.#nest = nest;
    this.#of = new Map(tests.map((test) => [test, coarseGuard(test, (index) => nest.rangeOf(index))]));
    this.#all = [...this.#of.values()];
  }

  /**
   * What all `inside` expressions test in the parts of the axes that code is emitted for, in as few loop
   * variables as possible.
   */
  here(): readonly Guard[] {
    return this.#all.map((guard) => ({ ...guard, index: this.#nest.settle(guard.index) }));
  }

  /** What an expression tests, in as few loop variables as possible. */
  of(scalar: ScalarOf<'inside'>): Guard {
    return this.#of.get(scalar)!;
  }

  /** Whether a guard may change from lane to lane here. */
  vary(): boolean {
    const { laneAxis } = this.#nest;
    return (
      laneAxis !== null &&
      this.#all.some(
        (guard) => ((axesOf(guard.index) >>> laneAxis) & 1) === 1 && this.#truthOfGuard(guard) === null,
      )
    );
  }

  /**
   * Whether a condition made of guards is the same everywhere here; null if it is not, or is made of other
   * things.
   */
  truthOf(scalar: Scalar): boolean | null {
    if (scalar.op === 'const') return scalar.value !== 0;
    if (scalar.op === 'inside') return this.#truthOfGuard(this.of(scalar));
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

  #truthOfGuard({ index, low, high }: Guard): boolean | null {
    const [least, most] = this.#nest.rangeOf(this.#nest.resolve(index));
    if (least >= low && most < high) return true;
    return most < low || least >= high ? false : null;
  }
}
