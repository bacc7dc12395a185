/**
 * Formulas over the lanes of vectors. A term is a number, a local, or instructions that leave a value on the
 * stack, so that `add(mul(a, b), c)` reads as mathematics and emits code for a stack machine. `local`
 * computes a term that occurs twice once.
 */
import type { Callee, Code, Local } from '../assembler/code.ts';
import type { Instruction } from '../assembler/instructions.ts';

/** What functions may use of the engine and of their module. */
export interface MathFeatures {
  /**
   * Whether `relaxed_madd` exists: a·b + c in one instruction, rounded once where the hardware does so, and
   * twice elsewhere. Bounds hold for both.
   */
  readonly relaxed: boolean;
  /** An imported function of float64, for arguments that the vector code does not reach. */
  readonly imported: (name: 'sin' | 'cos' | 'tan') => Callee;
}

/** A value: the same number in all lanes, a local, or instructions that push it. */
export type Term = number | Local | (() => void);

/** Reads the vector local x, which it does not change, and pushes f of each lane. */
export interface VectorFunction {
  (code: Code, x: Local, features: MathFeatures): void;
  /**
   * The same for several vectors at once, into locals, one statement of each in turn: a processor waits for
   * the results of a long chain, and finds work in the others meanwhile. Only functions without rare branches
   * have it.
   */
  readonly interleaved?: (
    code: Code,
    xs: readonly Local[],
    results: readonly Local[],
    features: MathFeatures,
  ) => void;
}

/** The two shapes of floats. */
type FloatShape = 'f32x4' | 'f64x2';
/** Two of four lanes. */
type Half = 'low' | 'high';
type Comparison = 'lt' | 'le' | 'gt' | 'ge' | 'eq' | 'ne';

/** Terms over the lanes of one shape. Comparisons give masks: all bits of a lane, or none. */
export class Formula {
  readonly code: Code;
  readonly features: MathFeatures;
  readonly #shape: FloatShape;
  readonly #locals: Local[] = [];
  /** Statements that wait to be emitted, or null while each is emitted as it comes. */
  #waiting: (() => void)[] | null = null;

  constructor(code: Code, shape: FloatShape, features: MathFeatures) {
    this.code = code;
    this.features = features;
    this.#shape = shape;
  }

  // ---- statements

