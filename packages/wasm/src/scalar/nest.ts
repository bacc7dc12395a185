/**
 * A loop nest in the making: which loop variables have a value now, and what has been computed already. Each
 * loop body is a scope; what is computed in a scope is kept in locals until its end, so that whoever asks
 * again further inside gets the local. Integers (index expressions) are computed here.
 */
import type { Atom, Index, Term } from '@firsthand/compiler';
import type { Code, Local, ValueType } from '../assembler/code.ts';
import { greatestCommonDivisor, keyOfAtom } from './indices.ts';

/** The value of a loop variable: a local, or a constant. */
export type AxisValue = Local | number;

/** The elements of one register: they stand `shift` after the lane axis' value, `lanes` of them in use. */
export interface Vector {
  readonly shift: number;
  readonly lanes: number;
}

/** Where the lane axis runs while code for it is emitted. */
export interface LaneRange {
  /** Its values: from ≤ value < to. */
  readonly from: number;
  readonly to: number;
  /** A number that divides every value at which a block starts. */
  readonly alignment: number;
}

/** What is known while axes run over parts of their extents: `from` ≤ value < `to`. */
interface Known {
  readonly parts: readonly { readonly from: number; readonly to: number }[];
  readonly laneAlignment: number;
  readonly ranges: Map<Index, readonly [number, number]>;
  readonly resolved: Map<Index, Index>;
}

interface Scope {
  readonly known: Map<unknown, Local>;
  readonly locals: Local[];
}

/** What a nest is built from. */
export interface NestOptions {
  readonly code: Code;
  /** Of each axis. */
  readonly extents: readonly number[];
  /** Of each axis: locals that loops set, or constants. */
  readonly axes: readonly AxisValue[];
  /**
   * The number of axes, from the first, whose locals have their values already: loops outside of the nest set
   * them.
   */
  readonly bound?: number;
  /** The axis along which the lanes of registers lie. */
  readonly laneAxis: number | null;
}

/** Loop variables, scopes, and the integers computed from them. */
export class Nest {
  readonly code: Code;
  readonly extents: readonly number[];
  readonly axes: readonly AxisValue[];
  readonly laneAxis: number | null;
  #known: Known;
  /** The axes that have a value, as bits. */
  #fixed = 0;
  readonly #scopes: Scope[] = [{ known: new Map(), locals: [] }];

  constructor({ code, extents, axes, bound = 0, laneAxis }: NestOptions) {
    if (extents.length > 30)
      throw new Error(`wasm: a kernel has ${extents.length} axes, and at most 30 can be`);
    this.code = code;
    this.extents = extents;
    this.axes = axes;
    this.laneAxis = laneAxis;
    const parts = axes.map((value, axis) =>
      typeof value === 'number' ? { from: value, to: value + 1 } : { from: 0, to: extents[axis]! },
    );
    this.#known = { parts, laneAlignment: 1, ranges: new Map(), resolved: new Map() };
    axes.forEach((value, axis) => {
      if (typeof value === 'number' || axis < bound) this.#fixed |= 1 << axis;
    });
  }

  /** The part of the lane axis that code is emitted for. */
  get laneRange(): { readonly from: number; readonly to: number } {
    return this.laneAxis === null ? { from: 0, to: 1 } : this.#known.parts[this.laneAxis]!;
  }

  // ---- scopes

  /** Runs `body` in a scope of its own, in which these axes have values. */
  enter(axes: readonly number[], body: () => void): void {
    const outer = this.#fixed;
    for (const axis of axes) this.#fixed |= 1 << axis;
    this.#scopes.push({ known: new Map(), locals: [] });
    body();
    this.code.release(...this.#scopes.pop()!.locals);
    this.#fixed = outer;
  }

  /** Runs `body` for a part of the lane axis. */
  within({ from, to, alignment }: LaneRange, body: () => void): void {
    this.#restrict(this.laneAxis!, from, to, alignment, body);
  }

  /** Runs `body` for a part of an axis. */
  restrict(axis: number, from: number, to: number, body: () => void): void {
    this.#restrict(axis, from, to, this.#known.laneAlignment, body);
  }

  #restrict(axis: number, from: number, to: number, laneAlignment: number, body: () => void): void {
    const outer = this.#known;
    const parts = outer.parts.map((part, each) => (each === axis ? { from, to } : part));
    this.#known = { parts, laneAlignment, ranges: new Map(), resolved: new Map() };
    this.enter([], body);
    this.#known = outer;
  }

