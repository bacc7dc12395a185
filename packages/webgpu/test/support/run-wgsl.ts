/**
 * Expressions in WGSL computed for every element of arrays, on the adapter that the machine has: in Node that
 * is SwiftShader, unless FIRSTHAND_GPU=hardware. All of them are one shader, because what takes long is to
 * compile.
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

/**
 * Runs a shader whose bindings are the inputs, then the output.
 * @param length words of the output
 * @throws Error with what the compiler or the device has to say, and the shader
 */
async function runShader(
  code: string,
  inputs: readonly Uint32Array<ArrayBuffer>[],
  length: number,
  workgroups: number,
): Promise<Uint32Array> {
  opened ??= open();
  const device = await opened;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const errors = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const arrays = inputs.map((data) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: USAGE.storage | USAGE.copyTarget });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  });
  const output = device.createBuffer({ size: 4 * length, usage: USAGE.storage | USAGE.copySource });
  const readable = device.createBuffer({ size: 4 * length, usage: USAGE.copyTarget | USAGE.mapRead });
  const entries = [...arrays, output].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(workgroups);
  pass.end();
  encoder.copyBufferToBuffer(output, 0, readable, 0, 4 * length);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error !== null) throw new Error([...errors, error.message, code].join('\n'));
  await readable.mapAsync(MAP_READ);
  const words = new Uint32Array(readable.getMappedRange().slice(0));
  for (const buffer of [...arrays, output, readable]) buffer.destroy();
  return words;
}

/** Arrays of words, and what is computed from each of their elements. */
export interface Elementwise {
  readonly declarations: string;
  /** Of one length; expressions see the words of an element as the u32 x0, x1, … */
  readonly inputs: readonly Uint32Array<ArrayBuffer>[];
  /** u32 expressions, each of which gives an array. */
  readonly expressions: readonly string[];
}

/** Computes expressions for every element of arrays. */
export async function mapWords({
  declarations,
  inputs,
  expressions,
}: Elementwise): Promise<readonly Uint32Array[]> {
  const { length } = inputs[0]!;
  const arrays = [...inputs.map((_, i) => `var<storage, read> in${i}`), 'var<storage, read_write> out'];
  const workgroups = Math.ceil(length / (WORKGROUP * STRIP));
  const code = `
${arrays.map((array, binding) => `@group(0) @binding(${binding}) ${array}: array<u32>;`).join('\n')}
${declarations}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < ${length}u; i += ${workgroups * WORKGROUP}u) {
${inputs.map((_, k) => `    let x${k} = in${k}[i];`).join('\n')}
${expressions.map((expression, k) => `    out[i + ${k * length}u] = ${expression};`).join('\n')}
  }
}`;
  const words = await runShader(code, inputs, length * expressions.length, workgroups);
  return expressions.map((_, k) => words.subarray(k * length, (k + 1) * length));
}
