/**
 * Which kernels of a plan may run at the same time. Threads wait for each other only before a kernel that
 * touches what one of the kernels since the last waiting has written, or writes what one of them has touched;
 * between two waits every thread goes on to the next kernel as soon as it is done.
 */
import type { Plan, PlannedKernel } from '@firsthand/compiler';
import { bytesOf } from '../runtime/layout.ts';

/** Bytes that a kernel touches: of an argument, an output, or the arena. */
interface Range {
  readonly where: string;
  readonly start: number;
  readonly end: number;
  readonly isWritten: boolean;
}

/** For each kernel of a plan, whether all threads wait for each other before it. */
export function waitsOf(plan: Plan): readonly boolean[] {
  let stage: Range[] = [];
  return plan.kernels.map((kernel) => {
    const ranges = rangesOf(plan, kernel);
    const waits = ranges.some((range) => stage.some((earlier) => conflict(range, earlier)));
    stage = waits ? [...ranges] : [...stage, ...ranges];
    return waits;
  });
}

function conflict(a: Range, b: Range): boolean {
  return (a.isWritten || b.isWritten) && a.where === b.where && a.start < b.end && b.start < a.end;
}

function rangesOf({ buffers }: Plan, { kernel, buffers: numbers, scratch }: PlannedKernel): readonly Range[] {
  const ranges = numbers.map((number, operand): Range => {
    const buffer = buffers[number]!;
    const { location: place } = buffer;
    const isWritten = kernel.operands[operand]!.access !== 'read';
    const bytes = bytesOf(buffer);
    if (place.kind === 'arena')
      return { where: 'arena', start: place.offset, end: place.offset + bytes, isWritten };
    const which = place.kind === 'argument' ? place.argument : place.output;
    return { where: `${place.kind} ${which}`, start: place.offset, end: place.offset + bytes, isWritten };
  });
  return [
    ...ranges,
    { where: 'arena', start: scratch.offset, end: scratch.offset + scratch.bytes, isWritten: true },
  ];
}
