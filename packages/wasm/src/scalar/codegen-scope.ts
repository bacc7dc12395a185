/**
 * The scope of the code that is being emitted: which loop variables have a value, over which ranges they run,
 * and which values have a local. There is one per loop body: a definition is visible in inner scopes, and its
 * local is released at the end of its own. Index expressions are analysed over the ranges, and computed,
 * here.
 */
import type { Atom, Index, Term } from '@firsthand/compiler';
import type { Code, Local, ValueType } from '../assembler/code.ts';
import { greatestCommonDivisor, keyOfAtom } from './indices.ts';

/** The value of a loop variable: a local, or a constant. */
export type AxisValue = Local | number;

/** The elements of one register: `lanes` of them, from the value of the lane axis + `shift`. */
export interface Vector {
  readonly shift: number;
  readonly lanes: number;
}

/** The range of the lane axis that code is emitted for. */
export interface LaneRange {
  /** Its values: from ≤ value < to. */
  readonly from: number;
  readonly to: number;
  /** A number that divides every value at which a block starts. */
  readonly alignment: number;
}

/** The ranges of the axes (`from` ≤ value < `to`), and index expressions analysed over them. */
interface Analysis {
  readonly axisRanges: readonly { readonly from: number; readonly to: number }[];
  readonly laneAlignment: number;
  readonly indexRanges: Map<Index, readonly [number, number]>;
  readonly resolved: Map<Index, Index>;
}

/** One of the nested scopes. */
interface ScopeLevel {
  readonly definitions: Map<unknown, Local>;
  readonly locals: Local[];
}

/** The axes of a kernel, and the function that its code is emitted into. */
export interface CodegenScopeOptions {
  readonly code: Code;
  /** Of each axis. */
  readonly extents: readonly number[];
  /** Of each axis: locals that loops set, or constants. */
  readonly axes: readonly AxisValue[];
  /** The number of leading axes whose locals are set by enclosing loops. */
  readonly bound?: number;
  /** The vectorised axis. */
  readonly laneAxis: number | null;
}

/** The nested scopes of one kernel's code. */
export class CodegenScope {
  readonly code: Code;
  readonly extents: readonly number[];
  readonly axes: readonly AxisValue[];
  readonly laneAxis: number | null;
  #analysis: Analysis;
  /** The axes that have a value, as bits. */
  #fixed = 0;
  readonly #levels: ScopeLevel[] = [{ definitions: new Map(), locals: [] }];

  constructor({ code, extents, axes, bound = 0, laneAxis }: CodegenScopeOptions) {
    if (extents.length > 30)
      throw new Error(`wasm: a kernel has ${extents.length} axes, and at most 30 can be`);
    this.code = code;
    this.extents = extents;
    this.axes = axes;
    this.laneAxis = laneAxis;
    const axisRanges = axes.map((value, axis) =>
      typeof value === 'number' ? { from: value, to: value + 1 } : { from: 0, to: extents[axis]! },
    );
    this.#analysis = { axisRanges, laneAlignment: 1, indexRanges: new Map(), resolved: new Map() };
    axes.forEach((value, axis) => {
      if (typeof value === 'number' || axis < bound) this.#fixed |= 1 << axis;
    });
  }

  /** The range of the lane axis that code is emitted for. */
  get laneRange(): { readonly from: number; readonly to: number } {
    return this.laneAxis === null ? { from: 0, to: 1 } : this.#analysis.axisRanges[this.laneAxis]!;
  }

  // ---- scopes

  /** Runs `body` in an inner scope, in which these axes have values. */
  inScope(axes: readonly number[], body: () => void): void {
    const outer = this.#fixed;
    for (const axis of axes) this.#fixed |= 1 << axis;
    this.#levels.push({ definitions: new Map(), locals: [] });
    body();
    this.code.release(...this.#levels.pop()!.locals);
    this.#fixed = outer;
  }

  /** Runs `body` in an inner scope, over a range of the lane axis. */
  inLaneRange({ from, to, alignment }: LaneRange, body: () => void): void {
    this.#inRange(this.laneAxis!, from, to, alignment, body);
  }

  /** Runs `body` in an inner scope, over a range of an axis. */
  inRange(axis: number, from: number, to: number, body: () => void): void {
    this.#inRange(axis, from, to, this.#analysis.laneAlignment, body);
  }

  #inRange(axis: number, from: number, to: number, laneAlignment: number, body: () => void): void {
    const outer = this.#analysis;
    const axisRanges = outer.axisRanges.map((range, each) => (each === axis ? { from, to } : range));
    this.#analysis = { axisRanges, laneAlignment, indexRanges: new Map(), resolved: new Map() };
    this.inScope([], body);
    this.#analysis = outer;
  }

