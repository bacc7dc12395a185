/**
 * Vector code for scalar expressions. Each expression is computed once: in the outermost loop body where its
 * operands have values, if `hoist` is called there (loop-invariant code motion), else where it is needed. An
 * expression that does not depend on the lane axis is computed once for all lanes, any other for each vector
 * of a block.
 *
 * ```text
 * emitter.block = [{ shift: 0, lanes: 4 }, { shift: 4, lanes: 2 }];
 * code.repeat(row, 0, rows, 1, () =>
 *   scope.inScope([0], () => { emitter.hoist(values, stores); … emitter.storeAll(stores, vector) … }));
 * ```
 */
import {
  coefficientOf,
  inputsOf,
  scalarsIn,
  type Index,
  type Scalar,
  type ScalarOf,
  type ScalarOp,
  type Store,
} from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Access, type ArrayAt } from './access.ts';
import { emitBinary, emitBound, emitUnary } from './arithmetic.ts';
import type { Code, Local } from '../assembler/code.ts';
import { convert, widenMask } from './convert.ts';
import { emitInterleaved, interleavedKind, type Tools } from './functions.ts';
import { Gathers } from './gathers.ts';
import { BoundsPredicates } from './bounds-predicates.ts';
import { axesOf, shiftIndex } from './indices.ts';
import type { CodegenScope, Vector } from './codegen-scope.ts';
import { emitPhiloxRun, emitPhiloxWords, emitUniform32 } from '../math/philox.ts';
import { elementOf, putConstant, REGISTERS } from './registers.ts';

/** The kernel and its scope. */
export interface EmitterOptions {
  readonly scope: CodegenScope;
  readonly tools: Tools;
  /** The operands of the kernel and their addresses. */
  readonly arrays: readonly ArrayAt[];
  /** The number of axes, from the first, on which `reduced` values depend. */
  readonly rows: number;
  /** Every expression that will be emitted: one that occurs more than once gets a local. */
  readonly roots: readonly Scalar[];
}

/**
 * Elements up to which a kernel calls its functions (exp, pow, …). 256 calls cost half a microsecond; to emit
 * and compile one copy of a function takes longer, and the scalars of an optimizer (β^t for each parameter)
 * would have a hundred copies.
 */
const FEW_ELEMENTS = 1024;

/** What the value of an expression depends on: axes as bits, and reductions by number. */
interface Dependence {
  readonly axes: number;
  readonly reductions: readonly number[];
  readonly total: boolean;
}

type Emit<K extends ScalarOp> = (scalar: ScalarOf<K>, vector: number) => void;

/** Emits the expressions of one kernel. */
export class ScalarEmitter {
  /** The vectors of the loop body that is being emitted. */
  block: readonly Vector[] = [{ shift: 0, lanes: 1 }];
  readonly scope: CodegenScope;
  readonly access: Access;
  readonly predicates: BoundsPredicates;
  readonly #arrays: readonly ArrayAt[];
  readonly #tools: Tools;
  readonly #rows: number;
  readonly #gathers: Gathers;
  readonly #numbers = new Map<Scalar, number>();
  readonly #uses = new Map<Scalar, number>();
  readonly #dependences = new Map<Scalar, Dependence>();
  #total: readonly Local[] | null = null;
  #reduced = new Map<number, readonly Local[]>();

  constructor({ scope, tools, arrays, rows, roots }: EmitterOptions) {
    this.scope = scope;
    this.#tools = { ...tools, callsFunctions: sizeOf(scope.extents) <= FEW_ELEMENTS };
    this.#arrays = arrays;
    this.#rows = rows;
    const scalars = scalarsIn(roots);
    for (const scalar of roots) this.#count(scalar);
    for (const scalar of scalars) for (const input of inputsOf(scalar)) this.#count(input);
    this.predicates = new BoundsPredicates(scope, scalars);
    this.access = new Access(scope, () => this.predicates.vary());
    this.#gathers = new Gathers(scope, this.access);
  }

  get code(): Code {
    return this.scope.code;
  }

  // ---- values of reductions and products

  /** The registers that hold `total`: one per vector of the block. */
  bindTotal(totals: readonly Local[] | null): void {
    this.#total = totals;
  }

  /** The registers that hold the result of a reduction: one per vector of the block, or one for all. */
  bindReduced(reduction: number, results: readonly Local[]): void {
    this.#reduced.set(reduction, results);
  }

