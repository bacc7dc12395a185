/**
 * A shared-memory tile: the part of a matrix that a workgroup multiplies next, `size` positions along its
 * outer axis by `depth` steps along k, as vec4s of neighbours. They are contiguous in the array, along k or
 * along the outer axis; where the array is declared as vec4, each is one load.
 *
 *   along the outer axis: vector (step, position / 4) is at step·(size / 4) + position / 4;
 *   along k: vector (position, step / 4) is in the line of its position, XOR-swizzled: invocations at
 *   neighbouring positions read from different banks.
 */
import { axisName, type ContractKernel } from '@firsthand/compiler';
import { Block, functionText } from '../emit/block.ts';
import type { ExpressionWriter } from '../emit/expression-writer.ts';
import { range } from '../emit/axes.ts';
import type { MatrixOperand } from './matrix-operand.ts';
import { vectorText } from './accumulator-tile.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';

/** What a shared tile is made of. */
export interface SharedTileParts {
  readonly kernel: ContractKernel;
  readonly matrix: MatrixOperand;
  /** Whether the array is declared as vectors. */
  readonly isVector: boolean;
  readonly expressions: ExpressionWriter;
  /** The type of an element. */
  readonly type: string;
  /** Positions along the outer axis, and steps along k. */
  readonly size: number;
  readonly depth: number;
  /** Outer positions of an invocation, and the variable that numbers the invocations along the outer axis. */
  readonly perInvocation: number;
  readonly invocation: string;
}

/** Whether the elements of a matrix are contiguous along k, and not along the outer axis. */
export function isContiguousAlongK({ strides }: MatrixOperand): boolean {
  return strides !== null && strides.k === 1 && strides.outer !== 1;
}

/** Banks of workgroup memory, in vectors. */
const BANKS = 8;

/** A shared tile: its declarations, and the statements that write and read it. */
export class SharedTile {
  /** Vectors of one buffer. */
  readonly vectors: number;
  readonly #parts: SharedTileParts;
  readonly #isAlongK: boolean;
  /** Vectors of a line: of one position along k, or of one step along the outer axis. */
  readonly #lineVectors: number;
  /** Invocations along the outer axis. */
  readonly #invocations: number;

  constructor(parts: SharedTileParts) {
    const { size, depth, perInvocation, matrix } = parts;
    this.#parts = parts;
    this.vectors = (size * depth) / 4;
    this.#isAlongK = isContiguousAlongK(matrix);
    this.#lineVectors = (this.#isAlongK ? depth : size) / 4;
    this.#invocations = size / perInvocation;
  }

  get name(): MatrixOperand['name'] {
    return this.#parts.matrix.name;
  }

