/** The entry point: requests an adapter and its device, runs the self-test, opens the session. */
import { DeviceError } from '@firsthand/graph';
import { checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import type { KernelDefinition } from './kernels/custom-kernel.ts';
import { messageOf } from './runtime/message.ts';
import type { AdapterProfile } from './emit/profile.ts';
import { SessionDevice, type WebGPUDevice } from './runtime/device.ts';
import type { Progress } from './runtime/pipelines.ts';
import { Session } from './runtime/session.ts';
import { measureRoofline } from './runtime/measure-roofline.ts';
import { selfTest } from './self-test.ts';

/** Options of `createWebGPU`. */
export interface WebGPUOptions {
  /** The adapter to use; by default the fastest that the platform offers. */
  readonly adapter?: GPUAdapter;
  /** The caller's own device, used with its features and limits; `dispose()` does not destroy it. */
  readonly device?: GPUDevice;
  /** Whether kernels are timed, for `report()`: each is a pass of its own then. Requires timestamps. */
  readonly timings?: boolean;
  /** Custom kernels, made by `defineKernel`. */
  readonly kernels?: readonly KernelDefinition[];
  /** Called with the number of shaders that have been requested, and of those that are compiled. */
  readonly onProgress?: (progress: Progress) => void;
}

const WEBGPU_KEYS: OptionKeys<WebGPUOptions> = {
  adapter: true,
  device: true,
  timings: 'boolean',
  kernels: true,
  onProgress: 'function',
};

/** Limits that are raised to the adapter's. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;
/** Features that are requested where the adapter has them. */
const FEATURES = ['subgroups', 'timestamp-query'] as const;

/**
 * The GPU device, in browsers and in Node (with the package `webgpu` installed). Programs run asynchronously:
 * values are awaited.
 * @throws OptionError for an option that does not exist; DeviceError (by rejecting) where there is no WebGPU
 *   or no adapter; the message says what to do
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { createWebGPU } from '@firsthand/webgpu';
 * const device = await createWebGPU();
 * console.log(device.name, device.supports('float64')); // webgpu false
 * console.log(await tensor([1, 2, 3], { device }).square().toArray()); // [ 1, 4, 9 ]
 * ```
 */
export async function createWebGPU(options?: WebGPUOptions): Promise<WebGPUDevice> {
  checkCount('createWebGPU', arguments.length, 1, 'createWebGPU({ adapter, kernels })');
  const {
    adapter,
    device,
    kernels = [],
    timings = false,
    onProgress = () => {},
  } = checkOptions('createWebGPU', options, WEBGPU_KEYS);
  const chosen = device === undefined ? (adapter ?? (await findAdapter())) : null;
  const gpu = device ?? (await requestDevice(chosen!));
  const { profile, findings } = await selfTest(gpu, profileOf(gpu, chosen));
  if (timings && !gpu.features.has('timestamp-query')) {
    const problem = `timings were asked for, and ${profile.name} has no timestamps`;
    throw new DeviceError({
      operation: 'webgpu',
      problem,
      expected: 'timestamps',
      remedy: 'leave the option out',
    });
  }
  const roofline = timings ? await measureRoofline(gpu) : null;
  const definitions = new Map(kernels.map((kernel) => [kernel.composite, kernel]));
  return new SessionDevice(
    new Session({ gpu, profile, definitions, roofline, ownsDevice: device === undefined, onProgress }),
    findings,
  );
}

async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  try {
    return await adapter.requestDevice({
      label: 'firsthand',
      requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
  } catch (cause) {
    const problem = `the adapter gives no device: ${messageOf(cause)}`;
    const remedy = 'an adapter gives one device only: ask for a new one';
    throw new DeviceError({ operation: 'webgpu', problem, expected: 'a new one', remedy }, { cause });
  }
}

/** The GPU of the package `webgpu`, one for the process: it must outlive its devices. */
let imported: Promise<GPU> | null = null;

/** The platform's WebGPU. */
async function findGPU(): Promise<GPU> {
  if (typeof navigator !== 'undefined' && navigator.gpu !== undefined) return navigator.gpu;
  imported ??= importGPU();
  return imported;
}

async function importGPU(): Promise<GPU> {
  // Not a literal specifier: bundlers for browsers must not resolve it.
  const name = 'webgpu';
  try {
    const { create } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      create: (options: readonly string[]) => GPU;
    };
    // Timestamps are rounded to 65,536 ns against side channels of foreign pages, of which Node has none.
    return create(['disable-dawn-features=timestamp_quantization']);
  } catch (cause) {
    imported = null;
    throw new DeviceError(
      {
        operation: 'webgpu',
        problem: 'there is no WebGPU here: in Node, install the package that brings it, `npm install webgpu`',
        expected: 'WebGPU',
        remedy:
          'in a browser, use a recent Chrome, Edge, Safari or Firefox, on a page that is served by https or from localhost; or use the wasm device',
      },
      { cause },
    );
  }
}

async function findAdapter(): Promise<GPUAdapter> {
  const gpu = await findGPU();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter !== null) return adapter;
  throw new DeviceError({
    operation: 'webgpu',
    problem:
      'there is no adapter: the machine has no GPU that WebGPU can use, or its driver is too old (on Linux a Vulkan driver is needed)',
    expected: 'a GPU that WebGPU can use',
    remedy: 'use the wasm device instead',
  });
}

/** The profile of a device. */
function profileOf(gpu: GPUDevice, adapter: GPUAdapter | null): AdapterProfile {
  // Older implementations have `info` on the adapter only.
  const info: Partial<GPUAdapterInfo> = gpu.adapterInfo ?? adapter?.info ?? {};
  const {
    vendor = '',
    architecture = '',
    description = '',
    isFallbackAdapter = false,
    subgroupMinSize,
    subgroupMaxSize,
  } = info;
  const name =
    [vendor, architecture].filter((word) => word !== '').join(' ') || description || 'unknown adapter';
  const { limits } = gpu;
  return {
    name,
    isSoftware:
      isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|warp|basic render/i.test(`${name} ${description}`),
    subgroups:
      gpu.features.has('subgroups') && subgroupMinSize !== undefined && subgroupMaxSize !== undefined
        ? { least: subgroupMinSize, most: subgroupMaxSize, directive: true }
        : null,
    maxBindings: limits.maxStorageBuffersPerShaderStage,
    maxInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
  };
}
