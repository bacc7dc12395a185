/**
 * A function of examples as a function of batches: it runs once for each slice of its arguments, and the
 * results are stacked. The slices are independent parts of one graph, which a device runs as one program.
 */
import { stack } from '@firsthand/graph';
import {
  checkCount,
  checkOptions,
  describeValue,
  normalizeAxis,
  OptionError,
  type OptionKeys,
  ShapeError,
} from '@firsthand/linalg';
import { requireFunction, resultNodes, withResults } from './linearize.ts';
import { withoutStatistics } from './statistics.ts';
import { Tensor } from './tensor.ts';
import { mapTree } from './tree.ts';

/**
 * The axis along which each tensor of an argument is mapped, null for none: for all of them at once, or in
 * their structure.
 */
export type MappedAxes =
  | number
  | null
  | readonly MappedAxes[]
  | { readonly [key: string]: MappedAxes }
  | ReadonlyMap<string, MappedAxes>;

/** Options of {@link vmap}. */
export interface VmapOptions {
  /** the mapped axis of all arguments, or an array with one entry for each; the first axis if not given */
  readonly axis?: number | readonly MappedAxes[] | undefined;
  /** where the results are stacked; in front if not given */
  readonly outAxis?: number | undefined;
}

const KEYS: OptionKeys<VmapOptions> = { axis: true, outAxis: 'number' };

/**
 * `f` for each slice of its arguments along an axis, with its results stacked. Arguments and results may be
 * structures of tensors; what is no tensor, or has the axis null, is the same in every call.
 * @throws ShapeError if the mapped axes differ in length, or are of length 0; OptionError if nothing is
 *   mapped
 * @example
 * ```ts
 * import { grad, tensor, vmap } from '@firsthand/autograd';
 * const loss = (w: typeof x, x: ReturnType<typeof tensor>) => w.mul(x).sum().square();
 * const [w, x] = [tensor([1, 1]), tensor([[1, 2], [3, 4]])];
 * const perExample = vmap(grad(loss), { axis: [null, 0] });
 * console.log(await perExample(w, x).toArray()); // [ [ 6, 12 ], [ 42, 56 ] ]
 * ```
 */
export function vmap(f: (...args: Tensor[]) => Tensor, options?: VmapOptions): (...args: Tensor[]) => Tensor;
export function vmap<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  options?: VmapOptions,
): (...args: A) => R;
export function vmap(f: (...args: never[]) => unknown, options?: VmapOptions): (...args: never[]) => unknown {
  checkCount('vmap', arguments.length, 2, 'vmap(f, { axis, outAxis })');
  requireFunction('vmap', f);
  const { axis = 0, outAxis = 0 } = checkOptions('vmap', options, KEYS);
  if (typeof axis !== 'number' && !Array.isArray(axis)) {
    const problem = `the axis is ${describeValue(axis)}`;
    throw new OptionError({
      operation: 'vmap',
      problem,
      expected: 'a number, or an array with one entry for each argument',
    });
  }
  return (...args: readonly unknown[]) =>
    withoutStatistics(() => {
      if (typeof axis !== 'number' && axis.length !== args.length) {
        throw new OptionError({
          operation: 'vmap',
          problem: `axis has ${axis.length} entries for ${args.length} arguments`,
          expected: 'one for each argument, null for one that is not mapped',
        });
      }
      const axes = typeof axis === 'number' ? args.map(() => axis) : axis;
      const extent = mappedExtent(args, axes);
      const results = Array.from({ length: extent }, (_, index) => {
        const slices = mapTree(
          args,
          (leaf, path, along) => sliceOf(leaf, path, along, index),
          axes,
        ) as readonly unknown[];
        return (f as (...all: readonly unknown[]) => unknown)(...slices);
      });
      const nodes = results.map((result) => resultNodes('vmap', result));
      const stacked = nodes[0]!.map((_, leaf) =>
        stack(
          nodes.map((each) => each[leaf]!),
          outAxis,
        ),
      );
      return withResults(results[0], stacked);
    });
}

/**
 * The axis that an entry names for a tensor, null if it is not mapped. @throws OptionError for something else
 */
function axisOf(tensor: Tensor, path: string, along: unknown): number | null {
  if (along === null) return null;
  if (typeof along === 'number') return normalizeAxis('vmap', along, tensor.ndim);
  throw new OptionError({
    operation: 'vmap',
    problem: `the axis of argument ${path} is ${describeValue(along)}`,
    expected: 'a number, or null for what is not mapped',
  });
}

function sliceOf(leaf: unknown, path: string, along: unknown, index: number): unknown {
  if (!(leaf instanceof Tensor)) return leaf;
  const axis = axisOf(leaf, path, along);
  return axis === null ? leaf : leaf.slice(axis, index, index + 1).squeeze(axis);
}

/** The common length of the mapped axes. @throws ShapeError, OptionError */
function mappedExtent(args: readonly unknown[], axes: readonly unknown[]): number {
  const mapped: Tensor[] = [];
  const extents: number[] = [];
  mapTree(
    args,
    (leaf, path, along) => {
      const axis = leaf instanceof Tensor ? axisOf(leaf, path, along) : null;
      if (axis === null) return;
      mapped.push(leaf as Tensor);
      extents.push((leaf as Tensor).shape[axis]!);
    },
    axes,
  );
  const [extent] = extents;
  if (extent === undefined)
    throw new OptionError({
      operation: 'vmap',
      problem: 'no argument is mapped',
      expected: 'an axis for one of them',
    });
  if (extent > 0 && extents.every((each) => each === extent)) return extent;
  throw new ShapeError({
    operation: 'vmap',
    problem: `the arguments have ${extents.join(', ')} slices`,
    operands: mapped,
    expected: 'mapped axes of one length, 1 or more',
    remedy: 'map another axis, or none (null) of what all calls share',
  });
}
