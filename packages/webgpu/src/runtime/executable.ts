/**
 * A compiled program on the GPU. A run checks its arguments, finds buffers for its outputs, and encodes all dispatches in one pass of one submission; bind groups are kept for as long
 * as the buffers are the same, so that in a steady loop a step costs the encoder's own calls and little else.
 */
import { reportOf, withTimes, type Plan } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import type { Arg, Completion, DType, Executable, HostValue, Leaf, PlanReport } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { BUFFER_UNIT, type PooledBuffer } from './buffer-pool.ts';
import { WORD, writeHostValue, type Words } from './elements.ts';
import { SMALL_OUTPUT } from './readback.ts';
import type { Session } from './session.ts';
import { stepsOf, titleOf, type Range, type Step, type Steps } from './steps.ts';
import { WebGPUStorage } from './storage.ts';
import { MOST_STAMPS, Stamps } from './timer.ts';

/** Arguments on the host that are larger are given a buffer when they are first used. */
const LARGE_BYTES = 16 * 2 ** 20;
/** Bind groups of one dispatch that are kept. */
const MOST_GROUPS = 16;

/** What a run has been given for an argument. */
type Input = WebGPUStorage | HostValue;
/** Where an argument's elements are when its run is handed over: in a buffer, or on the host, to be written with the run. */
type Source = PooledBuffer | Words | HostValue;

type Dispatch = Extract<Step, { kind: 'dispatch' }>;

/** The buffers of one run, by slot. */
interface Buffers {
  readonly arguments: readonly PooledBuffer[];
  readonly argumentOffsets: readonly number[];
  readonly outputs: readonly PooledBuffer[];
  readonly arena: PooledBuffer | null;
  readonly packed: PooledBuffer | null;
}

/** A copy of an argument that is to be overwritten, and must not be. */
interface Copy {
  readonly from: Source;
  readonly to: PooledBuffer;
  readonly bytes: number;
  readonly argument: number;
}

/** The bind groups of one dispatch: the latest, and others by the numbers of their buffers. */
interface GroupCache {
  latest: GPUBindGroup | null;
  readonly ids: Float64Array;
  readonly others: Map<string, GPUBindGroup>;
}

/** A plan with its pipelines. */
export class WebGPUExecutable implements Executable {
  readonly #plan: Plan;
  readonly #session: Session;
  readonly #leaves: readonly { readonly dtype: DType; readonly length: number; readonly name: string | null }[];
  readonly #steps: Steps;
  readonly #groups: readonly (GroupCache | null)[];
  /** Whether an argument is the target of an output: it must lie in a buffer then. */
  readonly #isOverwritten: readonly boolean[];
  /** Outputs that overwrite an argument, and small ones that do not, by number. */
  readonly #overwriting: readonly number[];
  readonly #small: readonly number[];
  /** Seconds that each kernel took in the latest run that was measured. */
  #seconds: readonly number[] | null = null;
  /** Resolves when all pipelines are there; null from then on. */
  #ready: Promise<void> | null;

