/**
 * An element of a node as a scalar expression over a kernel's loops: operations become scalar operations,
 * movements rewrite the index, and stored values are loaded. An element that is read twice is one expression.
 */
import type { Node, NodeOf, Op } from '@firsthand/graph';
import { full, sizeOf } from '@firsthand/linalg';
import type { Group } from '../schedule/groups.ts';
import {
  addIndices,
  axisIndex,
  boundsOf,
  constantIndex,
  equalIndex,
  coefficientOf,
  scaleIndex,
  type Index,
} from '../ir/index-expression.ts';
import type { Operand, Reduction, Scalar } from '../ir/kernel.ts';
import {
  flatten,
  movementsOf,
  pull,
  unflatten,
  type Coordinates,
  type Guard,
  type Space,
} from '../ir/coordinates.ts';
import type { StoredBy } from '../schedule/materialisation.ts';

/** The kernel that an expression belongs to: its loops and what they stand for. */
export interface Frame {
  readonly space: Space;
  /** The group that is lowered, or null for a copy. */
  readonly group: Group | null;
  /** The row-major index in the full space, and in the rows. */
  readonly fullIndex: Index;
  readonly rowIndex: Index;
}

type Expressed = Exclude<Op, 'leaf' | 'call' | 'movement' | 'prefixScan' | 'scatter' | 'sort'>;
type Express<K extends Expressed> = (body: Body, node: NodeOf<K>, at: Coordinates) => Scalar;

const EXPRESS: { readonly [K in Expressed]: Express<K> } = {
  const: (_, { dtype, attrs }) => constantOf(dtype, attrs.value),
  iota: (_, { attrs }, at) => indexScalar(at[attrs.axis]!),
  random: (body, { dtype, shape, inputs }, at) => {
    const word = (input: Node, position: number): Scalar => body.at(input, [constantIndex(position)]);
    const [key, counter] = [inputs[0]!, inputs[1]!];
    return {
      op: 'random',
      dtype: dtype === 'uint32' ? 'uint32' : 'float32',
      key: [word(key, 0), word(key, 1)],
      counter: [word(counter, 0), word(counter, 1)],
      index: flatten(at, shape),
    };
  },
  cast: (body, { dtype, inputs }, at) => ({ op: 'cast', dtype, x: body.at(inputs[0]!, at) }),
  unary: (body, { dtype, attrs, inputs }, at) => ({
    op: 'unary',
    dtype,
    kind: attrs.kind,
    x: body.at(inputs[0]!, at),
  }),
  binary: (body, { dtype, attrs, inputs }, at) => ({
    op: 'binary',
    dtype,
    kind: attrs.kind,
    a: body.at(inputs[0]!, at),
    b: body.at(inputs[1]!, at),
  }),
  where: (body, { dtype, inputs }, at) => ({
    op: 'where',
    dtype,
    condition: body.at(inputs[0]!, at),
    a: body.at(inputs[1]!, at),
    b: body.at(inputs[2]!, at),
  }),
  reduce: (body, node, at) => body.reduced(node, at),
  argReduce: (body, node, at) => body.reduced(node, at),
  gather: (body, node, at) => body.gathered(node, at),
  output: (_, { dtype }) => ({ op: 'total', dtype }),
};

/** A constant as its dtype holds it. */
function constantOf(dtype: Node['dtype'], value: number): Scalar {
  return { op: 'const', dtype, value: full([], value, { dtype }).get() };
}

function indexScalar(index: Index): Scalar {
  return index.terms.length === 0
    ? { op: 'const', dtype: 'int32', value: index.offset }
    : { op: 'index', dtype: 'int32', index };
}

/** The operands of one kernel in the making, with the stored node behind each. */
export class Operands {
  readonly nodes: Node[] = [];
  readonly list: Operand[] = [];
  readonly #numbers = new Map<Node, number>();

  /** The number of the operand that holds a stored node. */
  number(node: Node, access: Operand['access']): number {
    const known = this.#numbers.get(node);
    if (known !== undefined) {
      if (this.list[known]!.access !== access) this.list[known] = { ...this.list[known]!, access: 'update' };
      return known;
    }
    const number = this.list.push({ dtype: node.dtype, length: sizeOf(node.shape), access }) - 1;
    this.nodes.push(node);
    this.#numbers.set(node, number);
    return number;
  }
}

/**
 * The expressions and reductions of one kernel in the making, or of a part of it that has loops of its own.
 */
export class Body {
  readonly frame: Frame;
  readonly reductions: Reduction[] = [];
  readonly operands: Operands;
  readonly #storedBy: ReadonlyMap<Node, StoredBy>;
  readonly #known = new Map<Node, { readonly at: Coordinates; readonly scalar: Scalar }[]>();
  readonly #reductionOf = new Map<Node, number>();
  /** The node that a copy stores: it is computed, not loaded. */
  readonly #copied: Node | null;

  constructor(
    frame: Frame,
    storedBy: ReadonlyMap<Node, StoredBy>,
    copied: Node | null,
    operands: Operands = new Operands(),
  ) {
    this.frame = frame;
    this.operands = operands;
    this.#storedBy = storedBy;
    this.#copied = copied;
  }

