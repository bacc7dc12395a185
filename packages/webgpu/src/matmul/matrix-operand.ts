/**
 * The two matrices of a product, a[batch, m, k] and b[batch, k, n], as a tile reads them: each has an outer
 * axis, m or n, and the reduction axis k. Where the index is affine in both, the address of each outer
 * position is computed before the loop over k. Otherwise a function computes the index of an element.
 */
import { axisName, coefficientOf, type ContractKernel, type Index } from '@firsthand/compiler';
import { Block, functionText } from '../emit/block.ts';
import { extentsOf, type ExpressionWriter } from '../emit/expression-writer.ts';
import { indexText } from '../emit/indices.ts';
import { addText, mulText } from '../emit/text.ts';

/** One of the two matrices. */
export interface MatrixOperand {
  readonly name: 'left' | 'right';
  readonly operand: number;
  readonly index: Index;
  /** Elements from one position to the next along each axis; null unless the index is affine in both. */
  readonly strides: { readonly outer: number; readonly k: number } | null;
  /** The index of an element, by its positions; it reads the loop variables of the batch. */
  readonly element: (outer: string, k: string) => string;
  /** The function that `element` calls, or null. */
  readonly declaration: string | null;
}

function matrixOperandOf(kernel: ContractKernel, name: MatrixOperand['name']): MatrixOperand {
  const rank = kernel.batch.length;
  const [matrix, axis] = name === 'left' ? [kernel.a, rank] : [kernel.b, rank + 1];
  if ('value' in matrix)
    throw new Error('webgpu: a product reads its matrices from arrays; the target asks for no computed ones');
  const { operand, index } = matrix;
  const [outerStride, kStride] = [coefficientOf(index, axis), coefficientOf(index, rank + 2)];
  const extents = extentsOf(kernel);
  if (outerStride !== null && kStride !== null) {
    const ofBatch = index.terms.filter(({ atom }) => atom.kind !== 'axis' || atom.axis < rank);
    const base = indexText({ offset: index.offset, terms: ofBatch }, extents);
    const element: MatrixOperand['element'] = (outerText, kText) =>
      addText(addText(base, mulText(outerStride, outerText)), mulText(kStride, kText));
    return {
      name,
      operand,
      index,
      strides: { outer: outerStride, k: kStride },
      element,
      declaration: null,
    };
  }
  const batch = kernel.batch.map((_, each) => axisName(each));
  const parameters = [...batch, axisName(axis), axisName(rank + 2)].map((each) => `${each}: i32`).join(', ');
  const element: MatrixOperand['element'] = (...positions) =>
    `${name}_index(${[...batch, ...positions].join(', ')})`;
  const body = new Block(1);
  body.line(`return ${indexText(index, extents)};`);
  const signature = `${name}_index(${parameters}) -> i32`;
  const declaration = `\n${functionText('The index of an element.', signature, body)}`;
  return { name, operand, index, strides: null, element, declaration };
}

/** The matrices of a kernel. */
export function matrixOperandsOf(
  kernel: ContractKernel,
): readonly [left: MatrixOperand, right: MatrixOperand] {
  return [matrixOperandOf(kernel, 'left'), matrixOperandOf(kernel, 'right')];
}

/**
 * Positions along an outer axis: `first`, `first + step`, …, clamped to the last one where tiles overhang.
 */
export interface PositionRange {
  readonly first: string;
  readonly step: number;
  readonly count: number;
  /** The last position of the axis; null where no tile overhangs it. */
  readonly clampedTo: number | null;
}

/**
 * The text that loads the element of a position, by its number, `step` steps along k behind the loop
 * variable.
 */
export type Load = (position: number, step?: number) => string;

/** An address or a position: the variable that holds it, and a constant offset. */
interface Address {
  readonly name: string;
  readonly offset: number;
}

/** Reads the elements of a matrix at some positions of its outer axis. */
export class ElementReader {
  readonly name: MatrixOperand['name'];
  readonly count: number;
  readonly #matrix: MatrixOperand;
  readonly #expressions: ExpressionWriter;
  readonly #addresses: readonly Address[];

  /** @param block the block before the loop over k */
  constructor(
    matrix: MatrixOperand,
    { first, step, count, clampedTo: last }: PositionRange,
    expressions: ExpressionWriter,
    block: Block,
  ) {
    this.name = matrix.name;
    this.count = count;
    this.#matrix = matrix;
    this.#expressions = expressions;
    const outerStride = matrix.strides?.outer ?? 1;
    const element = (position: string): string =>
      matrix.strides === null ? position : matrix.element(position, '0');
    const named = (text: string, number: number | null): string => {
      const whole = `${matrix.name}${number ?? ''}`;
      block.line(`let ${whole} = ${text};`);
      return whole;
    };
    const isShared = last === null || outerStride === 0;
    const shared = isShared ? named(element(first), null) : '';
    this.#addresses = Array.from({ length: count }, (_, each) =>
      isShared
        ? { name: shared, offset: outerStride * step * each }
        : {
            name: named(element(`min(${addText(first, step * each)}, ${last})`), count === 1 ? null : each),
            offset: 0,
          },
    );
  }

  /** The loads of the steps along k from `inner` on; their common addresses are defined in the block. */
  loadsAt(block: Block, k: string): Load {
    const { strides, element, operand } = this.#matrix;
    const { operands } = this.#expressions;
    if (strides === null) {
      const addresses = this.#addresses.map(({ name, offset }) => addText(name, offset));
      return (position, step = 0) => operands.load(operand, element(addresses[position]!, addText(k, step)));
    }
    const names = new Map<string, string>();
    for (const { name } of this.#addresses) {
      if (names.has(name)) continue;
      const text = addText(name, mulText(strides.k, k));
      names.set(name, text === name ? name : `${name}_at`);
      if (text !== name) block.line(`let ${name}_at = ${text};`);
    }
    return (position, step = 0) => {
      const { name, offset } = this.#addresses[position]!;
      return operands.load(operand, addText(names.get(name)!, offset + strides.k * step));
    };
  }
}
