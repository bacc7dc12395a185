/**
 * Refuses kernels whose loop counts and indices do not fit 32 bits, as targets need. A program may name more
 * elements than any memory holds, in values that are never stored; one that would have to count them is
 * refused before anything runs.
 */
import { DeviceError } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { boundsOf, type Index } from '../ir/index-expression.ts';
import type { Kernel } from '../ir/kernel.ts';
import { bodiesOf, scalarsIn } from '../ir/scalars.ts';

/** The largest count, and the largest index. */
export const MOST_ELEMENTS: number = 2 ** 31 - 1;
/** Loops around one another: targets keep sets of them in a word. */
const MOST_LOOPS = 31;

/** @throws DeviceError unless the kernel's loops and indices fit 32 bits */
export function requireCountable(kernel: Kernel, describe: () => string): void {
  const refuse = (problem: string, expected = `at most ${MOST_ELEMENTS} elements`): never => {
    const operands = kernel.operands.map(({ dtype, length }) => ({ shape: [length], dtype }));
    const remedy = 'split the array, or reduce it in several steps';
    throw new DeviceError({ operation: describe(), problem, operands, expected, remedy });
  };
  for (const { dtype, length } of kernel.operands) {
    if (length > MOST_ELEMENTS)
      refuse(
        `an array of ${dtype} [${length}] has more elements than the ${MOST_ELEMENTS} that devices count`,
      );
  }
  for (const { extents, values } of bodiesOf(kernel)) {
    if (extents.length > MOST_LOOPS) {
      refuse(
        `${extents.length} axes that cannot be merged make as many loops, and ${MOST_LOOPS} are the most`,
        `${MOST_LOOPS}`,
      );
    }
    // With few elements every index is small.
    if (sizeOf(extents) <= MOST_ELEMENTS) continue;
    const longest = Math.max(...extents);
    if (longest > MOST_ELEMENTS)
      refuse(`a loop over ${longest} elements is longer than the ${MOST_ELEMENTS} that devices count`);
    for (const scalar of scalarsIn(values)) {
      if ('index' in scalar && !reaches(scalar.index, extents))
        refuse(`it has ${sizeOf(extents)} elements, whose places do not fit 32 bits`);
    }
  }
}

/** Whether an expression, and all that it divides, stays within 32 bits. */
function reaches(index: Index, extents: readonly number[]): boolean {
  const [low, high] = boundsOf(index, extents);
  return (
    low >= -MOST_ELEMENTS &&
    high <= MOST_ELEMENTS &&
    index.terms.every(({ atom }) => atom.kind === 'axis' || reaches(atom.of, extents))
  );
}
