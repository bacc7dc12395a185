/**
 * One wrong call with the error that it must give, operands to make it with, and what the fields of its error
 * must hold.
 */
import type { DType, Tensor } from '@firsthand/autograd';
import { DTYPES, FirsthandError, ShapeError } from '@firsthand/linalg';
import { expect } from 'vitest';
import { toTensor } from './compare.ts';
import { dense } from './oracle/dense.ts';

type ErrorClass = new (...args: never[]) => FirsthandError;

export interface BadCall {
  /** What is done, and what the message has to say. */
  readonly title: string;
  readonly call: () => unknown;
  readonly error: ErrorClass;
  readonly says: readonly (string | RegExp)[];
}

/** The operands that the call under way has made. */
const operands: Tensor[] = [];

type MakeOperand = (...shape: readonly number[]) => Tensor;

const operandsOf =
  (dtype: DType): MakeOperand =>
  (...shape) => {
    const made = toTensor(
      dense(shape, () => 1),
      dtype,
    );
    operands.push(made);
    return made;
  };
export const floats: MakeOperand = operandsOf('float32');
export const whole: MakeOperand = operandsOf('int32');
export const halves: MakeOperand = operandsOf('float16');
export const bools: MakeOperand = operandsOf('bool');

/** An operand as a message describes it: `float32 [2, 3]`. */
const DESCRIBED = /\b(?:float|u?int)\d\d \[[\d, ]*\]|\bbool \[[\d, ]*\]/g;

/**
 * Makes a wrong call. Its error must be of the class that is named and say what it must; and its fields must
 * hold what a page needs to show it: the operation, what was expected, and the operands, those that the
 * message describes among them.
 */
export function expectFailure({ call, error, says }: BadCall): void {
  operands.length = 0;
  let thrown: unknown = null;
  try {
    call();
  } catch (caught) {
    thrown = caught;
  }
  expect(thrown).toBeInstanceOf(error);
  if (!(thrown instanceof FirsthandError))
    throw new TypeError('every error that is thrown on purpose is a FirsthandError');
  for (const part of says) expect(thrown.message).toMatch(part);
  expect(thrown.name).toBe(error.name);
  expect(thrown.operation).toMatch(/^[a-z][\w.]*$/i);
  expect(thrown.message.replace(`${thrown.operation}: `, '')).toMatch(/^[^\s,;:]/);
  expect(thrown.expected).toMatch(/\S/);
  for (const { name, shape, dtype } of thrown.operands) {
    expect(name).toSatisfy((value) => value === null || typeof value === 'string');
    expect(shape).toSatisfy((sizes: unknown[]) => sizes.every((size) => Number.isInteger(size)));
    expect(Object.keys(DTYPES)).toContain(dtype);
  }
  const described = thrown.operands.map(({ shape, dtype }) => `${dtype} [${shape.join(', ')}]`);
  expect(described).toEqual(expect.arrayContaining(thrown.message.match(DESCRIBED) ?? []));
  if (thrown instanceof ShapeError && operands.length > 0) expect(described).not.toEqual([]);
}
