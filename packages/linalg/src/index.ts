/** Eager n-dimensional arrays on typed arrays: the public names of the package, and nothing else. */
export {
  describeOperand,
  DTypeError,
  FirsthandError,
  OptionError,
  printable,
  ShapeError,
  withOperands,
  type ErrorFacts,
  type ErrorOperand,
  type OperandFacts,
} from './errors.ts';
export {
  checkChoice,
  checkFunction,
  checkNumber,
  checkOptions,
  describeValue,
  isPlain,
  nearest,
  type OptionKeys,
} from './options.ts';
export {
  AXIS_KEYS,
  axisOptions,
  checkCount,
  oneAxisOptions,
  readExchange,
  readShape,
  readSizes,
  REDUCE_KEYS,
  type AxisArgument,
  type AxisOptions,
  type OneAxis,
  type ReduceOptions,
  type ShapeAndOptions,
  type ShapeArguments,
} from './arguments.ts';
export { allocate, checkDType, DTYPES, type DType, type DTypeInfo, type TypedArray } from './dtype.ts';
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
  normalizeIndex,
  rowMajorStrides,
  sizeOf,
  type Shape,
} from './shape.ts';
export { NDArray, resolveRange, type SliceRange } from './ndarray.ts';
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
  readArray,
  pad,
  stack,
  zeros,
  type ArrayOptions,
  readRange,
  type Data,
  type DataOptions,
  type DTypeOptions,
  type RangeArguments,
  type RangeOptions,
} from './create.ts';
export { argReduce, reduce, type ReduceKind } from './reduce.ts';
export {
  argmax,
  argmin,
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
export { cumprod, cumsum, linearRecurrence } from './scan.ts';
export { gather, scatter, take } from './gather.ts';
export { argsort, sort, type SortOptions } from './sort.ts';
export { matmul } from './matmul.ts';
export { diagonal, dot, kron, norm, outer, tensordot, trace, type NormOptions } from './products.ts';
export { einsum } from './einsum.ts';
export { philox4x32, randomBits } from './philox.ts';
export {
  Generator,
  type GeneratorState,
  type IntegerOptions,
  type NormalOptions,
  type UniformOptions,
} from './generator.ts';
