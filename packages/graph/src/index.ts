/** What to compute, and where: the public names of the package, and nothing else. */
export * from './types.ts';
export { reportTable } from './report-table.ts';
export {
  DeviceError,
  disposedDevice,
  foreignStorage,
  freedStorage,
  GradientError,
  NonFiniteError,
  StaleError,
  unfitArgument,
} from './errors.ts';
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
} from './node.ts';
export { Courses, Recorder, sameList, setConstant } from './recorder.ts';
export type { BuildMode } from './recorder.ts';
export { isFree, nextStamp, postOrder, unstored, walk } from './traverse.ts';
export type { Follow } from './traverse.ts';
export {
  aboutNodes,
  describe,
  operandOf,
  isFloat,
  keptShape,
  reducedAxes,
  requireFloat,
  requireIndex,
  requireSameDType,
} from './shapes.ts';
export { BINARY_RULES, PRIMITIVES, SCAN_NAMES, UNARY_RULES } from './primitives.ts';
export * from './ops.ts';
export * from './derived.ts';
export { adamW, adamWComposite } from './composites/adamw.ts';
export type { AdamWAttrs } from './composites/adamw.ts';
export {
  attention,
  attentionComposite,
  attentionKeyGradientComposite,
  attentionQueryGradientComposite,
  type AttentionAttrs,
} from './composites/attention.ts';
export { concatenate, concatenateComposite, partBoxes, stack, unbind } from './composites/concatenate.ts';
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
export { createCell, failedCell, isExclusive, releaseCell, requireReadable } from './cell.ts';
export { macrotask } from './flights.ts';
export { Handle } from './handle.ts';
export type { EffectKind } from './handle.ts';
export { closeProgram, keyOf } from './key.ts';
export type { Keyed, Request } from './key.ts';
export { replaceGeneration, requireAssignable } from './generation.ts';
export { effectGroup, Runtime, runtimeOf } from './runtime.ts';
export type { Saved } from './kept.ts';
export type { Counters, SavedSets } from './runtime.ts';
export { checkDevice, getDefaultDevice, setDefaultDevice } from './default-device.ts';
export { createReference } from './reference/device.ts';
export type { ReferenceOptions } from './reference/device.ts';
