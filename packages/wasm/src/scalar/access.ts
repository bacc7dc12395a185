/**
 * Elements of arrays at index expressions. An address is a pointer that grows term by term as the loops
 * around it open, so that the innermost one adds what depends on it and nothing else. What lies side by side
 * along the lanes is one load or store, what is the same in all lanes is spread, the rest goes lane by lane.
 *
 * An index may lie outside the array where a guard is false. Such loads are pulled inside: once for all
 * lanes, if no guard changes along the lanes, else each lane.
 */
import type { Index, Operand, Term } from '@firsthand/compiler';
import type { Local } from '../assembler/code.ts';
import { axesOfAtom, keyOfIndex, shiftIndex } from './indices.ts';
import type { Nest, Vector } from './nest.ts';
import {
  bytesOf,
  loadContiguous,
  loadLanes,
  loadSplat,
  storeContiguous,
  storeLanes,
  type Place,
} from './registers.ts';

/** An array and the address of its first element. */
export interface ArrayAt {
  readonly operand: Operand;
  readonly address: Local;
}

/**
 * The places of a vector's elements: one for all lanes, one for the first of lanes that lie side by side, or
 * one per lane.
 */
interface Places {
  readonly kind: 'same' | 'contiguous' | 'lanes';
  readonly places: readonly Place[];
  /** Locals to be released. */
  readonly temporary: readonly Local[];
}

/** What is known of an index whatever part of the lane axis code is emitted for. */
interface Facts {
  readonly key: string;
  /**
   * By how much it grows from lane to lane, if the lane axis occurs outside quotients and remainders only;
   * else null.
   */
  readonly step: number | null;
}

/** Loads and stores in one nest. */
export class Access {
  readonly #nest: Nest;
  /** Whether a guard may change from lane to lane here. */
  readonly #guardsVary: () => boolean;
  /** What is still to be added to a pointer. */
  readonly #pending = new Map<Local, readonly Term[]>();
  readonly #facts = new Map<Index, Facts>();

  constructor(nest: Nest, guardsVary: () => boolean) {
    this.#nest = nest;
    this.#guardsVary = guardsVary;
  }

  /** Computes as much of an address as the axes that have values allow. */
  prepare(array: ArrayAt, given: Index): void {
    const index = this.#nest.resolve(given);
    const { step } = this.#factsOf(index);
    if (step !== null && !this.#isTestedPerLane(array.operand, index, step))
      this.#pointer(array, index, step);
  }

  /** Leaves the elements for one vector on the stack. */
  load(array: ArrayAt, index: Index, vector: Vector): void {
    const { code } = this.#nest;
    const { dtype } = array.operand;
    const { kind, places, temporary } = this.#places(array, index, vector);
    if (kind === 'same') loadSplat(code, dtype, places[0]!);
    else if (kind === 'contiguous') loadContiguous(code, dtype, vector.lanes, places[0]!);
    else loadLanes(code, dtype, places);
    code.release(...temporary);
  }

  /** Stores one vector. Where all its lanes have one place, the first is stored. */
  store(array: ArrayAt, index: Index, vector: Vector, value: Local): void {
    const { code } = this.#nest;
    const { dtype } = array.operand;
    const { kind, places, temporary } = this.#places(array, index, vector);
    if (kind === 'lanes') storeLanes(code, dtype, places, value);
    else storeContiguous(code, dtype, kind === 'same' ? 1 : vector.lanes, places[0]!, value);
    code.release(...temporary);
  }

  #places(array: ArrayAt, given: Index, vector: Vector): Places {
    const { operand } = array;
    const index = this.#nest.resolve(given);
    const affine = this.#factsOf(index).step;
    const step = affine ?? this.#nest.stepOf(index, vector);
    if (step === null || this.#isTestedPerLane(operand, index, step))
      return this.#eachLane(array, index, vector);
    const isInside = this.#isInside(operand, index);
    const steps = Array.from({ length: vector.lanes }, (_, lane) => lane);
    if (affine !== null && step >= 0 && (isInside || this.#rowLimits(operand, step) !== null)) {
      const address = this.#pointer(array, index, step)!;
      const place = (lane: number): Place => ({
        address,
        offset: (vector.shift + lane) * step * bytesOf(operand.dtype),
      });
      if (step <= 1) return { kind: step === 0 ? 'same' : 'contiguous', places: [place(0)], temporary: [] };
      return { kind: 'lanes', places: steps.map(place), temporary: [] };
    }
    const reach = step * (vector.lanes - 1);
    if (operand.length <= Math.abs(reach)) return this.#eachLane(array, index, vector);
    // The lowest place is the pointer, so that no offset is negative.
    const first = Math.min(0, reach);
    const limits = isInside ? null : ([0, operand.length - 1 - Math.abs(reach)] as const);
    const address = this.#elementAt(array, this.#shifted(index, vector.shift), first, limits);
    const places = steps.map((lane): Place => ({
      address,
      offset: (lane * step - first) * bytesOf(operand.dtype),
    }));
    if (step === 0 || step === 1)
      return { kind: step === 0 ? 'same' : 'contiguous', places: [places[0]!], temporary: [address] };
    return { kind: 'lanes', places, temporary: [address] };
  }

  /** Whether some lanes may be inside and others outside. */
  #isTestedPerLane(operand: Operand, index: Index, step: number): boolean {
    return step !== 0 && !this.#isInside(operand, index) && this.#guardsVary();
  }

  /** Each lane by itself, pulled inside if it may be outside. */
  #eachLane(array: ArrayAt, index: Index, { shift, lanes }: Vector): Places {
    const limits = this.#isInside(array.operand, index) ? null : ([0, array.operand.length - 1] as const);
    const temporary = Array.from({ length: lanes }, (_, lane) =>
      this.#elementAt(array, this.#shifted(index, shift + lane), 0, limits),
    );
    return { kind: 'lanes', places: temporary.map((address) => ({ address, offset: 0 })), temporary };
  }