  /** The local that holds what was computed for a key, if it is still in scope. */
  find(key: unknown): Local | undefined {
    for (let depth = this.#scopes.length - 1; depth >= 0; depth--) {
      const local = this.#scopes[depth]!.known.get(key);
      if (local !== undefined) return local;
    }
    return undefined;
  }

  /** A local for a value with a key, until the end of the scope. */
  keep(key: unknown, type: ValueType): Local {
    const scope = this.#scopes.at(-1)!;
    const local = this.code.local(type);
    scope.known.set(key, local);
    scope.locals.push(local);
    return local;
  }

  /** Whether all axes in a set of bits have values. */
  isFixed(axes: number): boolean {
    return (axes & ~this.#fixed) === 0;
  }

  // ---- integers

  /** Leaves the value of an index expression, as i32, on the stack. */
  put(index: Index): void {
    this.sum(index.offset, index.terms, 1);
  }

  /** Leaves (offset + Σ terms)·scale on the stack. */
  sum(offset: number, terms: readonly Term[], scale: number): void {
    const { code } = this;
    let constant = offset;
    const varying: Term[] = [];
    for (const term of terms) {
      const value = term.atom.kind === 'axis' ? this.axes[term.atom.axis]! : null;
      if (typeof value === 'number') constant += term.coefficient * value;
      else varying.push(term);
    }
    varying.forEach((term, position) => {
      this.#putTerm(term.coefficient * scale, term.atom);
      if (position > 0) code.op('i32.add');
    });
    if (varying.length === 0) code.i32(constant * scale);
    else if (constant !== 0) code.i32(constant * scale).op('i32.add');
  }

  /** Leaves factor·atom on the stack, and keeps it where it took more than an instruction. */
  #putTerm(factor: number, atom: Atom): void {
    const { code } = this;
    if (factor === 1 && atom.kind === 'axis') {
      code.get(this.axes[atom.axis] as Local);
      return;
    }
    const key = `${factor}·${keyOfAtom(atom)}`;
    const known = this.find(key);
    if (known !== undefined) {
      code.get(known);
      return;
    }
    if (factor !== 1) {
      this.#putTerm(1, atom);
      if (factor > 0 && Number.isInteger(Math.log2(factor))) code.i32(Math.log2(factor)).op('i32.shl');
      else code.i32(factor).op('i32.mul');
    } else if (atom.kind !== 'axis') {
      this.#putDivided(atom);
    }
    code.tee(this.keep(key, 'i32'));
  }

