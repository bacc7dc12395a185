/**
 * The semantics of each primitive, as a function of `linalg`: every device is tested against it. One entry
 * per primitive; the type checker lists the missing ones.
 */
import {
  argReduce,
  argsort,
  binary,
  concatenate,
  cumprod,
  cumsum,
  full,
  gather,
  iota,
  linearRecurrence,
  matmul,
  NDArray,
  pad,
  randomBits,
  reduce,
  scatter,
  sizeOf,
  unary,
  where,
} from '@firsthand/linalg';
import { concatenateComposite } from '../composites/concatenate.ts';
import { matmulComposite } from '../composites/matmul.ts';
import type { Attrs, Composite, Movement, NodeOf, Op } from '../ir/types.ts';

/** The primitives that are evaluated here; leaves are arguments, and calls are kernels or inlined. */
type Evaluated = Exclude<Op, 'leaf' | 'call' | 'output'>;
type Evaluator<K extends Evaluated> = (node: NodeOf<K>, ...inputs: NDArray[]) => NDArray;

type Mover<K extends Movement['kind']> = (movement: Extract<Movement, { kind: K }>, x: NDArray) => NDArray;
const MOVE: { readonly [K in Movement['kind']]: Mover<K> } = {
  reshape: ({ shape }, x) => x.reshape(shape),
  permute: ({ axes }, x) => x.permute(axes),
  expand: ({ shape }, x) => x.broadcastTo(shape),
  pad: ({ before, after }, x) =>
    pad(
      x,
      before.map((width, axis) => [width, after[axis]!] as const),
    ),
  shrink: ({ begin, end }, x) => x.slice(...begin.map((start, axis) => ({ start, stop: end[axis]! }))),
  flip: ({ axes }, x) => x.flip(axes),
  barrier: (_, x) => x,
};

export const EVALUATE: { readonly [K in Evaluated]: Evaluator<K> } = {
  const: ({ shape, dtype, attrs }) => full([], attrs.value, { dtype }).broadcastTo(shape),
  iota: ({ shape, attrs }) => iota(shape, attrs.axis),
  random: ({ shape, dtype }, key, counter) => {
    const words = (x: NDArray): readonly [number, number] => [x.get(0), x.get(1)];
    const bits = randomBits(words(key), words(counter), sizeOf(shape));
    // 24 random bits make a float32 in [0, 1): bits·2⁻²⁴ is exact.
    const data = dtype === 'uint32' ? bits : Float32Array.from(bits, (word) => (word >>> 8) * 2 ** -24);
    return NDArray.packed(data, shape, dtype);
  },
  cast: ({ dtype }, x) => x.astype(dtype),
  unary: ({ attrs }, x) => unary(attrs.kind, x),
  binary: ({ attrs }, a, b) => binary(attrs.kind, a, b),
  where: (_, condition, a, b) => where(condition, a, b),
  reduce: ({ attrs }, x) => reduce(attrs.kind, x, attrs.axes, true),
  argReduce: ({ attrs }, x) => argReduce(attrs.kind, x, attrs.axis, true),
  prefixScan: ({ attrs: { kind, axis } }, x, term) =>
    kind === 'sum'
      ? cumsum(x, { axis })
      : kind === 'prod'
        ? cumprod(x, { axis })
        : linearRecurrence(x, term, { axis }),
  movement: ({ attrs }, x) => (MOVE[attrs.kind] as Mover<Movement['kind']>)(attrs, x),
  gather: ({ attrs }, x, index) => gather(x, index, attrs.axis),
  scatter: ({ attrs }, base, index, source) => scatter(attrs.mode, base, index, source, attrs.axis),
  sort: ({ attrs }, x) => argsort(x, { axis: attrs.axis, descending: attrs.descending }),
};

/** A kernel of a composite, in place of its body. */
export type ReferenceKernel = (attrs: Attrs, ...inputs: NDArray[]) => readonly NDArray[];

/**
 * Kernels for composites whose bodies cost more: a matrix product's body stores every product of elements at
 * once, a concatenation's copies by halves.
 */
export const REFERENCE_KERNELS: ReadonlyMap<Composite, ReferenceKernel> = /* @__PURE__ */ new Map<
  Composite,
  ReferenceKernel
>([
  [matmulComposite, (_, a, b) => [matmul(a, b)]],
  [concatenateComposite, ({ axis }, ...parts) => [concatenate(parts, axis as number)]],
]);
