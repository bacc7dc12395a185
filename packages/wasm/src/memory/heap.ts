/**
 * Where blocks lie in a range of addresses: best fit, with free neighbours joined at once. Free blocks stand
 * in lists by size, four bits of precision to each power of two (Masmano and others, "TLSF", 2004), so that
 * finding, splitting and joining take a few steps however many blocks there are. It knows addresses only; the
 * memory is somewhere else.
 */

/** Bytes to which addresses and sizes are rounded: one cache line. */
const UNIT = 64;
/**
 * Readable bytes that follow what was asked for: a kernel may load a whole vector where the array has one
 * element left.
 */
const SLACK = 16;
/** log₂ of the number of lists per power of two; sizes below this power have a list each. */
const PRECISION = 4;
const LISTS_PER_OCTAVE = 1 << PRECISION;
/** Lists for all sizes of a memory of 2³² bytes. */
const LISTS = (32 - Math.log2(UNIT) - PRECISION + 2) * LISTS_PER_OCTAVE;
/** Blocks of a list that are looked at once one has been found that fits. */
const SEARCH_LIMIT = 32;

/** A piece of the range. Every address belongs to one. */
export interface Block {
  /** First byte: a multiple of 64. */
  readonly address: number;
  /** Bytes up to the next block. */
  readonly size: number;
}

interface Piece extends Block {
  size: number;
  free: boolean;
  /** Neighbours by address. */
  lower: Piece | null;
  upper: Piece | null;
  /** Neighbours in the list of free blocks. */
  previous: Piece | null;
  next: Piece | null;
}

/** Bytes that a block takes which has room for `bytes`. */
export function blockSize(bytes: number): number {
  return Math.ceil((bytes + SLACK) / UNIT) * UNIT;
}

function listOf(size: number): number {
  const units = size / UNIT;
  if (units < LISTS_PER_OCTAVE) return units;
  const shift = 31 - Math.clz32(units) - PRECISION;
  return shift * LISTS_PER_OCTAVE + (units >>> shift);
}

/** The blocks of a range that starts at `start` and grows at its end. */
export class Heap {
  readonly #lists: (Piece | null)[] = new Array<Piece | null>(LISTS).fill(null);
  /** One bit per list that is not empty. */
  readonly #filled = new Uint32Array(LISTS / 32 + 1);
  #last: Piece | null = null;
  #end: number;
  #used = 0;

  /** @param start a multiple of 64 */
  constructor(start: number) {
    this.#end = start;
  }

  /** The address behind the last block. */
  get end(): number {
    return this.#end;
  }
  /** Bytes in blocks that are in use. */
  get used(): number {
    return this.#used;
  }
  /** Free bytes at the end of the range: what a larger range would be added to. */
  get freeAtEnd(): number {
    return this.#last?.free === true ? this.#last.size : 0;
  }

  /** The range now reaches to `end`, a multiple of 64. */
  extend(end: number): void {
    const piece: Piece = {
      address: this.#end,
      size: end - this.#end,
      free: false,
      lower: this.#last,
      upper: null,
      previous: null,
      next: null,
    };
    if (this.#last !== null) this.#last.upper = piece;
    this.#last = piece;
    this.#end = end;
    this.#release(piece);
  }

  /** A block with room for `bytes` and the slack; null if no free block is as large. */
  allocate(bytes: number): Block | null {
    const size = blockSize(bytes);
    const piece = this.#find(size);
    if (piece === null) return null;
    this.#remove(piece);
    piece.free = false;
    if (piece.size > size) this.#split(piece, size);
    this.#used += piece.size;
    return piece;
  }

  /** Gives a block back. A block that is free already is left as it is. */
  free(block: Block): void {
    const piece = block as Piece;
    if (piece.free) return;
    this.#used -= piece.size;
    this.#release(piece);
  }

  /** The free block of at least `size` bytes that fits best, or nearly so. */
  #find(size: number): Piece | null {
    if (size > this.#end) return null; // nor is there a list for what no memory holds
    const list = listOf(size);
    // The lists are in order of size: the first one with a block that fits has the best.
    for (let candidate = list; candidate >= 0; candidate = this.#nextFilled(candidate + 1)) {
      const fitting = bestIn(this.#lists[candidate]!, size);
      if (fitting !== null) return fitting;
    }
    return null;
  }

  /** The first list from `list` on that is not empty, or −1. */
  #nextFilled(list: number): number {
    for (let word = list >>> 5; word < this.#filled.length; word++) {
      const mask = word === list >>> 5 ? 0xffffffff << (list & 31) : 0xffffffff;
      const bits = this.#filled[word]! & mask;
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits);
    }
    return -1;
  }

  #split(piece: Piece, size: number): void {
    const rest: Piece = {
      address: piece.address + size,
      size: piece.size - size,
      free: true,
      lower: piece,
      upper: piece.upper,
      previous: null,
      next: null,
    };
    if (rest.upper === null) this.#last = rest;
    else rest.upper.lower = rest;
    piece.upper = rest;
    piece.size = size;
    this.#insert(rest);
  }

  /** Joins a piece with its free neighbours, and lists the whole. */
  #release(piece: Piece): void {
    let whole = piece;
    if (piece.upper?.free === true) {
      this.#remove(piece.upper);
      this.#join(piece, piece.upper);
    }
    if (piece.lower?.free === true) {
      whole = piece.lower;
      this.#remove(whole);
      this.#join(whole, piece);
    }
    piece.free = true;
    whole.free = true;
    this.#insert(whole);
  }

  #join(piece: Piece, after: Piece): void {
    piece.size += after.size;
    piece.upper = after.upper;
    if (after.upper === null) this.#last = piece;
    else after.upper.lower = piece;
  }

  #insert(piece: Piece): void {
    const list = listOf(piece.size);
    const next = this.#lists[list]!;
    piece.previous = null;
    piece.next = next;
    if (next !== null) next.previous = piece;
    this.#lists[list] = piece;
    this.#filled[list >>> 5]! |= 1 << (list & 31);
  }

  #remove(piece: Piece): void {
    const { previous, next } = piece;
    if (next !== null) next.previous = previous;
    if (previous !== null) {
      previous.next = next;
      return;
    }
    const list = listOf(piece.size);
    this.#lists[list] = next;
    if (next === null) this.#filled[list >>> 5]! &= ~(1 << (list & 31));
  }
}

/** The smallest piece of a list that has `size` bytes, among the first that do. */
function bestIn(first: Piece | null, size: number): Piece | null {
  let best: Piece | null = null;
  let left = SEARCH_LIMIT;
  for (let piece = first; piece !== null && left > 0; piece = piece.next) {
    if (piece.size === size) return piece;
    if (piece.size > size && (best === null || piece.size < best.size)) best = piece;
    if (best !== null) left--;
  }
  return best;
}
