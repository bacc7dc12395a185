// Shaders run over typed arrays, on whatever adapter Node finds: each operand has a buffer of its own, and
// every element in it is one 32-bit word.
import type { Operand } from '@firsthand/compiler';
import { fromFloat16Bits, toFloat16Bits, type DType, type TypedArray } from '@firsthand/linalg';
import { create } from 'webgpu';
import { dispatchOf } from '../../src/emit/module.ts';
import type { OperandLayout, Shader } from '../../src/emit/shader.ts';

/** What buffers are used for, and how one is mapped; Node has no names for them. */
const USAGE = { mapRead: 0x0001, copySource: 0x0004, copyTarget: 0x0008, storage: 0x0080 } as const;
const MAP_READ = 0x0001;

// Dawn answers only as long as the object that it came from is alive.
let gpu: GPU | null = null;
let device: Promise<GPUDevice> | null = null;

/** The device of this test file. */
function testDevice(): Promise<GPUDevice> {
  device ??= (async (): Promise<GPUDevice> => {
    gpu = create([]);
    const adapter = await gpu.requestAdapter();
    if (adapter === null) throw new Error('no WebGPU adapter: tests need one, and SwiftShader will do');
    const { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
    return adapter.requestDevice({
      requiredFeatures: [...adapter.features].filter((name) => name === 'subgroups') as GPUFeatureName[],
      requiredLimits: { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize },
    });
  })();
  return device;
}

/** Pipelines by their text: to compile is what takes long. */
const pipelines = new Map<string, GPUComputePipeline>();

async function pipelineOf(wgsl: string): Promise<GPUComputePipeline> {
  const known = pipelines.get(wgsl);
  if (known !== undefined) return known;
  const on = await testDevice();
  on.pushErrorScope('validation');
  const pipeline = on.createComputePipeline({
    layout: 'auto',
    compute: { module: on.createShaderModule({ code: wgsl }) },
  });
  const error = await on.popErrorScope();
  if (error !== null) throw new Error(`${error.message}\n${wgsl}`);
  pipelines.set(wgsl, pipeline);
  return pipeline;
}

/** @throws Error unless a text is a shader */
export async function requireValid(wgsl: string): Promise<void> {
  await pipelineOf(wgsl);
}

/** The layout of operands that share nothing and are not packed. */
export function plainLayout(operands: readonly Operand[]): OperandLayout {
  return {
    aliasOf: operands.map((_, operand) => operand),
    access: operands.map(({ access }) => (access === 'read' ? 'read' : 'read_write')),
    packed: new Map(),
  };
}

/** The words of an array in GPU memory: float16 is computed and stored as f32. */
function wordsOf(dtype: DType, array: TypedArray): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(array.length);
  if (dtype === 'float16') new Float32Array(words.buffer).set(Array.from(array, fromFloat16Bits));
  else if (dtype === 'float32')
    new Uint32Array(words.buffer).set(new Uint32Array(array.buffer, array.byteOffset, array.length));
  else words.set(array);
  return words;
}

/** The array that words stand for. */
function arrayOf(dtype: DType, words: Uint32Array<ArrayBuffer>, like: TypedArray): TypedArray {
  const copy = like.slice();
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  if (dtype === 'float16') copy.set(Array.from(floats, toFloat16Bits));
  else
    copy.set(
      dtype === 'float32'
        ? floats
        : dtype === 'int32'
          ? new Int32Array(words.buffer, words.byteOffset, words.length)
          : words,
    );
  return copy;
}

/**
 * Runs shaders one after the other on copies of arrays, one per operand.
 * @returns the arrays afterwards
 * @throws Error with the WGSL that is not valid
 */
export async function runShaders(
  shaders: readonly Shader[],
  operands: readonly { readonly dtype: DType; readonly length: number }[],
  arrays: readonly TypedArray[],
  scratchWords = 0,
): Promise<TypedArray[]> {
  const on = await testDevice();
  const storage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
  const bufferOf = (words: Uint32Array<ArrayBuffer>): GPUBuffer => {
    const buffer = on.createBuffer({ size: Math.max(4, words.byteLength), usage: storage });
    on.queue.writeBuffer(buffer, 0, words);
    return buffer;
  };
  const buffers = operands.map(({ dtype }, operand) => bufferOf(wordsOf(dtype, arrays[operand]!)));
  // Working memory holds whatever was there before.
  const scratch = scratchWords === 0 ? null : bufferOf(new Uint32Array(scratchWords).fill(0xa5a5a5a5));
  const encoder = on.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { wgsl, bindings, workgroups } of shaders) {
    const pipeline = await pipelineOf(wgsl);
    on.pushErrorScope('validation');
    const entries = bindings.map((bound, binding) => {
      const buffer = bound.kind === 'operand' ? buffers[bound.operand]! : scratch;
      if (bound.kind === 'packed' || buffer === null) throw new Error(`nothing to bind as ${bound.kind}`);
      return { binding, resource: { buffer } };
    });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, on.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...dispatchOf(workgroups));
    const error = await on.popErrorScope();
    if (error !== null) throw new Error(`${error.message}\n${wgsl}`);
  }
  pass.end();
  const total = buffers.reduce((size, buffer) => size + buffer.size, 0);
  const staging = on.createBuffer({ size: total, usage: USAGE.mapRead | USAGE.copyTarget });
  let offset = 0;
  for (const buffer of buffers) {
    encoder.copyBufferToBuffer(buffer, 0, staging, offset, buffer.size);
    offset += buffer.size;
  }
  on.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const all = staging.getMappedRange().slice(0);
  offset = 0;
  const results = arrays.map((array, operand) => {
    const words = new Uint32Array(all, offset, array.length);
    offset += buffers[operand]!.size;
    return arrayOf(operands[operand]!.dtype, words, array);
  });
  for (const buffer of [...buffers, staging, ...(scratch === null ? [] : [scratch])]) buffer.destroy();
  return results;
}
