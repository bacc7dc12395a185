/**
 * Loads and stores of array elements at index expressions. Each enclosing loop adds its terms to a pointer,
 * so that the innermost loop adds only the terms of its own variable. Elements that are contiguous along the
 * lanes are one load or store, an element that all lanes share is a splat, all others are accessed lane by
 * lane.
 *
 * An index may be out of bounds where a bounds predicate is false. Such addresses are clamped into the array:
 * once for all lanes if no predicate differs between lanes, else for each lane.
 */
import type { Index, Operand, Term } from '@firsthand/compiler';
import type { Local } from '../assembler/code.ts';
import { axesOfAtom, keyOfIndex, shiftIndex } from './indices.ts';
import type { CodegenScope, Vector } from './codegen-scope.ts';
import {
  bytesOf,
  loadContiguous,
  loadLanes,
  loadSplat,
  storeContiguous,
  storeLanes,
  type ElementAddress,
} from './registers.ts';

/** An array and the address of its first element. */
export interface ArrayAt {
  readonly operand: Operand;
  readonly address: Local;
}

/**
 * The addresses of a vector's elements: one for all lanes, that of the first of contiguous lanes, or one per
 * lane.
 */
interface VectorAddresses {
  readonly kind: 'same' | 'contiguous' | 'lanes';
  readonly elements: readonly ElementAddress[];
  /** Locals for the caller to release. */
  readonly temporary: readonly Local[];
}

/** Properties of an index that do not depend on the range of the lane axis. */
interface Facts {
  readonly key: string;
  /** The step from lane to lane; null if the lane axis occurs in a quotient or a remainder. */
  readonly step: number | null;
}

/** Loads and stores of one kernel. */
export class Access {
  readonly #scope: CodegenScope;
  /** Whether a bounds predicate may differ between lanes here. */
  readonly #predicatesVary: () => boolean;
  /** The terms that are not yet added to a pointer. */
  readonly #pending = new Map<Local, readonly Term[]>();
  readonly #facts = new Map<Index, Facts>();

  constructor(scope: CodegenScope, predicatesVary: () => boolean) {
    this.#scope = scope;
    this.#predicatesVary = predicatesVary;
  }

  /** Computes the terms of an address whose axes have values. */
  prepare(array: ArrayAt, given: Index): void {
    const index = this.#scope.resolve(given);
    const { step } = this.#factsOf(index);
    if (step !== null && !this.#isTestedPerLane(array.operand, index, step))
      this.#pointer(array, index, step);
  }

  /** Pushes the elements for one vector. */
  load(array: ArrayAt, index: Index, vector: Vector): void {
    const { code } = this.#scope;
    const { dtype } = array.operand;
    const { kind, elements, temporary } = this.#elementsOf(array, index, vector);
    if (kind === 'same') loadSplat(code, dtype, elements[0]!);
    else if (kind === 'contiguous') loadContiguous(code, dtype, vector.lanes, elements[0]!);
    else loadLanes(code, dtype, elements);
    code.release(...temporary);
  }

  /** Stores one vector. Where all lanes have one address, the first is stored. */
  store(array: ArrayAt, index: Index, vector: Vector, value: Local): void {
    const { code } = this.#scope;
    const { dtype } = array.operand;
    const { kind, elements, temporary } = this.#elementsOf(array, index, vector);
    if (kind === 'lanes') storeLanes(code, dtype, elements, value);
    else storeContiguous(code, dtype, kind === 'same' ? 1 : vector.lanes, elements[0]!, value);
    code.release(...temporary);
  }

  #elementsOf(array: ArrayAt, given: Index, vector: Vector): VectorAddresses {
    const { operand } = array;
    const index = this.#scope.resolve(given);
    const affine = this.#factsOf(index).step;
    const step = affine ?? this.#scope.stepOf(index, vector);
    if (step === null || this.#isTestedPerLane(operand, index, step))
      return this.#eachLane(array, index, vector);
    const isInside = this.#isInside(operand, index);
    const steps = Array.from({ length: vector.lanes }, (_, lane) => lane);
    if (affine !== null && step >= 0 && (isInside || this.#rowLimits(operand, step) !== null)) {
      const address = this.#pointer(array, index, step)!;
      const addressOf = (lane: number): ElementAddress => ({
        address,
        offset: (vector.shift + lane) * step * bytesOf(operand.dtype),
      });
      if (step <= 1)
        return { kind: step === 0 ? 'same' : 'contiguous', elements: [addressOf(0)], temporary: [] };
      return { kind: 'lanes', elements: steps.map(addressOf), temporary: [] };
    }
    const reach = step * (vector.lanes - 1);
    if (operand.length <= Math.abs(reach)) return this.#eachLane(array, index, vector);
    // The pointer is the lowest address, so that no offset is negative.
    const first = Math.min(0, reach);
    const limits = isInside ? null : ([0, operand.length - 1 - Math.abs(reach)] as const);
    const address = this.#elementAt(array, this.#shifted(index, vector.shift), first, limits);
    const elements = steps.map((lane): ElementAddress => ({
      address,
      offset: (lane * step - first) * bytesOf(operand.dtype),
    }));
    if (step === 0 || step === 1)
      return { kind: step === 0 ? 'same' : 'contiguous', elements: [elements[0]!], temporary: [address] };
    return { kind: 'lanes', elements: elements, temporary: [address] };
  }

  /** Whether some lanes may be in bounds and others not. */
  #isTestedPerLane(operand: Operand, index: Index, step: number): boolean {
    return step !== 0 && !this.#isInside(operand, index) && this.#predicatesVary();
  }

  /** An address for each lane, clamped if it may be out of bounds. */
  #eachLane(array: ArrayAt, index: Index, { shift, lanes }: Vector): VectorAddresses {
    const limits = this.#isInside(array.operand, index) ? null : ([0, array.operand.length - 1] as const);
    const temporary = Array.from({ length: lanes }, (_, lane) =>
      this.#elementAt(array, this.#shifted(index, shift + lane), 0, limits),
    );
    return { kind: 'lanes', elements: temporary.map((address) => ({ address, offset: 0 })), temporary };
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
    const { code } = this.#scope;
    const local = code.local('i32');
    const moved = { offset: index.offset + shift, terms: index.terms };
    if (limits === null) {
      this.#scope.pushSum(moved.offset, moved.terms, bytesOf(operand.dtype));
    } else {
      this.#scope.push(moved);
      this.#limit(limits);
      code.op('i32.mul', bytesOf(operand.dtype));
    }
    code.op('i32.add', address).set(local);
    return local;
  }

