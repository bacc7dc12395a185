/**
 * Elements picked by a computed position. A position that is the same in all lanes (the row of an embedding)
 * moves the array's address once, and its elements are loaded like any others; positions that differ between
 * lanes give each lane an address. A position out of range reads element 0 of the axis, and its value is
 * replaced by NaN or 0.
 */
import type { ScalarOf } from '@firsthand/compiler';
import { DTYPES, type DType } from '@firsthand/linalg';
import type { Access, ArrayAt } from './access.ts';
import type { Local } from '../assembler/code.ts';
import { widenMask } from './convert.ts';
import type { CodegenScope, Vector } from './codegen-scope.ts';
import { bytesOf, loadLanes, putConstant } from './registers.ts';

type Gather = ScalarOf<'gather'>;

/** The gathers of one kernel. */
export class Gathers {
  readonly #scope: CodegenScope;
  readonly #access: Access;
  /** The keys of the gathers' masks in the scope; a gather itself is the key of its moved address. */
  readonly #maskKeys = new Map<Gather, symbol>();

  constructor(scope: CodegenScope, access: Access) {
    this.#scope = scope;
    this.#access = access;
  }

  /**
   * Hoists the address of a gather whose position is the same in all lanes.
   * @param putPosition pushes the position, in all lanes
   */
  prepare(array: ArrayAt, gather: Gather, putPosition: () => void): void {
    if (isEmpty(array, gather)) return;
    this.#access.prepare(this.#move(array, gather, putPosition), gather.index);
  }

  /** Pushes the elements of one vector; the position is the same in all lanes. */
  loadMoved(array: ArrayAt, gather: Gather, vector: Vector, putPosition: () => void): void {
    if (isEmpty(array, gather)) {
      this.#putMissing(gather.dtype);
      return;
    }
    const moved = this.#move(array, gather, putPosition);
    this.#access.load(moved, gather.index, vector);
    this.#select(gather.dtype, this.#scope.lookUp(this.#maskKey(gather))!);
  }

  /**
   * Pushes the elements of one vector; each lane has a position of its own.
   * @param positions the register of the positions
   * @param putIndices pushes the index, in each lane
   */
  loadEach(array: ArrayAt, gather: Gather, vector: Vector, positions: Local, putIndices: () => void): void {
    if (isEmpty(array, gather)) {
      this.#putMissing(gather.dtype);
      return;
    }
    const { code } = this.#scope;
    const { stride, extent, index, dtype } = gather;
    const { operand, address } = array;
    const [mask, byteAddresses] = [code.local('v128'), code.local('v128')];
    code.get(positions).i32x4(extent).op('i32x4.lt_u').set(mask);
    code.op('v128.and', positions, mask);
    if (stride !== 1) code.i32x4(stride).op('i32x4.mul');
    putIndices();
    code.op('i32x4.add');
    const [low, high] = this.#scope.rangeOf(index);
    if (low < 0 || high + (extent - 1) * stride >= operand.length) {
      code
        .i32x4(0)
        .op('i32x4.max_s')
        .i32x4(operand.length - 1)
        .op('i32x4.min_s');
    }
    code
      .op('i32x4.shl', Math.log2(bytesOf(operand.dtype)))
      .op('i32x4.splat', address)
      .op('i32x4.add')
      .set(byteAddresses);
    const addresses = Array.from({ length: vector.lanes }, (_, lane) => {
      const local = code.local('i32');
      code.get(byteAddresses).lane('i32x4.extract_lane', lane).set(local);
      return local;
    });
    loadLanes(
      code,
      dtype,
      addresses.map((each) => ({ address: each, offset: 0 })),
    );
    this.#select(dtype, mask);
    code.release(mask, byteAddresses, ...addresses);
  }

  /** The array from the picked position on, or from element 0 of the axis. */
  #move({ operand, address }: ArrayAt, gather: Gather, putPosition: () => void): ArrayAt {
    const { code } = this.#scope;
    const { stride, extent } = gather;
    // The elements that follow any position.
    const rest = { ...operand, length: operand.length - (extent - 1) * stride };
    const known = this.#scope.lookUp(gather);
    if (known !== undefined) return { operand: rest, address: known };
    const [position, isValid] = [code.local('i32'), code.local('i32')];
    putPosition();
    code.lane('i32x4.extract_lane', 0).tee(position).op('i32.lt_u', extent).set(isValid);
    const mask = this.#scope.define(this.#maskKey(gather), 'v128');
    code.op('i32.sub', 0, isValid).op('i32x4.splat').set(mask);
    const moved = this.#scope.define(gather, 'i32');
    code.op('select', position, 0, isValid);
    code
      .op('i32.mul', stride * bytesOf(operand.dtype))
      .op('i32.add', address)
      .set(moved);
    code.release(position, isValid);
    return { operand: rest, address: moved };
  }

  #maskKey(gather: Gather): symbol {
    const known = this.#maskKeys.get(gather);
    if (known !== undefined) return known;
    const key = Symbol('mask');
    this.#maskKeys.set(gather, key);
    return key;
  }

  #putMissing(dtype: DType): void {
    putConstant(this.#scope.code, dtype, DTYPES[dtype].isFloat ? NaN : 0);
  }

  /** Replaces the lanes of the register on the stack that are not in the mask by the missing value. */
  #select(dtype: DType, mask: Local): void {
    const { code } = this.#scope;
    this.#putMissing(dtype);
    code.get(mask);
    if (dtype === 'float64') widenMask(code);
    code.op('v128.bitselect');
  }
}

function isEmpty({ operand }: ArrayAt, { extent }: Gather): boolean {
  return extent <= 0 || operand.length === 0;
}
