/**
 * A planned program as GPU commands: all dispatches in one pass of one submission. Bind groups are cached by
 * their buffers: in a steady loop a run costs little more than the calls of the command encoder.
 */
import {
  compileResumable,
  reportOf,
  withTimes,
  type Resumable,
  type Plan,
  type Target,
} from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import type { DType, HostValue, Program } from '@firsthand/graph';
import type { PlanReport } from '@firsthand/runtime';
import { sizeOf } from '@firsthand/linalg';
import type { ShaderPlan } from '../emit/shader.ts';
import { BUFFER_UNIT, type PooledBuffer } from './buffer-pool.ts';
import { WORD, writeHostValue, type Words } from './elements.ts';
import { SMALL_OUTPUT } from './readback.ts';
import type { Session } from './session.ts';
import { stepsOf, titleOf, type BufferRange, type Step, type Steps } from './steps.ts';
import type { WebGPUStorage } from './storage.ts';
import { MOST_STAMPS, Stamps } from './timestamps.ts';

/** Cached bind groups of one dispatch, at most. */
const MOST_BIND_GROUPS = 16;

/** What a program expects as an argument. */
export interface Parameter {
  readonly dtype: DType;
  readonly length: number;
  readonly name: string | null;
}
/**
 * Where the elements of an argument are when its run is submitted: in a buffer, or on the host, to be
 * uploaded.
 */
export type Source = PooledBuffer | Words | HostValue;
/**
 * An output of a run. Its storage may be freed before the run is submitted; the buffer is released after it.
 */
export interface Output {
  readonly storage: WebGPUStorage;
  readonly buffer: PooledBuffer;
}

type Dispatch = Extract<Step, { kind: 'dispatch' }>;

/** The buffers of one run, by slot. */
interface Buffers {
  readonly arguments: readonly PooledBuffer[];
  readonly argumentOffsets: readonly number[];
  readonly outputs: readonly PooledBuffer[];
  readonly arena: PooledBuffer | null;
  readonly packed: PooledBuffer | null;
}

/** A copy of an argument to the output that overwrites it in the plan. */
interface Copy {
  readonly from: Source;
  readonly to: PooledBuffer;
  readonly bytes: number;
  readonly argument: number;
}

/** The bind groups of one dispatch: the latest, and all by the ids of their buffers. */
interface BindGroupCache {
  latest: GPUBindGroup | null;
  readonly ids: Float64Array;
  readonly others: Map<string, GPUBindGroup>;
}

/** The parameters of a program. */
export function parametersOf({ args }: Program): readonly Parameter[] {
  return args.map(({ dtype, shape, attrs }) => ({ dtype, length: sizeOf(shape), name: attrs.name }));
}

/**
 * Plans a program, and requests its pipelines.
 * @throws DeviceError if its intermediates are too large for a buffer, or a kernel for a dispatch
 */
export function* commandsOf(
  program: Program,
  parameters: readonly Parameter[],
  target: Target<ShaderPlan>,
  session: Session,
): Resumable<Commands> {
  const plan = yield* compileResumable(program, target);
  requireLimits(plan, session);
  const steps = yield* stepsOf(plan, session.profile, session.pipelines);
  session.requireSize(
    steps.packedBytes,
    'the arrays of a kernel, of which more are bound than this adapter allows',
  );
  return new Commands(plan, steps, parameters, session);
}

/** @throws DeviceError if the arena is too large for a buffer, or an intermediate for a binding */
function requireLimits({ arenaBytes, buffers, kernels }: Plan, session: Session): void {
  session.requireLimit('maxBufferSize', arenaBytes, 'the intermediates of this program');
  for (const { location, dtype, length } of buffers) {
    if (location.kind === 'arena')
      session.requireLimit(
        'maxStorageBufferBindingSize',
        length * WORD,
        `an intermediate of ${dtype} [${length}]`,
      );
  }
  for (const { name, scratch } of kernels)
    session.requireLimit('maxStorageBufferBindingSize', scratch.bytes, `the working memory of ${name}`);
}

