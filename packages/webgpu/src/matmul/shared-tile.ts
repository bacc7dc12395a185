/**
 * The part of a factor that a workgroup multiplies next, in workgroup memory: so many positions along its own
 * axis, and so many steps along k, as vectors of four neighbours. They are neighbours in memory too, along k
 * or along the own axis; where every vector of memory is one of the array's, it is loaded at once.
 *
 *   along the own axis: vector (step, position / 4) lies at step·(size / 4) + position / 4;
 *   along k: vector (position, step / 4) lies among those of its position, exchanged so that invocations at neighbouring positions read from different banks.
 */
import { axisName, type ContractKernel } from '@firsthand/compiler';
import { Block } from '../emit/block.ts';
import type { ExpressionWriter } from '../emit/expression-writer.ts';
import { range } from '../emit/axes.ts';
import type { MatrixOperand } from './matrix-operand.ts';
import { vectorText } from './accumulator-tile.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';

/** What a slab is cut from, and how. */
export interface SharedTileParts {
  readonly kernel: ContractKernel;
  readonly matrix: MatrixOperand;
  /** Whether the array is declared as vectors. */
  readonly isVector: boolean;
  readonly expressions: ExpressionWriter;
  /** The type of an element. */
  readonly type: string;
  /** Positions along the own axis, and steps along k. */
  readonly size: number;
  readonly inner: number;
  /** Positions of an invocation, and the number that says which invocation along the axis it is. */
  readonly count: number;
  readonly place: string;
}

/** Whether vectors lie along k in memory, and not along the factor's own axis. */
export function isContiguousAlongK({ strides: steps }: MatrixOperand): boolean {
  return steps !== null && steps.inner === 1 && steps.own !== 1;
}

/** Banks of workgroup memory, in vectors. */
const BANKS = 8;

/** A slab. */
export class SharedTile {
  /** Vectors in it. */
  readonly vectors: number;
  readonly #parts: SharedTileParts;
  readonly #alongK: boolean;
  /** Vectors from one line to the next: of a position along k, or of a step along the own axis. */
  readonly #line: number;
  /** Invocations along the own axis. */
  readonly #across: number;

  constructor(parts: SharedTileParts) {
    const { size, inner, count, matrix } = parts;
    this.#parts = parts;
    this.vectors = (size * inner) / 4;
    this.#alongK = isContiguousAlongK(matrix);
    this.#line = (this.#alongK ? inner : size) / 4;
    this.#across = size / count;
  }

  get name(): MatrixOperand['name'] {
    return this.#parts.matrix.name;
  }