  /**
   * The address of element index + shift in a new local; outside the limits, which count elements, it is the
   * address of the lower limit.
   */
  #elementAt(
    { operand, address }: ArrayAt,
    index: Index,
    shift: number,
    limits: readonly [number, number] | null,
  ): Local {
    const { code } = this.#nest;
    const local = code.local('i32');
    const moved = { offset: index.offset + shift, terms: index.terms };
    if (limits === null) {
      this.#nest.sum(moved.offset, moved.terms, bytesOf(operand.dtype));
    } else {
      this.#nest.put(moved);
      this.#limit(limits);
      code.i32(bytesOf(operand.dtype)).op('i32.mul');
    }
    code.get(address).op('i32.add').set(local);
    return local;
  }

  /** An integer on the stack, or `low` if it does not lie in low…high. */
  #limit([low, high]: readonly [number, number]): void {
    const { code } = this.#nest;
    const beyond = code.local('i32');
    code
      .i32(low)
      .op('i32.sub')
      .tee(beyond)
      .i32(0)
      .get(beyond)
      .i32(high - low)
      .op('i32.le_u')
      .op('select')
      .i32(low)
      .op('i32.add');
    code.release(beyond);
  }

  #shifted(index: Index, shift: number): Index {
    const { laneAxis } = this.#nest;
    return laneAxis === null ? index : shiftIndex(index, laneAxis, shift);
  }

  /** Whether every value of an index lies inside the array. */
  #isInside({ length }: Operand, index: Index): boolean {
    const [low, high] = this.#nest.rangeOf(index);
    return low >= 0 && high < length;
  }

  #factsOf(index: Index): Facts {
    const known = this.#facts.get(index);
    if (known !== undefined) return known;
    const isAffine = index.terms.every((term) => term.atom.kind === 'axis' || !this.#hasLane(term));
    const facts = {
      key: keyOfIndex(index),
      step: isAffine ? this.#nest.stepOf(index, { shift: 0, lanes: 1 }) : null,
    };
    this.#facts.set(index, facts);
    return facts;
  }

  #hasLane({ atom }: Term): boolean {
    const { laneAxis } = this.#nest;
    return laneAxis !== null && (axesOfAtom(atom) & (1 << laneAxis)) !== 0;
  }

  /**
   * Between what values the part of an index that has no lane axis must lie, so that all lanes of this part
   * of the lane axis lie inside; null if there is none.
   */
  #rowLimits({ length }: Operand, step: number): readonly [number, number] | null {
    const { from, to } = this.#nest.laneRange;
    const ends = [step * from, step * (to - 1)];
    const [low, high] = [-Math.min(...ends), length - 1 - Math.max(...ends)];
    return low <= high ? [low, high] : null;
  }

  /**
   * The pointer for an index that is affine in the lane axis, as far as it can be computed; null before
   * anything can.
   */
  #pointer(array: ArrayAt, index: Index, step: number): Local | null {
    const nest = this.#nest;
    const { code } = nest;
    const { operand, address } = array;
    const isInside = this.#isInside(operand, index);
    const { from, to } = nest.laneRange;
    const key = `pointer ${address.index} ${this.#factsOf(index).key}${isInside ? '' : ` ${from} ${to}`}`;
    const known = nest.find(key);
    const pending = known === undefined ? index.terms : this.#pending.get(known)!;
    const isReady = ({ atom }: Term): boolean => nest.isFixed(axesOfAtom(atom));
    const [ready, rest] = [pending.filter(isReady), pending.filter((term) => !isReady(term))];
    if (known !== undefined) {
      if (ready.length === 0) return known;
      code.get(known);
      nest.sum(0, ready, bytesOf(operand.dtype));
    } else if (isInside) {
      if (ready.length === 0 && index.offset === 0) return rest.length === 0 ? address : null;
      code.get(address);
      nest.sum(index.offset, ready, bytesOf(operand.dtype));
    } else {
      const limits = this.#rowLimits(operand, step);
      if (limits === null || rest.some((term) => !this.#hasLane(term))) return null;
      code.get(address);
      nest.sum(
        index.offset,
        ready.filter((term) => !this.#hasLane(term)),
        1,
      );
      this.#limit(limits);
      nest.sum(
        0,
        ready.filter((term) => this.#hasLane(term)),
        1,
      );
      code.op('i32.add').i32(bytesOf(operand.dtype)).op('i32.mul');
    }
    const pointer = nest.keep(key, 'i32');
    code.op('i32.add').set(pointer);
    this.#pending.set(pointer, rest);
    return pointer;
  }
}
