/**
 * Scatters, deterministic and without atomics: sums have one order, and the last `set` wins. The axes in the
 * target's index are parallel: each combination of them writes to a slice of targets of its own. The other
 * axes are sequential: an invocation loops over their steps in order. Where slices are few, the targets of a
 * slice are divided into stripes as well, and the steps into chunks, which leave in working memory their
 * sums, or the last step that sets a target.
 */
import type { ScatterKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/graph';
import { declareAxes } from '../emit/axes.ts';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope } from '../emit/expression-writer.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { addText, mulText } from '../emit/text.ts';
import { accumulatorDType } from './reductions.ts';
import { declareWorkItem, workgroupsFor, type Workgroups } from './work-items.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import {
  binaryExpression,
  castExpression,
  reduceExpression,
  reduceIdentity,
  valueType,
} from '../scalar/operations.ts';
import { scatterPartition, type ScatterPartition } from './scatter-partition.ts';
import type { OperandLayout, Shader, ShaderPlan } from '../emit/shader.ts';

/** Steps above which sums are blocked. */
const BLOCK = 32;

/**
 * Plans a scatter: no dispatch where there is no target, a second one where steps are divided into chunks.
 */
export function planScatter(kernel: ScatterKernel, profile: AdapterProfile): ShaderPlan<ScatterPartition> {
  const partition = scatterPartition(kernel, profile);
  const { targetSlices, chunks } = partition;
  return {
    scratch: chunks === 1 ? 0 : 4 * chunks * targetSlices * kernel.extent,
    partition,
    emit: (layout) => {
      if (kernel.extent === 0) return [];
      const scatter = new ScatterWriter(kernel, layout, partition).scatter();
      return chunks === 1
        ? [scatter]
        : [scatter, new ScatterWriter(kernel, layout, partition).combineChunks()];
    },
  };
}

/** One shader of a scatter. */
class ScatterWriter {
  readonly #kernel: ScatterKernel;
  readonly #partition: ScatterPartition;
  readonly #expressions: ExpressionWriter;
  readonly #body = new Block(1);
  /** The dtype of the target, and that of its sums. */
  readonly #dtype: DType;
  readonly #accumulatorDType: DType;

  constructor(kernel: ScatterKernel, layout: OperandLayout, partition: ScatterPartition) {
    this.#kernel = kernel;
    this.#partition = partition;
    this.#expressions = new ExpressionWriter(new Operands(kernel.operands, layout), extentsOf(kernel));
    this.#dtype = kernel.operands[kernel.target]!.dtype;
    this.#accumulatorDType = accumulatorDType(this.#dtype);
  }