  /**
   * An outer position of the invocation, relative to the tile, by its number or the variable that holds it.
   */
  position(each: number | string): string {
    const { invocation, perInvocation } = this.#parts;
    if (this.#isAlongK)
      return addText(
        invocation,
        typeof each === 'number' ? this.#invocations * each : mulText(this.#invocations, each),
      );
    if (typeof each === 'number')
      return addText(mulText(4, invocation), (each % 4) + 4 * this.#invocations * Math.floor(each / 4));
    return addText(
      mulText(4, invocation),
      perInvocation === 4 ? each : `${each} % 4 + ${mulText(4 * this.#invocations, `${each} / 4`)}`,
    );
  }

  /** Workgroup memory for `buffers` tiles, and the functions that load a vector and compute its slot. */
  declarations(buffers: number): readonly string[] {
    const { type } = this.#parts;
    return [
      `\nvar<workgroup> ${this.name}_tile: array<vec4<${type}>, ${buffers * this.vectors}>;`,
      ...(this.#isAlongK ? [this.#slotFunction()] : []),
      this.#loadFunction(),
    ];
  }

  #slotFunction(): string {
    const swizzled =
      this.#lineVectors === 1
        ? 'quad'
        : `(quad ^ (position / ${BANKS / this.#lineVectors} % ${this.#lineVectors}))`;
    const body = new Block(1);
    body.line(`return ${addText(mulText(this.#lineVectors, 'position'), swizzled)};`);
    const signature = `${this.name}_slot(position: i32, quad: i32) -> i32`;
    return functionText('The slot of a vector in its buffer.', signature, body);
  }

  #loadFunction(): string {
    const { kernel, matrix, size, depth, type, isVector, expressions } = this.#parts;
    const extent = matrix.name === 'left' ? kernel.m : kernel.n;
    const [overhangs, hasTail] = [extent % size !== 0, kernel.k % depth !== 0];
    const line = divText('vector', this.#lineVectors);
    const column = mulText(4, modText('vector', this.#lineVectors));
    const [position, step] = this.#isAlongK ? [line, column] : [column, line];
    const width = isVector ? 4 : 1;
    const [outerWidth, kWidth] = this.#isAlongK ? [1, width] : [width, 1];
    const clamped = (text: string, last: number, canExceed: boolean): string =>
      canExceed ? `min(${text}, ${last})` : text;
    const element = (part: number): string => {
      const at = addText('position', this.#isAlongK ? 0 : part);
      const atStep = addText('step', this.#isAlongK ? part : 0);
      const index = matrix.element(
        clamped(at, extent - outerWidth, overhangs),
        clamped(atStep, kernel.k - kWidth, hasTail),
      );
      const value = expressions.operands.load(matrix.operand, isVector ? `(${index}) / 4` : index);
      const zero = isVector ? `vec4<${type}>()` : `${type}()`;
      return hasTail ? `select(${zero}, ${value}, ${atStep} < ${kernel.k})` : value;
    };
    const body = new Block(1);
    body.line(`let position = ${addText('first', position)};`, `let step = ${addText('inner', step)};`);
    const parts = range(isVector ? 0 : 4).map((part) => `part${part}`);
    body.line(...parts.map((name, part) => `let ${name} = ${element(part)};`));
    body.line(`return ${isVector ? element(0) : vectorText(type, parts)};`);
    const parameters = [...kernel.batch.map((_, axis) => axisName(axis)), 'first', 'inner', 'vector']
      .map((name) => `${name}: i32`)
      .join(', ');
    const comment = 'A vector of the tile that begins at `first` and `inner`, by its number.';
    return functionText(comment, `${this.name}_vector(${parameters}) -> vec4<${type}>`, body);
  }

  /** Loads a vector of the tile that begins at position `first` and step `inner`. */
  load(first: string, inner: string, vector: string): string {
    const axes = this.#parts.kernel.batch.map((_, axis) => `${axisName(axis)}, `).join('');
    return `${this.name}_vector(${axes}${first}, ${inner}, ${vector})`;
  }
  /** A statement that stores a vector in the buffer that begins at `begin`. */
  store(begin: string, vector: string, value: string): string {
    const slot = this.#isAlongK
      ? `${this.name}_slot(${divText(vector, this.#lineVectors)}, ${modText(vector, this.#lineVectors)})`
      : vector;
    return `${this.name}_tile[${addText(begin, slot)}] = ${value};`;
  }

  /** Reads the vectors of an invocation at the `quad`th four steps along k, from the buffer at `begin`. */
  read(block: Block, begin: string, quad: string): SharedTileReads {
    const { perInvocation, type } = this.#parts;
    const read = (name: string, slot: string): string => {
      block.line(`let ${name} = ${this.name}_tile[${addText(begin, slot)}];`);
      return name;
    };
    if (this.#isAlongK) {
      const names = range(perInvocation).map((each) =>
        read(`${this.name}${each}`, `${this.name}_slot(${this.position(each)}, ${quad})`),
      );
      const one: SharedTileReads['one'] = (each, step) => `${names[each]!}.${'xyzw'[step]!}`;
      return {
        one,
        four: (each, step) =>
          vectorText(
            type,
            [0, 1, 2, 3].map((part) => one(each + part, step)),
          ),
      };
    }
    const names = range(4).map((step) =>
      range(perInvocation / 4).map((four) => {
        const line = mulText(this.#lineVectors, step === 0 ? `4 * ${quad}` : `4 * ${quad} + ${step}`);
        return read(
          `${this.name}${four}_at${step}`,
          addText(addText(line, this.#parts.invocation), this.#invocations * four),
        );
      }),
    );
    return {
      one: (each, step) => `${names[step]![each >> 2]!}.${'xyzw'[each & 3]!}`,
      four: (each, step) => names[step]![each >> 2]!,
    };
  }
}

/** The elements of an invocation, by the number of their position and one of four steps. */
export interface SharedTileReads {
  one(each: number, step: number): string;
  four(each: number, step: number): string;
}