  /** The local that is defined for a key, in this scope or an outer one. */
  lookUp(key: unknown): Local | undefined {
    for (let depth = this.#levels.length - 1; depth >= 0; depth--) {
      const local = this.#levels[depth]!.definitions.get(key);
      if (local !== undefined) return local;
    }
    return undefined;
  }

  /** Defines a local for a key, until the end of the scope. */
  define(key: unknown, type: ValueType): Local {
    const level = this.#levels.at(-1)!;
    const local = this.code.local(type);
    level.definitions.set(key, local);
    level.locals.push(local);
    return local;
  }

  /** Whether all axes in a set of bits have values. */
  isFixed(axes: number): boolean {
    return (axes & ~this.#fixed) === 0;
  }

  // ---- integers

  /** Pushes the value of an index expression, an i32. */
  push(index: Index): void {
    this.pushSum(index.offset, index.terms, 1);
  }

  /** Pushes (offset + Σ terms)·scale. */
  pushSum(offset: number, terms: readonly Term[], scale: number): void {
    const { code } = this;
    let constant = offset;
    const varying: Term[] = [];
    for (const term of terms) {
      const value = term.atom.kind === 'axis' ? this.axes[term.atom.axis]! : null;
      if (typeof value === 'number') constant += term.coefficient * value;
      else varying.push(term);
    }
    varying.forEach((term, position) => {
      this.#pushTerm(term.coefficient * scale, term.atom);
      if (position > 0) code.op('i32.add');
    });
    if (varying.length === 0) code.i32(constant * scale);
    else if (constant !== 0) code.op('i32.add', constant * scale);
  }

  /** Pushes factor·atom; defines it if it takes more than an instruction. */
  #pushTerm(factor: number, atom: Atom): void {
    const { code } = this;
    if (factor === 1 && atom.kind === 'axis') {
      code.get(this.axes[atom.axis] as Local);
      return;
    }
    const key = `${factor}·${keyOfAtom(atom)}`;
    const known = this.lookUp(key);
    if (known !== undefined) {
      code.get(known);
      return;
    }
    if (factor !== 1) {
      this.#pushTerm(1, atom);
      if (factor > 0 && Number.isInteger(Math.log2(factor))) code.op('i32.shl', Math.log2(factor));
      else code.op('i32.mul', factor);
    } else if (atom.kind !== 'axis') {
      this.#pushDivided(atom);
    }
    code.tee(this.define(key, 'i32'));
  }