  /**
   * Quotients and remainders round towards −∞; a multiple of the divisor is added first where the dividend
   * may be negative.
   */
  #putDivided({ kind, of, by }: Exclude<Atom, { kind: 'axis' }>): void {
    const { code } = this;
    const [low] = this.rangeOf(of);
    const lift = low < 0 ? Math.ceil(-low / by) : 0;
    this.sum(of.offset + lift * by, of.terms, 1);
    const power = Math.log2(by);
    if (kind === 'quotient') {
      if (Number.isInteger(power)) code.i32(power).op('i32.shr_u');
      else code.i32(by).op('i32.div_u');
      if (lift > 0) code.i32(lift).op('i32.sub');
    } else if (Number.isInteger(power)) {
      code.i32(by - 1).op('i32.and');
    } else {
      code.i32(by).op('i32.rem_u');
    }
  }

  // ---- what is known of an index expression

  /** The smallest and the largest value, over the parts of the axes that code is emitted for. */
  rangeOf(index: Index): readonly [number, number] {
    const known = this.#known.ranges.get(index);
    if (known !== undefined) return known;
    let low = index.offset;
    let high = index.offset;
    for (const { coefficient: factor, atom } of index.terms) {
      const [least, most] = this.#atomRange(atom);
      low += factor * (factor > 0 ? least : most);
      high += factor * (factor > 0 ? most : least);
    }
    const range = [low, high] as const;
    this.#known.ranges.set(index, range);
    return range;
  }

  #atomRange(atom: Atom): readonly [number, number] {
    if (atom.kind === 'axis') {
      const { from, to } = this.#known.parts[atom.axis]!;
      return [from, to - 1];
    }
    const [low, high] = this.rangeOf(atom.of);
    return atom.kind === 'quotient'
      ? [Math.floor(low / atom.by), Math.floor(high / atom.by)]
      : [0, atom.by - 1];
  }

  /** The expression without quotients that are the same everywhere here, and without their remainders. */
  resolve(index: Index): Index {
    if (index.terms.every(({ atom }) => atom.kind === 'axis')) return index;
    const known = this.#known.resolved.get(index);
    if (known !== undefined) return known;
    let { offset } = index;
    const factors = new Map<number, number>();
    const divided: Term[] = [];
    const add = (terms: readonly Term[], scale: number): void => {
      for (const { coefficient: factor, atom } of terms) {
        if (atom.kind === 'axis') {
          factors.set(atom.axis, (factors.get(atom.axis) ?? 0) + scale * factor);
          continue;
        }
        const of = this.resolve(atom.of);
        const [least, most] = this.rangeOf(of).map((value) => Math.floor(value / atom.by)) as [
          number,
          number,
        ];
        if (least !== most) {
          divided.push({ coefficient: scale * factor, atom: { ...atom, of } });
        } else if (atom.kind === 'quotient') {
          offset += scale * factor * least;
        } else {
          offset += scale * factor * (of.offset - least * atom.by);
          add(of.terms, scale * factor);
        }
      }
    };
    add(index.terms, 1);
    const affine = [...factors]
      .filter(([, factor]) => factor !== 0)
      .map(([axis, factor]): Term => ({ coefficient: factor, atom: { kind: 'axis', axis } }));
    const resolved = { offset, terms: [...affine, ...divided] };
    this.#known.resolved.set(index, resolved);
    this.#known.resolved.set(resolved, resolved);
    return resolved;
  }

  /** The expression without the axes that have one value here. */
  settle({ offset, terms }: Index): Index {
    const single = ({ atom }: Term): number | null => {
      if (atom.kind !== 'axis') return null;
      const { from, to } = this.#known.parts[atom.axis]!;
      return to - from === 1 ? from : null;
    };
    return {
      offset: terms.reduce((sum, term) => sum + term.coefficient * (single(term) ?? 0), offset),
      terms: terms.filter((term) => single(term) === null),
    };
  }

  /** By how much the value grows from lane to lane of a vector; null where the steps differ. */
  stepOf(index: Index, { shift, lanes }: Vector): number | null {
    const { laneAxis } = this;
    if (laneAxis === null) return 0;
    let step = 0;
    for (const { coefficient: factor, atom } of index.terms) {
      if (atom.kind === 'axis') {
        if (atom.axis === laneAxis) step += factor;
        continue;
      }
      const inner = this.stepOf(atom.of, { shift, lanes });
      if (inner === null) return null;
      if (inner === 0) continue;
      if (!this.#staysInside(atom.of, inner, atom.by, shift, lanes)) return null;
      if (atom.kind === 'remainder') step += factor * inner;
    }
    return step;
  }

  /** Whether the value at the start of every block is known to be a multiple of a number. */
  isMultiple({ offset, terms }: Index, of: number): boolean {
    return (
      offset % of === 0 &&
      terms.every(({ coefficient: factor, atom }) => {
        const value = atom.kind === 'axis' ? this.axes[atom.axis]! : null;
        if (typeof value === 'number') return (factor * value) % of === 0;
        const isLane = atom.kind === 'axis' && atom.axis === this.laneAxis;
        return (isLane ? factor * this.#known.laneAlignment : factor) % of === 0;
      })
    );
  }

  /**
   * Whether the lanes of a vector all have the same quotient by `by`: true if the first of them is known to
   * be far enough from the next multiple.
   */
  #staysInside({ offset, terms }: Index, step: number, by: number, shift: number, lanes: number): boolean {
    if (lanes === 1) return true;
    if (step < 0) return false;
    let divisor = by;
    for (const { coefficient: factor, atom } of terms) {
      const isLane = atom.kind === 'axis' && atom.axis === this.laneAxis;
      divisor = greatestCommonDivisor(divisor, isLane ? factor * this.#known.laneAlignment : factor);
    }
    const first = offset + step * shift;
    return first - Math.floor(first / divisor) * divisor + step * (lanes - 1) < divisor;
  }
}
