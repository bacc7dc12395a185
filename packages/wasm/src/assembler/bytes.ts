/**
 * A growing list of bytes, and the encodings that WebAssembly is written in: LEB128 integers (7 bits per
 * byte, the eighth says that more follow), little-endian floats, and vectors, which are preceded by their
 * length. WebAssembly core specification, section 5.2.
 */

const double = /* @__PURE__ */ new DataView(new ArrayBuffer(8));

/** Bytes in the making. */
export class Bytes {
  /** Up to 64 bytes an engine allocates on its heap, six times as fast: most parts of a module are short. */
  #data = new Uint8Array(64);
  length = 0;

  byte(value: number): this {
    if (this.length === this.#data.length) this.#reserve(1);
    this.#data[this.length++] = value;
    return this;
  }

  append(bytes: ArrayLike<number>): this {
    this.#reserve(bytes.length);
    this.#data.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** Makes room for `count` more bytes. */
  #reserve(count: number): void {
    if (this.length + count <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.length + count));
    larger.set(this.#data);
    this.#data = larger;
  }

  /** An unsigned integer below 2³², as LEB128. */
  unsigned(value: number): this {
    if (value >= 0 && value < 128) return this.byte(value);
    let rest = value >>> 0;
    while (rest >= 128) {
      this.byte((rest & 127) | 128);
      rest >>>= 7;
    }
    return this.byte(rest);
  }

  /** A signed 32-bit integer, as LEB128. */
  signed(value: number): this {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.byte((rest & 127) | 128);
      rest >>= 7;
    }
    return this.byte(rest & 127);
  }

  /** A signed 64-bit integer, as LEB128. */
  signed64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    while (rest < -64n || rest > 63n) {
      this.byte(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    return this.byte(Number(rest & 127n));
  }

  float32(value: number): this {
    double.setFloat32(0, value, true);
    for (let index = 0; index < 4; index++) this.byte(double.getUint8(index));
    return this;
  }

  float64(value: number): this {
    double.setFloat64(0, value, true);
    for (let index = 0; index < 8; index++) this.byte(double.getUint8(index));
    return this;
  }

  /** A name: its UTF-8 bytes after their number. */
  text(value: string): this {
    return this.sized(utf8(value));
  }

  /** A part that is preceded by its number of bytes. */
  sized(part: Bytes): this {
    return this.unsigned(part.length).append(part.view());
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.#data.subarray(0, this.length);
  }
}

/** What stands for half of a surrogate pair, which is no character. */
const REPLACEMENT = 0xfffd;

/**
 * Text as UTF-8: a code point of more than 7 bits has a first byte that says how many follow, and 6 bits in
 * each of those. Audio worklets have no `TextEncoder`.
 */
function utf8(text: string): Bytes {
  const bytes = new Bytes();
  for (const character of text) {
    const given = character.codePointAt(0)!;
    const point = given >= 0xd800 && given <= 0xdfff ? REPLACEMENT : given;
    const following = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    bytes.byte(following === 0 ? point : ((0xf0 << (3 - following)) & 0xff) | (point >> (6 * following)));
    for (let byte = following - 1; byte >= 0; byte--) bytes.byte(0x80 | ((point >> (6 * byte)) & 0x3f));
  }
  return bytes;
}