/** A planned program with its pipelines. */
export class Commands {
  /** For each output the argument that it overwrites, or null. */
  readonly into: readonly (number | null)[];
  /** For each argument whether an output overwrites it: it must be in a buffer then. */
  readonly isOverwritten: readonly boolean[];
  /** Resolves when all pipelines are ready; null from then on. */
  ready: Promise<void> | null;
  readonly #plan: Plan;
  readonly #session: Session;
  readonly #parameters: readonly Parameter[];
  readonly #steps: Steps;
  readonly #groups: readonly (BindGroupCache | null)[];
  /** The numbers of the outputs that overwrite an argument, and of the small ones that do not. */
  readonly #overwriting: readonly number[];
  readonly #small: readonly number[];
  /** Seconds of each kernel, summed over the measured runs, and their number: rounding averages out. */
  #seconds: readonly number[] | null = null;
  #measured = 0;

  constructor(plan: Plan, steps: Steps, parameters: readonly Parameter[], session: Session) {
    this.#plan = plan;
    this.#steps = steps;
    this.#parameters = parameters;
    this.#session = session;
    this.into = plan.outputs.map(({ into }) => into);
    const targets = new Set(this.into);
    this.isOverwritten = parameters.map((_, argument) => targets.has(argument));
    this.#groups = steps.list.map((step) =>
      step.kind === 'dispatch'
        ? { latest: null, ids: new Float64Array(step.ranges.length), others: new Map() }
        : null,
    );
    const numbers = plan.outputs.map((_, output) => output);
    this.#overwriting = numbers.filter((output) => this.into[output] !== null);
    this.#small = numbers.filter((output) => {
      const { into, length } = plan.outputs[output]!;
      return into === null && length > 0 && length * WORD <= SMALL_OUTPUT;
    });
    const waiting = steps.list.flatMap((step) =>
      step.kind === 'dispatch' && step.pipeline.pipeline === null ? [step.pipeline.ready] : [],
    );
    this.ready = waiting.length === 0 ? null : Promise.all(waiting).then(() => void (this.ready = null));
    // A failure is reported to every run.
    this.ready?.catch(() => {});
  }

  report(): PlanReport {
    const sources = new Map<number, string[]>();
    for (const step of this.#steps.list) {
      if (step.kind === 'dispatch')
        sources.set(step.kernel, [...(sources.get(step.kernel) ?? []), step.wgsl]);
    }
    const report = reportOf(
      this.#plan,
      'webgpu',
      (planned) => titleOf(planned) + (sources.get(this.#plan.kernels.indexOf(planned)) ?? []).join('\n'),
    );
    const { roofline } = this.#session;
    if (roofline === null || this.#seconds === null) return report;
    return withTimes(
      report,
      this.#seconds.map((seconds) => seconds / this.#measured),
      roofline,
    );
  }

  /** Submits one run; resolves when the GPU has done it. */
  async submit(sources: readonly Source[], outputs: readonly Output[]): Promise<void> {
    const session = this.#session;
    const { gpu, readback } = session;
    session.measure(this.#plan.arenaBytes);
    const copies = this.#overwriting.flatMap((output): Copy[] => {
      const [argument, { buffer: to }] = [this.into[output]!, outputs[output]!];
      const from = sources[argument]!;
      return from === to ? [] : [{ from, to, bytes: this.#plan.outputs[output]!.length * WORD, argument }];
    });
    const buffers = this.#buffersOf(sources, outputs, copies);
    const isNew = this.#bind(buffers);
    const encoder = gpu.createCommandEncoder();
    for (const { from, to, bytes } of copies) {
      if (isBuffer(from)) encoder.copyBufferToBuffer(from.buffer, 0, to.buffer, 0, bytes);
    }
    const stamps = this.#stamps();
    this.#encode(encoder, buffers, stamps);
    const readStamps = stamps?.resolve(encoder);
    // A pending copy of an overwritten array is out of date.
    for (const output of this.#overwriting) session.unstage(outputs[output]!.storage.allocation);
    const staged = readback.stage(
      encoder,
      this.#small.map((output) => ({
        buffer: outputs[output]!.buffer,
        bytes: outputs[output]!.storage.length * WORD,
      })),
    );
    staged?.forEach((copy, index) => {
      const { allocation } = outputs[this.#small[index]!]!.storage;
      if (allocation.buffer === null) readback.release(copy);
      else allocation.staged = copy;
    });
    gpu.queue.submit([encoder.finish()]);
    const finished = gpu.queue.onSubmittedWorkDone();
    // If the error scope fails first, the device is lost, and nothing awaits this promise.
    finished.catch(() => {});
    if (isNew) {
      const error = await gpu.popErrorScope();
      if (error !== null)
        throw new DeviceError(
          `webgpu: the program of ${this.#plan.kernels.map(({ name }) => name).join('; ')}: ${error.message}`,
        );
    }
    await finished;
    if (readStamps !== undefined) {
      const before = this.#seconds;
      this.#seconds = this.#perKernel(await readStamps()).map(
        (seconds, kernel) => seconds + (before?.[kernel] ?? 0),
      );
      this.#measured++;
    }
    session.requireOpen();
  }

  #buffersOf(sources: readonly Source[], outputs: readonly Output[], copies: readonly Copy[]): Buffers {
    const session = this.#session;
    const { arenaBytes } = this.#plan;
    const { packedBytes } = this.#steps;
    const bound: (PooledBuffer | null)[] = [];
    const offsets: number[] = [];
    // The arguments on the host, which share one upload buffer: usually few.
    const hosted: number[] = [];
    let bytes = 0;
    for (let index = 0; index < sources.length; index++) {
      const source = sources[index]!;
      offsets.push(0);
      bound.push(isBuffer(source) ? source : null);
      if (isBuffer(source)) continue;
      const copy = copies.find(({ argument }) => argument === index);
      if (copy !== undefined) {
        this.#write(copy.to, 0, source, index);
        continue;
      }
      hosted.push(index);
      offsets[index] = bytes;
      bytes += Math.ceil((Math.max(this.#parameters[index]!.length, 1) * WORD) / BUFFER_UNIT) * BUFFER_UNIT;
    }
    for (const { to, argument } of copies) bound[argument] = to;
    const hostValues = bytes > 0 ? session.hostValues(bytes) : null;
    for (const index of hosted) bound[index] = hostValues;
    this.#writeHosts(hostValues, sources, hosted, offsets);
    return {
      arguments: bound as PooledBuffer[],
      argumentOffsets: offsets,
      outputs: outputs.map(({ buffer }) => buffer),
      arena: arenaBytes > 0 ? session.arena(arenaBytes) : null,
      packed: packedBytes > 0 ? session.packed(packedBytes) : null,
    };
  }

  /** Uploads the arguments on the host: arrays one by one, runs of consecutive numbers together. */
  #writeHosts(
    hostValues: PooledBuffer | null,
    sources: readonly Source[],
    hosted: readonly number[],
    offsets: readonly number[],
  ): void {
    for (let first = 0; first < hosted.length;) {
      let end = first;
      while (end < hosted.length && isHostValue(sources[hosted[end]!]!)) end++;
      if (end === first) {
        const index = hosted[first++]!;
        this.#write(hostValues!, offsets[index]!, sources[index]!, index);
        continue;
      }
      const [start, last] = [offsets[hosted[first]!]!, hosted[end - 1]!];
      const words = new DataView(
        new ArrayBuffer(offsets[last]! + this.#parameters[last]!.length * WORD - start),
      );
      for (; first < end; first++) {
        const index = hosted[first]!;
        writeHostValue(
          sources[index] as HostValue,
          this.#parameters[index]!.dtype,
          words,
          offsets[index]! - start,
        );
      }
      this.#session.gpu.queue.writeBuffer(hostValues!.buffer, start, words.buffer);
    }
  }

  #write(target: PooledBuffer, offset: number, source: Source, index: number): void {
    const { queue } = this.#session.gpu;
    if (!isHostValue(source)) {
      if (!isBuffer(source) && source.length > 0) queue.writeBuffer(target.buffer, offset, source);
      return;
    }
    const words = new DataView(new ArrayBuffer(this.#parameters[index]!.length * WORD));
    writeHostValue(source, this.#parameters[index]!.dtype, words, 0);
    queue.writeBuffer(target.buffer, offset, words.buffer);
  }

  /** Timestamps for a run, if kernels are timed and the query set suffices. */
  #stamps(): Stamps | null {
    if (this.#session.roofline === null) return null;
    const dispatches = this.#steps.list.filter(({ kind }) => kind === 'dispatch').length;
    return dispatches > 0 && 2 * dispatches <= MOST_STAMPS ? new Stamps(this.#session.gpu, dispatches) : null;
  }

  /** Sums the times of dispatches by kernel. */
  #perKernel(times: readonly number[]): readonly number[] {
    const seconds = this.#plan.kernels.map(() => 0);
    let dispatch = 0;
    for (const step of this.#steps.list)
      if (step.kind === 'dispatch') seconds[step.kernel]! += times[dispatch++]!;
    return seconds;
  }

  #encode(encoder: GPUCommandEncoder, buffers: Buffers, stamps: Stamps | null): void {
    let pass: GPUComputePassEncoder | null = null;
    let dispatch = 0;
    this.#steps.list.forEach((step, position) => {
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
      pass.setBindGroup(0, this.#groups[position]!.latest);
      pass.dispatchWorkgroups(step.groups[0], step.groups[1]);
    });
    (pass as GPUComputePassEncoder | null)?.end();
  }

  /**
   * Updates the bind groups. @returns whether some are new: then an error scope is open, for the caller to
   * pop
   */
  #bind(buffers: Buffers): boolean {
    let isNew = false;
    for (const [position, step] of this.#steps.list.entries()) {
      if (step.kind === 'copy' || this.#findBindGroup(step, this.#groups[position]!, buffers)) continue;
      if (!isNew) this.#session.gpu.pushErrorScope('validation');
      isNew = true;
      this.#makeBindGroup(step, this.#groups[position]!, buffers);
    }
    return isNew;
  }

  /** Whether the cache has the bind group of a dispatch, which becomes the latest. */
  #findBindGroup(step: Dispatch, cache: BindGroupCache, buffers: Buffers): boolean {
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

  #makeBindGroup(step: Dispatch, cache: BindGroupCache, buffers: Buffers): void {
    const group = this.#session.gpu.createBindGroup({
      layout: step.pipeline.layout!,
      entries: step.ranges.map((range, binding) => ({
        binding,
        resource: {
          buffer: bufferOf(range, buffers).buffer,
          offset: offsetOf(range, buffers),
          size: range.bytes,
        },
      })),
    });
    if (cache.others.size >= MOST_BIND_GROUPS) cache.others.clear();
    cache.others.set(cache.ids.join(), group);
    cache.latest = group;
  }
}

function bufferOf({ slot }: BufferRange, buffers: Buffers): PooledBuffer {
  if (slot.kind === 'argument') return buffers.arguments[slot.number]!;
  if (slot.kind === 'output') return buffers.outputs[slot.number]!;
  return slot.kind === 'arena' ? buffers.arena! : buffers.packed!;
}

function offsetOf({ slot, offset }: BufferRange, buffers: Buffers): number {
  return slot.kind === 'argument' ? buffers.argumentOffsets[slot.number]! + offset : offset;
}

function isBuffer(source: Source): source is PooledBuffer {
  return typeof source === 'object' && 'buffer' in source && 'id' in source;
}

function isHostValue(source: Source): source is HostValue {
  return typeof source === 'number' || Array.isArray(source);
}
