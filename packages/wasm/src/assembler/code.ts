/**
 * The body of one function in the making. Instructions are written in stack order, each call of a method one
 * instruction; locals are values, and blocks are closures that receive a label, so that nesting depth is
 * counted here and nowhere else.
 *
 * ```text
 * code.get(x).get(y).op('f32x4.add').set(z); // or code.op('f32x4.add', x, y).set(z)
 * code.loop((again) => {
 *   …;
 *   code.op('i32.add', i, 1).tee(i).op('i32.lt_s', n).branchIf(again);
 * });
 * ```
 */
import { Bytes } from './bytes.ts';
import {
  ATOMIC,
  LANE,
  LANE_MEMORY,
  MEMORY,
  PLAIN,
  VECTOR,
  VECTOR_MEMORY,
  type AtomicInstruction,
  type Instruction,
  type LaneInstruction,
  type LaneMemoryInstruction,
  type MemoryInstruction,
} from './instructions.ts';

/** The types of values. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
/** The byte that stands for each type. */
export const VALUE_TYPES: { readonly [K in ValueType]: number } = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** A parameter or local variable. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

/** What a branch may go to: the end of a block, or the start of a loop. */
export interface Label {
  readonly depth: number;
}

/** A function that code can call. */
export interface Callee {
  readonly index: number;
}

const scratch = /* @__PURE__ */ new DataView(new ArrayBuffer(4));

const SIMD = 0xfd;
const ATOMIC_PREFIX = 0xfe;
/** log₂ of 4 bytes: unlike that of other accesses, the alignment of atomic ones is checked. */
const WORD_ALIGNMENT = 2;
const NO_RESULT = 0x40;

/** Opcodes by name. */
interface Opcodes {
  readonly [name: string]: number;
}

/** Parameters, locals and instructions of one function. */
export class Code {
  readonly params: readonly Local[];
  readonly #locals: ValueType[] = [];
  readonly #free = new Map<ValueType, Local[]>();
  /** The constants, by their 32-bit word, their float64, or all their bytes. */
  readonly #words = new Map<number, Local>();
  readonly #doubles = new Map<number, Local>();
  readonly #vectors = new Map<string, Local>();
  readonly #prologue = new Bytes();
  readonly #body = new Bytes();
  #depth = 0;

  constructor(params: readonly ValueType[]) {
    this.params = params.map((type, index) => ({ index, type }));
  }

  // ---- locals

