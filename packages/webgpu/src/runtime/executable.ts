/**
 * A compiled program on the GPU. A run checks its arguments, finds buffers for its outputs, and encodes all dispatches in one pass of one submission; bind groups are kept for as long
 * as the buffers are the same, so that in a steady loop a step costs the encoder's own calls and little else.
 */
import { reportOf, type Plan } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import type { Arg, Completion, DType, Executable, HostValue, Leaf, PlanReport, Storage } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { BUFFER_UNIT, type PooledBuffer } from './buffer-pool.ts';
import { WORD, writeHostValue } from './elements.ts';
import { SMALL_OUTPUT } from './readback.ts';
import type { Session } from './session.ts';
import { stepsOf, titleOf, type Range, type Step, type Steps } from './steps.ts';
import { WebGPUStorage } from './storage.ts';

/** Bind groups of one dispatch that are kept. */
const MOST_GROUPS = 16;

/** What a run has been given for an argument. */
type Input = WebGPUStorage | HostValue;

/** The buffers of one run, by slot. */
interface Buffers {
  readonly arguments: readonly PooledBuffer[];
  readonly argumentOffsets: readonly number[];
  readonly outputs: readonly PooledBuffer[];
  readonly arena: PooledBuffer | null;
  readonly packed: PooledBuffer | null;
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
  /** Bytes for values from the host, and the offset of each argument in them. */
  readonly #hostOffsets: readonly number[];
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
    let hostBytes = 0;
    this.#hostOffsets = this.#leaves.map(({ length }) => {
      const offset = hostBytes;
      hostBytes += Math.ceil((length * WORD) / BUFFER_UNIT) * BUFFER_UNIT;
      return offset;
    });
    const waiting = this.#steps.list.flatMap((step) => (step.kind === 'dispatch' && step.pipeline.pipeline === null ? [step.pipeline.ready] : []));
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
    const copies: { readonly from: PooledBuffer; readonly to: WebGPUStorage; readonly argument: number }[] = [];
    const outputs = this.#plan.outputs.map(({ into, dtype, length }) => {
      if (into === null) return session.allocate(dtype, length);
      const input = inputs[into]!;
      if (input instanceof WebGPUStorage && !repeated.has(input)) return input;
      // What is passed in another place too keeps its elements, and so does a value of the host.
      const copy = session.allocate(dtype, length);
      if (input instanceof WebGPUStorage) copies.push({ from: input.buffer, to: copy, argument: into });
      return copy;
    });
    session.measure(this.#plan.arenaBytes);
    const done = new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void => void session.explain(error).then(reject);
      const buffersOfRun = inputs.map((input) => (input instanceof WebGPUStorage ? input.buffer : null));
      const outputBuffers = outputs.map(({ buffer }) => buffer);
      session.timeline.add(
        this.#ready,
        () => {
          session.requireOpen();
          this.#submit(inputs, buffersOfRun, outputs, outputBuffers, copies).then(resolve, fail);
        },
        fail,
      );
    });
    return { outputs, done };
  }

  report(): PlanReport {
    const sources = new Map<number, string[]>();
    for (const step of this.#steps.list) {
      if (step.kind === 'dispatch') sources.set(step.kernel, [...(sources.get(step.kernel) ?? []), step.wgsl]);
    }
    return reportOf(this.#plan, 'webgpu', (planned) => titleOf(planned) + (sources.get(this.#plan.kernels.indexOf(planned)) ?? []).join('\n'));
  }

  /** @throws DeviceError unless the argument is what the program was compiled for */
  #accept(arg: Arg | undefined, index: number, repeated: Set<WebGPUStorage>): Input {
    const { dtype, length, name } = this.#leaves[index]!;
    const title = `argument ${index}${name === null ? '' : ` (${name})`} of a run`;
    if (arg === undefined) throw new DeviceError(`webgpu: ${title} is missing`);
    const given = typeof arg === 'object' && 'bytes' in arg ? this.#session.own(arg as Storage) : (arg as HostValue);
    const found = typeof given === 'number' ? 1 : given.length;
    if (found !== length || (given instanceof WebGPUStorage && given.dtype !== dtype)) {
      const type = given instanceof WebGPUStorage ? `${given.dtype} ` : '';
      throw new DeviceError(`webgpu: ${title} is ${type}[${found}], the program was compiled for ${dtype} [${length}]`);
    }
    if (given instanceof WebGPUStorage) {
      void given.buffer;
      if (given.lastRun === this.#session.run) repeated.add(given);
      given.lastRun = this.#session.run;
    }
    return given;
  }

  // ---- the GPU's part

  async #submit(
    inputs: readonly Input[],
    stored: readonly (PooledBuffer | null)[],
    outputs: readonly WebGPUStorage[],
    outputBuffers: readonly PooledBuffer[],
    copies: readonly { readonly from: PooledBuffer; readonly to: WebGPUStorage; readonly argument: number }[],
  ): Promise<void> {
    const session = this.#session;
    const { gpu, readback } = session;
    const buffers = this.#buffersOf(inputs, stored, outputBuffers, copies);
    const hadAll = this.#groups.every((cache) => cache === null || cache.latest !== null);
    if (!hadAll) gpu.pushErrorScope('validation');
    const encoder = gpu.createCommandEncoder();
    for (const { from, to } of copies) encoder.copyBufferToBuffer(from.buffer, 0, to.buffer.buffer, 0, to.length * WORD);
    this.#encode(encoder, buffers);
    // What is overwritten is not what was on its way to the host.
    this.#plan.outputs.forEach(({ into }, output) => {
      if (into !== null) session.unstage(outputs[output]!.lease);
    });
    const small = outputs.filter(({ length }, output) => length > 0 && length * WORD <= SMALL_OUTPUT && this.#plan.outputs[output]!.into === null);
    const staged = readback.stage(
      encoder,
      small.map((output) => ({ buffer: outputBuffers[outputs.indexOf(output)]!, bytes: output.length * WORD })),
    );
    staged?.forEach((place, index) => {
      const { lease } = small[index]!;
      if (lease.buffer === null) readback.release(place);
      else lease.staged = place;
    });
    gpu.queue.submit([encoder.finish()]);
    const finished = gpu.queue.onSubmittedWorkDone();
    if (!hadAll) {
      const error = await gpu.popErrorScope();
      if (error !== null) throw new DeviceError(`webgpu: the program of ${this.#plan.kernels.map(({ name }) => name).join('; ')}: ${error.message}`);
    }
    await finished;
    this.#session.requireOpen();
  }

  #buffersOf(
    inputs: readonly Input[],
    stored: readonly (PooledBuffer | null)[],
    outputs: readonly PooledBuffer[],
    copies: readonly { readonly to: WebGPUStorage; readonly argument: number }[],
  ): Buffers {
    const session = this.#session;
    const { arenaBytes } = this.#plan;
    const { packedBytes } = this.#steps;
    const hosts = this.#writeHosts(inputs);
    const ofArguments = stored.map((buffer, index) => copies.find(({ argument }) => argument === index)?.to.buffer ?? buffer ?? hosts!);
    return {
      arguments: ofArguments,
      argumentOffsets: ofArguments.map((buffer, index) => (buffer === hosts ? this.#hostOffsets[index]! : 0)),
      outputs,
      arena: arenaBytes > 0 ? session.arena(arenaBytes) : null,
      packed: packedBytes > 0 ? session.packed(packedBytes) : null,
    };
  }

  /** All values of the host in one write; null if there are none. */
  #writeHosts(inputs: readonly Input[]): PooledBuffer | null {
    const last = inputs.findLastIndex((input) => !(input instanceof WebGPUStorage));
    if (last < 0) return null;
    const bytes = this.#hostOffsets[last]! + Math.ceil((this.#leaves[last]!.length * WORD) / BUFFER_UNIT) * BUFFER_UNIT;
    const words = new DataView(new ArrayBuffer(bytes));
    inputs.forEach((input, index) => {
      if (!(input instanceof WebGPUStorage)) writeHostValue(input, this.#leaves[index]!.dtype, words, this.#hostOffsets[index]!);
    });
    const hosts = this.#session.hosts(bytes);
    this.#session.gpu.queue.writeBuffer(hosts.buffer, 0, words.buffer);
    return hosts;
  }

  #encode(encoder: GPUCommandEncoder, buffers: Buffers): void {
    let pass: GPUComputePassEncoder | null = null;
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
      pass ??= encoder.beginComputePass();
      pass.setPipeline(step.pipeline.pipeline!);
      pass.setBindGroup(0, this.#group(step, this.#groups[place]!, buffers));
      pass.dispatchWorkgroups(step.groups[0], step.groups[1]);
    });
    (pass as GPUComputePassEncoder | null)?.end();
  }

  #group(step: Extract<Step, { kind: 'dispatch' }>, cache: GroupCache, buffers: Buffers): GPUBindGroup {
    const { ids } = cache;
    let isLatest = cache.latest !== null;
    step.ranges.forEach((range, binding) => {
      const { id } = bufferOf(range, buffers);
      if (ids[binding] !== id) isLatest = false;
      ids[binding] = id;
    });
    if (isLatest) return cache.latest!;
    const key = ids.join();
    const known = cache.others.get(key);
    if (known !== undefined) return (cache.latest = known);
    const group = this.#session.gpu.createBindGroup({
      layout: step.pipeline.layout!,
      entries: step.ranges.map((range, binding) => ({
        binding,
        resource: { buffer: bufferOf(range, buffers).buffer, offset: offsetOf(range, buffers), size: range.bytes },
      })),
    });
    if (cache.others.size >= MOST_GROUPS) cache.others.clear();
    cache.others.set(key, group);
    return (cache.latest = group);
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