  /** The position of an invocation, by a number or its name, from the first of the workgroup's on. */
  position(each: number | string): string {
    const { place, count } = this.#parts;
    if (this.#alongK)
      return addText(place, typeof each === 'number' ? this.#across * each : mulText(this.#across, each));
    if (typeof each === 'number')
      return addText(mulText(4, place), (each % 4) + 4 * this.#across * Math.floor(each / 4));
    return addText(
      mulText(4, place),
      count === 4 ? each : `${each} % 4 + ${mulText(4 * this.#across, `${each} / 4`)}`,
    );
  }

  /** Workgroup memory for so many slabs, and functions that load a vector and say where it goes. */
  declarations(buffers: number): readonly string[] {
    const { type } = this.#parts;
    return [
      `\nvar<workgroup> ${this.name}_slab: array<vec4<${type}>, ${buffers * this.vectors}>;`,
      ...(this.#alongK ? [this.#slotFunction()] : []),
      this.#loadFunction(),
    ];
  }

  #slotFunction(): string {
    const turned = this.#line === 1 ? 'quad' : `(quad ^ (position / ${BANKS / this.#line} % ${this.#line}))`;
    return `// The place of a vector.\nfn ${this.name}_slot(position: i32, quad: i32) -> i32 {\n  return ${addText(mulText(this.#line, 'position'), turned)};\n}`;
  }

  #loadFunction(): string {
    const { kernel, matrix, size, inner, type, isVector, expressions } = this.#parts;
    const extent = matrix.name === 'left' ? kernel.m : kernel.n;
    const [hasEdge, hasTail] = [extent % size !== 0, kernel.k % inner !== 0];
    const [across, along] = [divText('vector', this.#line), mulText(4, modText('vector', this.#line))];
    const body = new Block(1);
    body.line(
      `let position = ${addText('first', this.#alongK ? across : along)};`,
      `let step = ${addText('inner', this.#alongK ? along : across)};`,
    );
    const within = (text: string, last: number, isClamped: boolean): string =>
      isClamped ? `min(${text}, ${last})` : text;
    const element = (part: number): string => {
      const [down, right] = this.#alongK ? [0, part] : [part, 0];
      const lost = isVector ? 4 : 1;
      const own = within(addText('position', down), extent - (this.#alongK ? 1 : lost), hasEdge);
      const index = matrix.at(
        own,
        within(addText('step', right), kernel.k - (this.#alongK ? lost : 1), hasTail),
      );
      const value = expressions.operands.load(matrix.operand, isVector ? `(${index}) / 4` : index);
      const zero = isVector ? `vec4<${type}>()` : `${type}()`;
      return hasTail ? `select(${zero}, ${value}, ${addText('step', right)} < ${kernel.k})` : value;
    };
    if (isVector) body.line(`return ${element(0)};`);
    else {
      range(4).forEach((part) => body.line(`let part${part} = ${element(part)};`));
      body.line(
        `return ${vectorText(
          type,
          range(4).map((part) => `part${part}`),
        )};`,
      );
    }
    const parameters = [...kernel.batch.map((_, axis) => axisName(axis)), 'first', 'inner', 'vector']
      .map((name) => `${name}: i32`)
      .join(', ');
    return `// A vector of the slab that begins at \`first\` and \`inner\`, by number.\nfn ${this.name}_vector(${parameters}) -> vec4<${type}> {\n${body.toString()}}`;
  }

  /** A vector of the slab whose corner is at some position and step. */
  load(first: string, inner: string, vector: string): string {
    const axes = this.#parts.kernel.batch.map((_, axis) => `${axisName(axis)}, `).join('');
    return `${this.name}_vector(${axes}${first}, ${inner}, ${vector})`;
  }
  /** A statement that puts a vector in its place in the slab that begins at `begin`. */
  store(begin: string, vector: string, value: string): string {
    const place = this.#alongK
      ? `${this.name}_slot(${divText(vector, this.#line)}, ${modText(vector, this.#line)})`
      : vector;
    return `${this.name}_slab[${addText(begin, place)}] = ${value};`;
  }

  /**
   * Names the vectors of an invocation at four steps along k, the `quad`th four of the slab that begins at
   * `begin`.
   */
  read(block: Block, begin: string, quad: string): SharedTileReads {
    const { count, type } = this.#parts;
    const at = (name: string, place: string): string => {
      block.line(`let ${name} = ${this.name}_slab[${addText(begin, place)}];`);
      return name;
    };
    if (this.#alongK) {
      const names = range(count).map((each) =>
        at(`${this.name}${each}`, `${this.name}_slot(${this.position(each)}, ${quad})`),
      );
      const one: SharedTileReads['one'] = (each, step) => `${names[each]!}.${'xyzw'[step]!}`;
      return {
        one,
        four: (each, step) =>
          vectorText(
            type,
            range(4).map((part) => one(each + part, step)),
          ),
      };
    }
    const names = range(4).map((step) =>
      range(count / 4).map((four) => {
        const line = mulText(this.#line, step === 0 ? `4 * ${quad}` : `4 * ${quad} + ${step}`);
        return at(
          `${this.name}${four}_at${step}`,
          addText(addText(line, this.#parts.place), this.#across * four),
        );
      }),
    );
    return {
      one: (each, step) => `${names[step]![each >> 2]!}.${'xyzw'[each & 3]!}`,
      four: (each, step) => names[step]![each >> 2]!,
    };
  }
}

/** Elements at the positions of an invocation, by number, and at one of four steps. */
export interface SharedTileReads {
  one(each: number, step: number): string;
  four(each: number, step: number): string;
}
