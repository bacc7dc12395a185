/**
 * Equal groups are lowered once. Layers and parameters of one shape give groups that differ only in the
 * arrays they touch. The key of a group is everything that lowering reads: its loops, what it stores, and the
 * expressions below that down to stored arrays, written in preorder with back references. A group with a
 * known key takes the kernel of the first such group, over its own arrays.
 */
import type { Node } from '@firsthand/graph';
import type { Group } from '../schedule/groups.ts';
import { KeyTable } from '../support/key-table.ts';
import type { LoweredKernel, LoweringContext, Stored } from './lower.ts';

/** How a node of a group is reached: loaded from an array, computed, or computed and stored here. */
const [LOADED, COMPUTED, STORED_HERE, COPIED_LATER] = [0, 1, 2, 3];
const LEVELS = { full: 1, row: 2 } as const;

/** Lowered kernels with the numbers of their nodes in preorder. */
interface Known {
  readonly kernels: readonly LoweredKernel[];
  readonly operands: readonly (readonly number[])[];
  readonly nodes: readonly (readonly number[])[];
}

/** The groups that have been lowered. */
export class EqualGroups {
  readonly #storedBy: LoweringContext['storedBy'];
  readonly #keys = new KeyTable();
  readonly #known: (Known | undefined)[] = [];
  #numbers = new Map<Node, number>();

  constructor({ storedBy }: LoweringContext) {
    this.#storedBy = storedBy;
  }

  /** The kernels of a group that stores `stored`: those of an equal group, or what `lower` gives. */
  lower(
    group: Group,
    stored: readonly Stored[],
    lower: () => readonly LoweredKernel[],
  ): readonly LoweredKernel[] {
    if (group.kind !== 'loop' && group.kind !== 'contract') return lower();
    // A part of a concatenation is stored by a function of coordinates, which has no key.
    if (stored.some((each) => 'part' in each)) return lower();
    this.#numbers = new Map();
    this.#keys.write(this.#keys.intern(group.kind));
    this.#writeList(group.space);
    this.#writeList(group.reduced ?? [-1]);
    for (const node of stored) this.#visit(node as Node, group);
    const key = this.#keys.number();
    const nodes = [...this.#numbers.keys()];
    const known = this.#known[key];
    if (known !== undefined) {
      return known.kernels.map(({ kernel }, number) => ({
        kernel,
        operands: known.operands[number]!.map((each) => nodes[each]!),
        nodes: known.nodes[number]!.map((each) => nodes[each]!),
      }));
    }
    const kernels = lower();
    const numbersOf = (list: readonly Node[]): readonly number[] =>
      list.map((node) => this.#numbers.get(node)!);
    this.#known[key] = {
      kernels,
      operands: kernels.map(({ operands }) => numbersOf(operands)),
      nodes: kernels.map((kernel) => numbersOf(kernel.nodes)),
    };
    return kernels;
  }

  #visit(node: Node, group: Group): void {
    const known = this.#numbers.get(node);
    if (known !== undefined) {
      this.#keys.write(known);
      return;
    }
    this.#numbers.set(node, this.#numbers.size);
    const { inputs } = node;
    const by = node.op === 'leaf' ? null : this.#storedBy.get(node);
    const state =
      by === undefined
        ? COMPUTED
        : by === group
          ? STORED_HERE
          : by === 'copy' && group.levels.has(baseOf(node))
            ? COPIED_LATER
            : LOADED;
    this.#keys.write(-1);
    this.#keys.write(state);
    this.#keys.write(this.#keys.intern(node.dtype));
    this.#writeList(node.shape);
    if (state === LOADED) return;
    const level = group.levels.get(node);
    this.#keys.write(level === undefined ? 0 : LEVELS[level]);
    this.#keys.writeOperation(node);
    this.#keys.write(inputs.length);
    for (const input of inputs) this.#visit(input, group);
  }

  #writeList(list: readonly number[]): void {
    this.#keys.write(list.length);
    for (const each of list) this.#keys.write(each);
  }
}

function baseOf(node: Node): Node {
  let base = node;
  while (base.op === 'movement') base = base.inputs[0]!;
  return base;
}