  /** Forgets the results of reductions: a new row begins. */
  unbindReduced(): void {
    this.#reduced.clear();
  }

  // ---- emitting

  /**
   * Computes the parts of these expressions and stores, addresses too, whose axes have values here.
   * @param shared only parts that are the same in all lanes: in the innermost body each vector computes the
   *   others
   */
  hoist(
    scalars: readonly Scalar[],
    stores: readonly Store[],
    { shared = false }: { readonly shared?: boolean } = {},
  ): void {
    const seen = new Set<Scalar>();
    const visit = (scalar: Scalar): void => {
      if (seen.has(scalar) || scalar.op === 'const') return;
      seen.add(scalar);
      if (this.#isReady(scalar) && !(shared && this.#isPerLane(scalar))) {
        if (!this.#isPerLane(scalar)) this.#define(scalar, 0);
        else this.block.forEach((_, vector) => this.#define(scalar, vector));
        return;
      }
      for (const input of this.#liveInputs(scalar)) visit(input);
      if (scalar.op === 'load') this.access.prepare(this.#arrays[scalar.operand]!, scalar.index);
      if (scalar.op === 'random' && shared) this.#prepareRandom(scalar);
      if (scalar.op === 'unary' && shared && this.#isReady(scalar)) this.#prepareFunction(scalar);
      if (scalar.op === 'gather' && this.#isReady(scalar.position) && !this.#isPerLane(scalar.position)) {
        this.#gathers.prepare(this.#arrays[scalar.operand]!, scalar, () => this.emit(scalar.position, 0));
      }
    };
    for (const scalar of scalars) visit(scalar);
    for (const { operand, index, value } of stores) {
      visit(value);
      this.access.prepare(this.#arrays[operand]!, index);
    }
  }

  /** Pushes the value for one vector of the block. */
  emit(scalar: Scalar, vector: number): void {
    const known = this.#lookUp(scalar, vector);
    if (known !== undefined) {
      this.code.get(known);
      return;
    }
    this.#compute(scalar, vector);
    if (scalar.op !== 'const' && this.#uses.get(scalar)! > 1)
      this.code.tee(this.scope.define(this.#key(scalar, vector), 'v128'));
  }

  /** Calls `body` with locals that hold the values for one vector of the block. */
  withLocals(scalars: readonly Scalar[], vector: number, body: (...locals: readonly Local[]) => void): void {
    const temporary: Local[] = [];
    const locals = scalars.map((scalar) => {
      const known = this.#lookUp(scalar, vector);
      if (known !== undefined) return known;
      if (scalar.op !== 'const' && this.#uses.get(scalar)! > 1) return this.#define(scalar, vector);
      this.#compute(scalar, vector);
      const local = this.code.local('v128');
      this.code.set(local);
      temporary.push(local);
      return local;
    });
    body(...locals);
    this.code.release(...temporary);
  }

  /** Computes the values of stores for one vector of the block, and then stores them. */
  storeAll(stores: readonly Store[], vector: number): void {
    this.withLocals(
      stores.map(({ value }) => value),
      vector,
      (...values) => {
        stores.forEach(({ operand, index }, position) => {
          this.access.store(this.#arrays[operand]!, index, this.block[vector]!, values[position]!);
        });
      },
    );
  }

  /** Leaves the values of an index expression in the lanes of a vector, as i32x4. */
  putIndices(given: Index, { shift, lanes }: Vector): void {
    const { scope, code } = this;
    const { laneAxis } = scope;
    const index = scope.resolve(given);
    const step = scope.stepOf(index, { shift, lanes });
    const at = (lane: number): Index =>
      laneAxis === null ? index : shiftIndex(index, laneAxis, shift + lane);
    scope.push(at(0));
    code.op('i32x4.splat');
    if (step === null) {
      for (let lane = 1; lane < lanes; lane++) {
        scope.push(at(lane));
        code.lane('i32x4.replace_lane', lane);
      }
    } else if (step !== 0) {
      code.v128(new Uint8Array(Int32Array.of(0, step, 2 * step, 3 * step).buffer)).op('i32x4.add');
    }
  }

  // ---- locals and dependences

  #count(scalar: Scalar): void {
    this.#uses.set(scalar, (this.#uses.get(scalar) ?? 0) + 1);
  }

  #numberOf(scalar: Scalar): number {
    const known = this.#numbers.get(scalar);
    if (known !== undefined) return known;
    this.#numbers.set(scalar, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  #key(scalar: Scalar, vector: number): number {
    return this.#numberOf(scalar) * 64 + (this.#isPerLane(scalar) ? vector + 1 : 0);
  }

  #lookUp(scalar: Scalar, vector: number): Local | undefined {
    if (scalar.op === 'total') return this.#bound(this.#total, vector);
    if (scalar.op === 'reduced') return this.#bound(this.#reduced.get(scalar.reduction) ?? null, vector);
    return this.scope.lookUp(this.#key(scalar, vector));
  }

  #bound(locals: readonly Local[] | null, vector: number): Local {
    if (locals === null) throw new Error('wasm: a value is used before it is bound');
    return locals.length === 1 ? locals[0]! : locals[vector]!;
  }

  #define(scalar: Scalar, vector: number): Local {
    const known = this.#lookUp(scalar, vector);
    if (known !== undefined) return known;
    this.#compute(scalar, vector);
    const local = this.scope.define(this.#key(scalar, vector), 'v128');
    this.code.set(local);
    return local;
  }

  /** The inputs, without the branch of a `where` that is never taken here. */
  #liveInputs(scalar: Scalar): readonly Scalar[] {
    if (scalar.op !== 'where') return inputsOf(scalar);
    const truth = this.predicates.truthOf(scalar.condition);
    return truth === null ? inputsOf(scalar) : [truth ? scalar.a : scalar.b];
  }

  #dependenceOf(scalar: Scalar): Dependence {
    const known = this.#dependences.get(scalar);
    if (known !== undefined) return known;
    const index =
      scalar.op === 'inside' ? this.predicates.of(scalar).index : 'index' in scalar ? scalar.index : null;
    let axes = index === null ? 0 : axesOf(index);
    let reductions: readonly number[] = [];
    let total = false;
    if (scalar.op === 'reduced') {
      axes = (1 << this.#rows) - 1;
      reductions = [scalar.reduction];
    } else if (scalar.op === 'total') {
      axes = (1 << this.scope.extents.length) - 1;
      total = true;
    }
    for (const input of inputsOf(scalar)) {
      const dependence = this.#dependenceOf(input);
      axes |= dependence.axes;
      if (dependence.reductions.length > 0)
        reductions = [...new Set([...reductions, ...dependence.reductions])];
      total ||= dependence.total;
    }
    const dependence = { axes, reductions, total };
    this.#dependences.set(scalar, dependence);
    return dependence;
  }

  #isReady(scalar: Scalar): boolean {
    const { axes, reductions, total } = this.#dependenceOf(scalar);
    return (
      this.scope.isFixed(axes) &&
      !(total && this.#total === null) &&
      reductions.every((reduction) => this.#reduced.has(reduction))
    );
  }

  #isPerLane(scalar: Scalar): boolean {
    const { laneAxis } = this.scope;
    return laneAxis !== null && (this.#dependenceOf(scalar).axes & (1 << laneAxis)) !== 0;
  }

  #wordsKey(scalar: ScalarOf<'random'>, vector: number): string {
    return `words ${this.#numberOf(scalar)} ${vector}`;
  }

  /**
   * The random words of a whole block at once, if they are consecutive and begin with a Philox block: at the
   * cost of one vector's words.
   */
  #prepareRandom(scalar: ScalarOf<'random'>): void {
    const { code, scope, block } = this;
    const { key, counter } = scalar;
    const index = scope.resolve(scalar.index);
    const lane = scope.laneAxis;
    const inputs = [...key, ...counter];
    if (lane === null || block.length > 4 || block.some(({ shift }, vector) => shift !== 4 * vector)) return;
    if (
      coefficientOf(index, lane) !== 1 ||
      !scope.isMultiple(index, 4) ||
      inputs.some((input) => this.#isPerLane(input) || !this.#isReady(input))
    )
      return;
    if (scope.lookUp(this.#wordsKey(scalar, 0)) !== undefined) return;
    this.withLocals(inputs, 0, (k0, k1, c0, c1) => {
      const first = code.local('i32');
      scope.push(index);
      code.set(first);
      const words = emitPhiloxRun(code, [k0, k1], [c0, c1], first);
      block.forEach((_, vector) =>
        code.get(words[vector]!).set(scope.define(this.#wordsKey(scalar, vector), 'v128')),
      );
      code.release(first, ...words);
    });
  }

  /** A function of float32 for all vectors of a block, interleaved, where its formula allows that. */
  #prepareFunction(scalar: ScalarOf<'unary'>): void {
    const { code, scope, block } = this;
    const kind = interleavedKind(scalar);
    if (kind === null || this.#tools.callsFunctions === true || block.length === 1) return;
    if (scope.lookUp(this.#key(scalar, 0)) !== undefined) return;
    const operands = block.map((_, vector) => this.#define(scalar.x, vector));
    const results = block.map((_, vector) => scope.define(this.#key(scalar, vector), 'v128'));
    emitInterleaved(code, kind, operands, results, this.#tools);
  }

  // ---- the operations

  #compute(scalar: Scalar, vector: number): void {
    (this.#emit[scalar.op] as (scalar: Scalar, vector: number) => void)(scalar, vector);
  }

  readonly #emit: { readonly [K in ScalarOp]: Emit<K> } = {
    const: ({ dtype, value }) => putConstant(this.code, dtype, value),
    load: ({ operand, index }, vector) =>
      this.access.load(this.#arrays[operand]!, index, this.block[vector]!),
    index: ({ index }, vector) => this.putIndices(index, this.block[vector]!),
    inside: (scalar, vector) => {
      const { index, low, high } = this.predicates.of(scalar);
      const truth = this.predicates.truthOf(scalar);
      if (truth !== null) {
        this.code.i32x4(truth ? -1 : 0);
        return;
      }
      this.putIndices({ offset: index.offset - low, terms: index.terms }, this.block[vector]!);
      this.code.i32x4(high - low).op('i32x4.lt_u');
    },
    gather: (scalar, vector) => {
      const { operand, position, index } = scalar;
      const array = this.#arrays[operand]!;
      const at = this.block[vector]!;
      if (this.#isPerLane(position)) {
        this.withLocals([position], vector, (positions) => {
          this.#gathers.loadEach(array, scalar, at, positions, () => this.putIndices(index, at));
        });
      } else {
        this.#gathers.loadMoved(array, scalar, at, () => this.emit(position, vector));
      }
    },
    random: (scalar, vector) => {
      const { code } = this;
      const { dtype, key, counter, index } = scalar;
      const prepared = this.scope.lookUp(this.#wordsKey(scalar, vector));
      if (prepared !== undefined) {
        if (dtype === 'float32') emitUniform32(code, prepared);
        else code.get(prepared);
        return;
      }
      this.withLocals([...key, ...counter], vector, (k0, k1, c0, c1) => {
        const words = code.local('v128');
        this.putIndices(index, this.block[vector]!);
        code.set(words);
        emitPhiloxWords(code, [k0, k1], [c0, c1], words);
        if (dtype === 'float32') {
          code.set(words);
          emitUniform32(code, words);
        }
        code.release(words);
      });
    },
    unary: ({ kind, x }, vector) => {
      this.withLocals([x], vector, (operand) => emitUnary(this.code, kind, x.dtype, operand, this.#tools));
    },
    binary: ({ kind, a, b, dtype }, vector) => {
      const register = REGISTERS[dtype];
      if (
        (kind === 'maximum' || kind === 'minimum') &&
        b.op === 'const' &&
        b.value === b.value &&
        (register === 'f32' || register === 'f64')
      ) {
        const bound = elementOf(dtype, b.value);
        this.withLocals([a], vector, (x) =>
          emitBound(this.code, kind, register === 'f32' ? 'f32x4' : 'f64x2', x, bound),
        );
        return;
      }
      this.withLocals([a, b], vector, (x, y) => emitBinary(this.code, kind, a.dtype, x, y, this.#tools));
    },
    where: ({ condition, a, b, dtype }, vector) => {
      const truth = this.predicates.truthOf(condition);
      if (truth !== null) {
        this.emit(truth ? a : b, vector);
        return;
      }
      this.emit(a, vector);
      this.emit(b, vector);
      this.emit(condition, vector);
      if (dtype === 'float64') widenMask(this.code);
      this.code.op('v128.bitselect');
    },
    cast: ({ dtype, x }, vector) => {
      this.emit(x, vector);
      convert(this.code, x.dtype, dtype);
    },
    reduced: (scalar, vector) => this.code.get(this.#lookUp(scalar, vector)!),
    total: (scalar, vector) => this.code.get(this.#lookUp(scalar, vector)!),
  };
}
