/**
 * A tree of lines and blocks of WGSL: a line can be inserted before a loop while its body is being written.
 */

/** A function with a comment above it. */
export function functionText(comment: string, signature: string, body: Block): string {
  return `// ${comment}\nfn ${signature} {\n${body.toString()}}`;
}

/** A sequence of lines and blocks. */
export class Block {
  readonly #parts: (string | Block)[] = [];
  readonly #depth: number;
  readonly #closing: string | null;

  constructor(depth: number, closing: string | null = null) {
    this.#depth = depth;
    this.#closing = closing;
  }

  /** Appends lines. */
  line(...lines: readonly string[]): void {
    this.#parts.push(...lines);
  }
  /** Appends `opening { … }`. @returns the block between the braces */
  open(opening: string): Block {
    this.line(`${opening} {`);
    const block = new Block(this.#depth + 1, '}');
    this.#parts.push(block);
    return block;
  }
  /** Appends an empty block of the same depth, into which lines are inserted later. */
  insertionPoint(): Block {
    const block = new Block(this.#depth);
    this.#parts.push(block);
    return block;
  }

  toString(): string {
    const indent = '  '.repeat(this.#depth);
    const inner = this.#parts
      .map((part) => (typeof part === 'string' ? `${indent}${part}\n` : part.toString()))
      .join('');
    return this.#closing === null ? inner : `${inner}${'  '.repeat(this.#depth - 1)}${this.#closing}\n`;
  }
}
