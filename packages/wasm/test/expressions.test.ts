// Expressions at random, over shapes, strides, dtypes and bounds predicates at random: compiled code and
// interpreter give the same bits, where every operation is rounded once.
import type { Index, LoopKernel, Operand, Scalar } from '@firsthand/compiler';
import { BINARY_RULES, UNARY_RULES, type BinaryKind, type UnaryKind } from '@firsthand/graph';
import { DTYPES, type DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { test } from 'vitest';
import { affine, constant, divided, EVERY_DTYPE, filled, rowMajor, SPECIAL } from './support/build.ts';
import { expectSame } from './support/kernels.ts';

/** What is exact, or one rounding of an exact result, in both. */
const EXACT_UNARY: readonly UnaryKind[] = [
  'neg',
  'abs',
  'sign',
  'sqrt',
  'reciprocal',
  'floor',
  'ceil',
  'round',
  'logicalNot',
  'isNaN',
];
const EXACT_BINARY: readonly BinaryKind[] = (Object.keys(BINARY_RULES) as BinaryKind[]).filter(
  (kind) => kind !== 'pow' && kind !== 'mod',
);

/** Numbers from a seed: the same for each run of a test. */
class Choices {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * n);
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** A kernel with the numbers of its operands. */
class Builder {
  readonly operands: Operand[] = [];
  readonly #made: Scalar[] = [];
  readonly #choices: Choices;
  readonly extents: readonly number[];
  /** Axes on which a value made here may depend. */
  #axes: number;

  constructor(choices: Choices, extents: readonly number[]) {
    this.#choices = choices;
    this.extents = extents;
    this.#axes = extents.length;
  }

  operand(dtype: DType, length: number, access: Operand['access']): number {
    return this.operands.push({ dtype, length, access }) - 1;
  }

  /** An index expression whose values are all at least 0, and the largest of them. */
  index(): { readonly index: Index; readonly high: number } {
    const choices = this.#choices;
    let offset = choices.below(3);
    let high = offset;
    const terms = [];
    for (let axis = 0; axis < this.#axes; axis++) {
      const extent = this.extents[axis]!;
      const choice = choices.below(6);
      if (choice === 0 || extent === 1) continue;
      if (choice === 1 && extent > 3) {
        const by = choices.of([2, 3, 4, 8]);
        const kind = choices.of(['quotient', 'remainder'] as const);
        terms.push(...divided(kind, affine(choices.below(3), [axis, 1]), by).terms);
        high += kind === 'remainder' ? by - 1 : Math.floor((extent + 1) / by);
        continue;
      }
      const factor = choices.of([1, 1, 1, 2, 5, -1, -3]);
      terms.push(...affine(0, [axis, factor]).terms);
      if (factor < 0) offset -= factor * (extent - 1);
      high += Math.abs(factor) * (extent - 1);
    }
    return { index: { offset, terms }, high };
  }

  load(dtype: DType): Scalar {
    const { index, high } = this.index();
    return { op: 'load', dtype, operand: this.operand(dtype, high + 1, 'read'), index };
  }

  guarded(dtype: DType): Scalar {
    const choices = this.#choices;
    const { index, high } = this.index();
    const low = choices.below(high + 1);
    const end = Math.min(high + 1, low + choices.below(high + 2));
    const condition: Scalar = { op: 'inside', dtype: 'bool', index, low, high: end };
    const operand = this.operand(dtype, Math.max(end - low, 1), 'read');
    const value: Scalar = {
      op: 'load',
      dtype,
      operand,
      index: { offset: index.offset - low, terms: index.terms },
    };
    return { op: 'where', dtype, condition, a: value, b: this.scalar(dtype, 1) };
  }

  scalar(dtype: DType, depth: number): Scalar {
    const choices = this.#choices;
    const known = this.#made.filter((each) => each.dtype === dtype);
    if (known.length > 0 && choices.below(4) === 0) return choices.of(known);
    const scalar = depth === 0 ? this.leaf(dtype) : this.operation(dtype, depth);
    this.#made.push(scalar);
    return scalar;
  }

  leaf(dtype: DType): Scalar {
    const choice = this.#choices.below(8);
    if (choice === 0) return constant(dtype, this.#choices.of(SPECIAL[dtype]));
    if (choice === 1 && dtype === 'int32') return { op: 'index', dtype, index: this.index().index };
    return this.load(dtype);
  }

  operation(dtype: DType, depth: number): Scalar {
    const choices = this.#choices;
    const choice = choices.below(8);
    if (choice === 0) return this.guarded(dtype);
    if (choice === 1) return { op: 'cast', dtype, x: this.scalar(choices.of(EVERY_DTYPE), depth - 1) };
    if (choice === 2)
      return {
        op: 'where',
        dtype,
        condition: this.scalar('bool', depth - 1),
        a: this.scalar(dtype, depth - 1),
        b: this.scalar(dtype, depth - 1),
      };
    if (choice === 3) {
      const position = this.scalar('int32', depth - 1);
      const { index, high } = this.index();
      const [stride, extent] = [1 + choices.below(4), 1 + choices.below(5)];
      return {
        op: 'gather',
        dtype,
        operand: this.operand(dtype, high + 1 + stride * (extent - 1), 'read'),
        index,
        position,
        stride,
        extent,
      };
    }
    if (choice === 4) {
      const kinds = EXACT_UNARY.filter((kind) => this.#gives(UNARY_RULES[kind], dtype));
      if (kinds.length > 0) {
        const kind = choices.of(kinds);
        return {
          op: 'unary',
          dtype,
          kind,
          x: this.scalar(kind === 'isNaN' ? choices.of(EVERY_DTYPE) : dtype, depth - 1),
        };
      }
    }
    const kind = choices.of(EXACT_BINARY.filter((each) => this.#gives(BINARY_RULES[each], dtype)));
    const operand = BINARY_RULES[kind] === 'compare' ? choices.of(EVERY_DTYPE) : dtype;
    return {
      op: 'binary',
      dtype,
      kind,
      a: this.scalar(operand, depth - 1),
      b: this.scalar(operand, depth - 1),
    };
  }

  #gives(rule: string, dtype: DType): boolean {
    if (rule === 'test' || rule === 'bool' || rule === 'logic' || rule === 'compare') return dtype === 'bool';
    return rule === 'float' ? DTYPES[dtype].isFloat : dtype !== 'bool';
  }

  /** Values that depend on row axes only. */
  ofRows<T>(rows: number, make: () => T): T {
    const all = this.#axes;
    const earlier = this.#made.splice(0);
    this.#axes = rows;
    const made = make();
    this.#axes = all;
    this.#made.splice(0, this.#made.length, ...earlier);
    return made;
  }
}

const size = (extents: readonly number[]): number => extents.reduce((product, extent) => product * extent, 1);
const arraysOf = (kernel: LoopKernel, seed: number): Parameters<typeof expectSame>[1] =>
  kernel.operands.map(({ dtype, length }, operand) =>
    filled(
      dtype,
      SPECIAL[dtype].slice((operand * 5 + seed) % SPECIAL[dtype].length).concat(SPECIAL[dtype]),
      length,
    ),
  );

const extentsOf = fc
  .array(fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 13, 16, 19, 34), { minLength: 1, maxLength: 4 })
  .filter((extents) => size(extents) <= 600);
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

test('maps with several outputs', () => {
  fc.assert(
    fc.property(
      extentsOf,
      seeds,
      fc.array(fc.constantFrom(...EVERY_DTYPE), { minLength: 1, maxLength: 3 }),
      (extents, seed, dtypes) => {
        const choices = new Choices(seed);
        const builder = new Builder(choices, extents);
        const values = dtypes.map((dtype) => builder.scalar(dtype, 4));
        const stores = values.map((value) => {
          const order = choices.of([rowMajor(extents), transposed(extents)]);
          return { operand: builder.operand(value.dtype, size(extents), 'write'), index: order, value };
        });
        const kernel: LoopKernel = {
          kind: 'loop',
          operands: builder.operands,
          rows: extents.slice(0, -1),
          columns: extents.slice(-1),
          reductions: [],
          passes: [{ reductions: [], stores }],
          rowStores: [],
        };
        expectSame(kernel, arraysOf(kernel, seed));
      },
    ),
    { numRuns: process.env['FIRSTHAND_FULL'] === '1' ? 3000 : 150 },
  );
}, 600_000);

test('extremes of rows, and what is made of them in a second pass', () => {
  fc.assert(
    fc.property(extentsOf, fc.nat({ max: 3 }), seeds, (extents, made, seed) => {
      const rows = Math.min(made, extents.length - 1);
      const choices = new Choices(seed);
      const builder = new Builder(choices, extents);
      const kinds = Array.from({ length: 1 + choices.below(2) }, () =>
        choices.of(['max', 'min', 'argmax', 'argmin'] as const),
      );
      const reductions = kinds.map((kind) => {
        const value = builder.scalar(choices.of(EVERY_DTYPE), 3);
        const dtype: DType = kind === 'max' || kind === 'min' ? value.dtype : 'int32';
        return { kind, dtype, value };
      });
      const results = reductions.map(({ dtype }, reduction): Scalar => ({ op: 'reduced', dtype, reduction }));
      const [first] = results as [Scalar];
      const kind = choices.of(['eq', 'lt', 'ge'] as const);
      const element: Scalar = {
        op: 'binary',
        dtype: 'bool',
        kind,
        a: builder.scalar(first.dtype, 2),
        b: first,
      };
      const row = builder.ofRows(rows, (): Scalar => ({
        op: 'where',
        dtype: first.dtype,
        condition: builder.scalar('bool', 1),
        a: first,
        b: builder.scalar(first.dtype, 1),
      }));
      const kernel: LoopKernel = {
        kind: 'loop',
        operands: builder.operands,
        rows: extents.slice(0, rows),
        columns: extents.slice(rows),
        reductions,
        passes: [
          { reductions: reductions.map((_, number) => number), stores: [] },
          {
            reductions: [],
            stores: [
              {
                operand: builder.operand('bool', size(extents), 'write'),
                index: rowMajor(extents),
                value: element,
              },
            ],
          },
        ],
        rowStores: [row, ...results].map((value) => ({
          operand: builder.operand(value.dtype, size(extents.slice(0, rows)), 'write'),
          index: rowMajor(extents.slice(0, rows)),
          value,
        })),
      };
      expectSame(kernel, arraysOf(kernel, seed));
    }),
    { numRuns: process.env['FIRSTHAND_FULL'] === '1' ? 3000 : 100 },
  );
}, 600_000);

/** The offset in column-major order. */
function transposed(extents: readonly number[]): Index {
  let factor = 1;
  return affine(
    0,
    ...extents.map((extent, axis) => {
      const term = [axis, factor] as const;
      factor *= extent;
      return term;
    }),
  );
}
