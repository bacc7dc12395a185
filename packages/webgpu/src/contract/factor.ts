/**
 * The two arrays of a product, a[batch, m, k] and b[batch, k, n], seen from a tile: each has an axis of its
 * own, m or n, and shares k with the other. An index is linear in both as a rule: then positions along its
 * own axis become addresses in front of the loop over k. Else a function says where an element lies.
 */
import { axisName, factorOf, type ContractKernel, type Index } from '@firsthand/compiler';
import type { Block } from '../emit/block.ts';
import { extentsOf, type Expressions } from '../emit/expressions.ts';
import { indexText } from '../emit/indices.ts';
import { sum, times } from './text.ts';

/** One of the two arrays. */
export interface Factor {
  readonly name: 'left' | 'right';
  readonly operand: number;
  readonly index: Index;
  /**
   * Elements from one position to the next, along its own axis and along k; null where the index is not
   * linear in both.
   */
  readonly steps: { readonly own: number; readonly inner: number } | null;
  /** Where an element lies, by its positions along both; the axes of the batch have their names. */
  readonly at: (own: string, inner: string) => string;
  /** The function that `at` calls, if it does. */
  readonly declaration: string | null;
}

function factorFor(kernel: ContractKernel, name: Factor['name']): Factor {
  const rank = kernel.batch.length;
  const [factor, axis] = name === 'left' ? [kernel.a, rank] : [kernel.b, rank + 1];
  if ('value' in factor)
    throw new Error('webgpu: a product reads its matrices from arrays; the target asks for no computed ones');
  const { operand, index } = factor;
  const [own, inner] = [factorOf(index, axis), factorOf(index, rank + 2)];
  const extents = extentsOf(kernel);
  if (own !== null && inner !== null) {
    const ofBatch = index.terms.filter(({ atom }) => atom.kind !== 'axis' || atom.axis < rank);
    const base = indexText({ offset: index.offset, terms: ofBatch }, extents);
    const at: Factor['at'] = (ownText, innerText) =>
      sum(sum(base, times(own, ownText)), times(inner, innerText));
    return { name, operand, index, steps: { own, inner }, at, declaration: null };
  }
  const batch = kernel.batch.map((_, each) => axisName(each));
  const parameters = [...batch, axisName(axis), axisName(rank + 2)].map((each) => `${each}: i32`).join(', ');
  const at: Factor['at'] = (...positions) => `${name}_place(${[...batch, ...positions].join(', ')})`;
  const declaration = `\n// Where an element lies.\nfn ${name}_place(${parameters}) -> i32 {\n  return ${indexText(index, extents)};\n}`;
  return { name, operand, index, steps: null, at, declaration };
}

/** The arrays of a kernel. */
export function factorsOf(kernel: ContractKernel): readonly [left: Factor, right: Factor] {
  return [factorFor(kernel, 'left'), factorFor(kernel, 'right')];
}

/**
 * Positions along an axis: `first`, `first + step`, … Where there is an edge, those beyond it stand for the
 * last one, whose elements are there to be loaded.
 */
export interface Positions {
  readonly first: string;
  readonly step: number;
  readonly count: number;
  /** The last position of the axis, if some may lie beyond it. */
  readonly last: number | null;
}

/** The text that loads the element at a position, by number, so many steps along k from where the loop is. */
export type Load = (position: number, step?: number) => string;

/** An address or a position: a name, and what is added to it. */
interface Place {
  readonly name: string;
  readonly more: number;
}

/** The elements of a factor at some positions of its own axis. */
export class Elements {
  readonly name: Factor['name'];
  readonly count: number;
  readonly #factor: Factor;
  readonly #expressions: Expressions;
  readonly #places: readonly Place[];

  /** @param block in front of the loop over k */
  constructor(
    factor: Factor,
    { first, step, count, last }: Positions,
    expressions: Expressions,
    block: Block,
  ) {
    this.name = factor.name;
    this.count = count;
    this.#factor = factor;
    this.#expressions = expressions;
    const own = factor.steps?.own ?? 1;
    const at = (position: string): string => (factor.steps === null ? position : factor.at(position, '0'));
    const named = (text: string, number: number | null): string => {
      const whole = `${factor.name}${number ?? ''}`;
      block.line(`let ${whole} = ${text};`);
      return whole;
    };
    const isShared = last === null || own === 0;
    const shared = isShared ? named(at(first), null) : '';
    this.#places = Array.from({ length: count }, (_, each) =>
      isShared
        ? { name: shared, more: own * step * each }
        : { name: named(at(`min(${sum(first, step * each)}, ${last})`), count === 1 ? null : each), more: 0 },
    );
  }

  /** What some steps along k from `inner` on have in common is named in a block. */
  along(block: Block, inner: string): Load {
    const { steps, at, operand } = this.#factor;
    const { operands } = this.#expressions;
    if (steps === null) {
      const places = this.#places.map(({ name, more }) => sum(name, more));
      return (position, step = 0) => operands.load(operand, at(places[position]!, sum(inner, step)));
    }
    const names = new Map<string, string>();
    for (const { name } of this.#places) {
      if (names.has(name)) continue;
      const text = sum(name, times(steps.inner, inner));
      names.set(name, text === name ? name : `${name}_at`);
      if (text !== name) block.line(`let ${name}_at = ${text};`);
    }
    return (position, step = 0) => {
      const { name, more } = this.#places[position]!;
      return operands.load(operand, sum(names.get(name)!, more + steps.inner * step));
    };
  }
}
