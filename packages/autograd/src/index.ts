/** Tensors with gradients: the public names of the package, and nothing else. */
export { DTypeError, FirsthandError, OptionError, ShapeError } from '@firsthand/linalg';
export type { ArgReduceOptions, ArrayData, AxisArgument, Data, Nested, OneAxis, ReduceOptions, SliceRange } from '@firsthand/linalg';
export { DeviceError, getDefaultDevice, GradientError, NonFiniteError, reportTable, setDefaultDevice, StaleError } from '@firsthand/graph';
export type {
  Attrs,
  AvgPool2dOptions,
  Composite,
  Conv1dOptions,
  Conv2dOptions,
  ConvTranspose2dOptions,
  Device,
  DType,
  KernelReport,
  MaxPool2dOptions,
  PlanReport,
  Shape,
  TypedArray,
} from '@firsthand/graph';
export { Tensor } from './tensor.ts';
export type { NormOptions, VarianceOptions } from './tensor.ts';
export { checkDevice, storedLeaf } from './value.ts';
export type { BackwardOptions } from './value.ts';
export {
  arange,
  defaultGenerator,
  eye,
  full,
  fullLike,
  hostNode,
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
export type { CreateOptions } from './create.ts';
export { attention, cat, chunk, multinomial, sort, split, stack, topk, unbind, where } from './functions.ts';
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
export { defineOp } from './define-op.ts';
export { widened } from './widened.ts';
export { gradCheck } from './grad-check.ts';
export type { GradCheckMismatch, GradCheckOptions, GradCheckReport } from './grad-check.ts';
export { substitute } from './substitute.ts';
export { updateStatistic, withoutStatistics } from './statistics.ts';
export { gradient } from './gradient.ts';
export type { VJPs } from './rules.ts';
