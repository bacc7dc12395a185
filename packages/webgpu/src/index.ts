/** The GPU device: the public names of the package, and nothing else. */
export { createWebGPU, type WebGPUOptions } from './create-webgpu.ts';
export {
  defineKernel,
  type KernelDefinition,
  type KernelSource,
  type KernelSpec,
} from './kernels/custom-kernel.ts';
export type { AdapterProfile } from './emit/profile.ts';
export type { WebGPUDevice } from './runtime/device.ts';
export type { Progress } from './runtime/pipelines.ts';
