/**
 * The intermediate representation: nodes, composites, programs. A node is one operation on values that may
 * not exist yet; its kind is a key of `Attributes`, so that the type checker holds every table over
 * operations to completeness. No array and no device memory occurs here: `Placement` and `StoredValue` are
 * all that the graph knows of execution.
 */
import type { BinaryKind, DType, ErrorFacts, Shape, UnaryKind } from '@firsthand/linalg';

export type { BinaryKind, DType, Shape, TypedArray, UnaryKind } from '@firsthand/linalg';
/** Reductions that give a value. */
export type ReduceKind = 'sum' | 'prod' | 'max' | 'min';
/** Reductions that give an index. */
export type ArgReduceKind = 'argmax' | 'argmin';

/** Scans: running sums, running products, and the linear recurrence yᵢ = aᵢ·yᵢ₋₁ + bᵢ. */
export type ScanKind = 'sum' | 'prod' | 'linear';

/** Shape and dtype: all that is known of a value before it exists. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * A number, or a few, that the host gives to each run (a learning rate, a random counter) and that no program
 * key contains.
 */
export type HostValue = number | readonly number[];

/**
 * A leaf's origin: a variable or an earlier result, a call's argument, or a host value sampled when the leaf
 * is built.
 */
export type LeafRole = 'stored' | 'argument' | 'host';

/** What is known of a leaf. */
export interface LeafAttributes extends Spec {
  readonly role: LeafRole;
  readonly name: string | null;
  /** For `host` leaves: the value sampled when the leaf was built, and where the next one comes from. */
  readonly host: HostValue | null;
  readonly sample: (() => HostValue) | null;
}

/**
 * Index rewrites: none of them computes. `barrier` is the identity that common-subexpression elimination must
 * respect.
 */
export type Movement =
  | { readonly kind: 'reshape'; readonly shape: Shape }
  | { readonly kind: 'permute'; readonly axes: readonly number[] }
  | { readonly kind: 'expand'; readonly shape: Shape }
  | { readonly kind: 'pad'; readonly before: readonly number[]; readonly after: readonly number[] }
  | { readonly kind: 'shrink'; readonly begin: readonly number[]; readonly end: readonly number[] }
  | { readonly kind: 'flip'; readonly axes: readonly number[] }
  | { readonly kind: 'barrier'; readonly id: number };

/** What a composite may be parameterised by: plain data, part of a program's key. */
export type Attrs = { readonly [name: string]: number | string | boolean | null | readonly number[] };

/** The primitives and their attributes. Everything that is computed is one of these. */
export interface Attributes {
  /** A value from outside. A leaf with an input is a variable whose new value is still pending. */
  leaf: LeafAttributes;
  /**
   * Every element is `value`, which a run may be given instead of its program, unless it is `fixed`: an
   * exponent, which decides what is computed.
   */
  const: Spec & { readonly value: number; readonly fixed?: boolean };
  /** int32 indices along `axis`. */
  iota: { readonly shape: Shape; readonly axis: number };
  /**
   * Philox4x32-10 of the inputs key (uint32 [2]) and counter (uint32 [2]): bits for uint32, uniform in [0, 1)
   * for float32.
   */
  random: Spec;
  cast: { readonly dtype: DType };
  unary: { readonly kind: UnaryKind };
  binary: { readonly kind: BinaryKind };
  /** condition ? a : b */
  where: Record<never, never>;
  /** Reduced axes stay, with size 1. */
  reduce: { readonly kind: ReduceKind; readonly axes: readonly number[] };
  argReduce: { readonly kind: ArgReduceKind; readonly axis: number };
  /** A scan of x along `axis`; the inputs of the linear recurrence are its factors a and its terms b. */
  prefixScan: { readonly kind: ScanKind; readonly axis: number };
  movement: Movement;
  /** out[…, i, …] = x[…, index[…, i, …], …]; an index out of range reads NaN, or 0 for integers. */
  gather: { readonly axis: number };
  /**
   * A copy of base with source added or set at index; an index out of range is dropped, the last `set` wins.
   */
  scatter: { readonly axis: number; readonly mode: 'add' | 'set' };
  /** The int32 indices that sort the input along `axis`, stable, NaN last. */
  sort: { readonly axis: number; readonly descending: boolean };
  /** A composite: a named operation with a body. Its values are reached through `output`. */
  call: { readonly composite: Composite; readonly attrs: Attrs; readonly outputs: readonly Spec[] };
  output: { readonly index: number };
}