  /** Pushes a term. */
  put(term: Term): void {
    if (typeof term === 'function') term();
    else if (typeof term === 'object') this.code.get(term);
    else if (this.#shape === 'f32x4') this.code.f32x4(term);
    else this.code.f64x2(term);
  }

  /** Computes a term once: a local that holds its value until `release`. */
  local(term: Term): Local {
    if (this.#waiting === null) this.put(term);
    const local = this.code.local('v128');
    this.#locals.push(local);
    if (this.#waiting === null) this.code.set(local);
    else this.#waiting.push(() => this.assign(local, term));
    return local;
  }

  /**
   * The statements of a formula that has no others than `local`, in order, and its result; nothing is
   * emitted.
   */
  statements(formula: () => Term): { readonly statements: readonly (() => void)[]; readonly result: Term } {
    const statements: (() => void)[] = [];
    this.#waiting = statements;
    const result = formula();
    this.#waiting = null;
    return { statements, result };
  }

  /** Assigns another value to a local of the formula. */
  assign(local: Local, term: Term): void {
    this.put(term);
    this.code.set(local);
  }

  /**
   * Code that is jumped over unless the mask holds in some lane: what is rare costs a test that is predicted
   * well.
   */
  whereAny(mask: Term, rare: () => void): void {
    this.put(mask);
    this.code.op('v128.any_true').if(rare);
  }

  /** Releases the locals of the formula. */
  release(): void {
    this.code.release(...this.#locals.splice(0));
  }

  // ---- terms

  /** Any instruction and its operands. */
  op(name: Instruction, ...operands: readonly Term[]): Term {
    return () => {
      for (const operand of operands) this.put(operand);
      this.code.op(name);
    };
  }

  /** The same 32 bits in every lane of 32 bits. */
  bits(value: number): Term {
    return () => this.code.i32x4(value);
  }

  /** Lanes of 32 bits shifted by a number of bits: `shl`, or `shr_s` which copies the sign. */
  shift(direction: 'shl' | 'shr_s', x: Term, count: number): Term {
    return () => {
      this.put(x);
      this.code.i32(count).op(`i32x4.${direction}`);
    };
  }

  /** The lanes of 32 bits of two vectors; those of the second are 4 to 7. */
  shuffle(x: Term, y: Term, lanes: readonly [number, number, number, number]): Term {
    return () => {
      this.put(x);
      this.put(y);
      this.code.shuffle32(lanes);
    };
  }

  /**
   * A vector whose lanes 0 and 1 are the low or the high half of x, as functions of float32 lanes into
   * float64 lanes want it.
   */
  half(x: Local, which: Half): Term {
    return which === 'low' ? x : this.shuffle(x, x, [2, 3, 2, 3]);
  }

  add(a: Term, b: Term): Term {
    return this.op(`${this.#shape}.add`, a, b);
  }
  sub(a: Term, b: Term): Term {
    return this.op(`${this.#shape}.sub`, a, b);
  }
  mul(a: Term, b: Term): Term {
    return this.op(`${this.#shape}.mul`, a, b);
  }
  div(a: Term, b: Term): Term {
    return this.op(`${this.#shape}.div`, a, b);
  }
  /**
   * b < a ? b : a, hence a where either is NaN. One instruction, where the `min` that propagates NaN is many.
   */
  min(a: Term, b: Term): Term {
    return this.op(`${this.#shape}.pmin`, a, b);
  }
  /** a < b ? b : a, hence a where either is NaN. */
  max(a: Term, b: Term): Term {
    return this.op(`${this.#shape}.pmax`, a, b);
  }
  compare(comparison: Comparison, a: Term, b: Term): Term {
    return this.op(`${this.#shape}.${comparison}`, a, b);
  }

  /** a·b + c. */
  multiplyAdd(a: Term, b: Term, c: Term): Term {
    return this.features.relaxed
      ? this.op(`${this.#shape}.relaxed_madd`, a, b, c)
      : this.add(this.mul(a, b), c);
  }
  /** c − a·b. */
  multiplySubtract(a: Term, b: Term, c: Term): Term {
    return this.features.relaxed
      ? this.op(`${this.#shape}.relaxed_nmadd`, a, b, c)
      : this.sub(c, this.mul(a, b));
  }

  and(a: Term, b: Term): Term {
    return this.op('v128.and', a, b);
  }
  or(a: Term, b: Term): Term {
    return this.op('v128.or', a, b);
  }
  xor(a: Term, b: Term): Term {
    return this.op('v128.xor', a, b);
  }
  /** mask ? a : b, lane by lane. */
  select(mask: Term, a: Term, b: Term): Term {
    return this.op('v128.bitselect', a, b, mask);
  }

  /** Σ cᵢxⁱ by Horner's rule. */
  polynomial(x: Local, coefficients: readonly number[]): Term {
    return coefficients
      .slice(0, -1)
      .reduceRight<Term>((sum, c) => this.multiplyAdd(sum, x, c), coefficients.at(-1)!);
  }

  /**
   * Σ cᵢxⁱ as even(x²) + x·odd(x²): one multiplication more than Horner's rule, and half as long a chain of
   * results that wait for each other.
   */
  twoPolynomials(x: Local, square: Local, coefficients: readonly number[]): Term {
    const [even, odd] = [0, 1].map((parity) =>
      this.polynomial(
        square,
        coefficients.filter((_, i) => i % 2 === parity),
      ),
    );
    return this.multiplyAdd(odd!, x, even!);
  }
}

/** The halves, in the order of the lanes. */
export const HALVES: readonly Half[] = ['low', 'high'];

/** A function of float32 lanes from its formula. */
export function float32Function(formula: (f: Formula, x: Local) => Term): VectorFunction {
  return (code, x, features) => {
    const f = new Formula(code, 'f32x4', features);
    f.put(formula(f, x));
    f.release();
  };
}

/**
 * A function of float32 lanes from a formula whose only statements are `local`: it can be emitted for several
 * vectors together.
 */
export function straightFunction(formula: (f: Formula, x: Local) => Term): VectorFunction {
  const interleaved: NonNullable<VectorFunction['interleaved']> = (code, xs, results, features) => {
    const formulas = xs.map(() => new Formula(code, 'f32x4', features));
    const lists = formulas.map((f, vector) => f.statements(() => formula(f, xs[vector]!)));
    lists[0]?.statements.forEach((_, step) => {
      for (const { statements } of lists) statements[step]!();
    });
    lists.forEach(({ result }, vector) => formulas[vector]!.assign(results[vector]!, result));
    for (const f of formulas) f.release();
  };
  return Object.assign(float32Function(formula), { interleaved: interleaved });
}
