/**
 * Measures the roofline of an adapter (Williams and others, "Roofline", 2009): the throughput of
 * multiply-adds in registers, of a copy from memory to memory, and of reads from the caches. Reports compare
 * kernels with it.
 */
import type { Roofline } from '@firsthand/compiler';
import { Stamps } from './timestamps.ts';
import { BUFFER_USAGE } from './webgpu-flags.ts';

/** Invocations, iterations, and independent chains of multiply-adds in registers. */
const THREADS = 65536;
const ROUNDS = 256;
const CHAINS = 8;

const ARITHMETIC = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = f32(id.x) * 1e-9 + 0.999;
${Array.from({ length: CHAINS }, (_, chain) => `  var c${chain} = x * ${chain + 1}f;`).join('\n')}
  for (var round = 0; round < ${ROUNDS}; round++) {
${Array.from({ length: CHAINS }, (_, chain) => `    c${chain} = c${chain} * x + 0.5f;`).join('\n')}
  }
  out[id.x] = ${Array.from({ length: CHAINS }, (_, chain) => `c${chain}`).join(' + ')};
}
`;

/** Elements that are read again and again: few enough for the nearest cache; reads of an invocation. */
const CACHED = 4096;
const READS = 64;

const CACHED_READS = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> given: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = 0f;
  for (var each = 0u; each < ${READS}u; each++) {
    sum += given[(id.x + 64u * each) % ${CACHED}u];
  }
  out[id.x] = sum;
}
`;

/** Elements of a copy: far more than the caches of a GPU hold. */
const COPIED = 4 * 2 ** 20;

const COPY = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> given: array<f32>;

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3u) {
  out[id.x] = given[id.x];
}
`;

/** Distinct timestamps that determine the resolution of the clock; samples, at most. */
const DISTINCT = 8;
const MOST_SAMPLES = 64;
/** Clock ticks of a measurement, at least; dispatches of one, at most. */
const TICKS = 20;
const MOST_REPEATS = 1024;
/** Measurements, of which the fastest counts. */
const ATTEMPTS = 4;

/** Measures the roofline of an adapter. */
export async function measureRoofline(gpu: GPUDevice): Promise<Roofline> {
  const resolution = await resolutionOf(gpu);
  const arithmetic = await fastest(gpu, resolution, ARITHMETIC, [4 * THREADS], THREADS / 64);
  const copy = await fastest(gpu, resolution, COPY, [4 * COPIED, 4 * COPIED], COPIED / 128);
  const cached = await fastest(gpu, resolution, CACHED_READS, [4 * THREADS, 4 * CACHED], THREADS / 64);
  return {
    flopsPerSecond: (2 * THREADS * ROUNDS * CHAINS) / arithmetic,
    bytesPerSecond: (8 * COPIED) / copy,
    cachedBytesPerSecond: (4 * THREADS * READS) / cached,
    resolution,
  };
}

/** The resolution of timestamps in seconds: the greatest common divisor of some that differ. */
async function resolutionOf(gpu: GPUDevice): Promise<number> {
  const found = new Set<bigint>();
  for (let sample = 0; sample < MOST_SAMPLES && found.size < DISTINCT; sample++) {
    const stamps = new Stamps(gpu, 1);
    const encoder = gpu.createCommandEncoder();
    encoder.beginComputePass(stamps.pass(0)).end();
    const read = stamps.resolveStamps(encoder);
    gpu.queue.submit([encoder.finish()]);
    for (const stamp of await read()) found.add(stamp);
  }
  return found.size < 2 ? 0 : Number([...found].reduce(divisorOf)) * 1e-9;
}

/** The greatest common divisor, by Euclid's algorithm. */
function divisorOf(a: bigint, b: bigint): bigint {
  let [large, small] = [a, b];
  while (small !== 0n) [large, small] = [small, large % small];
  return large;
}

/** Seconds of one dispatch: enough of them are timed together for the resolution of the clock. */
async function fastest(
  gpu: GPUDevice,
  resolution: number,
  code: string,
  sizes: readonly number[],
  workgroups: number,
): Promise<number> {
  const pipeline = await gpu.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: gpu.createShaderModule({ code }), entryPoint: 'main' },
  });
  const buffers = sizes.map((size) =>
    gpu.createBuffer({ label: 'roofline', size, usage: BUFFER_USAGE.storage }),
  );
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const time = async (repeats: number): Promise<number> => {
    const stamps = new Stamps(gpu, 1);
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass(stamps.pass(0));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let repeat = 0; repeat < repeats; repeat++) pass.dispatchWorkgroups(workgroups);
    pass.end();
    const read = stamps.resolve(encoder);
    gpu.queue.submit([encoder.finish()]);
    const [seconds] = await read();
    return seconds!;
  };
  let repeats = 1;
  while (repeats < MOST_REPEATS && (await time(repeats)) < TICKS * resolution) repeats *= 4;
  let best = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seconds = await time(repeats);
    if (seconds > 0) best = Math.min(best, seconds / repeats);
  }
  for (const buffer of buffers) buffer.destroy();
  // Zero: the clock is too coarse to tell.
  return best === Infinity ? 0 : best;
}