  /**
   * Quotients and remainders round towards −∞; a multiple of the divisor is added first where the dividend
   * may be negative.
   */
  #pushDivided({ kind, of, by }: Exclude<Atom, { kind: 'axis' }>): void {
    const { code } = this;
    const [low] = this.rangeOf(of);
    const lift = low < 0 ? Math.ceil(-low / by) : 0;
    this.pushSum(of.offset + lift * by, of.terms, 1);
    const power = Math.log2(by);
    if (kind === 'quotient') {
      if (Number.isInteger(power)) code.op('i32.shr_u', power);
      else code.op('i32.div_u', by);
      if (lift > 0) code.op('i32.sub', lift);
    } else if (Number.isInteger(power)) {
      code.op('i32.and', by - 1);
    } else {
      code.op('i32.rem_u', by);
    }
  }

  // ---- analysis of index expressions

  /** The smallest and the largest value over the ranges of the axes. */
  rangeOf(index: Index): readonly [number, number] {
    const known = this.#analysis.indexRanges.get(index);
    if (known !== undefined) return known;
    let low = index.offset;
    let high = index.offset;
    for (const { coefficient, atom } of index.terms) {
      const [least, most] = this.#atomRange(atom);
      low += coefficient * (coefficient > 0 ? least : most);
      high += coefficient * (coefficient > 0 ? most : least);
    }
    const range = [low, high] as const;
    this.#analysis.indexRanges.set(index, range);
    return range;
  }

  #atomRange(atom: Atom): readonly [number, number] {
    if (atom.kind === 'axis') {
      const { from, to } = this.#analysis.axisRanges[atom.axis]!;
      return [from, to - 1];
    }
    const [low, high] = this.rangeOf(atom.of);
    return atom.kind === 'quotient'
      ? [Math.floor(low / atom.by), Math.floor(high / atom.by)]
      : [0, atom.by - 1];
  }

  /** The expression without quotients that are constant over the ranges, and without their remainders. */
  resolve(index: Index): Index {
    if (index.terms.every(({ atom }) => atom.kind === 'axis')) return index;
    const known = this.#analysis.resolved.get(index);
    if (known !== undefined) return known;
    let { offset } = index;
    const coefficients = new Map<number, number>();
    const divided: Term[] = [];
    const add = (terms: readonly Term[], scale: number): void => {
      for (const { coefficient, atom } of terms) {
        if (atom.kind === 'axis') {
          coefficients.set(atom.axis, (coefficients.get(atom.axis) ?? 0) + scale * coefficient);
          continue;
        }
        const of = this.resolve(atom.of);
        const [least, most] = this.rangeOf(of).map((value) => Math.floor(value / atom.by)) as [
          number,
          number,
        ];
        if (least !== most) {
          divided.push({ coefficient: scale * coefficient, atom: { ...atom, of } });
        } else if (atom.kind === 'quotient') {
          offset += scale * coefficient * least;
        } else {
          offset += scale * coefficient * (of.offset - least * atom.by);
          add(of.terms, scale * coefficient);
        }
      }
    };
    add(index.terms, 1);
    const affine = [...coefficients]
      .filter(([, coefficient]) => coefficient !== 0)
      .map(([axis, coefficient]): Term => ({ coefficient, atom: { kind: 'axis', axis } }));
    const resolved = { offset, terms: [...affine, ...divided] };
    this.#analysis.resolved.set(index, resolved);
    this.#analysis.resolved.set(resolved, resolved);
    return resolved;
  }

  /** The expression without the axes whose range is one value. */
  withoutSingleValues({ offset, terms }: Index): Index {
    const single = ({ atom }: Term): number | null => {
      if (atom.kind !== 'axis') return null;
      const { from, to } = this.#analysis.axisRanges[atom.axis]!;
      return to - from === 1 ? from : null;
    };
    return {
      offset: terms.reduce((sum, term) => sum + term.coefficient * (single(term) ?? 0), offset),
      terms: terms.filter((term) => single(term) === null),
    };
  }

  /** The difference between neighbouring lanes of a vector; null where it is not the same for all. */
  stepOf(index: Index, { shift, lanes }: Vector): number | null {
    const { laneAxis } = this;
    if (laneAxis === null) return 0;
    let step = 0;
    for (const { coefficient, atom } of index.terms) {
      if (atom.kind === 'axis') {
        if (atom.axis === laneAxis) step += coefficient;
        continue;
      }
      const inner = this.stepOf(atom.of, { shift, lanes });
      if (inner === null) return null;
      if (inner === 0) continue;
      if (!this.#staysInside(atom.of, inner, atom.by, shift, lanes)) return null;
      if (atom.kind === 'remainder') step += coefficient * inner;
    }
    return step;
  }

  /** Whether the value at the start of every block is a multiple of a number. */
  isMultiple({ offset, terms }: Index, of: number): boolean {
    return (
      offset % of === 0 &&
      terms.every(({ coefficient, atom }) => {
        const value = atom.kind === 'axis' ? this.axes[atom.axis]! : null;
        if (typeof value === 'number') return (coefficient * value) % of === 0;
        const isLane = atom.kind === 'axis' && atom.axis === this.laneAxis;
        return (isLane ? coefficient * this.#analysis.laneAlignment : coefficient) % of === 0;
      })
    );
  }

  /**
   * Whether all lanes of a vector have the same quotient by `by`: the first is far enough from the next
   * multiple.
   */
  #staysInside({ offset, terms }: Index, step: number, by: number, shift: number, lanes: number): boolean {
    if (lanes === 1) return true;
    if (step < 0) return false;
    let divisor = by;
    for (const { coefficient, atom } of terms) {
      const isLane = atom.kind === 'axis' && atom.axis === this.laneAxis;
      divisor = greatestCommonDivisor(
        divisor,
        isLane ? coefficient * this.#analysis.laneAlignment : coefficient,
      );
    }
    const first = offset + step * shift;
    return first - Math.floor(first / divisor) * divisor + step * (lanes - 1) < divisor;
  }
}
