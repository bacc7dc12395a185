/**
 * The hazards between kernels of a plan. A barrier precedes a kernel that reads or writes what a kernel since
 * the last barrier has written, or writes what one has read. Between two barriers threads go on to the next
 * kernel without waiting.
 */
import type { Plan, PlannedKernel } from '@firsthand/compiler';
import { bytesOf } from './layout.ts';

/** Bytes of an argument, an output or the arena that a kernel reads or writes. */
interface Access {
  readonly region: string;
  readonly start: number;
  readonly end: number;
  readonly isWritten: boolean;
}

/** For each kernel of a plan, whether a barrier precedes it. */
export function barriersOf(plan: Plan): readonly boolean[] {
  let pending: Access[] = [];
  return plan.kernels.map((kernel) => {
    const accesses = accessesOf(plan, kernel);
    const needsBarrier = accesses.some((access) => pending.some((earlier) => conflict(access, earlier)));
    pending = needsBarrier ? [...accesses] : [...pending, ...accesses];
    return needsBarrier;
  });
}

function conflict(a: Access, b: Access): boolean {
  return (a.isWritten || b.isWritten) && a.region === b.region && a.start < b.end && b.start < a.end;
}

function accessesOf(
  { buffers }: Plan,
  { kernel, buffers: numbers, scratch }: PlannedKernel,
): readonly Access[] {
  const accesses = numbers.map((number, operand): Access => {
    const buffer = buffers[number]!;
    const { location } = buffer;
    const isWritten = kernel.operands[operand]!.access !== 'read';
    const bytes = bytesOf(buffer);
    if (location.kind === 'arena')
      return { region: 'arena', start: location.offset, end: location.offset + bytes, isWritten };
    const which = location.kind === 'argument' ? location.argument : location.output;
    return {
      region: `${location.kind} ${which}`,
      start: location.offset,
      end: location.offset + bytes,
      isWritten,
    };
  });
  return [
    ...accesses,
    { region: 'arena', start: scratch.offset, end: scratch.offset + scratch.bytes, isWritten: true },
  ];
}
