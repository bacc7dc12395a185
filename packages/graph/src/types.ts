/**
 * The vocabulary of the graph: what a node, a composite, a program and a device are. A node is one operation
 * on values that may not exist yet; its kind is the key of `Attributes`, so that every table over operations
 * is checked for completeness.
 */
import type { BinaryKind, DType, ErrorFacts, Shape, TypedArray, UnaryKind } from '@firsthand/linalg';

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

/**
 * One node. Operation, attributes, shape and dtype never change; the fields below the line belong to the
 * runtime.
 */
export interface NodeBase<K extends Op> extends Spec {
  readonly op: K;
  readonly attrs: Attributes[K];
  /** Null for values that every device can make (constants, indices). */
  readonly device: Device | null;
  readonly requiresGrad: boolean;
  /** Sequence number of the latest update that this value reads: what must run before it may be extended. */
  readonly after: number;
  // ---- runtime
  /** Dropped once the value is stored and nobody may differentiate through it. */
  inputs: readonly Node[];
  /**
   * The stored value, set when the program that computes it is enqueued. A node with a cell is a leaf of
   * later programs.
   */
  cell: Cell | null;
  /** True once another node reads this one, or a second handle stands for it. */
  hasReaders: boolean;
  /** True once a handle stands for this node. */
  hasHandle: boolean;
  /** True once a program has computed this node without keeping it: computing it again is counted. */
  computed: boolean;
  /** True once a `backward` has passed through this node. */
  differentiated: boolean;
  /** The handle that this leaf is the value of: where its gradient accumulates. */
  owner: Variable | null;
  /** Why no gradient flows through this node any more, or null. */
  closed: ErrorFacts | null;
  /** Traversal marks: `slot` is meaningful while `stamp` is the current traversal's number. */
  stamp: number;
  slot: number;
}
/** What a leaf is the value of: a mutable reference to a node. */
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

/** Device memory that holds one array, packed in row-major order. */
export interface Storage {
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  readonly bytes: number;
  /** Frees the memory once every run that was enqueued before has finished. */
  dispose(): void;
  /**
   * Does what `dispose` does, for a storage that the collector has taken: it must not hold on to the memory
   * itself, so that a loop which never yields to the event loop keeps nothing alive. Without it the storage
   * lives until it is disposed of.
   */
  readonly finalize?: () => void;
}

/**
 * A storage with its owners: what nodes and handles share. `failure` and `stale` say why it cannot be read
 * any more.
 */
export interface Cell {
  readonly storage: Storage;
  readonly device: Device;
  /** Handles that hold this cell. */
  owners: number;
  /** The run that fills the storage, while it is under way. */
  flight: Flight | null;
  failure: Error | null;
  /** The name of the variable whose update has overwritten or freed the storage. */
  stale: string | null;
  stamp: number;
  slot: number;
}

/**
 * A run that was enqueued and has not settled. `settled` never rejects: a failure is written into the cells.
 */
export interface Flight {
  readonly reads: readonly Cell[];
  readonly writes: readonly Cell[];
  readonly settled: Promise<void>;
}

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

/** What a run is given for one argument: a storage, or a host value. */
export type Arg = Storage | HostValue;

/** The order of `outputs` is the program's: effects, then roots. */
export interface Completion {
  readonly outputs: readonly Storage[];
  /** Settles when the outputs exist; null if they do already, as on a device that works while `run` lasts. */
  readonly done: Promise<void> | null;
}

/** What a compiled program does: filled in as far as the device knows. */
export interface PlanReport {
  readonly device: string;
  readonly kernels: readonly KernelReport[];
  /** Largest number of bytes alive at once during a run, besides the arguments. */
  readonly peakBytes: number;
  /**
   * The shortest time that the clock tells from none, s, where kernels are timed. A kernel whose time is 0
   * took less.
   */
  readonly resolution?: number;
}
/**
 * What a kernel is put beside: multiply-adds in registers, a copy from memory to memory, or a copy within
 * caches.
 */
export type Ceiling = 'arithmetic' | 'memory' | 'caches';
/** One kernel of a program. */
export interface KernelReport {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly flops: number;
  /** Elements that it reads, as often as it reads them. */
  readonly loads: number;
  /** Elements that it writes. */
  readonly stores: number;
  /** Memory that it reads, and memory that it writes: each element of an array once. */
  readonly bytes: number;
  /** Why it was not fused with its neighbours. */
  readonly boundary: string;
  readonly source: string;
  /**
   * How long it took, s, where the device measures: when it last ran, or on average of all its runs where the
   * clock is coarse, as a GPU's.
   */
  readonly seconds?: number;
  /** Its share of what the device reaches at best: 1 is as fast as can be. */
  readonly share?: number;
  /**
   * What it is a share of: of arithmetic or of memory, whichever the kernel uses more of. A kernel that moves
   * its bytes faster than memory could has found its arrays in caches, and is put beside those.
   */
  readonly ceiling?: Ceiling;
}

/** A compiled program. */
export interface Executable {
  /** Enqueues one run. First in, first out per device; never waits. */
  run(args: readonly Arg[]): Completion;
  report(): PlanReport;
}

/** Where programs run. Everything above `graph` sees devices through this interface only. */
export interface Device {
  readonly name: string;
  supports(dtype: DType): boolean;
  /** Compiles a program. The runtime caches the result by the program's key. */
  prepare(program: Program): Executable;
  /** Copies `data` to the device. */
  upload(data: TypedArray, dtype: DType): Storage;
  /** Copies a storage to the host, after every run that was enqueued before. */
  read(storage: Storage): Promise<TypedArray<ArrayBuffer>>;
  readSync?(storage: Storage): TypedArray<ArrayBuffer>;
  /** Bytes. */
  memory(): { readonly live: number; readonly peak: number };
  dispose(): void;
}
