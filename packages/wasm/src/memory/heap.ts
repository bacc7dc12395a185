/**
 * The allocator of a range of addresses: good fit, with free neighbours coalesced at once. Free regions are
 * in lists by size, sixteen lists for each power of two (Masmano and others, "TLSF", 2004), so that finding,
 * splitting and coalescing take a few steps for any number of regions. It deals in addresses alone, and
 * touches no memory.
 */

/** Bytes to which addresses and sizes are rounded: one cache line. */
const UNIT = 64;
/** Readable bytes after the requested ones: a kernel may load a whole vector for the last element. */
const SLACK = 16;
/** log₂ of the number of lists per power of two; sizes below this power have a list each. */
const PRECISION = 4;
const LISTS_PER_OCTAVE = 1 << PRECISION;
/** Lists for all sizes of a memory of 2³² bytes. */
const LISTS = (32 - Math.log2(UNIT) - PRECISION + 2) * LISTS_PER_OCTAVE;
/** Regions of a list that are compared once one that fits has been found. */
const SEARCH_LIMIT = 32;

/** An allocated part of the range. */
export interface Block {
  /** First byte: a multiple of 64. */
  readonly address: number;
  /** Bytes up to the next block. */
  readonly size: number;
}

interface Region extends Block {
  size: number;
  free: boolean;
  /** Neighbours by address. */
  lower: Region | null;
  upper: Region | null;
  /** Neighbours in the list of free blocks. */
  previous: Region | null;
  next: Region | null;
}

/** Bytes of a block with room for `bytes`. */
export function blockSize(bytes: number): number {
  return Math.ceil((bytes + SLACK) / UNIT) * UNIT;
}

function listOf(size: number): number {
  const units = size / UNIT;
  if (units < LISTS_PER_OCTAVE) return units;
  const shift = 31 - Math.clz32(units) - PRECISION;
  return shift * LISTS_PER_OCTAVE + (units >>> shift);
}

/** Allocates blocks of a range that starts at `start` and grows at its end. */
export class Heap {
  readonly #lists: (Region | null)[] = new Array<Region | null>(LISTS).fill(null);
  /** One bit for each list: whether it has regions. */
  readonly #filled = new Uint32Array(LISTS / 32 + 1);
  #last: Region | null = null;
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
  /** Free bytes at the end of the range: an extension adds to them. */
  get freeAtEnd(): number {
    return this.#last?.free === true ? this.#last.size : 0;
  }

  /** Extends the range to `end`, a multiple of 64. */
  extend(end: number): void {
    const region: Region = {
      address: this.#end,
      size: end - this.#end,
      free: false,
      lower: this.#last,
      upper: null,
      previous: null,
      next: null,
    };
    if (this.#last !== null) this.#last.upper = region;
    this.#last = region;
    this.#end = end;
    this.#release(region);
  }

  /** Allocates a block with room for `bytes` and the slack; null if no free region is as large. */
  allocate(bytes: number): Block | null {
    const size = blockSize(bytes);
    const region = this.#find(size);
    if (region === null) return null;
    this.#remove(region);
    region.free = false;
    if (region.size > size) this.#split(region, size);
    this.#used += region.size;
    return region;
  }

  /** Frees a block. Does nothing if it is free already. */
  free(block: Block): void {
    const region = block as Region;
    if (region.free) return;
    this.#used -= region.size;
    this.#release(region);
  }

  /** The free region of at least `size` bytes that fits best, or nearly so. */
  #find(size: number): Region | null {
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

  #split(region: Region, size: number): void {
    const rest: Region = {
      address: region.address + size,
      size: region.size - size,
      free: true,
      lower: region,
      upper: region.upper,
      previous: null,
      next: null,
    };
    if (rest.upper === null) this.#last = rest;
    else rest.upper.lower = rest;
    region.upper = rest;
    region.size = size;
    this.#insert(rest);
  }

  /** Coalesces a region with its free neighbours, and inserts the result into its list. */
  #release(region: Region): void {
    let whole = region;
    if (region.upper?.free === true) {
      this.#remove(region.upper);
      this.#join(region, region.upper);
    }
    if (region.lower?.free === true) {
      whole = region.lower;
      this.#remove(whole);
      this.#join(whole, region);
    }
    region.free = true;
    whole.free = true;
    this.#insert(whole);
  }

  #join(region: Region, after: Region): void {
    region.size += after.size;
    region.upper = after.upper;
    if (after.upper === null) this.#last = region;
    else after.upper.lower = region;
  }

  #insert(region: Region): void {
    const list = listOf(region.size);
    const next = this.#lists[list]!;
    region.previous = null;
    region.next = next;
    if (next !== null) next.previous = region;
    this.#lists[list] = region;
    this.#filled[list >>> 5]! |= 1 << (list & 31);
  }

  #remove(region: Region): void {
    const { previous, next } = region;
    if (next !== null) next.previous = previous;
    if (previous !== null) {
      previous.next = next;
      return;
    }
    const list = listOf(region.size);
    this.#lists[list] = next;
    if (next === null) this.#filled[list >>> 5]! &= ~(1 << (list & 31));
  }
}

/** The smallest of the first regions in a list that have `size` bytes. */
function bestIn(first: Region | null, size: number): Region | null {
  let best: Region | null = null;
  let left = SEARCH_LIMIT;
  for (let region = first; region !== null && left > 0; region = region.next) {
    if (region.size === size) return region;
    if (region.size > size && (best === null || region.size < best.size)) best = region;
    if (best !== null) left--;
  }
  return best;
}
