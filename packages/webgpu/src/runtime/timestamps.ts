/**
 * How long kernels take on the GPU. While a device measures, each dispatch is a pass of its own between two
 * timestamps, which costs a little: so it is asked for. Times are put beside the roofline of the adapter
 * (Williams and others, "Roofline", 2009): what it reaches on multiply-adds in registers, on a copy from
 * memory to memory, and on reads of what caches hold. Implementations may round timestamps, browsers to 100
 * µs, so that a short kernel takes no time, or much too much; on average of many runs that comes right.
 */
import type { Roofline } from '@firsthand/compiler';
import { BUFFER_USAGE, MAP_READ } from './webgpu-flags.ts';

/** Bytes of a timestamp, which is in nanoseconds. */
const STAMP = 8;
/** The largest query set that every device allows. */
export const MOST_STAMPS = 4096;

/** The timestamps of one run. */
export class Stamps {
  readonly #gpu: GPUDevice;
  readonly #set: GPUQuerySet;
  readonly #count: number;

  /** @param dispatches at most half of `MOST_STAMPS` */
  constructor(gpu: GPUDevice, dispatches: number) {
    this.#gpu = gpu;
    this.#count = 2 * dispatches;
    this.#set = gpu.createQuerySet({ label: 'kernel times', type: 'timestamp', count: this.#count });
  }

  /** What the pass of a dispatch begins with. */
  pass(dispatch: number): GPUComputePassDescriptor {
    return {
      timestampWrites: {
        querySet: this.#set,
        beginningOfPassWriteIndex: 2 * dispatch,
        endOfPassWriteIndex: 2 * dispatch + 1,
      },
    };
  }

  /**
   * Copies the timestamps, at the end of the run's encoder. The result, once the run has been submitted:
   * seconds for each dispatch.
   */
  resolve(encoder: GPUCommandEncoder): () => Promise<readonly number[]> {
    const read = this.resolveStamps(encoder);
    return async () => {
      const stamps = await read();
      return Array.from(
        { length: this.#count / 2 },
        (_, dispatch) => Number(stamps[2 * dispatch + 1]! - stamps[2 * dispatch]!) * 1e-9,
      );
    };
  }

  /** The same as they are, in nanoseconds. */
  resolveStamps(encoder: GPUCommandEncoder): () => Promise<BigUint64Array> {
    const size = this.#count * STAMP;
    const { queryResolve, copySource, copyTarget, mapRead } = BUFFER_USAGE;
    const resolved = this.#gpu.createBuffer({
      label: 'kernel times',
      size,
      usage: queryResolve | copySource,
    });
    const result = this.#gpu.createBuffer({ label: 'kernel times', size, usage: mapRead | copyTarget });
    encoder.resolveQuerySet(this.#set, 0, this.#count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, result, 0, size);
    return async () => {
      await result.mapAsync(MAP_READ);
      const stamps = new BigUint64Array(result.getMappedRange().slice(0));
      for (const owned of [resolved, result]) owned.destroy();
      this.#set.destroy();
      return stamps;
    };
  }
}

const THREADS = 65536;
const ROUNDS = 256;
const CHAINS = 8;

/** Multiply-adds of independent chains in registers: `CHAINS` at a time, `ROUNDS` times. */
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

/** Reads of so many elements, again and again: few enough for the nearest cache. */
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

const COPIED = 4 * 2 ** 20;

/** A copy from one array to another, far larger than the caches of a GPU. */
const COPY = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> given: array<f32>;

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3u) {
  out[id.x] = given[id.x];
}
`;

/** Different timestamps that tell what they are multiples of, and how often they are looked for. */
const DISTINCT = 8;
const MOST_LOOKS = 64;
/** Measurements are so many steps of the clock at the least, and of so many dispatches at the most. */
const STEPS = 20;
const MOST_REPEATS = 1024;
/** Runs of which the fastest counts. */
const ATTEMPTS = 4;

/** Measures what an adapter reaches: the best of a few runs. */
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

/**
 * What timestamps are multiples of, s: rounded ones have a large common divisor. Some that differ are needed
 * to tell.
 */
async function resolutionOf(gpu: GPUDevice): Promise<number> {
  const found = new Set<bigint>();
  for (let look = 0; look < MOST_LOOKS && found.size < DISTINCT; look++) {
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

/** Seconds of one dispatch: as many are timed together as the clock wants. */
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
  while (repeats < MOST_REPEATS && (await time(repeats)) < STEPS * resolution) repeats *= 4;
  let best = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seconds = await time(repeats);
    if (seconds > 0) best = Math.min(best, seconds / repeats);
  }
  for (const buffer of buffers) buffer.destroy();
  // What takes no time says nothing: everything is slower.
  return best === Infinity ? 0 : best;
}
