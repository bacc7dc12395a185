/**
 * A table from short lists of integers to numbers, for hash consing: a key is written word by word into a
 * buffer that all keys share, and looked up there, so that a lookup allocates nothing. Open addressing with
 * linear probing; two keys with one hash are compared in full.
 */

import { type Attributes, type Node, type Op, PRIMITIVES } from '@firsthand/graph';

const NONE = -1;

/** Keys and their numbers, in the order of their first appearance: 0, 1, 2, … */
export class KeyTable {
  /** All keys, one after the other; the key being written is the last. */
  #words = new Int32Array(1 << 12);
  #end = 0;
  #start = 0;
  #starts: number[] = [];
  #hashes: number[] = [];
  /** Indices into `#starts`, by hash; a power of two of them. */
  #slots = new Int32Array(1 << 9).fill(NONE);

  readonly #interned = new Map<object | string, number>();

  /** The word that stands for a string, or for one object, in keys. */
  readonly intern = (value: object | string): number => {
    let word = this.#interned.get(value);
    if (word === undefined) this.#interned.set(value, (word = this.#interned.size));
    return word;
  };

  /** Appends a word to the key being written. */
  readonly write = (word: number): void => {
    if (this.#end === this.#words.length) {
      const larger = new Int32Array(this.#words.length * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[this.#end++] = word;
  };

  /** Appends an operation and its attributes. */
  writeOperation({ op, attrs }: Node): void {
    this.write(this.intern(op));
    const encode = PRIMITIVES[op].encode as (attrs: Attributes[Op], ...rest: readonly unknown[]) => void;
    encode(attrs, this.write, this.intern);
  }

  /** The number of the key that has been written, which begins a new one. */
  number(): number {
    const [start, end] = [this.#start, this.#end];
    const hash = this.#hash(start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let number = this.#slots[slot]!; number !== NONE; number = this.#slots[slot]!) {
      if (this.#hashes[number] === hash && this.#isKey(number, start, end)) {
        this.#end = start;
        return number;
      }
      slot = (slot + 1) & mask;
    }
    const number = this.#starts.length;
    this.#slots[slot] = number;
    this.#starts.push(start);
    this.#hashes.push(hash);
    this.#start = end;
    if (2 * this.#starts.length > this.#slots.length) this.#grow();
    return number;
  }

  #isKey(number: number, start: number, end: number): boolean {
    const first = this.#starts[number]!;
    const length = (this.#starts[number + 1] ?? start) - first;
    if (length !== end - start) return false;
    for (let offset = 0; offset < length; offset++) {
      if (this.#words[first + offset] !== this.#words[start + offset]) return false;
    }
    return true;
  }

  /** FNV-1a over words, its high bits mixed into the low ones. */
  #hash(start: number, end: number): number {
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ this.#words[at]!, 0x01000193);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x2c1b3c6d) >>> 0;
  }

  #grow(): void {
    const mask = this.#slots.length * 2 - 1;
    this.#slots = new Int32Array(mask + 1).fill(NONE);
    this.#hashes.forEach((hash, number) => {
      let slot = hash & mask;
      while (this.#slots[slot] !== NONE) slot = (slot + 1) & mask;
      this.#slots[slot] = number;
    });
  }
}
