/**
 * The loop nest of a kernel, opened from the outside in; at each opening, every expression that the loop
 * variables so far determine is computed (hoisted). The vectorised axis runs in blocks of a few vectors; the
 * remainder is one shorter block, so that there is no loop over single elements.
 */
import type { Operand, Scalar, Store } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import { greatestCommonDivisor } from '../scalar/indices.ts';
import { CodegenScope, type Vector } from '../scalar/codegen-scope.ts';
import { ScalarEmitter } from '../scalar/scalar-emitter.ts';
import { emitInRange, type AxisRange } from '../threads/partition.ts';
import { splitIndexSet } from './index-set-splitting.ts';

/**
 * Ranges of the vectorised axis in which bounds predicates are constant, at most; beyond, predicates are
 * tested.
 */
const MOST_LANE_RANGES = 16;
/** Ranges of all other axes together, at most: each is code of its own. */
const MOST_RANGES = 8;

/** The expressions of a body, and its stores. */
export interface Body {
  readonly scalars: readonly Scalar[];
  readonly stores: readonly Store[];
}

/** An action after a number of iterations of a loop, repeatedly, and at its end. */
export interface PeriodicAction {
  readonly iterations: number;
  readonly after: () => void;
}

/** What loops are built from. */
export interface LoopNestOptions {
  readonly code: Code;
  readonly tools: Tools;
  readonly operands: readonly Operand[];
  /** One per operand. */
  readonly addresses: readonly Local[];
  readonly extents: readonly number[];
  /** The counters of the leading axes, which enclosing loops set. */
  readonly bound?: readonly Local[];
  /** The number of axes, from the first, that `reduced` values depend on. */
  readonly rows: number;
  /** The vectorised axis; null for code that computes one element at a time. */
  readonly laneAxis: number | null;
  /** The lanes of a register. */
  readonly width: 4 | 2;
  /** The range of one axis over which the loops run; null for all of it. */
  readonly range?: AxisRange | null;
  /** All that is computed inside. */
  readonly all: Body;
}

/** Loops over the axes of one kernel. */
export class LoopNest {
  readonly code: Code;
  readonly scope: CodegenScope;
  readonly emitter: ScalarEmitter;
  readonly #options: LoopNestOptions;
  /** How many ranges axes may still be split into. */
  #splits = MOST_RANGES;

  constructor(options: LoopNestOptions) {
    const { code, tools, operands, addresses, extents, bound = [], rows, laneAxis, all } = options;
    const axes = extents.map((extent, axis) => (extent === 1 ? 0 : (bound[axis] ?? code.local('i32'))));
    this.code = code;
    this.#options = options;
    this.scope = new CodegenScope({ code, extents, axes, bound: bound.length, laneAxis });
    const arrays = operands.map((operand, number) => ({ operand, address: addresses[number]! }));
    const roots = [...all.scalars, ...all.stores.map(({ value }) => value)];
    this.emitter = new ScalarEmitter({ scope: this.scope, tools, arrays, rows, roots });
    this.hoist(all);
  }

  /** Hoists what depends on no unbound axis. */
  hoist({ scalars, stores }: Body): void {
    this.emitter.hoist(scalars, stores);
  }

  /**
   * Loops over axes, from the outermost to the innermost; between them everything in `hoisted` is computed as
   * early as possible.
   */
  over(
    axes: readonly number[],
    hoisted: Body,
    body: () => void,
    chunks: readonly (PeriodicAction | null)[] = [],
  ): void {
    const [axis, ...inner] = axes;
    if (axis === undefined) {
      body();
      return;
    }
    const { extents, laneAxis } = this.#options;
    const splits = splitIndexSet(
      this.emitter.predicates.here(),
      axis,
      extents[axis]!,
      this.#splits,
      laneAxis,
    );
    const left = this.#splits;
    this.#splits = Math.floor(left / splits.length);
    for (const { from, to } of splits) {
      const loop = (): void =>
        this.#loop(axis, from, to, 1, chunks[0] ?? null, () => {
          this.hoist(hoisted);
          this.over(inner, hoisted, body, chunks.slice(1));
        });
      if (splits.length === 1) loop();
      else this.scope.inRange(axis, from, to, loop);
    }
    this.#splits = left;
  }

  /**
   * The vectorised axis from end to end: in each range blocks of vectors, then one block with the remainder.
   */
  blocks(
    vectors: number,
    hoisted: Body,
    body: (vectors: readonly Vector[]) => void,
    chunk: PeriodicAction | null = null,
  ): void {
    const { laneAxis, width, extents } = this.#options;
    if (laneAxis === null) {
      body([{ shift: 0, lanes: 1 }]);
      return;
    }
    const size = vectors * width;
    for (const { from, to } of splitIndexSet(
      this.emitter.predicates.here(),
      laneAxis,
      extents[laneAxis]!,
      MOST_LANE_RANGES,
    )) {
      this.scope.inLaneRange({ from, to, alignment: greatestCommonDivisor(from, size) }, () => {
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
    const [counter, start, end] = [this.scope.axes[axis] as Local, code.local('i32'), code.local('i32')];
    code.repeat(start, 0, extent, size, () => {
      code.op('i32.add', start, size).tee(end).i32(extent).op('i32.lt_s', end, extent).op('select').set(end);
      body((inner) => {
        code.get(start).set(counter);
        code.iterate(counter, end, 1, () => this.scope.inScope([axis], inner));
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
    vectors.forEach(({ lanes }, vector) => this.scope.inScope([], () => body(vector, lanes)));
  }

  #loop(
    axis: number,
    from: number,
    to: number,
    step: number,
    chunk: PeriodicAction | null,
    body: () => void,
  ): void {
    const { code } = this;
    const counter = this.scope.axes[axis]!;
    const inside = (): void => this.scope.inScope([axis], body);
    if (typeof counter === 'number') {
      inside();
    } else if (this.#options.range?.axis === axis) {
      emitInRange(code, this.#options.range, from, to, step, (start, stop) => {
        code.get(start).set(counter);
        code.iterate(counter, stop, step, inside);
      });
    } else if (chunk === null || (to - from) / step <= chunk.iterations) {
      code.repeat(counter, from, to, step, inside);
    } else {
      const end = code.local('i32');
      code.i32(from).set(counter);
      code.loop((again) => {
        code
          .op('i32.add', counter, chunk.iterations * step)
          .tee(end)
          .i32(to)
          .op('i32.lt_s', end, to)
          .op('select')
          .set(end);
        code.iterate(counter, end, step, inside);
        chunk.after();
        code.op('i32.lt_s', counter, to).branchIf(again);
      });
      code.release(end);
    }
  }
}

/** A number of elements as vectors; the last may be shorter. */
function vectorsOf(elements: number, width: number): readonly Vector[] {
  return Array.from({ length: Math.ceil(elements / width) }, (_, vector) => ({
    shift: vector * width,
    lanes: Math.min(width, elements - vector * width),
  }));
}
