/**
 * Shaders timed in Node. The adapter is SwiftShader, which scripts/bench.mjs puts in place, or with
 * FIRSTHAND_GPU=hardware the machine's own. Node's binding takes a core while it waits, so that what counts
 * in software is the processor time of the other threads: it is what the adapter has computed for, whatever
 * else the machine does.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { create } from 'webgpu';
import { dispatchOf } from '../../src/emit/module.ts';
import type { AdapterProfile } from '../../src/emit/profile.ts';
import type { Shader } from '../../src/emit/shader.ts';

/** What buffers are used for; Node has no GPUBufferUsage. */
const STORAGE = 0x0080;
const CORES = availableParallelism();
const isSoftware = process.env['FIRSTHAND_GPU'] !== 'hardware';

// Dawn answers only as long as the object that it came from is alive.
let gpu: GPU | null = null;

/** A device and what kernels are chosen by. */
export async function openDevice(): Promise<{
  readonly device: GPUDevice;
  readonly profile: AdapterProfile;
}> {
  gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('no WebGPU adapter');
  const { limits, info, features } = adapter;
  const requiredFeatures: GPUFeatureName[] = features.has('subgroups') ? ['subgroups'] : [];
  const device = await adapter.requestDevice({ requiredFeatures });
  const profile: AdapterProfile = {
    name: `${info.vendor} ${info.architecture}`,
    isSoftware: info.architecture === 'swiftshader',
    subgroups: features.has('subgroups')
      ? { least: info.subgroupMinSize, most: info.subgroupMaxSize, directive: true }
      : null,
    maxBindings: 8,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    workgroupBytes: 16384,
  };
  return { device, profile };
}

/** Milliseconds of processor time of all threads but this one. */
function adapterTime(): number {
  let nanoseconds = 0;
  for (const thread of readdirSync('/proc/self/task')) {
    if (thread !== String(process.pid))
      nanoseconds += Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1e6;
}

/** A shader with its arrays. */
export interface Timed {
  readonly name: string;
  /** Milliseconds until there is a pipeline. */
  readonly compiling: number;
  /** Milliseconds per run, of `times` runs. In software: processor time divided by the cores. */
  run(times: number): Promise<number>;
  close(): void;
}

/** Compiles a shader, and gives it arrays of numbers between −1 and 1. */
export async function timed(
  device: GPUDevice,
  name: string,
  { operands }: ContractKernel,
  shader: Shader,
): Promise<Timed> {
  const start = performance.now();
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: shader.wgsl });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const compiling = performance.now() - start;
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(`${error.message}\n${shader.wgsl}`);
  const buffers = operands.map(({ length, dtype }) => {
    const buffer = device.createBuffer({ size: 4 * length, usage: STORAGE, mappedAtCreation: true });
    const numbers = Array.from({ length }, (_, index) => ((index * 0.618) % 2) - 1);
    if (dtype === 'float32') new Float32Array(buffer.getMappedRange()).set(numbers);
    else new Int32Array(buffer.getMappedRange()).set(numbers.map((number) => number * 1000));
    buffer.unmap();
    return buffer;
  });
  const entries = shader.bindings.map((bound, binding) => {
    if (bound.kind !== 'operand') throw new Error(`nothing to bind as ${bound.kind}`);
    return { binding, resource: { buffer: buffers[bound.operand]! } };
  });
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const run = async (times: number): Promise<number> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let time = 0; time < times; time++) pass.dispatchWorkgroups(...dispatchOf(shader.workgroups));
    pass.end();
    const commands = encoder.finish();
    const [begin, computed] = [performance.now(), isSoftware ? adapterTime() : 0];
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return (isSoftware ? (adapterTime() - computed) / CORES : performance.now() - begin) / times;
  };
  return { name, compiling, run, close: () => buffers.forEach((buffer) => buffer.destroy()) };
}