  /** The shader that loops over the steps. */
  scatter(): Shader {
    const { extent } = this.#kernel;
    const { targetSlices, steps, stripes, chunks } = this.#partition;
    const body = this.#body;
    const workgroups = workgroupsFor(targetSlices * stripes * chunks);
    declareWorkItem(body, 'item', targetSlices * stripes * chunks, workgroups);
    if (chunks > 1) body.line(`let chunk = item / ${targetSlices * stripes};`);
    const scope = this.#declareSlice(
      chunks > 1 ? `item % ${targetSlices * stripes}` : 'item',
      stripes,
      'stripe',
    );
    const width = Math.ceil(steps / chunks);
    if (chunks > 1) body.line(`let start = chunk * ${width};`, `let stop = min(start + ${width}, ${steps});`);
    const range =
      chunks > 1
        ? { first: 'start', end: 'stop', count: width }
        : { first: '0', end: String(steps), count: steps };
    if (stripes === extent) this.#updateOne(range, scope);
    else this.#updateMany(range, scope);
    return this.#shader(workgroups);
  }

  /** The shader that combines the results of the chunks, target by target. */
  combineChunks(): Shader {
    const { target, extent, mode, value, stride, index } = this.#kernel;
    const { targetSlices, sequentialAxes, chunks } = this.#partition;
    const body = this.#body;
    const workgroups = workgroupsFor(targetSlices * extent);
    declareWorkItem(body, 'item', targetSlices * extent, workgroups);
    const scope = this.#declareSlice('item', extent, 'position');
    const element = this.#expressions.define(this.#element(index, stride, 'position', scope), scope);
    const word = `${this.#expressions.operands.scratch()}[item + chunk * ${targetSlices * extent}]`;
    const loop = `for (var chunk = 0; chunk < ${chunks}; chunk++)`;
    if (mode === 'add') {
      body.line(`var result = ${this.#expressions.operands.load(target, element)};`);
      body.open(loop).line(`result = ${this.#plus('result', this.#fromWord(word))};`);
      body.line(this.#expressions.operands.store(target, element, this.#rounded('result')));
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
   * Declares the parallel axes of a work item, and `name`, its number among the `count` items of its slice.
   * Neighbouring invocations write to neighbouring targets where they can.
   */
  #declareSlice(item: string, count: number, name: string): Scope {
    const { targetSlices, parallelAxes } = this.#partition;
    const [slice, within] =
      this.#kernel.stride === 1
        ? [count === 1 ? '' : ` / ${count}`, ` % ${count}`]
        : [` % ${targetSlices}`, ` / ${targetSlices}`];
    const grouped = item.includes('%') ? `(${item})` : item;
    if (targetSlices > 1) this.#body.line(`let slice = ${grouped}${count === 1 ? '' : slice};`);
    if (count > 1 || name === 'position')
      this.#body.line(`let ${name} = ${targetSlices === 1 ? item : `${grouped}${within}`};`);
    this.#declareAxes(this.#body, parallelAxes, 'slice');
    return new Scope(this.#body.insertionPoint(), parallelAxes);
  }

  /** An invocation for one target: its value is accumulated in a register, and stored once. */
  #updateOne(
    { first, end, count }: { readonly first: string; readonly end: string; readonly count: number },
    scope: Scope,
  ): void {
    const { target, mode, value, extent, index, stride } = this.#kernel;
    const { chunks } = this.#partition;
    const body = this.#body;
    const { operands } = this.#expressions;
    const stripe = extent === 1 ? '0' : 'stripe';
    const element =
      chunks > 1 ? '' : this.#expressions.define(this.#element(index, stride, stripe, scope), scope);
    const isSum = mode === 'add';
    body.line(`var result = ${chunks === 1 ? operands.load(target, element) : isSum ? this.#zero() : '0u'};`);
    const perBlock =
      isSum && valueType(this.#accumulatorDType) === 'f32' && count > BLOCK
        ? 2 ** Math.ceil(Math.log2(count) / 2)
        : 0;
    const outer =
      perBlock === 0 ? null : body.open(`for (var begin = ${first}; begin < ${end}; begin += ${perBlock})`);
    outer?.line(`var block_sum = ${this.#zero()};`);
    const [from, to] = outer === null ? [first, end] : ['begin', `min(begin + ${perBlock}, ${end})`];
    const loop = (outer ?? body).open(`for (var step = ${from}; step < ${to}; step++)`);
    const { scope: inner } = this.#visitStep(loop, scope, (chosen) => `${chosen} == u32(${stripe})`);
    if (!isSum && chunks > 1) {
      inner.block.line('result = u32(step) + 1u;');
    } else {
      const [text] = this.#expressions.write([value], inner);
      const name = outer === null ? 'result' : 'block_sum';
      inner.block.line(`${name} = ${isSum ? this.#plus(name, text!) : text!};`);
    }
    outer?.line(`result = ${this.#plus('result', 'block_sum')};`);
    if (chunks === 1) body.line(operands.store(target, element, isSum ? this.#rounded('result') : 'result'));
    else body.line(`${operands.scratch()}[item] = ${isSum ? this.#toWord('result') : 'result'};`);
  }

  /** An invocation for several targets: each is updated in memory. */
  #updateMany(steps: { readonly first: string; readonly end: string }, scope: Scope): void {
    const { target, mode, value, extent, index, stride } = this.#kernel;
    const { targetSlices, stripes, chunks } = this.#partition;
    const body = this.#body;
    const { operands } = this.#expressions;
    /** The word of a target in working memory, ordered like the work items of `combineChunks`. */
    const word = (position: string): string => {
      const slot = stride === 1 ? `slice * ${extent} + ${position}` : `${position} * ${targetSlices} + slice`;
      const base = `chunk * ${targetSlices * extent}`;
      return `${operands.scratch()}[${base} + ${targetSlices === 1 ? position : slot}]`;
    };
    if (chunks > 1) {
      const first = stripes === 1 ? '0' : 'stripe';
      const clear = `for (var position = ${first}; position < ${extent}; position += ${stripes})`;
      body.open(clear).line(`${word('position')} = 0u;`);
    }
    const loop = body.open(`for (var step = ${steps.first}; step < ${steps.end}; step++)`);
    const { chosen, scope: inner } = this.#visitStep(loop, scope, (name) => {
      const isThere = `${name} < ${extent}u`;
      return stripes === 1 ? isThere : `(${isThere}) & ((${name} & ${stripes - 1}u) == u32(stripe))`;
    });
    if (chunks > 1) {
      const partial = word(`i32(${chosen})`);
      if (mode === 'set') {
        inner.block.line(`${partial} = u32(step) + 1u;`);
        return;
      }
      const [text] = this.#expressions.write([value], inner);
      inner.block.line(`${partial} = ${this.#toWord(this.#plus(this.#fromWord(partial), text!))};`);
      return;
    }
    const [text] = this.#expressions.write([value], inner);
    const element = this.#expressions.define(this.#element(index, stride, `i32(${chosen})`, inner), inner);
    const sum = (): string =>
      this.#expressions.use(binaryExpression('add', this.#dtype, operands.load(target, element), text!));
    inner.block.line(operands.store(target, element, mode === 'set' ? text! : sum()));
  }

  /**
   * Opens the block for the steps whose target is one of the invocation's. A negative position is, as uint32,
   * beyond every extent.
   */
  #visitStep(
    loop: Block,
    scope: Scope,
    condition: (chosen: string) => string,
  ): { readonly chosen: string; readonly scope: Scope } {
    const { sequentialAxes } = this.#partition;
    this.#declareAxes(loop, sequentialAxes, 'step');
    const each = new Scope(loop.insertionPoint(), sequentialAxes, scope);
    const [text] = this.#expressions.write([this.#kernel.position], each);
    const chosen = this.#expressions.define(`u32(${text!})`, each);
    return {
      chosen,
      scope: new Scope(loop.open(`if (${condition(chosen)})`).insertionPoint(), sequentialAxes, each),
    };
  }

  #element(index: ScatterKernel['index'], stride: number, position: string, scope: Scope): string {
    return addText(this.#expressions.index(index, scope), mulText(stride, position));
  }

  #declareAxes(block: Block, axes: readonly number[], position: string): void {
    const extents = axes.map((axis) => this.#kernel.extents[axis]!);
    declareAxes(block, axes, extents, position);
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
