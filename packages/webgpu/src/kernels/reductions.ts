/**
 * Accumulators of reductions in WGSL: how to add an element, and how to combine two states. Sums of floats
 * are blocked: the rounding error of n summands grows like √n, not like n (Higham, "The accuracy of floating
 * point summation", 1993).
 */
import type { Reduction } from '@firsthand/compiler';
import type { ArgReduceKind, DType, ReduceKind } from '@firsthand/graph';
import type { Block } from '../emit/block.ts';
import type { ExpressionWriter } from '../emit/expression-writer.ts';
import {
  binaryExpression,
  castExpression,
  opaqueExpression,
  reduceExpression,
  reduceIdentity,
  unaryExpression,
  valueType,
} from '../scalar/operations.ts';

/** The position of an empty argmax: greater than every column. */
const NO_POSITION = '2147483647';

/** The accumulator of one reduction. */
export interface Accumulator {
  /** Declares and initialises the variables. */
  begin(block: Block): void;
  /** Accumulates an element. `column` is its position in the row. */
  add(block: Block, value: string, column: string): void;
  /** A block of columns begins, or ends. */
  beginBlock(block: Block): void;
  endBlock(block: Block): void;
  /** The variables that hold the state, and their types: one word of memory each. */
  readonly state: readonly { readonly name: string; readonly type: string }[];
  /** Combines another state with this one. */
  combine(block: Block, other: readonly string[]): void;
  /** The result. */
  result(): string;
}

/** The accumulator of reduction `number`. */
export function accumulatorOf(
  { kind, value }: Reduction,
  number: number,
  expressions: ExpressionWriter,
): Accumulator {
  return kind === 'argmax' || kind === 'argmin'
    ? new ArgReduceAccumulator(kind, value.dtype, number, expressions)
    : new ReduceAccumulator(kind, value.dtype, number, expressions);
}

/** The dtype of an accumulator: float16 accumulates in float32. */
export function accumulatorDType(dtype: DType): DType {
  return dtype === 'float16' ? 'float32' : dtype;
}

class ReduceAccumulator implements Accumulator {
  readonly state: readonly { readonly name: string; readonly type: string }[];
  readonly #kind: ReduceKind;
  /** The dtype of the elements, and that of the accumulator. */
  readonly #elementDType: DType;
  readonly #dtype: DType;
  readonly #total: string;
  readonly #blockTotal: string;
  readonly #expressions: ExpressionWriter;
  readonly #isBlocked: boolean;
  #isInBlock = false;

  constructor(kind: ReduceKind, dtype: DType, number: number, expressions: ExpressionWriter) {
    this.#kind = kind;
    this.#elementDType = dtype;
    this.#dtype = accumulatorDType(dtype);
    this.#total = `total${number}`;
    this.#blockTotal = `block${number}`;
    this.#expressions = expressions;
    this.#isBlocked = kind === 'sum' && this.#dtype === 'float32';
    this.state = [{ name: this.#total, type: valueType(this.#dtype) }];
  }

  #identity(): string {
    return this.#expressions.use(reduceIdentity(this.#kind, this.#dtype));
  }
  #combined(a: string, b: string): string {
    return this.#expressions.use(reduceExpression(this.#kind, this.#dtype, a, b));
  }
  begin(block: Block): void {
    block.line(`var ${this.#total} = ${this.#identity()};`);
  }
  beginBlock(block: Block): void {
    this.#isInBlock = this.#isBlocked;
    if (this.#isBlocked) block.line(`var ${this.#blockTotal} = ${this.#identity()};`);
  }
  add(block: Block, value: string): void {
    const name = this.#isInBlock ? this.#blockTotal : this.#total;
    block.line(`${name} = ${this.#combined(name, value)};`);
  }
  endBlock(block: Block): void {
    if (this.#isBlocked) block.line(`${this.#total} = ${this.#combined(this.#total, this.#blockTotal)};`);
    this.#isInBlock = false;
  }
  combine(block: Block, [other]: readonly string[]): void {
    this.add(block, other!);
  }
  result(): string {
    if (this.#elementDType !== this.#dtype)
      return this.#expressions.use(castExpression(this.#dtype, this.#elementDType, this.#total));
    const isArithmetic = this.#dtype === 'float32' && (this.#kind === 'sum' || this.#kind === 'prod');
    return isArithmetic ? this.#expressions.use(opaqueExpression(this.#total)) : this.#total;
  }
}

/** argmax and argmin: the position of the first extreme, or of the first NaN. */
class ArgReduceAccumulator implements Accumulator {
  readonly state: readonly { readonly name: string; readonly type: string }[];
  readonly #kind: ArgReduceKind;
  /** The dtype of the elements, and that of the accumulator. */
  readonly #elementDType: DType;
  readonly #dtype: DType;
  readonly #best: string;
  readonly #at: string;
  readonly #expressions: ExpressionWriter;

  constructor(kind: ArgReduceKind, dtype: DType, number: number, expressions: ExpressionWriter) {
    this.#kind = kind;
    this.#elementDType = dtype;
    this.#dtype = dtype === 'bool' ? 'int32' : accumulatorDType(dtype);
    this.#best = `best${number}`;
    this.#at = `at${number}`;
    this.#expressions = expressions;
    this.state = [
      { name: this.#best, type: valueType(this.#dtype) },
      { name: this.#at, type: 'i32' },
    ];
  }

  #isBetter(x: string, y: string): string {
    const isBeyond = this.#expressions.use(
      binaryExpression(this.#kind === 'argmax' ? 'gt' : 'lt', this.#dtype, x, y),
    );
    if (this.#dtype !== 'float32') return isBeyond;
    const [xIsNaN, yIsNaN] = [x, y].map((each) =>
      this.#expressions.use(unaryExpression('isNaN', 'float32', each)),
    );
    return `(${isBeyond} | (${xIsNaN!} & !${yIsNaN!}))`;
  }
  begin(block: Block): void {
    block.line(`var ${this.#best}: ${valueType(this.#dtype)};`, `var ${this.#at} = ${NO_POSITION};`);
  }
  beginBlock(): void {}
  endBlock(): void {}
  add(block: Block, value: string, column: string): void {
    const x =
      this.#elementDType === 'bool' ? this.#expressions.use(castExpression('bool', 'int32', value)) : value;
    const inner = block.open(`if ((${this.#at} == ${NO_POSITION}) | ${this.#isBetter(x, this.#best)})`);
    inner.line(`${this.#best} = ${x};`, `${this.#at} = ${column};`);
  }
  combine(block: Block, [best, at]: readonly string[]): void {
    const isFirst = `((${at!} < ${this.#at}) & !${this.#isBetter(this.#best, best!)})`;
    const isEmpty = `(${this.#at} == ${NO_POSITION})`;
    const replaces = `(${isEmpty} | ${this.#isBetter(best!, this.#best)} | ${isFirst})`;
    const inner = block.open(`if ((${at!} != ${NO_POSITION}) & ${replaces})`);
    inner.line(`${this.#best} = ${best!};`, `${this.#at} = ${at!};`);
  }
  result(): string {
    return this.#at;
  }
}
