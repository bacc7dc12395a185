/**
 * Softmax, its logarithm and log-sum-exp, over one axis. All three subtract the row's largest finite value
 * first, so that nothing overflows; a row that is −∞ throughout (fully masked) has softmax 0, log-softmax −∞
 * and log-sum-exp −∞.
 */
import {
  add,
  alongAxis,
  div,
  dropAxes,
  eq,
  exp,
  log,
  lt,
  max,
  mul,
  permute,
  reshape,
  sub,
  sum,
  unary,
  where,
} from '../operations/ops.ts';
import { stopGradient } from '../operations/derived.ts';
import { call, constant } from '../ir/node.ts';
import type { Attrs, Composite, Node, Spec } from '../ir/types.ts';
import { keepDimsShape, requireFloat } from '../ir/shapes.ts';

interface AxisAttrs extends Attrs {
  readonly axis: number;
}

/** e^(x − m), its sum, and the shift m: the row's maximum, or 0 where that is not finite. */
function exponentials(x: Node, axis: number): { shifted: Node; powers: Node; total: Node; shift: Node } {
  const shift = shiftOf(x, axis);
  const shifted = sub(x, shift);
  const powers = exp(shifted);
  return { shifted, powers, total: sum(powers, { axis, keepDims: true }), shift };
}

/** The row's largest element where that is finite, else 0; an empty row has none. */
function shiftOf(x: Node, axis: number): Node {
  if (x.shape[axis] === 0) return constant(0, keepDimsShape(x.shape, [axis]), x.dtype);
  const largest = stopGradient(max(x, { axis, keepDims: true }));
  return where(lt(unary('abs', largest), Infinity), largest, 0);
}

/** A sum that is 0 only in fully masked rows becomes 1 there. */
const orOne = (total: Node): Node => where(eq(total, 0), 1, total);

function sameSpec(name: string): (attrs: AxisAttrs, x?: Spec) => readonly Spec[] {
  return (_, x) => {
    requireFloat(name, x!);
    return [{ shape: x!.shape, dtype: x!.dtype }];
  };
}

/** Softmax as an operation; called through `softmax`. */
export const softmaxComposite: Composite<AxisAttrs> = {
  name: 'softmax',
  infer: sameSpec('softmax'),
  body({ axis }, x) {
    const { powers, total } = exponentials(x, axis);
    return [div(powers, orOne(total))];
  },
  // y = softmax(x): dyᵢ/dxⱼ = yᵢ(δᵢⱼ − yⱼ), so dx = y·(g − Σ g·y).
  vjp([g], [y], { axis }) {
    if (g === null || g === undefined) return [null];
    return [mul(y!, sub(g, sum(mul(g, y!), { axis, keepDims: true })))];
  },
  residuals: (_received, [y]) => [[y!]],
};

/** Log-softmax as an operation; called through `logSoftmax`. */
export const logSoftmaxComposite: Composite<AxisAttrs> = {
  name: 'logSoftmax',
  infer: sameSpec('logSoftmax'),
  body({ axis }, x) {
    const { shifted, total } = exponentials(x, axis);
    return [sub(shifted, log(orOne(total)))];
  },
  // y = x − lse(x): dx = g − softmax(x)·Σ g, and softmax(x) = eʸ.
  vjp([g], [y], { axis }) {
    if (g === null || g === undefined) return [null];
    return [sub(g, mul(exp(y!), sum(g, { axis, keepDims: true })))];
  },
  residuals: (_received, [y]) => [[y!]],
};

/** Log-sum-exp over one axis as an operation; called through `logsumexp`. */
export const logsumexpComposite: Composite<AxisAttrs> = {
  name: 'logsumexp',
  infer({ axis }, x) {
    requireFloat('logsumexp', x);
    return [{ shape: x.shape.map((extent, each) => (each === axis ? 1 : extent)), dtype: x.dtype }];
  },
  body({ axis }, x) {
    const { total, shift } = exponentials(x, axis);
    return [add(log(total), shift)];
  },
  // ∂lse/∂xⱼ = softmax(x)ⱼ
  vjp([g], _outs, { axis }, x) {
    if (g === null || g === undefined) return [null];
    return [mul(softmax(x, axis), g)];
  },
  residuals: (_received, _outs, _attrs, x) => [[x]],
};

/** eˣ / Σ eˣ over one axis; a row that is −∞ throughout gives 0. */
export function softmax(x: Node, axis = -1): Node {
  return alongAxis('softmax', axis, [x], (along, rows) => call(softmaxComposite, { axis: along }, rows)[0]!);
}

/** ln softmax over one axis. */
export function logSoftmax(x: Node, axis = -1): Node {
  return alongAxis(
    'logSoftmax',
    axis,
    [x],
    (along, rows) => call(logSoftmaxComposite, { axis: along }, rows)[0]!,
  );
}

/** log Σ eˣ over one axis or several. */
export function logsumexp(x: Node, axes: readonly number[], keepDims = false): Node {
  if (axes.length === 0) return x;
  const parallel = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  let rows = x;
  let axis = axes[0]!;
  if (axes.length > 1) {
    // Several axes become one: move them to the end and merge.
    const moved = [...parallel, ...axes];
    rows = reshape(permute(x, moved), [
      ...parallel.map((each) => x.shape[each]!),
      axes.reduce((size, each) => size * x.shape[each]!, 1),
    ]);
    axis = parallel.length;
  }
  const reduced = dropAxes(call(logsumexpComposite, { axis }, rows)[0]!, [axis]);
  return keepDims
    ? reshape(
        reduced,
        x.shape.map((extent, each) => (axes.includes(each) ? 1 : extent)),
      )
    : reduced;
}
