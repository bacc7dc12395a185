/**
 * The errors of the whole house start here. An error is data: the operation, the operands with their shapes
 * and dtypes, what was expected. The message is composed of these fields once, in {@link messageOf}:
 * `matmul: inner sizes differ: float32 [32, 64] · float32 [128, 10]; …`. Catch the class to tell one kind of
 * mistake from another; show the fields where a message is not enough.
 */

/** An operand as an error reports it: plain data, fit for JSON. */
export interface ErrorOperand {
  /** what the operand is called, null for one without a name */
  readonly name: string | null;
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** What an error is told about a call that failed. */
export interface ErrorFacts {
  /**
   * the operation that was called, as its user writes it; the name of a device that cannot go on; null where
   * there is none
   */
  readonly operation: string | null;
  /** what is wrong, if it is more than that the operands are not what is expected */
  readonly problem?: string | undefined;
  /** the operands that do not fit */
  readonly operands?: readonly OperandFacts[] | undefined;
  /** what the operation takes, as a noun: `a floating-point operand`, `a whole number of at least 1` */
  readonly expected?: string | undefined;
  /** what to do instead, as an imperative: `use cast('float32')` */
  readonly remedy?: string | undefined;
}

/** An operand as an operation has it at hand. */
export type OperandFacts = Omit<ErrorOperand, 'name'> & { readonly name?: string | null };

/** An operand as messages print it: `float32 [32, 64] "fc1.weight"`. */
export function describeOperand({ name = null, shape, dtype }: OperandFacts): string {
  return `${dtype} [${shape.join(', ')}]${name === null ? '' : ` "${name}"`}`;
}

/**
 * `operation: problem; needs expected; remedy`. What is needed is left out where problem or remedy say it
 * (`int32 elements, but it takes floats`); without a problem it is what the operands are not:
 * `operation: needs expected, got operands; remedy`.
 */
function messageOf({ operation, problem, operands = [], expected, remedy }: ErrorFacts): string {
  const got = operands.length === 0 ? '' : `, got ${operands.map(describeOperand).join(' and ')}`;
  const isSaid =
    expected === undefined || [problem, remedy].some((text) => text?.includes(expected.replace(/^an? /, '')));
  const needs = expected === undefined ? '' : `needs ${expected}`;
  const parts = problem === undefined ? [needs + got] : isSaid ? [problem] : [problem, needs];
  return `${operation === null ? '' : `${operation}: `}${[...parts, ...(remedy === undefined ? [] : [remedy])].join('; ')}`;
}

const plain = (operands: readonly OperandFacts[]): ErrorOperand[] =>
  operands.map(({ name = null, shape, dtype }) => ({ name, shape: [...shape], dtype }));

/**
 * Tells an error its operands, if it was thrown where only their shapes were known.
 * @returns the error
 */
export function withOperands(error: unknown, operands: readonly OperandFacts[]): unknown {
  if (error instanceof FirsthandError && error.operands.length === 0) {
    (error as { operands: readonly ErrorOperand[] }).operands = plain(operands);
  }
  return error;
}

/** The base class of every error that a Firsthand package throws on purpose. */
export class FirsthandError extends Error {
  // Written out in each class: bundlers shorten the names of classes.
  override readonly name: string = 'FirsthandError';
  /** the operation that failed, as its user writes it, or the name of the device that did, or null */
  readonly operation: string | null;
  /** the operands that did not fit; empty where it is not about operands */
  readonly operands: readonly ErrorOperand[];
  /** what was expected instead, or null */
  readonly expected: string | null;
  /**
   * the part of a model in which it happened, `blocks.0.fc1 (Linear)`, or null; the message begins with it
   */
  scope: string | null = null;

  /**
   * @param facts the call that failed, of which the message is composed; or a whole message, for a failure
   *   that is not about a call
   * @param options.cause the error behind this one
   */
  constructor(facts: ErrorFacts | string, options?: ErrorOptions) {
    super(typeof facts === 'string' ? facts : messageOf(facts), options);
    const {
      operation,
      operands = [],
      expected = null,
    } = typeof facts === 'string' ? { operation: null } : facts;
    this.operation = operation;
    this.operands = plain(operands);
    this.expected = expected;
  }

  /**
   * Says in which part of a model it happened, in the message and in the stack as well; a later call replaces
   * an earlier one.
   */
  locate(scope: string): void {
    // The stack first: engines write the message into it when it is read, and only once.
    const { message, stack } = this;
    this.message = `${scope}: ${this.scope === null ? message : message.slice(`${this.scope}: `.length)}`;
    this.scope = scope;
    if (stack !== undefined) this.stack = stack.replace(message, () => this.message);
  }

  /**
   * The fields and the message as plain data: `JSON.stringify(error)` and messages between threads lose the
   * message otherwise.
   */
  toJSON(): object {
    return Object.assign({}, this, { message: this.message });
  }
}

/**
 * The text of a value in a template string or `String(x)`.
 * @param what what the value is, in the message
 * @param remedy what to write for an operator
 * @throws TypeError where JavaScript wants a number, as it does itself for what has none
 */
export function printable(what: string, remedy: string, hint: string, value: { toString(): string }): string {
  if (hint === 'string') return value.toString();
  throw new TypeError(`${what} is no number: write ${remedy}`);
}

/** Shapes, axes or indices that do not fit the operation. */
export class ShapeError extends FirsthandError {
  override readonly name: string = 'ShapeError';
}

/** An element type that the operation does not take, or two that do not match. */
export class DTypeError extends FirsthandError {
  override readonly name: string = 'DTypeError';
}

/**
 * An option, a choice or an argument that the call does not take: `{ dim: 1 }`, `gelu('Tanh')`,
 * `x.sum(1, true)`.
 */
export class OptionError extends FirsthandError {
  override readonly name: string = 'OptionError';
}
