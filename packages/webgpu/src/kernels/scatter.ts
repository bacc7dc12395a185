/**
 * Writing by computed positions, without atomics, so that sums have one order and the last `set` wins. Places
 * of the axes that the target's index depends on have different targets: they go to different invocations,
 * which walk the steps, the places of the remaining axes, in order. Where they are few, the targets of a
 * place are dealt out besides, each invocation taking those of its hand; and the steps are cut in parts,
 * which leave in working memory their sums, or the last steps that set.
 */
import { axisName, type ScatterKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope } from '../emit/expression-writer.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { declareWorkItem, workgroupsFor, type Workgroups } from './work-items.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import {
  binaryExpression,
  castExpression,
  reduceExpression,
  reduceIdentity,
  valueType,
} from '../scalar/operations.ts';
import { scatterPlan, type ScatterPlan } from './scatter-plan.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';

/** Steps whose values are added up without blocks. */
const BLOCK = 32;

/** Words of working memory that a kernel needs: one for each target and part. */
export function scatterScratchWords(kernel: ScatterKernel, profile: AdapterProfile): number {
  if (kernel.extent === 0) return 0;
  const { targetSlices, chunks } = scatterPlan(kernel, profile);
  return chunks === 1 ? 0 : chunks * targetSlices * kernel.extent;
}

/** The shaders of a scatter kernel: none where there is nowhere to write to. */
export function scatterShaders(
  kernel: ScatterKernel,
  layout: OperandLayout,
  profile: AdapterProfile,
): readonly Shader[] {
  if (kernel.extent === 0) return [];
  const plan = scatterPlan(kernel, profile);
  const walk = new ScatterWriter(kernel, layout, plan).walk();
  return plan.chunks === 1 ? [walk] : [walk, new ScatterWriter(kernel, layout, plan).finish()];
}

/** One shader of a scatter. */
class ScatterWriter {
  readonly #kernel: ScatterKernel;
  readonly #plan: ScatterPlan;
  readonly #expressions: ExpressionWriter;
  readonly #body = new Block(1);
  /** The target's dtype, and that in which sums are kept. */
  readonly #dtype: DType;
  readonly #accumulatorDType: DType;

  constructor(kernel: ScatterKernel, layout: OperandLayout, plan: ScatterPlan) {
    this.#kernel = kernel;
    this.#plan = plan;
    this.#expressions = new ExpressionWriter(new Operands(kernel.operands, layout), extentsOf(kernel));
    this.#dtype = kernel.operands[kernel.target]!.dtype;
    this.#accumulatorDType = this.#dtype === 'float16' ? 'float32' : this.#dtype;
  }

