/** Sets of small numbers as bits, with unions word by word: for dependences among thousands of kernels. */

/** A set of small numbers, as bits: as many words as its largest number wants. */
export class BitSet {
  #words = new Uint32Array();

  #grow(words: number): void {
    const larger = new Uint32Array(words);
    larger.set(this.#words);
    this.#words = larger;
  }

  has(number: number): boolean {
    const word = this.#words[number >> 5];
    return word !== undefined && ((word >>> (number & 31)) & 1) === 1;
  }

  add(number: number): void {
    const word = number >> 5;
    if (word >= this.#words.length) this.#grow(word + 1 + (word >> 2));
    this.#words[word]! |= 1 << (number & 31);
  }

  delete(number: number): void {
    if (number >> 5 < this.#words.length) this.#words[number >> 5]! &= ~(1 << (number & 31));
  }

  addAll(other: BitSet): void {
    const words = other.#words;
    if (words.length > this.#words.length) this.#grow(words.length);
    const words32 = this.#words;
    for (let word = 0; word < words.length; word++) words32[word]! |= words[word]!;
  }

  /** How many numbers are in it. */
  get size(): number {
    let size = 0;
    for (const word of this.#words) size += onesIn(word);
    return size;
  }

  /** Whether `holds` for a number of this set that is not in the other. */
  someBeyond(other: BitSet, holds: (number: number) => boolean): boolean {
    const others = other.#words;
    for (let word = 0; word < this.#words.length; word++) {
      for (let bits = this.#words[word]! & ~(others[word] ?? 0); bits !== 0; bits &= bits - 1) {
        if (holds((word << 5) + 31 - Math.clz32(bits & -bits))) return true;
      }
    }
    return false;
  }
}

/** The bits of a word that are 1: sums of pairs, of fours, of eights, and of all four bytes by a product. */
function onesIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