  /**
   * A local variable. Its value is whatever an earlier user has left there, so it must be set before it is
   * read.
   */
  local(type: ValueType): Local {
    const free = this.#free.get(type)?.pop();
    if (free !== undefined) return free;
    this.#locals.push(type);
    return { index: this.params.length + this.#locals.length - 1, type };
  }

  /** Gives a local back, for the next one of its type. */
  release(...locals: readonly Local[]): void {
    for (const local of locals) {
      const free = this.#free.get(local.type) ?? [];
      free.push(local);
      this.#free.set(local.type, free);
    }
  }

  get({ index }: Local): this {
    this.#body.byte(0x20).unsigned(index);
    return this;
  }
  set({ index }: Local): this {
    this.#body.byte(0x21).unsigned(index);
    return this;
  }
  tee({ index }: Local): this {
    this.#body.byte(0x22).unsigned(index);
    return this;
  }

  /** Pushes a local, or a number as i32. */
  push(operand: Local | number): this {
    return typeof operand === 'number' ? this.i32(operand) : this.get(operand);
  }

  // ---- constants

  i32(value: number): this {
    this.#body.byte(0x41).signed(value);
    return this;
  }
  i64(value: bigint): this {
    this.#body.byte(0x42).signed64(value);
    return this;
  }
  f32(value: number): this {
    this.#body.byte(0x43).float32(value);
    return this;
  }
  f64(value: number): this {
    this.#body.byte(0x44).float64(value);
    return this;
  }
  /** A vector of 16 bytes; shorter lists are repeated to fill it. */
  v128(bytes: ArrayLike<number>): this {
    const vector = Uint8Array.from({ length: 16 }, (_, index) => bytes[index % bytes.length]!);
    const words = new Int32Array(vector.buffer);
    if (words.every((word) => word === words[0])) return this.i32x4(words[0]!);
    return this.#vector(this.#vectors, words.join(), (code) => code.append(vector));
  }
  /** The same float32 in four lanes. */
  f32x4(value: number): this {
    scratch.setFloat32(0, value);
    return this.i32x4(scratch.getInt32(0));
  }
  /** The same 32 bits in four lanes. */
  i32x4(value: number): this {
    return this.#vector(this.#words, value | 0, (code) => {
      for (let lane = 0; lane < 4; lane++)
        for (let shift = 0; shift < 32; shift += 8) code.byte((value >>> shift) & 255);
    });
  }
  /** The same float64 in two lanes. */
  f64x2(value: number): this {
    // A map has one entry for both zeros.
    if (Object.is(value, -0)) return this.v128([0, 0, 0, 0, 0, 0, 0, 0x80]);
    return this.#vector(this.#doubles, value, (code) => code.float64(value).float64(value));
  }
  /**
   * A constant is set once, in the prologue of the function, and is a local from there on: it takes three or
   * four machine instructions, and not every engine hoists them out of a loop (V8 from 12 on does not), where
   * they double the time of a polynomial. Zero is one instruction anywhere.
   */
  #vector<K>(known: Map<K, Local>, key: K, write: (code: Bytes) => void): this {
    const make = (code: Bytes): Bytes => {
      write(code.byte(SIMD).unsigned(12));
      return code;
    };
    if (key === 0) {
      make(this.#body);
      return this;
    }
    let local = known.get(key);
    if (local === undefined) {
      this.#locals.push('v128');
      local = { index: this.params.length + this.#locals.length - 1, type: 'v128' };
      known.set(key, local);
      make(this.#prologue).byte(0x21).unsigned(local.index);
    }
    return this.get(local);
  }

  // ---- instructions

  /** An instruction; operands that are not on the stack yet are pushed first, numbers as i32. */
  op(name: Instruction, ...operands: readonly (Local | number)[]): this {
    for (const operand of operands) this.push(operand);
    return this.#opcode(name, PLAIN, VECTOR);
  }

  /** Writes an opcode of one byte, or the prefix of vector instructions and an opcode of theirs. */
  #opcode(name: string, plain: Opcodes, vector: Opcodes): this {
    const opcode = plain[name];
    if (opcode !== undefined) this.#body.byte(opcode);
    else this.#body.byte(SIMD).unsigned(vector[name]!);
    return this;
  }

  /** Loads from, or stores to, the address on the stack plus `offset`. */
  memory(name: MemoryInstruction, offset = 0): this {
    this.#opcode(name, MEMORY, VECTOR_MEMORY);
    this.#body.byte(0).unsigned(offset); // alignment is a hint that engines ignore
    return this;
  }

  /** Works on the word at the address on the stack plus `offset`, as one step for all threads. */
  atomic(name: AtomicInstruction, offset = 0): this {
    this.#body.append([ATOMIC_PREFIX, ATOMIC[name], WORD_ALIGNMENT]).unsigned(offset);
    return this;
  }

  laneMemory(name: LaneMemoryInstruction, lane: number, offset = 0): this {
    this.#body.byte(SIMD).unsigned(LANE_MEMORY[name]).byte(0).unsigned(offset).byte(lane);
    return this;
  }

  lane(name: LaneInstruction, lane: number): this {
    this.#body.byte(SIMD).unsigned(LANE[name]).byte(lane);
    return this;
  }

  /**
   * i8x16.shuffle: byte i of the result is byte lanes[i] of the two vectors on the stack, one after the
   * other.
   */
  shuffle(lanes: readonly number[]): this {
    this.#body.byte(SIMD).unsigned(13).append(lanes);
    return this;
  }

  /** The shuffle of 32-bit lanes: 0 to 3 are those of the first vector, 4 to 7 those of the second. */
  shuffle32(lanes: readonly [number, number, number, number]): this {
    this.#body.byte(SIMD).unsigned(13);
    for (const lane of lanes) for (let byte = 0; byte < 4; byte++) this.#body.byte(4 * lane + byte);
    return this;
  }

  call({ index }: Callee): this {
    this.#body.byte(0x10).unsigned(index);
    return this;
  }

  /** Copies `count` bytes; destination, source and count are on the stack. */
  memoryCopy(): this {
    this.#body.append([0xfc, 10, 0, 0]);
    return this;
  }
  /** Fills bytes; destination, value and count are on the stack. */
  memoryFill(): this {
    this.#body.append([0xfc, 11, 0]);
    return this;
  }

  // ---- control

  /** Branches to the label leave the block. */
  block(inside: (end: Label) => void): this {
    return this.#structured(0x02, inside);
  }
  /** Branches to the label begin the next round. */
  loop(inside: (again: Label) => void): this {
    return this.#structured(0x03, inside);
  }
  /** Runs one of two branches by the i32 on the stack. */
  if(then: () => void, otherwise?: () => void): this {
    this.#body.byte(0x04).byte(NO_RESULT);
    this.#depth++;
    then();
    if (otherwise !== undefined) {
      this.#body.byte(0x05);
      otherwise();
    }
    this.#depth--;
    this.#body.byte(0x0b);
    return this;
  }
  #structured(opcode: number, inside: (label: Label) => void): this {
    this.#body.byte(opcode).byte(NO_RESULT);
    inside({ depth: ++this.#depth });
    this.#depth--;
    this.#body.byte(0x0b);
    return this;
  }
  branch({ depth }: Label): this {
    this.#body.byte(0x0c).unsigned(this.#depth - depth);
    return this;
  }
  branchIf({ depth }: Label): this {
    this.#body.byte(0x0d).unsigned(this.#depth - depth);
    return this;
  }

  /**
   * for (counter = from; counter < to; counter += step): the count of rounds is known, so nothing is tested
   * before the first. Emits nothing where there is no round.
   */
  repeat(counter: Local, from: number, to: number, step: number, body: () => void): this {
    if (from >= to) return this;
    this.i32(from).set(counter);
    if (from + step >= to) {
      body();
      return this;
    }
    return this.iterate(counter, to, step, body);
  }

  /** for (; counter < end; counter += step), with at least one iteration. */
  iterate(counter: Local, end: Local | number, step: number, body: () => void): this {
    return this.loop((again) => {
      body();
      this.op('i32.add', counter, step).tee(counter).op('i32.lt_s', end).branchIf(again);
    });
  }

  /** The function as the code section wants it. */
  toBytes(): Bytes {
    const bytes = new Bytes();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    bytes.unsigned(runs.length);
    for (const { type, count } of runs) bytes.unsigned(count).byte(VALUE_TYPES[type]);
    return bytes.append(this.#prologue.view()).append(this.#body.view()).byte(0x0b);
  }
}