  /** Looks at all positions. */
  walk(): Shader {
    const { extent } = this.#kernel;
    const { targetSlices, steps, stripes, chunks } = this.#plan;
    const body = this.#body;
    const workgroups = workgroupsFor(targetSlices * stripes * chunks);
    declareWorkItem(body, 'piece', targetSlices * stripes * chunks, workgroups);
    if (chunks > 1) body.line(`let part = piece / ${targetSlices * stripes};`);
    const scope = this.#declarePlace(
      chunks > 1 ? `piece % ${targetSlices * stripes}` : 'piece',
      stripes,
      'hand',
    );
    const width = Math.ceil(steps / chunks);
    if (chunks > 1) body.line(`let start = part * ${width};`, `let stop = min(start + ${width}, ${steps});`);
    const range =
      chunks > 1
        ? { first: 'start', end: 'stop', count: width }
        : { first: '0', end: String(steps), count: steps };
    if (stripes === extent) this.#findOne(range, scope);
    else this.#updateMany(range, scope);
    return this.#shader(workgroups);
  }

  /** Puts together what the parts have found, target by target. */
  finish(): Shader {
    const { target, extent, mode, value, stride, index } = this.#kernel;
    const { targetSlices, sequentialAxes, chunks } = this.#plan;
    const body = this.#body;
    const workgroups = workgroupsFor(targetSlices * extent);
    declareWorkItem(body, 'piece', targetSlices * extent, workgroups);
    const scope = this.#declarePlace('piece', extent, 'position');
    const element = this.#expressions.define(this.#element(index, stride, 'position', scope), scope);
    const word = `${this.#expressions.operands.scratch()}[piece + part * ${targetSlices * extent}]`;
    const loop = `for (var part = 0; part < ${chunks}; part++)`;
    if (mode === 'add') {
      body.line(`var found = ${this.#expressions.operands.load(target, element)};`);
      body.open(loop).line(`found = ${this.#plus('found', this.#fromWord(word))};`);
      body.line(this.#expressions.operands.store(target, element, this.#rounded('found')));
    } else {
      body.line('var last = 0u;');
      body.open(loop).line(`last = max(last, ${word});`);
      const inner = body.open('if (last > 0u)');
      inner.line('let step = i32(last) - 1;');
      this.#declareAxes(inner, sequentialAxes, 'step');
      const each = new Scope(inner.insertionPoint(), sequentialAxes, scope);
      const [text] = this.#expressions.write([value], each);
      each.block.line(this.#expressions.operands.store(target, element, text!));
    }
    return this.#shader(workgroups);
  }

  /**
   * Declares the loop variables of a place, and the number of what is dealt out at it. Neighbours write to
   * neighbours where they can.
   */
  #declarePlace(piece: string, count: number, name: string): Scope {
    const { targetSlices, parallelAxes } = this.#plan;
    const [place, rest] =
      this.#kernel.stride === 1
        ? [count === 1 ? '' : ` / ${count}`, ` % ${count}`]
        : [` % ${targetSlices}`, ` / ${targetSlices}`];
    const grouped = piece.includes('%') ? `(${piece})` : piece;
    if (targetSlices > 1) this.#body.line(`let place = ${grouped}${count === 1 ? '' : place};`);
    if (count > 1 || name === 'position')
      this.#body.line(`let ${name} = ${targetSlices === 1 ? piece : `${grouped}${rest}`};`);
    this.#declareAxes(this.#body, parallelAxes, 'place');
    return new Scope(this.#body.insertionPoint(), parallelAxes);
  }

  /** An invocation for one target: what belongs there is found in a register, and stored once. */
  #findOne(
    { first, end, count }: { readonly first: string; readonly end: string; readonly count: number },
    scope: Scope,
  ): void {
    const { target, mode, value, extent, index, stride } = this.#kernel;
    const { chunks } = this.#plan;
    const body = this.#body;
    const { operands } = this.#expressions;
    const stripe = extent === 1 ? '0' : 'hand';
    const element =
      chunks > 1 ? '' : this.#expressions.define(this.#element(index, stride, stripe, scope), scope);
    const isSum = mode === 'add';
    body.line(`var found = ${chunks === 1 ? operands.load(target, element) : isSum ? this.#zero() : '0u'};`);
    const perBlock =
      isSum && valueType(this.#accumulatorDType) === 'f32' && count > BLOCK
        ? 2 ** Math.ceil(Math.log2(count) / 2)
        : 0;
    const outer =
      perBlock === 0 ? null : body.open(`for (var begin = ${first}; begin < ${end}; begin += ${perBlock})`);
    outer?.line(`var recent = ${this.#zero()};`);
    const [from, to] = outer === null ? [first, end] : ['begin', `min(begin + ${perBlock}, ${end})`];
    const loop = (outer ?? body).open(`for (var step = ${from}; step < ${to}; step++)`);
    const { scope: inner } = this.#visitStep(loop, scope, (chosen) => `${chosen} == u32(${stripe})`);
    if (!isSum && chunks > 1) {
      inner.block.line('found = u32(step) + 1u;');
    } else {
      const [text] = this.#expressions.write([value], inner);
      const name = outer === null ? 'found' : 'recent';
      inner.block.line(`${name} = ${isSum ? this.#plus(name, text!) : text!};`);
    }
    outer?.line(`found = ${this.#plus('found', 'recent')};`);
    if (chunks === 1) body.line(operands.store(target, element, isSum ? this.#rounded('found') : 'found'));
    else body.line(`${operands.scratch()}[piece] = ${isSum ? this.#toWord('found') : 'found'};`);
  }

  /** An invocation for several targets, in memory. */
  #updateMany({ first, end }: { readonly first: string; readonly end: string }, scope: Scope): void {
    const { target, mode, value, extent, index, stride } = this.#kernel;
    const { targetSlices, stripes, chunks } = this.#plan;
    const body = this.#body;
    const { operands } = this.#expressions;
    /**
     * The word of a position in working memory: targets are in the order in which the second shader finishes
     * them.
     */
    const word = (position: string): string => {
      const base = `part * ${targetSlices * extent}`;
      if (targetSlices === 1) return `${operands.scratch()}[${base} + ${position}]`;
      return `${operands.scratch()}[${base} + ${stride === 1 ? `place * ${extent} + ${position}` : `${position} * ${targetSlices} + place`}]`;
    };
    if (chunks > 1) {
      const clear = body.open(
        `for (var position = ${stripes === 1 ? '0' : 'hand'}; position < ${extent}; position += ${stripes})`,
      );
      clear.line(`${word('position')} = 0u;`);
    }
    const loop = body.open(`for (var step = ${first}; step < ${end}; step++)`);
    const { chosen, scope: inner } = this.#visitStep(loop, scope, (name) => {
      const isThere = `${name} < ${extent}u`;
      return stripes === 1 ? isThere : `(${isThere}) & ((${name} & ${stripes - 1}u) == u32(hand))`;
    });
    if (chunks > 1) {
      const place = word(`i32(${chosen})`);
      if (mode === 'set') {
        inner.block.line(`${place} = u32(step) + 1u;`);
        return;
      }
      const [text] = this.#expressions.write([value], inner);
      inner.block.line(`${place} = ${this.#toWord(this.#plus(this.#fromWord(place), text!))};`);
      return;
    }
    const [text] = this.#expressions.write([value], inner);
    const element = this.#expressions.define(this.#element(index, stride, `i32(${chosen})`, inner), inner);
    const sum = (): string =>
      this.#expressions.use(binaryExpression('add', this.#dtype, operands.load(target, element), text!));
    inner.block.line(operands.store(target, element, mode === 'set' ? text! : sum()));
  }

  /**
   * Begins what is done at a step whose position is one of the invocation's. A negative position is, as
   * uint32, beyond every extent.
   */
  #visitStep(
    loop: Block,
    scope: Scope,
    isOwn: (chosen: string) => string,
  ): { readonly chosen: string; readonly scope: Scope } {
    const { sequentialAxes } = this.#plan;
    this.#declareAxes(loop, sequentialAxes, 'step');
    const each = new Scope(loop.insertionPoint(), sequentialAxes, scope);
    const [text] = this.#expressions.write([this.#kernel.position], each);
    const chosen = this.#expressions.define(`u32(${text!})`, each);
    return {
      chosen,
      scope: new Scope(loop.open(`if (${isOwn(chosen)})`).insertionPoint(), sequentialAxes, each),
    };
  }

  #element(index: ScatterKernel['index'], stride: number, position: string, scope: Scope): string {
    const rest = this.#expressions.index(index, scope);
    const step = stride === 1 ? position : `${stride} * ${position}`;
    return rest === '0' ? step : `${rest} + ${step}`;
  }

  /** Declares some loop variables at element `place` of their space in row-major order. */
  #declareAxes(block: Block, axes: readonly number[], place: string): void {
    const extents = axes.map((axis) => this.#kernel.extents[axis]!);
    let stride = sizeOf(extents);
    axes.forEach((axis, which) => {
      const extent = extents[which]!;
      stride /= extent;
      const whole = stride === 1 ? place : `${place} / ${stride}`;
      block.line(
        `let ${axisName(axis)} = ${extent === 1 ? '0' : which === 0 ? whole : `${whole} % ${extent}`};`,
      );
    });
  }

  #zero(): string {
    return this.#expressions.use(reduceIdentity('sum', this.#accumulatorDType));
  }
  #plus(a: string, b: string): string {
    return this.#expressions.use(reduceExpression('sum', this.#accumulatorDType, a, b));
  }
  #rounded(sum: string): string {
    return this.#dtype === this.#accumulatorDType
      ? sum
      : this.#expressions.use(castExpression(this.#accumulatorDType, this.#dtype, sum));
  }
  #fromWord(word: string): string {
    return `bitcast<${valueType(this.#accumulatorDType)}>(${word})`;
  }
  #toWord(value: string): string {
    return `bitcast<u32>(${value})`;
  }
  #shader(workgroups: Workgroups): Shader {
    return shaderOf({ expressions: this.#expressions, ...workgroups, body: this.#body });
  }
}
