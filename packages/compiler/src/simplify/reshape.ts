/**
 * How the axes of a reshaped array go together: the shortest runs of old and of new axes with equal products,
 * axes of extent 1 aside. [2, 3, 4] as [6, 1, 4] is {0, 1} ↔ {0} and {2} ↔ {2}.
 */
import type { Shape } from '@firsthand/graph';

/** Runs of axes that hold the same elements in the same order. */
export interface AxisGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The groups of a reshape between shapes with equally many elements, at least one. */
export function axisGroups(from: Shape, to: Shape): readonly AxisGroup[] {
  const longer = (shape: Shape): number[] => [...shape.keys()].filter((axis) => shape[axis] !== 1);
  const [old, now] = [longer(from), longer(to)];
  const groups: AxisGroup[] = [];
  for (let i = 0, j = 0; i < old.length;) {
    const group = { from: [old[i]!], to: [now[j]!] };
    let [left, right] = [from[old[i++]!]!, to[now[j++]!]!];
    while (left !== right) {
      if (left < right) {
        left *= from[old[i]!]!;
        group.from.push(old[i++]!);
      } else {
        right *= to[now[j]!]!;
        group.to.push(now[j++]!);
      }
    }
    groups.push(group);
  }
  return groups;
}

/** For each new axis the old axis that it is, or −1 where it is one of several, or of extent 1. */
export function axesBefore(from: Shape, to: Shape): readonly number[] {
  const before = to.map(() => -1);
  for (const group of axisGroups(from, to)) {
    if (group.from.length === 1 && group.to.length === 1) before[group.to[0]!] = group.from[0]!;
  }
  return before;
}

/** Whether a reshape only adds and drops axes of extent 1. */
export function isSqueeze(from: Shape, to: Shape): boolean {
  return axesBefore(from, to).every((axis, index) => axis >= 0 || to[index] === 1);
}
