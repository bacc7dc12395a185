/** The intermediate representation and its interpreter: the public names of the package, and nothing else. */
export * from './ir/types.ts';
export { DeviceError, GradientError, NonFiniteError } from './ir/errors.ts';
export {
  argumentLeaf,
  call,
  callNode,
  computeDType,
  constant,
  copyNode,
  fixedConstant,
  hostLeaf,
  isGradientEnabled,
  leaf,
  node,
  outputsOf,
  placed,
  reapply,
  storedAttributes,
  titleOf,
  tracked,
  widen,
  widened,
  withGradient,
  withRecorder,
} from './ir/node.ts';
export { Recorder, sameList, setConstant, TraceTree } from './ir/recorder.ts';
export type { BuildMode } from './ir/recorder.ts';
export { isRematerialisable, nextStamp, postOrder, unstored, walk } from './ir/traverse.ts';
export type { Follow } from './ir/traverse.ts';
export {
  aboutNodes,
  describe,
  operandOf,
  isFloat,
  keepDimsShape,
  reducedAxes,
  requireFloat,
  requireIndex,
  requireSameDType,
} from './ir/shapes.ts';
export { BINARY_RULES, PRIMITIVES, SCAN_NAMES, UNARY_RULES } from './ir/primitives.ts';
export * from './operations/ops.ts';
export * from './operations/derived.ts';
export {
  attention,
  attentionComposite,
  attentionKeyGradientComposite,
  attentionQueryGradientComposite,
  type AttentionAttrs,
} from './composites/attention.ts';
export {
  concatenate,
  concatenateComposite,
  partBoxes,
  roll,
  stack,
  unbind,
} from './composites/concatenate.ts';
export {
  conv1d,
  conv2d,
  convolutionComposite,
  convolutionWeightGradientComposite,
  convTranspose2d,
  transposedConvolutionComposite,
} from './composites/convolution.ts';
export type { Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions } from './composites/convolution.ts';
export { crossEntropy, crossEntropyComposite } from './composites/cross-entropy.ts';
export { gaussian, gaussianComposite } from './composites/gaussian.ts';
export { layerNorm, layerNormComposite } from './composites/layer-norm.ts';
export { matmul, matmulComposite } from './composites/matmul.ts';
export { avgPool2d, maxPool2d, maxPoolComposite } from './composites/pooling.ts';
export type { AvgPool2dOptions, MaxPool2dOptions } from './composites/pooling.ts';
export {
  logSoftmax,
  logSoftmaxComposite,
  logsumexp,
  logsumexpComposite,
  softmax,
  softmaxComposite,
} from './composites/softmax.ts';
export { printProgram } from './ir/print.ts';
export { argumentsOf, closeProgram, keyOf } from './ir/program.ts';
export type { Keyed, Request } from './ir/program.ts';
export { evaluate, Interpreter } from './reference/interpreter.ts';
export type { AllocationCounter } from './reference/interpreter.ts';
export { REFERENCE_KERNELS } from './reference/evaluate.ts';
export type { ReferenceKernel } from './reference/evaluate.ts';
