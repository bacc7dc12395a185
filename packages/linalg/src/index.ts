/** Eager n-dimensional arrays on typed arrays: the public names of the package, and nothing else. */
export { describeOperand, DTypeError, FirsthandError, OptionError, ShapeError, type ErrorFacts, type ErrorOperand } from './errors.ts';
export { checkChoice, checkOptions, describeValue, type OptionKeys } from './options.ts';
export {
  axisOptions,
  checkCount,
  oneAxisOptions,
  readShape,
  readSizes,
  REDUCE_KEYS,
  type AxisArgument,
  type AxisOptions,
  type ReduceOptions,
  type ShapeAndOptions,
  type ShapeArguments,
} from './arguments.ts';
export { allocate, DTYPES, type DType, type DTypeInfo, type TypedArray } from './dtype.ts';
export type { ArrayData, NestedData, TypedData } from './data.ts';
export { fromFloat16Bits, toFloat16Bits } from './float16.ts';
export { floatsWithin, type FloatType } from './float-range.ts';
export {
  broadcastShapes,
  checkShape,
  equalShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  rowMajorStrides,
  sizeOf,
  type Shape,
} from './shape.ts';
export { NDArray, type SliceRange } from './ndarray.ts';
export type { Nested } from './format.ts';
export type { Operand } from './operands.ts';
export * from './unary.ts';
export * from './binary.ts';
export {
  arange,
  array,
  concatenate,
  eye,
  full,
  iota,
  linspace,
  ones,
  pad,
  stack,
  zeros,
  type ArrayOptions,
  type Data,
  type DataOptions,
} from './create.ts';
export { argReduce, reduce, type ReduceKind } from './reduce.ts';
export {
  argmax,
  argmin,
  cumsum,
  max,
  mean,
  min,
  prod,
  std,
  sum,
  variance,
  type ArgReduceOptions,
  type VarianceOptions,
} from './statistics.ts';
export { gather, scatter, take } from './gather.ts';
export { argsort, sort, type SortOptions } from './sort.ts';
export { matmul } from './matmul.ts';
export { diagonal, dot, kron, norm, outer, tensordot, trace, type NormOptions } from './products.ts';
export { einsum } from './einsum.ts';
export { philox4x32, randomBits } from './philox.ts';
export { Generator, type GeneratorState } from './generator.ts';
