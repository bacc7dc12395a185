/** Operands and seeds of gradients as nodes, with an error for values that are no tensors. */
import { constant, describe, isFloat, type Node, operandOf } from '@firsthand/graph';
import { describeValue, DTypeError, equalShapes, ShapeError, sizeOf } from '@firsthand/linalg';

/**
 * The node of an operand.
 * @param title what the operand is called
 * @throws DTypeError if it is no tensor, which calls from JavaScript can bring about
 */
export function operandNode(
  operand: { read(operation?: string): Node },
  operation: string,
  title: string,
): Node {
  if (typeof (operand as Partial<typeof operand> | null | undefined)?.read === 'function')
    return operand.read(operation);
  const found = describeValue(operand);
  const isNamed = typeof operand === 'object' && operand !== null && found !== 'an object';
  const problem = `${title} is ${isNamed ? found : `of type ${operand === null ? 'null' : typeof operand}`}, where a tensor is wanted`;
  throw new DTypeError({ operation, problem, expected: 'a tensor', remedy: 'make one with tensor(…)' });
}

/** The nodes of operands. @throws DTypeError if they are no array, or one of them is no tensor */
export function operandNodes(operands: readonly { read(): Node }[], operation: string): Node[] {
  if (!Array.isArray(operands)) {
    const problem = `${describeValue(operands)}, where tensors are wanted`;
    throw new DTypeError({
      operation,
      problem,
      expected: 'an array of tensors',
      remedy: `write ${operation}([a, b])`,
    });
  }
  return operands.map((operand: { read(): Node }, number) =>
    operandNode(operand, operation, `operand ${number}`),
  );
}

/** @throws ShapeError, DTypeError unless the seed fits the root */
export function seedNode(operation: string, root: Node, seed: Node | undefined): Node {
  if (seed === undefined) {
    if (sizeOf(root.shape) !== 1) {
      throw new ShapeError({
        operation,
        problem: `${describe(root)} has several elements`,
        operands: [operandOf(root)],
        expected: 'one element',
        remedy: 'reduce it to one, or pass a seed of that shape',
      });
    }
    if (!isFloat(root.dtype)) {
      const problem = `${describe(root)} has no gradient`;
      throw new DTypeError({
        operation,
        problem,
        operands: [operandOf(root)],
        expected: 'float32',
        remedy: 'cast to float32 first',
      });
    }
    return constant(1, root.shape, root.dtype);
  }
  if (seed.dtype !== root.dtype || !equalShapes(seed.shape, root.shape)) {
    const problem = `the seed ${describe(seed)} must be like ${describe(root)}`;
    throw new ShapeError({
      operation,
      problem,
      operands: [seed, root].map(operandOf),
      expected: describe(root),
    });
  }
  return seed;
}