  /** Replaces the integer on the stack by `low` if it is not in low…high. */
  #limit([low, high]: readonly [number, number]): void {
    const { code } = this.#scope;
    const beyond = code.local('i32');
    code
      .op('i32.sub', low)
      .tee(beyond)
      .i32(0)
      .op('i32.le_u', beyond, high - low)
      .op('select')
      .op('i32.add', low);
    code.release(beyond);
  }

  #shifted(index: Index, shift: number): Index {
    const { laneAxis } = this.#scope;
    return laneAxis === null ? index : shiftIndex(index, laneAxis, shift);
  }

  /** Whether every value of an index is in bounds. */
  #isInside({ length }: Operand, index: Index): boolean {
    const [low, high] = this.#scope.rangeOf(index);
    return low >= 0 && high < length;
  }

  #factsOf(index: Index): Facts {
    const known = this.#facts.get(index);
    if (known !== undefined) return known;
    const isAffine = index.terms.every((term) => term.atom.kind === 'axis' || !this.#hasLane(term));
    const facts = {
      key: keyOfIndex(index),
      step: isAffine ? this.#scope.stepOf(index, { shift: 0, lanes: 1 }) : null,
    };
    this.#facts.set(index, facts);
    return facts;
  }

  #hasLane({ atom }: Term): boolean {
    const { laneAxis } = this.#scope;
    return laneAxis !== null && (axesOfAtom(atom) & (1 << laneAxis)) !== 0;
  }

  /**
   * The bounds of an index without its lane axis for which all lanes of the current range are in bounds; null
   * if there are none.
   */
  #rowLimits({ length }: Operand, step: number): readonly [number, number] | null {
    const { from, to } = this.#scope.laneRange;
    const ends = [step * from, step * (to - 1)];
    const [low, high] = [-Math.min(...ends), length - 1 - Math.max(...ends)];
    return low <= high ? [low, high] : null;
  }

  /**
   * The pointer for an index that is affine in the lane axis, as far as it can be computed; null before
   * anything can.
   */
  #pointer(array: ArrayAt, index: Index, step: number): Local | null {
    const scope = this.#scope;
    const { code } = scope;
    const { operand, address } = array;
    const isInside = this.#isInside(operand, index);
    const { from, to } = scope.laneRange;
    const key = `pointer ${address.index} ${this.#factsOf(index).key}${isInside ? '' : ` ${from} ${to}`}`;
    const known = scope.lookUp(key);
    const pending = known === undefined ? index.terms : this.#pending.get(known)!;
    const isReady = ({ atom }: Term): boolean => scope.isFixed(axesOfAtom(atom));
    const [ready, rest] = [pending.filter(isReady), pending.filter((term) => !isReady(term))];
    if (known !== undefined) {
      if (ready.length === 0) return known;
      code.get(known);
      scope.pushSum(0, ready, bytesOf(operand.dtype));
    } else if (isInside) {
      if (ready.length === 0 && index.offset === 0) return rest.length === 0 ? address : null;
      code.get(address);
      scope.pushSum(index.offset, ready, bytesOf(operand.dtype));
    } else {
      const limits = this.#rowLimits(operand, step);
      if (limits === null || rest.some((term) => !this.#hasLane(term))) return null;
      code.get(address);
      scope.pushSum(
        index.offset,
        ready.filter((term) => !this.#hasLane(term)),
        1,
      );
      this.#limit(limits);
      scope.pushSum(
        0,
        ready.filter((term) => this.#hasLane(term)),
        1,
      );
      code.op('i32.add').op('i32.mul', bytesOf(operand.dtype));
    }
    const pointer = scope.define(key, 'i32');
    code.op('i32.add').set(pointer);
    this.#pending.set(pointer, rest);
    return pointer;
  }
}
