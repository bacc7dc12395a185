/**
 * Runs functions written in WGSL over arrays, on the adapter that the machine has: in Node, SwiftShader unless FIRSTHAND_GPU=hardware. Expressions of one shape share a
 * device, and several of them a shader, because what takes long is to compile.
 */
import { create } from 'webgpu';

/** What buffers are used for; Node has no GPUBufferUsage. */
const USAGE = { mapRead: 0x0001, copySource: 0x0004, copyTarget: 0x0008, storage: 0x0080 } as const;
/** How a buffer is mapped; Node has no GPUMapMode. */
const MAP_READ = 0x0001;

const WORKGROUP = 64;
/** Elements per invocation. */
const STRIP = 16;

/** Dawn answers only as long as the object that it came from is alive. */
let gpu: GPU | null = null;
let opened: Promise<GPUDevice> | null = null;

async function open(): Promise<GPUDevice> {
  gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('no WebGPU adapter: tests need one, and SwiftShader will do');
  return adapter.requestDevice();
}

/** Compiles and runs a shader. @throws Error with the compiler's message, or the device's */
export async function runShader(
  code: string,
  inputs: readonly Uint32Array[],
  outputLengths: readonly number[],
  workgroups: number,
): Promise<readonly Uint32Array[]> {
  opened ??= open();
  const device = await opened;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === 'error').map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
  if (errors.length > 0) throw new Error(`${errors.join('\n')}\n${code}`);
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const buffers = [
    ...inputs.map((data) => {
      const buffer = device.createBuffer({ size: data.byteLength, usage: USAGE.storage | USAGE.copyTarget });
      device.queue.writeBuffer(buffer, 0, data as Uint32Array<ArrayBuffer>);
      return buffer;
    }),
    ...outputLengths.map((length) => device.createBuffer({ size: 4 * length, usage: USAGE.storage | USAGE.copySource })),
  ];
  const outputs = buffers.slice(inputs.length);
  const readable = outputs.map(({ size }) => device.createBuffer({ size, usage: USAGE.copyTarget | USAGE.mapRead }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(workgroups);
  pass.end();
  outputs.forEach((buffer, i) => encoder.copyBufferToBuffer(buffer, 0, readable[i]!, 0, buffer.size));
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(`${error.message}\n${code}`);
  const results: Uint32Array[] = [];
  for (const buffer of readable) {
    await buffer.mapAsync(MAP_READ);
    results.push(new Uint32Array(buffer.getMappedRange().slice(0)));
  }
  for (const buffer of [...buffers, ...readable]) buffer.destroy();
  return results;
}

/** Arrays of words, and what is computed from each of their elements. */
export interface Elementwise {
  /** As many declarations as the statements need. */
  readonly declarations: string;
  /** Words of 32 bits; statements see those of one element as the u32 x0, x1, … */
  readonly inputs: readonly Uint32Array[];
  /** u32 expressions over x0, x1, …, each of which gives an array. */
  readonly results: readonly string[];
}

/** Computes expressions for every element of arrays of one length. */
export function mapWords({ declarations, inputs, results }: Elementwise): Promise<readonly Uint32Array[]> {
  const length = inputs[0]!.length;
  const arrays = [...inputs.map((_, i) => `var<storage, read> in${i}`), ...results.map((_, i) => `var<storage, read_write> out${i}`)];
  const workgroups = Math.ceil(length / (WORKGROUP * STRIP));
  const code = `
${arrays.map((array, binding) => `@group(0) @binding(${binding}) ${array}: array<u32>;`).join('\n')}
${declarations}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < ${length}u; i += ${workgroups * WORKGROUP}u) {
${inputs.map((_, k) => `    let x${k} = in${k}[i];`).join('\n')}
${results.map((result, k) => `    out${k}[i] = ${result};`).join('\n')}
  }
}`;
  return runShader(
    code,
    inputs,
    results.map(() => length),
    workgroups,
  );
}
