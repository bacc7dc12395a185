/**
 * A program on the GPU. A run checks its arguments, allocates its outputs and joins the timeline, planned or
 * not. Until the program is planned, no output overwrites an argument: it is allocated, and starts as a copy.
 */
import type { Target } from '@firsthand/compiler';
import { unfitArgument } from '@firsthand/runtime';
import type { DType, HostValue, Program } from '@firsthand/graph';
import type { Arg, Completion, Executable, PlanReport } from '@firsthand/runtime';
import { sizeOf } from '@firsthand/linalg';
import type { ShaderPlan } from '../emit/shader.ts';
import {
  commandsOf,
  parametersOf,
  type Commands,
  type Output,
  type Parameter,
  type Source,
} from './commands.ts';
import { WORD } from './elements.ts';
import type { Session } from './session.ts';
import type { TimeSlicedTask } from './time-slices.ts';
import { WebGPUStorage } from './storage.ts';

/**
 * Bytes of arguments on the host, one or all together, above which an argument gets a buffer on first use.
 */
const LARGE_BYTES = 16 * 2 ** 20;

/** A checked argument of a run. */
type Input = WebGPUStorage | HostValue;

/** A program that is planned, or being planned. */
export class WebGPUExecutable implements Executable {
  readonly #session: Session;
  readonly #parameters: readonly Parameter[];
  readonly #results: readonly { readonly dtype: DType; readonly length: number }[];
  readonly #planning: TimeSlicedTask<Commands>;

  /**
   * @throws DeviceError if an output is too large for a buffer, and what the first time slice of planning
   * throws
   */
  constructor(program: Program, target: Target<ShaderPlan>, session: Session) {
    this.#session = session;
    this.#parameters = parametersOf(program);
    this.#results = [...program.effects.map(({ node }) => node), ...program.roots].map(
      ({ dtype, shape }) => ({
        dtype,
        length: sizeOf(shape),
      }),
    );
    for (const { dtype, length } of this.#results)
      session.requireSize(length * WORD, `an output of ${dtype} [${length}]`);
    this.#planning = session.slicer.start(commandsOf(program, this.#parameters, target, session));
  }

  run(args: readonly Arg[]): Completion {
    const session = this.#session;
    session.requireOpen();
    session.run++;
    const repeated = new Set<WebGPUStorage>();
    const inputs = this.#parameters.map((_, index) => this.#checkArgument(args[index], index, repeated));
    const commands = this.#planning.isDone ? this.#planning.finish() : null;
    let hosted = 0;
    const sources = inputs.map((input, index) => {
      const source = this.#sourceOf(input, commands?.isOverwritten[index] === true || hosted > LARGE_BYTES);
      if (input instanceof WebGPUStorage && source === input.hostWords) hosted += input.bytes;
      return source;
    });
    const outputs = this.#results.map(({ dtype, length }, output): Output => {
      const input = inputs[commands?.into[output] ?? -1];
      // An argument that is passed twice keeps its elements, and so does a value of the host.
      const isOverwritten = input instanceof WebGPUStorage && !repeated.has(input);
      const storage = isOverwritten ? input : session.allocate(dtype, length);
      return { storage, buffer: storage.allocation.buffer! };
    });
    const done = new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void => void session.explain(error).then(reject);
      session.timeline.add(
        commands === null ? this.#readiness() : commands.ready,
        () => {
          session.requireOpen();
          this.#planning.finish().submit(sources, outputs).then(resolve, fail);
        },
        fail,
      );
    });
    return { outputs: outputs.map(({ storage }) => storage), done };
  }

  report(): PlanReport {
    return this.#planning.finish().report();
  }

  /** Resolves when the program is planned and its pipelines are ready. */
  #readiness(): Promise<void> {
    const readiness = this.#planning.settled.then(async () => {
      await this.#planning.finish().ready;
    });
    // It may reject before the timeline awaits it.
    readiness.catch(() => {});
    return readiness;
  }

  /** The source of an argument. It moves to a buffer if it is large, used again, or needed there. */
  #sourceOf(input: Input, needsBuffer: boolean): Source {
    if (!(input instanceof WebGPUStorage)) return input;
    const { hostWords, uses, length } = input;
    const moves = hostWords === null || uses > 1 || needsBuffer || length * WORD > LARGE_BYTES;
    return moves ? this.#session.promote(input) : hostWords;
  }

  /** @throws DeviceError unless the argument is what the program was compiled for */
  #checkArgument(arg: Arg | undefined, index: number, repeated: Set<WebGPUStorage>): Input {
    const { dtype, length } = this.#parameters[index]!;
    if (arg === undefined) throw unfitArgument('webgpu', this.#titleOf(index), { dtype, length });
    const given = typeof arg === 'object' && 'bytes' in arg ? this.#session.requireStorage(arg) : arg;
    const found = typeof given === 'number' ? 1 : given.length;
    if (found !== length || (given instanceof WebGPUStorage && given.dtype !== dtype)) {
      throw unfitArgument('webgpu', this.#titleOf(index), { dtype, length }, given);
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
    const { name } = this.#parameters[index]!;
    return `argument ${index}${name === null ? '' : ` (${name})`} of a run`;
  }
}
