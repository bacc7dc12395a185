/** Tensors with gradients: the public names of the package, and nothing else. */
export { DTypeError, FirsthandError, OptionError, ShapeError } from '@firsthand/linalg';
export type {
  ArgReduceOptions,
  ArrayData,
  AxisArgument,
  Data,
  Nested,
  OneAxis,
  ReduceOptions,
  SliceRange,
} from '@firsthand/linalg';
export { computeDType, DeviceError, GradientError, NonFiniteError } from '@firsthand/graph';
export {
  checkDevice,
  createReference,
  effectGroup,
  getDefaultDevice,
  setDefaultDevice,
  StaleError,
} from '@firsthand/runtime';
export type {
  Attrs,
  AvgPool2dOptions,
  Composite,
  Conv1dOptions,
  Conv2dOptions,
  ConvTranspose2dOptions,
  DType,
  MaxPool2dOptions,
  Shape,
  TypedArray,
} from '@firsthand/graph';
export type { Device, Ceiling, KernelReport, PlanReport } from '@firsthand/runtime';
export { Tensor } from './tensor.ts';
export type { NormOptions, Sorted, SortOptions, TopKOptions, VarianceOptions } from './tensor.ts';
export type { BackwardOptions } from './value.ts';
export {
  arange,
  defaultGenerator,
  eye,
  full,
  fullLike,
  hostValue,
  linspace,
  manualSeed,
  ones,
  onesLike,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  stateVariable,
  tensor,
  zeros,
  zerosLike,
} from './create.ts';
export type { CreateOptions, StateOptions } from './create.ts';
export { attention, cat, multinomial, stack, where } from './functions.ts';
export { crossEntropy, embedding, layerNorm, oneHot, stopGradient } from './composites.ts';
export type { LayerNormFunctionOptions } from './composites.ts';
export {
  abs,
  add,
  all,
  any,
  argmax,
  argmin,
  avgPool2d,
  ceil,
  chunk,
  clamp,
  conv1d,
  conv2d,
  convTranspose2d,
  cos,
  cumprod,
  cumsum,
  div,
  elu,
  eq,
  erf,
  exp,
  expand,
  expm1,
  flatten,
  flip,
  floor,
  gather,
  ge,
  gelu,
  gt,
  indexSelect,
  isNaN,
  le,
  leakyRelu,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  logSoftmax,
  logsumexp,
  lt,
  maskedFill,
  matmul,
  max,
  maximum,
  maxPool2d,
  mean,
  min,
  minimum,
  mod,
  mul,
  narrow,
  ne,
  neg,
  norm,
  pad,
  permute,
  pow,
  prod,
  reciprocal,
  relu,
  reshape,
  roll,
  round,
  rsqrt,
  scatterAdd,
  select,
  sigmoid,
  sign,
  silu,
  sin,
  softmax,
  softplus,
  sort,
  split,
  sqrt,
  square,
  squeeze,
  std,
  sub,
  sum,
  tan,
  tanh,
  topk,
  transpose,
  tril,
  triu,
  unbind,
  unsqueeze,
  variance,
} from './methods.ts';
export type { BinaryFunction, MethodFunction } from './methods.ts';
export { einsum } from './einsum.ts';
export { realize } from './realize.ts';
export { grad, gradients, valueAndGrad } from './grad.ts';
export type { DerivativesOf, GradientsOptions } from './grad.ts';
export { hessian, hvp, jacobian, jvp, noGrad, vjp } from './functional.ts';
export type { VjpOptions } from './functional.ts';
export type { Argnums, ArgnumsOptions, TransformOptions } from './linearize.ts';
export type { ParameterOwner, TensorsOf } from './tree.ts';
export { vmap } from './vmap.ts';
export type { MappedAxes, VmapOptions } from './vmap.ts';
export { checkpoint } from './checkpoint.ts';
export { compile } from './compile.ts';
export type { CompiledFunction, CompileOptions } from './compile.ts';
export { guard, guardContents, Guarded } from './guarded.ts';
export { CaptureError } from './verify.ts';
export { defineOp } from './define-op.ts';
export type { OpBody, OpContext, OpDefinition, Operation } from './define-op.ts';
export { memoizedAssignments } from './memoize.ts';
export { widened } from './widened.ts';
export { gradCheck } from './grad-check.ts';
export type { GradCheckMismatch, GradCheckOptions, GradCheckReport } from './grad-check.ts';
export { moveInPlace } from './move.ts';
export { Variable } from './variable.ts';
export { substitute } from './substitute.ts';
export { updateStatistic, withoutStatistics } from './statistics.ts';
