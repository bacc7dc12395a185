/**
 * The two arrays of a product, a[batch, m, k] and b[batch, k, n], seen from a tile: each has an axis of its
 * own, m or n, and shares k with the other. An index is linear in both as a rule: then positions along its
 * own axis become addresses in front of the loop over k. Else a function says where an element lies.
 */
import { axisName, factorOf, type ContractKernel, type Index } from '@firsthand/compiler';
import type { Block } from '../emit/block.ts';
import { extentsOf, type ExpressionWriter } from '../emit/expression-writer.ts';
import { indexText } from '../emit/indices.ts';
import { addText, mulText } from '../emit/text.ts';

/** One of the two arrays. */
export interface MatrixOperand {
  readonly name: 'left' | 'right';
  readonly operand: number;
  readonly index: Index;
  /**
   * Elements from one position to the next, along its own axis and along k; null where the index is not
   * linear in both.
   */
  readonly strides: { readonly own: number; readonly inner: number } | null;
  /** Where an element lies, by its positions along both; the axes of the batch have their names. */
  readonly at: (own: string, inner: string) => string;
  /** The function that `at` calls, if it does. */
  readonly declaration: string | null;
}

function matrixOperandOf(kernel: ContractKernel, name: MatrixOperand['name']): MatrixOperand {
  const rank = kernel.batch.length;
  const [matrix, axis] = name === 'left' ? [kernel.a, rank] : [kernel.b, rank + 1];
  if ('value' in matrix)
    throw new Error('webgpu: a product reads its matrices from arrays; the target asks for no computed ones');
  const { operand, index } = matrix;
  const [own, inner] = [factorOf(index, axis), factorOf(index, rank + 2)];
  const extents = extentsOf(kernel);
  if (own !== null && inner !== null) {
    const ofBatch = index.terms.filter(({ atom }) => atom.kind !== 'axis' || atom.axis < rank);
    const base = indexText({ offset: index.offset, terms: ofBatch }, extents);
    const at: MatrixOperand['at'] = (ownText, innerText) =>
      addText(addText(base, mulText(own, ownText)), mulText(inner, innerText));
    return { name, operand, index, strides: { own, inner }, at, declaration: null };
  }
  const batch = kernel.batch.map((_, each) => axisName(each));
  const parameters = [...batch, axisName(axis), axisName(rank + 2)].map((each) => `${each}: i32`).join(', ');
  const at: MatrixOperand['at'] = (...positions) => `${name}_place(${[...batch, ...positions].join(', ')})`;
  const declaration = `\n// Where an element lies.\nfn ${name}_place(${parameters}) -> i32 {\n  return ${indexText(index, extents)};\n}`;
  return { name, operand, index, strides: null, at, declaration };
}

/** The arrays of a kernel. */
export function matrixOperandsOf(
  kernel: ContractKernel,
): readonly [left: MatrixOperand, right: MatrixOperand] {
  return [matrixOperandOf(kernel, 'left'), matrixOperandOf(kernel, 'right')];
}

/**
 * Positions along an axis: `first`, `first + step`, … Where there is an edge, those beyond it stand for the
 * last one, whose elements are there to be loaded.
 */
export interface PositionRange {
  readonly first: string;
  readonly step: number;
  readonly count: number;
  /** The last position of the axis, if some may lie beyond it. */
  readonly last: number | null;
}

/** The text that loads the element at a position, by number, so many steps along k from where the loop is. */
export type Load = (position: number, step?: number) => string;

/** An address or a position: a name, and what is added to it. */
interface Address {
  readonly name: string;
  readonly more: number;
}

/** The elements of a factor at some positions of its own axis. */
export class ElementReader {
  readonly name: MatrixOperand['name'];
  readonly count: number;
  readonly #matrix: MatrixOperand;
  readonly #expressions: ExpressionWriter;
  readonly #addresses: readonly Address[];

  /** @param block in front of the loop over k */
  constructor(
    matrix: MatrixOperand,
    { first, step, count, last }: PositionRange,
    expressions: ExpressionWriter,
    block: Block,
  ) {
    this.name = matrix.name;
    this.count = count;
    this.#matrix = matrix;
    this.#expressions = expressions;
    const own = matrix.strides?.own ?? 1;
    const at = (position: string): string => (matrix.strides === null ? position : matrix.at(position, '0'));
    const named = (text: string, number: number | null): string => {
      const whole = `${matrix.name}${number ?? ''}`;
      block.line(`let ${whole} = ${text};`);
      return whole;
    };
    const isShared = last === null || own === 0;
    const shared = isShared ? named(at(first), null) : '';
    this.#addresses = Array.from({ length: count }, (_, each) =>
      isShared
        ? { name: shared, more: own * step * each }
        : {
            name: named(at(`min(${addText(first, step * each)}, ${last})`), count === 1 ? null : each),
            more: 0,
          },
    );
  }

  /** What some steps along k from `inner` on have in common is named in a block. */
  along(block: Block, inner: string): Load {
    const { strides, at, operand } = this.#matrix;
    const { operands } = this.#expressions;
    if (strides === null) {
      const addresses = this.#addresses.map(({ name, more }) => addText(name, more));
      return (position, step = 0) => operands.load(operand, at(addresses[position]!, addText(inner, step)));
    }
    const names = new Map<string, string>();
    for (const { name } of this.#addresses) {
      if (names.has(name)) continue;
      const text = addText(name, mulText(strides.inner, inner));
      names.set(name, text === name ? name : `${name}_at`);
      if (text !== name) block.line(`let ${name}_at = ${text};`);
    }
    return (position, step = 0) => {
      const { name, more } = this.#addresses[position]!;
      return operands.load(operand, addText(names.get(name)!, more + strides.inner * step));
    };
  }
}
