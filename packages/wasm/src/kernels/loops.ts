/**
 * The loops of a kernel, opened from the outside in; at each opening everything is computed that the loop
 * variables so far determine. The lane axis runs in blocks of a few vectors; what is left over at its end is
 * one shorter block, so that there is no loop over single elements.
 */
import type { Operand, Scalar, Store } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import { greatestCommonDivisor } from '../scalar/indices.ts';
import { Nest, type Vector } from '../scalar/nest.ts';
import { ScalarEmitter } from '../scalar/scalar-emitter.ts';
import { emitInRange, type AxisRange } from '../threads/partition.ts';
import { segmentsOf } from './segments.ts';

/** The lane axis has at most so many parts, in which guards are constant; beyond, guards are tested. */
const LANE_SEGMENTS = 16;
/** Other axes have so many together: each part is code of its own. */
const SEGMENTS = 8;

/** What a body computes: values, and values that it stores. */
export interface Body {
  readonly scalars: readonly Scalar[];
  readonly stores: readonly Store[];
}

/** Something to be done after every so many rounds of a loop, and at its end. */
export interface Chunk {
  readonly rounds: number;
  readonly after: () => void;
}

/** What loops are built from. */
export interface LoopsOptions {
  readonly code: Code;
  readonly tools: Tools;
  readonly operands: readonly Operand[];
  /** One per operand. */
  readonly addresses: readonly Local[];
  readonly extents: readonly number[];
  /** The values of the first axes, where those are no loops of this nest. */
  readonly bound?: readonly Local[];
  /** The number of axes, from the first, that `reduced` values depend on. */
  readonly rows: number;
  /** The axis along which the lanes lie; null for code that computes one element at a time. */
  readonly laneAxis: number | null;
  /** The lanes of a register. */
  readonly width: 4 | 2;
  /** The part of one axis over which the loops run; null for all of it. */
  readonly part?: AxisRange | null;
  /** All that is computed inside. */
  readonly all: Body;
}

/** Loops over the axes of one kernel. */
export class Loops {
  readonly code: Code;
  readonly nest: Nest;
  readonly emitter: ScalarEmitter;
  readonly #options: LoopsOptions;
  /** Into how many parts axes may still be cut. */
  #segments = SEGMENTS;

  constructor(options: LoopsOptions) {
    const { code, tools, operands, addresses, extents, bound = [], rows, laneAxis, all } = options;
    const axes = extents.map((extent, axis) => (extent === 1 ? 0 : (bound[axis] ?? code.local('i32'))));
    this.code = code;
    this.#options = options;
    this.nest = new Nest({ code, extents, axes, bound: bound.length, laneAxis });
    const arrays = operands.map((operand, number) => ({ operand, address: addresses[number]! }));
    const roots = [...all.scalars, ...all.stores.map(({ value }) => value)];
    this.emitter = new ScalarEmitter({ nest: this.nest, tools, arrays, rows, roots });
    this.hoist(all);
  }

  /** Computes what depends on nothing that has no value yet. */
  hoist({ scalars, stores }: Body): void {
    this.emitter.hoist(scalars, stores);
  }

