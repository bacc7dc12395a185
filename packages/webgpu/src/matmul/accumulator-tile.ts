/**
 * The accumulators of an invocation in named variables: for each row vectors of up to four columns, `sum0`,
 * or `sum0_0`, `sum0_1` where there are several.
 */
import type { Block } from '../emit/block.ts';
import { addText, mulText } from '../emit/text.ts';

/** Summands above which sums of floats are blocked. */
export const SUM_BLOCK = 512;

/** A tile of accumulators: up to three columns, or a multiple of four. */
export class AccumulatorTile {
  readonly rows: number;
  readonly columns: number;
  /** Columns of the vectors. */
  readonly #widths: readonly number[];
  readonly #type: string;

  constructor(type: string, rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    this.#type = type;
    this.#widths = Array.from({ length: Math.ceil(columns / 4) }, (_, vector) =>
      Math.min(4, columns - 4 * vector),
    );
  }

  /** Visits the vectors of all rows. */
  #forEach(prefix: string, visit: (name: string, row: number, vector: number) => void): void {
    for (let row = 0; row < this.rows; row++)
      this.#widths.forEach((_, vector) => visit(this.#name(prefix, row, vector), row, vector));
  }

  #name(prefix: string, row: number, vector: number): string {
    return this.#widths.length === 1 ? `${prefix}${row}` : `${prefix}${row}_${vector}`;
  }

  get isFloat(): boolean {
    return this.#type === 'f32';
  }

  declare(block: Block, prefix: string): void {
    this.#forEach(prefix, (name, _, vector) =>
      block.line(`var ${name} = ${this.#vectorType(this.#widths[vector]!)}();`),
    );
  }
  /** Adds the tile with the prefix `other`. */
  add(block: Block, prefix: string, other: string): void {
    this.#forEach(prefix, (name, row, vector) => block.line(`${name} += ${this.#name(other, row, vector)};`));
  }

  /**
   * Adds the outer product of one step along k: a column of the left matrix by a row of the right one, of
   * which `right` gives `width` columns from `column` on.
   * @param step distinguishes the variables of the steps of one iteration
   */
  addProducts(
    block: Block,
    prefix: string,
    step: number,
    left: (row: number) => string,
    right: (column: number, width: number) => string,
  ): void {
    const several = this.#widths.length > 1;
    const named = (name: string, text: string): string => {
      if (/^\w+$/.test(text)) return text;
      block.line(`let ${name}_${step} = ${text};`);
      return `${name}_${step}`;
    };
    const rights = this.#widths.map((width, vector) =>
      named(several ? `right_${vector}` : 'right', right(4 * vector, width)),
    );
    for (let row = 0; row < this.rows; row++) {
      const value = several ? named(`left_${row}`, left(row)) : left(row);
      rights.forEach((right, vector) =>
        block.line(this.#addProduct(this.#name(prefix, row, vector), value, right, this.#widths[vector]!)),
      );
    }
  }

  /** A multiply-add, fused for floats. */
  #addProduct(name: string, left: string, right: string, width: number): string {
    if (!this.isFloat) return `${name} += ${left} * ${right};`;
    return `${name} = fma(${width === 1 ? left : `vec${width}(${left})`}, ${right}, ${name});`;
  }

  /** Writes a statement for each accumulator, in a loop over rows: the statement may be long. */
  forEach(block: Block, write: (row: string, column: string, sum: string) => string): void {
    const names: string[] = [];
    this.#forEach('sum', (name) => names.push(name));
    const writeRow = (row: Block, at: string, vectors: readonly string[]): void => {
      for (let column = 0; column < this.columns; column++) {
        const vector = vectors[column >> 2]!;
        row.line(write(at, String(column), this.columns === 1 ? vector : `${vector}.${'xyzw'[column & 3]!}`));
      }
    };
    if (this.rows === 1) return writeRow(block, '0', names);
    const count = this.#widths.length;
    block.line(
      `var sums = array<${this.#vectorType(this.#widths[0]!)}, ${names.length}>(${names.join(', ')});`,
    );
    const loop = block.open(`for (var each = 0; each < ${this.rows}; each++)`);
    const vectors = this.#widths.map((_, vector) => (count === 1 ? 'total' : `total${vector}`));
    vectors.forEach((name, vector) =>
      loop.line(`let ${name} = sums[${addText(mulText(count, 'each'), vector)}];`),
    );
    writeRow(loop, 'each', vectors);
  }

  #vectorType(width: number): string {
    return vectorType(this.#type, width);
  }
}

/**
 * A loop over k from 0 to `end` in steps of `step`, blocked where many floats are summed. `write` emits its
 * body, which accumulates in the tile of the given prefix.
 * @param step divides `SUM_BLOCK`
 */
export function blockedLoop(
  body: Block,
  end: number,
  step: number,
  accumulators: AccumulatorTile,
  write: (loop: Block, prefix: string) => void,
): void {
  if (end <= SUM_BLOCK || !accumulators.isFloat) {
    write(body.open(`for (var inner = 0; inner < ${end}; inner += ${step})`), 'sum');
    return;
  }
  const outer = body.open(`for (var begin = 0; begin < ${end}; begin += ${SUM_BLOCK})`);
  accumulators.declare(outer, 'block');
  const stop = end % SUM_BLOCK === 0 ? `begin + ${SUM_BLOCK}` : `min(begin + ${SUM_BLOCK}, ${end})`;
  write(outer.open(`for (var inner = begin; inner < ${stop}; inner += ${step})`), 'block');
  accumulators.add(outer, 'sum', 'block');
}

/** The type of a vector, or of one number. */
function vectorType(type: string, width: number): string {
  return width === 1 ? type : `vec${width}<${type}>`;
}
/** A vector of some numbers. */
export function vectorText(type: string, parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : `${vectorType(type, parts.length)}(${parts.join(', ')})`;
}