  /** The nodes that are computed here: neither loaded nor moved. */
  computed(): readonly Node[] {
    return [...this.#known.keys()].filter(
      (node) => node.op !== 'movement' && node.op !== 'const' && !this.#isStoredElsewhere(node),
    );
  }

  #isStoredElsewhere(node: Node): boolean {
    if (node.op === 'leaf') return true;
    const by = this.#storedBy.get(node);
    if (by === undefined || node === this.#copied) return false;
    // A copy of what this kernel computes is made after it has run: here the value itself is at hand.
    return by === 'copy'
      ? this.frame.group?.levels.has(movementsOf(node).base) !== true
      : by !== this.frame.group;
  }

  /** The element of `node` at coordinates. */
  at(node: Node, at: Coordinates): Scalar {
    const list = this.#known.get(node) ?? [];
    const known = list.find((each) => each.at.every((index, axis) => equalIndex(index, at[axis]!)));
    if (known !== undefined) return known.scalar;
    const scalar = this.#isStoredElsewhere(node) ? this.#load(node, at) : this.#express(node, at);
    this.#known.set(node, [...(this.#known.get(node) ?? []), { at, scalar }]);
    return scalar;
  }

  #load(node: Node, at: Coordinates): Scalar {
    if (sizeOf(node.shape) === 0) return constantOf(node.dtype, 0); // behind a guard that never holds
    return {
      op: 'load',
      dtype: node.dtype,
      operand: this.operands.number(node, 'read'),
      index: flatten(at, node.shape),
    };
  }

  #express(node: Node, at: Coordinates): Scalar {
    if (node.op === 'movement') return this.#moved(node, at);
    if (node.op === 'prefixScan' && this.frame.group?.kind === 'scan')
      return { op: 'total', dtype: node.dtype };
    if (
      node.op === 'leaf' ||
      node.op === 'call' ||
      node.op === 'prefixScan' ||
      node.op === 'scatter' ||
      node.op === 'sort'
    ) {
      throw new Error(`${node.op}: its value must be stored before it is read`);
    }
    return (EXPRESS[node.op] as Express<Expressed>)(this, node, at);
  }

  #moved(node: NodeOf<'movement'>, at: Coordinates): Scalar {
    const guards: Guard[] = [];
    const inner = pull(node, at, this.frame.space, guards);
    const input = node.inputs[0]!;
    const bounds = guards.map(({ index }) => boundsOf(index, this.frame.space.extents));
    const zero = constantOf(node.dtype, 0);
    if (guards.some(({ high }, each) => bounds[each]![0] >= high || bounds[each]![1] < 0)) return zero;
    let value = this.at(input, inner);
    guards.forEach(({ index, high }, each) => {
      const [least, most] = bounds[each]!;
      if (least >= 0 && most < high) return;
      value = {
        op: 'where',
        dtype: node.dtype,
        condition: { op: 'inside', dtype: 'bool', index, low: 0, high },
        a: value,
        b: zero,
      };
    });
    return value;
  }

  /** @throws Error where a reduction of this kernel is read at another row than the one under way */
  reduced(node: NodeOf<'reduce'> | NodeOf<'argReduce'>, at: Coordinates): Scalar {
    if (
      this.frame.group?.levels.get(node) !== 'row' ||
      !equalIndex(flatten(at, node.shape), this.frame.rowIndex)
    ) {
      throw new Error(`${node.attrs.kind}: its value must be stored before it is read`);
    }
    let number = this.#reductionOf.get(node);
    if (number === undefined) {
      const operand = node.inputs[0]!;
      const value = this.at(operand, unflatten(this.frame.fullIndex, operand.shape, this.frame.space));
      number = this.reductions.push({ kind: node.attrs.kind, dtype: node.dtype, value }) - 1;
      this.#reductionOf.set(node, number);
    }
    return { op: 'reduced', dtype: node.dtype, reduction: number };
  }

  /** The picked axis is a loop variable of its own until its stride is known. */
  gathered({ attrs, inputs, dtype, shape }: NodeOf<'gather'>, at: Coordinates): Scalar {
    const { extents } = this.frame.space;
    const source = inputs[0]!;
    const extent = source.shape[attrs.axis]!;
    const picked = extents.length;
    const space = { extents: [...extents, extent], splits: new Map<number, number>() };
    let node = source;
    let coordinates = at.map((index, axis) => (axis === attrs.axis ? axisIndex(picked) : index));
    while (node.op === 'movement' && !this.#isStoredElsewhere(node)) {
      coordinates = [...pull(node, coordinates, space, [])];
      node = node.inputs[0]!;
    }
    const index = flatten(coordinates, node.shape);
    const stride = coefficientOf(index, picked);
    if (stride === null || !this.#isStoredElsewhere(node))
      throw new Error('gather: what it picks from must be stored in one piece');
    const position = this.at(inputs[1]!, at);
    if (sizeOf(shape) === 0 || extent === 0) return constantOf(dtype, dtype.startsWith('float') ? NaN : 0);
    const rest = addIndices(index, scaleIndex(axisIndex(picked), -stride));
    return {
      op: 'gather',
      dtype,
      operand: this.operands.number(node, 'read'),
      index: rest,
      position,
      stride,
      extent,
    };
  }
}