  constructor(plan: Plan, leaves: readonly Leaf[], session: Session) {
    this.#plan = plan;
    this.#session = session;
    this.#leaves = leaves.map(({ dtype, shape, attrs }) => ({ dtype, length: sizeOf(shape), name: attrs.name }));
    session.requireSize(plan.arenaBytes, 'the intermediates of this program');
    for (const { dtype, length } of plan.outputs) session.requireSize(length * WORD, `an output of ${dtype} [${length}]`);
    this.#steps = stepsOf(plan, session.profile, session.definitions, session.pipelines);
    this.#groups = this.#steps.list.map((step) =>
      step.kind === 'dispatch' ? { latest: null, ids: new Float64Array(step.ranges.length), others: new Map() } : null,
    );
    this.#isOverwritten = this.#leaves.map((_, argument) => plan.outputs.some(({ into }) => into === argument));
    const numbers = plan.outputs.map((_, output) => output);
    this.#overwriting = numbers.filter((output) => plan.outputs[output]!.into !== null);
    this.#small = numbers.filter((output) => {
      const { into, length } = plan.outputs[output]!;
      return into === null && length > 0 && length * WORD <= SMALL_OUTPUT;
    });
    const waiting = this.#steps.list.flatMap((step) =>
      step.kind === 'dispatch' && step.pipeline.pipeline === null ? [step.pipeline.ready] : [],
    );
    this.#ready = waiting.length === 0 ? null : Promise.all(waiting).then(() => void (this.#ready = null));
    // Whoever runs the program is told.
    this.#ready?.catch(() => {});
  }

  run(args: readonly Arg[]): Completion {
    const session = this.#session;
    session.requireOpen();
    session.run++;
    const repeated = new Set<WebGPUStorage>();
    const inputs = this.#leaves.map((_, index) => this.#accept(args[index], index, repeated));
    const sources = inputs.map((input, index) => this.#sourceOf(input, index));
    const copies: Copy[] = [];
    const outputs = this.#plan.outputs.map(({ into, dtype, length }) => {
      if (into === null) return session.allocate(dtype, length);
      const input = inputs[into]!;
      if (input instanceof WebGPUStorage && !repeated.has(input)) return input;
      // What is passed in another place too keeps its elements, and so does a value of the host.
      const copy = session.allocate(dtype, length);
      copies.push({ from: sources[into]!, to: copy.lease.buffer!, bytes: length * WORD, argument: into });
      return copy;
    });
    session.measure(this.#plan.arenaBytes);
    const outputBuffers = outputs.map(({ lease }) => lease.buffer!);
    const done = new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void => void session.explain(error).then(reject);
      session.timeline.add(
        this.#ready,
        () => {
          session.requireOpen();
          this.#submit(sources, outputs, outputBuffers, copies).then(resolve, fail);
        },
        fail,
      );
    });
    return { outputs, done };
  }

  /** Where an argument is now. One that is used again, or overwritten, moves into a buffer. */
  #sourceOf(input: Input, index: number): Source {
    if (!(input instanceof WebGPUStorage)) return input;
    const { words, uses, length } = input;
    const isMoving = words === null || uses > 1 || this.#isOverwritten[index]! || length * WORD > LARGE_BYTES;
    return isMoving ? this.#session.promote(input) : words;
  }

  report(): PlanReport {
    const sources = new Map<number, string[]>();
    for (const step of this.#steps.list) {
      if (step.kind === 'dispatch') sources.set(step.kernel, [...(sources.get(step.kernel) ?? []), step.wgsl]);
    }
    const report = reportOf(
      this.#plan,
      'webgpu',
      (planned) => titleOf(planned) + (sources.get(this.#plan.kernels.indexOf(planned)) ?? []).join('\n'),
    );
    const { roofline } = this.#session;
    return roofline === null || this.#seconds === null ? report : withTimes(report, this.#seconds, roofline);
  }

  /** @throws DeviceError unless the argument is what the program was compiled for */
  #accept(arg: Arg | undefined, index: number, repeated: Set<WebGPUStorage>): Input {
    const { dtype, length } = this.#leaves[index]!;
    if (arg === undefined) throw new DeviceError(`webgpu: ${this.#titleOf(index)} is missing`);
    const given = typeof arg === 'object' && 'bytes' in arg ? this.#session.own(arg) : arg;
    const found = typeof given === 'number' ? 1 : given.length;
    if (found !== length || (given instanceof WebGPUStorage && given.dtype !== dtype)) {
      const type = given instanceof WebGPUStorage ? `${given.dtype} ` : '';
      throw new DeviceError(`webgpu: ${this.#titleOf(index)} is ${type}[${found}], the program was compiled for ${dtype} [${length}]`);
    }
    if (given instanceof WebGPUStorage) {
      given.requireAlive();
      given.uses++;
      if (given.lastRun === this.#session.run) repeated.add(given);
      given.lastRun = this.#session.run;
    }
    return given;
  }

  /** An argument in an error. */
  #titleOf(index: number): string {
    const { name } = this.#leaves[index]!;
    return `argument ${index}${name === null ? '' : ` (${name})`} of a run`;
  }

  // ---- the GPU's part

  async #submit(
    sources: readonly Source[],
    outputs: readonly WebGPUStorage[],
    outputBuffers: readonly PooledBuffer[],
    copies: readonly Copy[],
  ): Promise<void> {
    const session = this.#session;
    const { gpu, readback } = session;
    const buffers = this.#buffersOf(sources, outputBuffers, copies);
    const isNew = this.#bind(buffers);
    const encoder = gpu.createCommandEncoder();
    for (const { from, to, bytes } of copies) {
      if (isBuffer(from)) encoder.copyBufferToBuffer(from.buffer, 0, to.buffer, 0, bytes);
    }
    const stamps = this.#stamps();
    this.#encode(encoder, buffers, stamps);
    const readStamps = stamps?.resolve(encoder);
    // What is overwritten is not what was on its way to the host.
    for (const output of this.#overwriting) session.unstage(outputs[output]!.lease);
    const staged = readback.stage(
      encoder,
      this.#small.map((output) => ({ buffer: outputBuffers[output]!, bytes: outputs[output]!.length * WORD })),
    );
    staged?.forEach((place, index) => {
      const { lease } = outputs[this.#small[index]!]!;
      if (lease.buffer === null) readback.release(place);
      else lease.staged = place;
    });
    gpu.queue.submit([encoder.finish()]);
    const finished = gpu.queue.onSubmittedWorkDone();
    // Where what comes before its turn fails, the device has been lost, and nobody waits for this any more.
    finished.catch(() => {});
    if (isNew) {
      const error = await gpu.popErrorScope();
      if (error !== null)
        throw new DeviceError(`webgpu: the program of ${this.#plan.kernels.map(({ name }) => name).join('; ')}: ${error.message}`);
    }
    await finished;
    if (readStamps !== undefined) this.#seconds = this.#perKernel(await readStamps());
    this.#session.requireOpen();
  }

  #buffersOf(sources: readonly Source[], outputs: readonly PooledBuffer[], copies: readonly Copy[]): Buffers {
    const session = this.#session;
    const { arenaBytes } = this.#plan;
    const { packedBytes } = this.#steps;
    const placed: (PooledBuffer | null)[] = [];
    const offsets: number[] = [];
    // Few arguments lie on the host: their places in the buffer that all runs share.
    const hosted: number[] = [];
    let bytes = 0;
    for (let index = 0; index < sources.length; index++) {
      const source = sources[index]!;
      offsets.push(0);
      placed.push(isBuffer(source) ? source : null);
      if (isBuffer(source)) continue;
      const copy = copies.find(({ argument }) => argument === index);
      if (copy !== undefined) {
        this.#write(copy.to, 0, source, index);
        continue;
      }
      hosted.push(index);
      offsets[index] = bytes;
      bytes += Math.ceil((Math.max(this.#leaves[index]!.length, 1) * WORD) / BUFFER_UNIT) * BUFFER_UNIT;
    }
    for (const { to, argument } of copies) placed[argument] = to;
    const hosts = bytes > 0 ? session.hosts(bytes) : null;
    for (const index of hosted) placed[index] = hosts;
    this.#writeHosts(hosts, sources, hosted, offsets);
    return {
      arguments: placed as PooledBuffer[],
      argumentOffsets: offsets,
      outputs,
      arena: arenaBytes > 0 ? session.arena(arenaBytes) : null,
      packed: packedBytes > 0 ? session.packed(packedBytes) : null,
    };
  }

  /** Writes what lies on the host: arrays as they are, and all single values that follow one another at once. */
  #writeHosts(hosts: PooledBuffer | null, sources: readonly Source[], hosted: readonly number[], offsets: readonly number[]): void {
    for (let first = 0; first < hosted.length;) {
      let end = first;
      while (end < hosted.length && isHostValue(sources[hosted[end]!]!)) end++;
      if (end === first) {
        const index = hosted[first++]!;
        this.#write(hosts!, offsets[index]!, sources[index]!, index);
        continue;
      }
      const [start, last] = [offsets[hosted[first]!]!, hosted[end - 1]!];
      const words = new DataView(new ArrayBuffer(offsets[last]! + this.#leaves[last]!.length * WORD - start));
      for (; first < end; first++) {
        const index = hosted[first]!;
        writeHostValue(sources[index] as HostValue, this.#leaves[index]!.dtype, words, offsets[index]! - start);
      }
      this.#session.gpu.queue.writeBuffer(hosts!.buffer, start, words.buffer);
    }
  }

  #write(target: PooledBuffer, offset: number, source: Source, index: number): void {
    const { queue } = this.#session.gpu;
    if (!isHostValue(source)) {
      if (!isBuffer(source) && source.length > 0) queue.writeBuffer(target.buffer, offset, source);
      return;
    }
    const words = new DataView(new ArrayBuffer(this.#leaves[index]!.length * WORD));
    writeHostValue(source, this.#leaves[index]!.dtype, words, 0);
    queue.writeBuffer(target.buffer, offset, words.buffer);
  }

  /** Timestamps for a run, if it is to be measured and is not too long for that. */
  #stamps(): Stamps | null {
    if (this.#session.roofline === null) return null;
    const dispatches = this.#steps.list.filter(({ kind }) => kind === 'dispatch').length;
    return dispatches > 0 && 2 * dispatches <= MOST_STAMPS ? new Stamps(this.#session.gpu, dispatches) : null;
  }

  /** The times of dispatches as times of kernels. */
  #perKernel(times: readonly number[]): readonly number[] {
    const seconds = this.#plan.kernels.map(() => 0);
    let dispatch = 0;
    for (const step of this.#steps.list) if (step.kind === 'dispatch') seconds[step.kernel]! += times[dispatch++]!;
    return seconds;
  }

  #encode(encoder: GPUCommandEncoder, buffers: Buffers, stamps: Stamps | null): void {
    let pass: GPUComputePassEncoder | null = null;
    let dispatch = 0;
    this.#steps.list.forEach((step, place) => {
      if (step.kind === 'copy') {
        pass?.end();
        pass = null;
        encoder.copyBufferToBuffer(
          bufferOf(step.from, buffers).buffer,
          offsetOf(step.from, buffers),
          bufferOf(step.to, buffers).buffer,
          offsetOf(step.to, buffers),
          step.from.bytes,
        );
        return;
      }
      if (stamps !== null) {
        pass?.end();
        pass = encoder.beginComputePass(stamps.pass(dispatch++));
      }
      pass ??= encoder.beginComputePass();
      pass.setPipeline(step.pipeline.pipeline!);
      pass.setBindGroup(0, this.#groups[place]!.latest);
      pass.dispatchWorkgroups(step.groups[0], step.groups[1]);
    });
    (pass as GPUComputePassEncoder | null)?.end();
  }

  /** Brings the bind groups up to date. Whether some had to be made: then an error scope is open, which looks at them and at what follows. */
  #bind(buffers: Buffers): boolean {
    let isNew = false;
    for (const [place, step] of this.#steps.list.entries()) {
      if (step.kind === 'copy' || this.#isBound(step, this.#groups[place]!, buffers)) continue;
      if (!isNew) this.#session.gpu.pushErrorScope('validation');
      isNew = true;
      this.#makeGroup(step, this.#groups[place]!, buffers);
    }
    return isNew;
  }

  /** Finds the bind group of a dispatch among those that are kept. */
  #isBound(step: Dispatch, cache: GroupCache, buffers: Buffers): boolean {
    const { ids } = cache;
    let isLatest = cache.latest !== null;
    for (let binding = 0; binding < step.ranges.length; binding++) {
      const range = step.ranges[binding]!;
      // Numbers of buffers are small, and offsets are below 2³².
      const id = bufferOf(range, buffers).id * 2 ** 32 + offsetOf(range, buffers);
      if (ids[binding] !== id) isLatest = false;
      ids[binding] = id;
    }
    if (isLatest) return true;
    const known = cache.others.get(ids.join());
    if (known !== undefined) cache.latest = known;
    return known !== undefined;
  }

  #makeGroup(step: Dispatch, cache: GroupCache, buffers: Buffers): void {
    const group = this.#session.gpu.createBindGroup({
      layout: step.pipeline.layout!,
      entries: step.ranges.map((range, binding) => ({
        binding,
        resource: { buffer: bufferOf(range, buffers).buffer, offset: offsetOf(range, buffers), size: range.bytes },
      })),
    });
    if (cache.others.size >= MOST_GROUPS) cache.others.clear();
    cache.others.set(cache.ids.join(), group);
    cache.latest = group;
  }
}

function bufferOf({ slot }: Range, buffers: Buffers): PooledBuffer {
  if (slot.kind === 'argument') return buffers.arguments[slot.number]!;
  if (slot.kind === 'output') return buffers.outputs[slot.number]!;
  return slot.kind === 'arena' ? buffers.arena! : buffers.packed!;
}

function offsetOf({ slot, offset }: Range, buffers: Buffers): number {
  return slot.kind === 'argument' ? buffers.argumentOffsets[slot.number]! : offset;
}

function isBuffer(source: Source): source is PooledBuffer {
  return typeof source === 'object' && 'buffer' in source && 'id' in source;
}

function isHostValue(source: Source): source is HostValue {
  return typeof source === 'number' || Array.isArray(source);
}
