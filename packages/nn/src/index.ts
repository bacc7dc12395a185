/** Layers, initialisation and losses: the public names of the package, and nothing else. */
export {
  ELU,
  Flatten,
  GELU,
  LeakyReLU,
  ReLU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './activations.ts';
export { ModuleDict, ModuleList, Sequential } from './containers.ts';
export { Conv1d, Conv2d, type ConvOptions, ConvTranspose2d } from './conv.ts';
export { Dropout } from './dropout.ts';
export { Embedding } from './embedding.ts';
export { StateDictError, type StateDictMismatch } from './errors.ts';
export { functionalCall, type ParameterValues } from './functional-call.ts';
export * as init from './init.ts';
export type { Layer, LayerFunction, LayerOptions } from './layer.ts';
export { LayerNorm, type LayerNormOptions } from './layer-norm.ts';
export { Linear } from './linear.ts';
export * as loss from './loss.ts';
export { type ForwardHook, Module, type StrictOptions } from './module.ts';
export { Parameter, parameter, type ParameterOptions } from './parameter.ts';
export { AvgPool2d, MaxPool2d } from './pooling.ts';
export type { StateDict } from './state-dict.ts';
export { parametersToVector, vectorToParameters } from './vector.ts';