  /**
   * Loops over axes, from the outermost to the innermost; between them everything in `hoisted` is computed as
   * early as it can be.
   */
  over(
    axes: readonly number[],
    hoisted: Body,
    body: () => void,
    chunks: readonly (Chunk | null)[] = [],
  ): void {
    const [axis, ...inner] = axes;
    if (axis === undefined) {
      body();
      return;
    }
    const { extents, laneAxis } = this.#options;
    const segments = segmentsOf(this.emitter.guards.here(), axis, extents[axis]!, this.#segments, laneAxis);
    const left = this.#segments;
    this.#segments = Math.floor(left / segments.length);
    for (const { from, to } of segments) {
      const loop = (): void =>
        this.#loop(axis, from, to, 1, chunks[0] ?? null, () => {
          this.hoist(hoisted);
          this.over(inner, hoisted, body, chunks.slice(1));
        });
      if (segments.length === 1) loop();
      else this.nest.restrict(axis, from, to, loop);
    }
    this.#segments = left;
  }

  /**
   * The lane axis from end to end: in each segment blocks of so many vectors, then one block of what is left.
   */
  blocks(
    vectors: number,
    hoisted: Body,
    body: (vectors: readonly Vector[]) => void,
    chunk: Chunk | null = null,
  ): void {
    const { laneAxis, width, extents } = this.#options;
    if (laneAxis === null) {
      body([{ shift: 0, lanes: 1 }]);
      return;
    }
    const size = vectors * width;
    for (const { from, to } of segmentsOf(
      this.emitter.guards.here(),
      laneAxis,
      extents[laneAxis]!,
      LANE_SEGMENTS,
    )) {
      this.nest.within({ from, to, alignment: greatestCommonDivisor(from, size) }, () => {
        this.hoist(hoisted);
        const whole = from + Math.floor((to - from) / size) * size;
        if (whole > from) this.#loop(laneAxis, from, whole, size, chunk, () => body(vectorsOf(size, width)));
        if (whole < to)
          this.#loop(laneAxis, whole, whole + 1, 1, null, () => body(vectorsOf(to - whole, width)));
      });
    }
  }

  /** An axis, a few of its values at a time: `body` is given a function that runs a body for each of them. */
  tiles(axis: number, size: number, body: (values: (inner: () => void) => void) => void): void {
    const { code } = this;
    const extent = this.#options.extents[axis]!;
    const [counter, start, end] = [this.nest.axes[axis] as Local, code.local('i32'), code.local('i32')];
    code.repeat(start, 0, extent, size, () => {
      code
        .get(start)
        .i32(size)
        .op('i32.add')
        .tee(end)
        .i32(extent)
        .get(end)
        .i32(extent)
        .op('i32.lt_s')
        .op('select')
        .set(end);
      body((inner) => {
        code.get(start).set(counter);
        code.loop((again) => {
          this.nest.enter([axis], inner);
          code.get(counter).i32(1).op('i32.add').tee(counter).get(end).op('i32.lt_s').branchIf(again);
        });
      });
    });
    code.release(start, end);
  }

  /** An innermost body: what is the same in all lanes once, then `body` for each vector of the block. */
  each(
    vectors: readonly Vector[],
    { scalars, stores }: Body,
    body: (vector: number, lanes: number) => void,
  ): void {
    this.emitter.block = vectors;
    this.emitter.hoist(scalars, stores, { shared: true });
    vectors.forEach(({ lanes }, vector) => this.nest.enter([], () => body(vector, lanes)));
  }

  #loop(axis: number, from: number, to: number, step: number, chunk: Chunk | null, body: () => void): void {
    const { code } = this;
    const counter = this.nest.axes[axis]!;
    const inside = (): void => this.nest.enter([axis], body);
    if (typeof counter === 'number') {
      inside();
    } else if (this.#options.part?.axis === axis) {
      emitInRange(code, this.#options.part, from, to, step, (start, stop) => {
        code.get(start).set(counter);
        code.loop((again) => {
          inside();
          code.get(counter).i32(step).op('i32.add').tee(counter).get(stop).op('i32.lt_s').branchIf(again);
        });
      });
    } else if (chunk === null || (to - from) / step <= chunk.rounds) {
      code.repeat(counter, from, to, step, inside);
    } else {
      const end = code.local('i32');
      code.i32(from).set(counter);
      code.loop((again) => {
        code
          .get(counter)
          .i32(chunk.rounds * step)
          .op('i32.add')
          .tee(end)
          .i32(to)
          .get(end)
          .i32(to)
          .op('i32.lt_s')
          .op('select')
          .set(end);
        code.loop((next) => {
          inside();
          code.get(counter).i32(step).op('i32.add').tee(counter).get(end).op('i32.lt_s').branchIf(next);
        });
        chunk.after();
        code.get(counter).i32(to).op('i32.lt_s').branchIf(again);
      });
      code.release(end);
    }
  }
}

/** So many elements as vectors; the last may be shorter. */
function vectorsOf(elements: number, width: number): readonly Vector[] {
  return Array.from({ length: Math.ceil(elements / width) }, (_, vector) => ({
    shift: vector * width,
    lanes: Math.min(width, elements - vector * width),
  }));
}
