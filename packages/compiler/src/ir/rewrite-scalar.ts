/**
 * A copy of scalar expressions with every index expression rewritten, and operands renumbered; what was
 * shared stays shared.
 */
import type { Index } from './index-expression.ts';
import type { Scalar, Store } from './kernel.ts';
import { scalarsIn } from './scalars.ts';

/** An index expression rewritten; `operand` says of which array it is an index, null where it is none. */
type RewriteIndex = (index: Index, operand: number | null) => Index;

type Rewrite<K extends Scalar['op']> = (
  scalar: Extract<Scalar, { op: K }>,
  index: RewriteIndex,
  scalar_: (scalar: Scalar) => Scalar,
  operand: (operand: number) => number,
) => Scalar;

const REWRITE: { readonly [K in Scalar['op']]: Rewrite<K> } = {
  const: (scalar) => scalar,
  load: (scalar, index, _, operand) => ({
    ...scalar,
    operand: operand(scalar.operand),
    index: index(scalar.index, scalar.operand),
  }),
  index: (scalar, index) => ({ ...scalar, index: index(scalar.index, null) }),
  inside: (scalar, index) => ({ ...scalar, index: index(scalar.index, null) }),
  gather: (scalar, index, of, operand) => ({
    ...scalar,
    operand: operand(scalar.operand),
    index: index(scalar.index, scalar.operand),
    position: of(scalar.position),
  }),
  random: (scalar, index, of) => ({
    ...scalar,
    key: [of(scalar.key[0]), of(scalar.key[1])],
    counter: [of(scalar.counter[0]), of(scalar.counter[1])],
    index: index(scalar.index, null),
  }),
  unary: (scalar, _, of) => ({ ...scalar, x: of(scalar.x) }),
  binary: (scalar, _, of) => ({ ...scalar, a: of(scalar.a), b: of(scalar.b) }),
  where: (scalar, _, of) => ({
    ...scalar,
    condition: of(scalar.condition),
    a: of(scalar.a),
    b: of(scalar.b),
  }),
  cast: (scalar, _, of) => ({ ...scalar, x: of(scalar.x) }),
  reduced: (scalar) => scalar,
  total: (scalar) => scalar,
};

/**
 * A function that rewrites scalars, each once. Operands keep their numbers unless it is said which they get.
 */
export function scalarRewriter(
  index: RewriteIndex,
  operand: (operand: number) => number = (number) => number,
): (scalar: Scalar) => Scalar {
  const done = new Map<Scalar, Scalar>();
  const rewrite = (scalar: Scalar): Scalar => {
    const known = done.get(scalar);
    if (known !== undefined) return known;
    const result = (REWRITE[scalar.op] as Rewrite<Scalar['op']>)(scalar, index, rewrite, operand);
    done.set(scalar, result);
    return result;
  };
  return rewrite;
}

/** The index expression of a scalar, if it has one. */
function indexOf(scalar: Scalar): Index | null {
  return 'index' in scalar ? scalar.index : null;
}

/** Every index expression in the scalars and stores. */
export function indicesIn(scalars: readonly Scalar[], stores: readonly Store[]): readonly Index[] {
  const all = scalarsIn([...scalars, ...stores.map(({ value }) => value)]);
  return [...stores.map(({ index }) => index), ...all.flatMap((scalar) => indexOf(scalar) ?? [])];
}
