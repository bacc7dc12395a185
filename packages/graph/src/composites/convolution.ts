/**
 * Convolution in the sense of neural networks (cross-correlation), of any number of spatial axes, as one
 * matrix product of the weight with the windows of its operand (Chellapilla, Puri & Simard 2006), the windows
 * being movements. ⟨g, w ⋆ x⟩ is linear in each of g, w and x: its derivatives are w ⋆ x, the weight's
 * gradient and the transposed convolution of g, three operations of which each one's gradients are the other
 * two. Geometry: Dumoulin & Visin 2016.
 */
import { checkOptions, equalShapes, formatShape, ShapeError, sizeOf } from '@firsthand/linalg';
import type { OptionKeys } from '@firsthand/linalg';
import { call, widened } from '../ir/node.ts';
import { add, flip, permute, reshape } from '../operations/ops.ts';
import type { Attrs, Composite, Node, Shape, Spec } from '../ir/types.ts';
import { describe, operandOf, requireFloat, requireSameDType } from '../ir/shapes.ts';
import { matmul } from './matmul.ts';
import { extendAxis, padBoth, perAxis, span, unfold, windowCounts } from './windows.ts';
import type { PerAxis } from './windows.ts';

interface ConvolutionAttrs extends Attrs {
  /** One number for each spatial axis. */
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

interface TransposedAttrs extends ConvolutionAttrs {
  /** Elements behind the last window, fewer than the stride. */
  readonly outputPadding: readonly number[];
}

interface WeightAttrs extends ConvolutionAttrs {
  readonly kernel: readonly number[];
}

const spatialOf = ({ shape }: Spec): Shape => shape.slice(2);
const nameOf = ({ stride }: ConvolutionAttrs): string => `conv${stride.length}d`;
const nameOfTransposed = ({ stride }: ConvolutionAttrs): string => `convTranspose${stride.length}d`;
/** The attributes of the convolution of which another operation is a derivative. */
const convolutionAttrs = ({ stride, padding, dilation, groups }: ConvolutionAttrs): ConvolutionAttrs => ({
  stride,
  padding,
  dilation,
  groups,
});

// ---- checks of the operands

/** Checks of ranks, dtypes and groups, for all convolutions. `layout` names the axes of the weight. */
function checkOperands(
  operation: string,
  { stride, groups }: ConvolutionAttrs,
  x: Spec,
  weight: Spec,
  layout: string,
): void {
  requireFloat(operation, x);
  requireSameDType(operation, x, weight);
  const rank = stride.length + 2;
  if (x.shape.length !== rank || weight.shape.length !== rank) {
    const spatial = stride.length === 1 ? 'L' : 'H, W';
    const kernel = stride.length === 1 ? 'K' : 'KH, KW';
    const expected = `x as (N, C, ${spatial}) and weight as (${layout}, ${kernel})`;
    throw new ShapeError({
      operation,
      operands: [x, weight].map(operandOf),
      expected,
      remedy: 'unsqueeze(0) adds a batch axis',
    });
  }
  if (!Number.isSafeInteger(groups) || groups < 1) {
    const expected = 'a whole number of at least 1';
    const problem = `groups must be ${expected}, got ${groups}`;
    throw new ShapeError({ operation, problem, operands: [x, weight].map(operandOf), expected });
  }
  if (spatialOf(weight).includes(0)) {
    const problem = `the kernel of weight ${describe(weight)} is empty`;
    throw new ShapeError({ operation, problem, operands: [operandOf(weight)], expected: 'taps' });
  }
}

/** The error of a weight for other channels than x has; `takes` says how many. */
function channelsDiffer(operation: string, x: Spec, weight: Spec, takes: string, remedy: string): ShapeError {
  const channels = x.shape[1]!;
  const [given, filter] = [describe(x), describe(weight)];
  const problem = `channels differ: ${given} has ${channels}, weight ${filter} takes ${takes}`;
  return new ShapeError({
    operation,
    problem,
    operands: [x, weight].map(operandOf),
    expected: `a weight for ${channels} channels`,
    remedy,
  });
}

function checkDivision(
  operation: string,
  what: string,
  channels: number,
  groups: number,
  source: Spec,
): void {
  if (channels % groups === 0) return;
  const problem = `${groups} groups do not divide the ${channels} ${what} channels of ${describe(source)}`;
  const expected = `a divisor of ${channels}`;
  throw new ShapeError({
    operation,
    problem,
    operands: [operandOf(source)],
    expected,
    remedy: `choose ${expected}`,
  });
}

function inferConvolution(attrs: ConvolutionAttrs, x: Spec, weight: Spec): Spec {
  const operation = nameOf(attrs);
  checkOperands(operation, attrs, x, weight, 'O, C/groups');
  const { groups, padding } = attrs;
  const [batch, channels] = x.shape as readonly [number, number];
  const [outputs, perGroup] = weight.shape as readonly [number, number];
  checkDivision(operation, 'input', channels, groups, x);
  checkDivision(operation, 'output', outputs, groups, weight);
  if (perGroup * groups !== channels) {
    const takes = `${perGroup} in each of ${groups} groups (${channels} ≠ ${perGroup * groups})`;
    throw channelsDiffer(operation, x, weight, takes, 'x is (N, C, …), weight (O, C/groups, …)');
  }
  return {
    shape: [batch, outputs, ...windowCounts(operation, x, { kernel: spatialOf(weight), ...attrs }, padding)],
    dtype: x.dtype,
  };
}

function inferTransposed(attrs: TransposedAttrs, x: Spec, weight: Spec): Spec {
  const operation = nameOfTransposed(attrs);
  checkOperands(operation, attrs, x, weight, 'C, O/groups');
  const { stride, padding, dilation, groups, outputPadding } = attrs;
  const [batch, channels] = x.shape as readonly [number, number];
  const [inputs, perGroup] = weight.shape as readonly [number, number];
  checkDivision(operation, 'input', channels, groups, x);
  if (inputs !== channels) {
    throw channelsDiffer(
      operation,
      x,
      weight,
      `${inputs} (${channels} ≠ ${inputs})`,
      'x is (N, C, …), weight (C, O/groups, …)',
    );
  }
  const kernel = spatialOf(weight);
  const extents = spatialOf(x).map(
    (extent, axis) =>
      (extent - 1) * stride[axis]! -
      2 * padding[axis]! +
      span(kernel[axis]!, dilation[axis]!) +
      outputPadding[axis]!,
  );
  if (spatialOf(x).includes(0) || extents.some((extent) => extent < 1)) {
    const problem = `nothing is left of ${describe(x)} with weight ${describe(weight)}: the result would be ${formatShape(extents)}`;
    const operands = [x, weight].map(operandOf);
    throw new ShapeError({
      operation,
      problem,
      operands,
      expected: 'less padding',
      remedy: 'use less padding',
    });
  }
  return { shape: [batch, perGroup * groups, ...extents], dtype: x.dtype };
}

function inferWeight(attrs: WeightAttrs, x: Spec, g: Spec): Spec {
  const operation = `the weight gradient of ${nameOf(attrs)}`;
  requireFloat(operation, x);
  requireSameDType(operation, x, g);
  const counts = windowCounts(operation, x, attrs, attrs.padding);
  if (g.shape[0] !== x.shape[0] || !equalShapes(spatialOf(g), counts)) {
    const problem = `${describe(g)} is no gradient of a convolution of ${describe(x)}, whose windows are ${formatShape(counts)}`;
    throw new ShapeError({
      operation,
      problem,
      operands: [x, g].map(operandOf),
      expected: formatShape(counts),
    });
  }
  return { shape: [g.shape[1]!, x.shape[1]! / attrs.groups, ...attrs.kernel], dtype: x.dtype };
}

// ---- what they are

/** The windows of a padded operand: (N, groups, C/groups·taps, windows). */
function columns(x: Node, windows: Parameters<typeof unfold>[1], groups: number): Node {
  const all = unfold(x, windows); // (N, C, taps…, windows…)
  const [batch, channels] = x.shape as readonly [number, number];
  const taps = sizeOf(windows.kernel);
  return reshape(all, [
    batch,
    groups,
    (channels / groups) * taps,
    sizeOf(all.shape.slice(2 + windows.kernel.length)),
  ]);
}

/** y[n, o, p] = Σ_{c, k} w[o, c, k]·x[n, c, p·stride + k·dilation] for a padded x. */
function correlate(
  x: Node,
  weight: Node,
  { stride, dilation, groups }: ConvolutionAttrs,
  shape: Shape,
): Node {
  const [outputs, perGroup, ...kernel] = weight.shape as readonly [number, number, ...number[]];
  const rows = reshape(weight, [groups, outputs / groups, perGroup * sizeOf(kernel)]);
  return reshape(matmul(rows, columns(x, { kernel, stride, dilation }, groups)), shape);
}

/** stride − 1 zeros between neighbours on each spatial axis. */
function spread(x: Node, stride: readonly number[]): Node {
  return stride.reduce((value, step, index) => {
    const axis = 2 + index;
    const extent = value.shape[axis]!;
    const shaped = (each: Node, axes: number, ...extents: number[]): Node =>
      reshape(each, each.shape.toSpliced(axis, axes, ...extents));
    const steps = extendAxis(shaped(value, 1, extent, 1), axis + 1, 0, step - 1);
    return extendAxis(shaped(steps, 2, extent * step), axis, 0, 1 - step);
  }, x);
}

/**
 * The weight of a convolution for its transpose: inputs and outputs of each group exchanged, the kernel
 * turned around.
 */
function turned(weight: Node, groups: number): Node {
  const [outputs, perGroup, ...kernel] = weight.shape as readonly [number, number, ...number[]];
  const grouped = reshape(weight, [groups, outputs / groups, perGroup, ...kernel]);
  const exchanged = permute(grouped, [0, 2, 1, ...kernel.map((_, axis) => 3 + axis)]);
  const whole = reshape(exchanged, [groups * perGroup, outputs / groups, ...kernel]);
  return flip(
    whole,
    kernel.map((_, axis) => 2 + axis),
  );
}

/**
 * Convolution as an operation: (N, C, …) and (O, C/groups, taps…) to (N, O, …); called through `conv1d` and
 * `conv2d`.
 */
export const convolutionComposite: Composite<ConvolutionAttrs> = {
  name: 'convolution',
  infer: (attrs, x, weight) => [inferConvolution(attrs, x, weight)],
  body: (attrs, x, weight) => [
    correlate(padBoth(x, attrs.padding), weight, attrs, inferConvolution(attrs, x, weight).shape),
  ],
  // y = w ⋆ x: ⟨g, dw ⋆ x⟩ = ⟨weightGradient(x, g), dw⟩, ⟨g, w ⋆ dx⟩ = ⟨transposed(g, w), dx⟩. Elements
  // behind the last window have gradient 0.
  vjp([g], _outs, attrs, x, weight) {
    if (g === null || g === undefined) return [null, null];
    return [
      x.requiresGrad ? transposed(attrs, g, weight, spatialOf(x)) : null,
      weight.requiresGrad ? weightGradient(attrs, x, g, spatialOf(weight)) : null,
    ];
  },
  residuals: (_received, _outs, _attrs, x, weight) => [[weight], [x]],
};

/**
 * Transposed convolution as an operation, the adjoint of `convolution` in its first operand: (N, C, …) and
 * (C, O/groups, taps…) to (N, O, …); called through `convTranspose2d`. x[n, c, i] = Σ_{o, k, p: p·stride +
 * k·dilation − padding = i} w[o, c, k]·y[n, o, p].
 */
export const transposedConvolutionComposite: Composite<TransposedAttrs> = {
  name: 'transposedConvolution',
  infer: (attrs, y, weight) => [inferTransposed(attrs, y, weight)],
  // The substitution k → K − 1 − k makes it a convolution of y with stride − 1 zeros between its elements and
  // (K − 1)·dilation − padding around them.
  body(attrs, y, weight) {
    const { stride, padding, dilation, groups, outputPadding } = attrs;
    const surrounded = spatialOf(weight).reduce(
      (value, taps, axis) => {
        const width = span(taps, dilation[axis]!) - 1 - padding[axis]!;
        return extendAxis(value, 2 + axis, width, width + outputPadding[axis]!);
      },
      spread(y, stride),
    );
    const dense = { ...convolutionAttrs(attrs), stride: stride.map(() => 1) };
    return [correlate(surrounded, turned(weight, groups), dense, inferTransposed(attrs, y, weight).shape)];
  },
  // x = transposed(y, w): ⟨g, transposed(dy, w)⟩ = ⟨w ⋆ g, dy⟩, ⟨g, transposed(y, dw)⟩ = ⟨dw ⋆ g, y⟩ =
  // ⟨weightGradient(g, y), dw⟩.
  vjp([g], _outs, attrs, y, weight) {
    if (g === null || g === undefined) return [null, null];
    return [
      y.requiresGrad ? call(convolutionComposite, convolutionAttrs(attrs), g, weight)[0]! : null,
      weight.requiresGrad ? weightGradient(attrs, g, y, spatialOf(weight)) : null,
    ];
  },
  residuals: (_received, _outs, _attrs, y, weight) => [[weight], [y]],
};

/**
 * The gradient of a convolution's weight as an operation, from its operand x and the gradient g of its
 * result: (O, C/groups, taps…).
 */
export const convolutionWeightGradientComposite: Composite<WeightAttrs> = {
  name: 'convolutionWeightGradient',
  infer: (attrs, x, g) => [inferWeight(attrs, x, g)],
  // dw[o, c, k] = Σ_{n, p} g[n, o, p]·x[n, c, p·stride + k·dilation], a matrix product whose inner axis is
  // (n, p).
  body(attrs, x, g) {
    const { padding, groups } = attrs;
    const [batch, outputs] = g.shape as readonly [number, number];
    const windows = sizeOf(spatialOf(g));
    // (groups, N, windows, C/groups·taps)
    const right = permute(columns(padBoth(x, padding), attrs, groups), [1, 0, 3, 2]);
    // (groups, O/groups, N, windows)
    const left = permute(reshape(g, [batch, groups, outputs / groups, windows]), [1, 2, 0, 3]);
    const product = matmul(
      reshape(left, [groups, outputs / groups, batch * windows]),
      reshape(right, [groups, batch * windows, right.shape[3]!]),
    );
    return [reshape(product, inferWeight(attrs, x, g).shape)];
  },
  // ⟨h, weightGradient(x, g)⟩ = ⟨g, h ⋆ x⟩, so dx = transposed(g, h) and dg = h ⋆ x.
  vjp([h], _outs, attrs, x, g) {
    if (h === null || h === undefined) return [null, null];
    return [
      x.requiresGrad ? transposed(attrs, g, h, spatialOf(x)) : null,
      g.requiresGrad ? call(convolutionComposite, convolutionAttrs(attrs), x, h)[0]! : null,
    ];
  },
  residuals: (_received, _outs, _attrs, x, g) => [[g], [x]],
};

/** The transposed convolution whose result has the given spatial axes. */
function transposed(attrs: ConvolutionAttrs, y: Node, weight: Node, extents: Shape): Node {
  const { stride, padding, dilation } = attrs;
  const outputPadding = extents.map(
    (extent, axis) =>
      (extent + 2 * padding[axis]! - span(weight.shape[2 + axis]!, dilation[axis]!)) % stride[axis]!,
  );
  return call(transposedConvolutionComposite, { ...convolutionAttrs(attrs), outputPadding }, y, weight)[0]!;
}

function weightGradient(attrs: ConvolutionAttrs, x: Node, g: Node, kernel: Shape): Node {
  return call(convolutionWeightGradientComposite, { ...convolutionAttrs(attrs), kernel }, x, g)[0]!;
}

// ---- the public functions

/** Settings of `conv1d`. */
export interface Conv1dOptions {
  /** The step between neighbouring windows; 1 if not given. */
  readonly stride?: number;
  /** Zeros on both sides; 0 if not given. */
  readonly padding?: number;
  /** The distance of a kernel's taps; 1 if not given. */
  readonly dilation?: number;
  /** The number of independent groups of channels; 1 if not given. */
  readonly groups?: number;
}

/** Settings of `conv2d`: a number for both axes, or one for the height and one for the width. */
export interface Conv2dOptions {
  /** The step between neighbouring windows; 1 if not given. */
  readonly stride?: number | readonly [number, number];
  /** Zeros on both sides; 0 if not given. */
  readonly padding?: number | readonly [number, number];
  /** The distance of a kernel's taps; 1 if not given. */
  readonly dilation?: number | readonly [number, number];
  /** The number of independent groups of channels; 1 if not given. */
  readonly groups?: number;
}

/** Settings of `convTranspose2d`: those of the convolution that it is the transpose of. */
export interface ConvTranspose2dOptions extends Conv2dOptions {
  /**
   * Added to one side of the result, since strides round down: less than the stride or the dilation; 0 if not
   * given.
   */
  readonly outputPadding?: number | readonly [number, number];
}

interface AnyOptions {
  readonly stride?: PerAxis;
  readonly padding?: PerAxis;
  readonly dilation?: PerAxis;
  readonly groups?: number;
}

const CONVOLUTION_KEYS: OptionKeys<AnyOptions> = {
  stride: true,
  padding: true,
  dilation: true,
  groups: 'number',
};
const TRANSPOSED_KEYS: OptionKeys<ConvTranspose2dOptions> = { ...CONVOLUTION_KEYS, outputPadding: true };

function attrsOf(
  operation: string,
  axes: number,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: AnyOptions,
): ConvolutionAttrs {
  return {
    stride: perAxis(operation, 'stride', stride, axes, 1),
    padding: perAxis(operation, 'padding', padding, axes, 0),
    dilation: perAxis(operation, 'dilation', dilation, axes, 1),
    groups,
  };
}

/** @throws ShapeError, DTypeError unless the bias is a number for each channel of the result */
function checkBias(operation: string, y: Spec, bias: Node): void {
  requireSameDType(operation, y, bias);
  const channels = y.shape[1]!;
  if (equalShapes(bias.shape, [channels])) return;
  const expected = `[${channels}], a number for each channel of the result ${formatShape(y.shape)}`;
  throw new ShapeError({
    operation,
    problem: `bias must be ${expected}, got ${describe(bias)}`,
    operands: [operandOf(bias)],
    expected,
  });
}

/** A convolution, plus its bias if it has one; in float16 both are rounded as one. */
function withBias<A extends ConvolutionAttrs>(
  operation: string,
  composite: Composite<A>,
  attrs: A,
  x: Node,
  weight: Node,
  bias: Node | null,
): Node {
  if (bias === null) return call(composite, attrs, x, weight)[0]!;
  checkBias(operation, composite.infer(attrs, x, weight)[0]!, bias);
  const compute = (...[input, kernel, shift]: Node[]): Node => {
    const y = call(composite, attrs, input!, kernel!)[0]!;
    return add(y, reshape(shift!, [y.shape[1]!, ...spatialOf(y).map(() => 1)]));
  };
  return widened(compute, x, weight, bias);
}

function convolve(
  axes: number,
  x: Node,
  weight: Node,
  bias: Node | null,
  options: AnyOptions | undefined,
): Node {
  const operation = `conv${axes}d`;
  const attrs = attrsOf(operation, axes, checkOptions(operation, options, CONVOLUTION_KEYS));
  return withBias(operation, convolutionComposite, attrs, x, weight, bias);
}

/**
 * x: (N, C, L), weight: (O, C/groups, K), bias: (O). Result: (N, O, ⌊(L + 2·padding − dilation·(K − 1) −
 * 1)/stride⌋ + 1).
 */
export function conv1d(x: Node, weight: Node, bias: Node | null = null, options?: Conv1dOptions): Node {
  return convolve(1, x, weight, bias, options);
}

/**
 * x: (N, C, H, W), weight: (O, C/groups, KH, KW), bias: (O). Result: (N, O, H′, W′), sizes as for `conv1d`.
 */
export function conv2d(x: Node, weight: Node, bias: Node | null = null, options?: Conv2dOptions): Node {
  return convolve(2, x, weight, bias, options);
}

/**
 * x: (N, C, H, W), weight: (C, O/groups, KH, KW), bias: (O). Result: (N, O, H′, W′) with H′ = (H − 1)·stride
 * − 2·padding + dilation·(KH − 1) + 1 + outputPadding.
 */
export function convTranspose2d(
  x: Node,
  weight: Node,
  bias: Node | null = null,
  options?: ConvTranspose2dOptions,
): Node {
  const given = checkOptions('convTranspose2d', options, TRANSPOSED_KEYS);
  const attrs = attrsOf('convTranspose2d', 2, given);
  const { stride, dilation } = attrs;
  const outputPadding = perAxis('convTranspose2d', 'outputPadding', given.outputPadding ?? 0, 2, 0);
  if (outputPadding.some((width, axis) => width >= Math.max(stride[axis]!, dilation[axis]!))) {
    const settings = `stride ${stride.join(', ')} and dilation ${dilation.join(', ')}`;
    const expected = 'less than the stride or the dilation';
    const problem = `outputPadding must be ${expected}, got ${outputPadding.join(', ')} with ${settings}`;
    throw new ShapeError({
      operation: 'convTranspose2d',
      problem,
      operands: [x, weight].map(operandOf),
      expected,
    });
  }
  checkOperands('convTranspose2d', attrs, x, weight, 'C, O/groups');
  // Whole strides of it are zeros behind x, which change nothing but the size.
  const longer = outputPadding.reduce(
    (value, width, axis) => extendAxis(value, 2 + axis, 0, Math.floor(width / stride[axis]!)),
    x,
  );
  const rest = outputPadding.map((width, axis) => width % stride[axis]!);
  return withBias(
    'convTranspose2d',
    transposedConvolutionComposite,
    { ...attrs, outputPadding: rest },
    longer,
    weight,
    bias,
  );
}