/** The names of the primitives. */
export type Op = keyof Attributes;

/** Where a node is computed: the part of a device that shape and dtype checks need. */
export interface Placement {
  readonly name: string;
  supports(dtype: DType): boolean;
}

/**
 * A value that execution has stored, opaque to the graph: a node that has one is a leaf of later programs.
 * `stamp` and `slot` are traversal marks, as a node's.
 */
export interface StoredValue {
  stamp: number;
  slot: number;
}

/**
 * One node. Operation, attributes, shape and dtype never change; the fields below the line belong to
 * execution.
 */
export interface NodeBase<K extends Op> extends Spec {
  readonly op: K;
  readonly attrs: Attributes[K];
  /** Null for values that every device can make (constants, indices). */
  readonly device: Placement | null;
  readonly requiresGrad: boolean;
  /** Sequence number of the latest update that this value reads: what must run before it may be extended. */
  readonly after: number;
  // ---- execution
  /** Dropped once the value is stored and nobody may differentiate through it. */
  inputs: readonly Node[];
  /** The stored value, set when the program that computes it is enqueued; see `StoredValue`. */
  stored: StoredValue | null;
  /** True once another node reads this one, or a second handle refers to it. */
  hasReaders: boolean;
  /** True once a handle refers to this node. */
  hasHandle: boolean;
  /** True once a program has computed this node without keeping it: computing it again is counted. */
  computed: boolean;
  /** True once a `backward` has passed through this node. */
  differentiated: boolean;
  /** The handle that this leaf is the value of: where its gradient accumulates. */
  variable: Variable | null;
  /** Why no gradient flows through this node any more, or null. */
  closed: ErrorFacts | null;
  /** The outputs of a call, in order; null for other operations. */
  outputs: readonly NodeOf<'output'>[] | null;
  /** Traversal marks: `slot` is meaningful while `stamp` is the current traversal's number. */
  stamp: number;
  slot: number;
}
/** A mutable reference to a node; a leaf may be its value. */
export interface Variable {
  node: Node;
  name: string | null;
}
/** A node of one operation. */
export type NodeOf<K extends Op> = { [P in K]: NodeBase<P> }[K];
/** A node of any operation. */
export type Node = NodeOf<Op>;
/** A value from outside the graph. */
export type Leaf = NodeOf<'leaf'>;
/** A number in every element. */
export type ConstantNode = NodeOf<'const'>;

/**
 * A named operation defined by its body; the only extension point. A device may run a kernel of its own for
 * it, and otherwise inlines the body.
 */
export interface Composite<A extends Attrs = Attrs> {
  readonly name: string;
  /** Shapes and dtypes of the outputs. @throws ShapeError, DTypeError */
  infer(attrs: A, ...inputs: Spec[]): readonly Spec[];
  /** The definition, in primitives and other composites. */
  body(attrs: A, ...inputs: Node[]): readonly Node[];
  /**
   * Derived rule: gradients of the inputs, from the gradients `gs` of the outputs. Without it the body is
   * differentiated.
   */
  vjp?(
    gs: readonly (Node | null)[],
    outs: readonly Node[],
    attrs: A,
    ...inputs: Node[]
  ): readonly (Node | null)[];
  /**
   * The values that `vjp` reads, known without building it; `received` says which outputs have a gradient.
   * Without it the rule is built to find out.
   */
  residuals?(received: readonly boolean[], outs: readonly Node[], attrs: A, ...inputs: Node[]): Residuals;
}

/**
 * What the gradient of each input of an operation reads of the forward pass (its saved tensors); null where
 * no gradient flows to the input.
 */
export type Residuals = readonly (readonly Node[] | null)[];

/**
 * A variable's new value. `into` names the argument whose storage the device may overwrite, once nothing
 * reads it any more.
 */
export interface Effect {
  readonly node: Node;
  readonly into: Leaf | null;
}

/**
 * What a device compiles: a closed graph over its own argument leaves. Outputs: the effects in order, then
 * the roots.
 */
export interface Program {
  readonly args: readonly Leaf[];
  readonly effects: readonly Effect[];
  readonly roots: readonly Node[];
}
