/**
 * Writing by computed positions, without atomics, so that sums have one order and the last `set` wins. For each place of the axes that the target's index depends on the
 * targets are others: these places go to different invocations, which walk the remaining axes in order. Where they are few, the targets of each place are dealt out besides:
 * an invocation looks at all positions and takes those of its own targets, and if that is one target, adds up in a register.
 */
import { axisName, isAffine, type ScatterKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { Expressions, extentsOf, Scope } from '../emit/expressions.ts';
import { axesIn } from '../emit/indices.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { range } from './axes.ts';
import { declarePiece, workgroupsFor } from './invocations.ts';
import type { AdapterProfile } from '../profile.ts';
import { binaryExpression, castExpression, reduceExpression, reduceIdentity, valueType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../shader.ts';

/** Invocations that run at a time, and what an update of memory costs them, in looks at a position. */
const IN_FLIGHT = { software: 8, hardware: 16384 } as const;
const UPDATE = { software: 3, hardware: 20 } as const;
/** Steps whose values are added up without blocks. */
const BLOCK = 32;

/** Who writes what. */
interface ScatterPlan {
  /** Axes whose places have targets of their own, and the others. */
  readonly kept: readonly number[];
  readonly walked: readonly number[];
  /** Among how many invocations the targets of one place are dealt out: a power of two, or as many as there are targets. */
  readonly hands: number;
}

function planOf(kernel: ScatterKernel, { isSoftware }: AdapterProfile): ScatterPlan {
  const { extents, index, extent } = kernel;
  const axes = range(extents.length);
  if (!isInjective(kernel)) return { kept: [], walked: axes, hands: 1 };
  const used = new Set(axesIn(index));
  const [kept, walked] = [axes.filter((axis) => used.has(axis)), axes.filter((axis) => !used.has(axis))];
  const [places, steps] = [kept, walked].map((some) => sizeOf(some.map((axis) => extents[axis]!))) as [number, number];
  const adapter = isSoftware ? 'software' : 'hardware';
  /** Each step is a look at a position; one that finds it updates memory, or a register. */
  const cost = (hands: number): number =>
    Math.max(1, (places * hands) / IN_FLIGHT[adapter]) * (steps + (steps / hands) * (hands === extent ? 1 : UPDATE[adapter]));
  let best = extent;
  for (let hands = 1; hands < extent; hands *= 2) if (cost(hands) < cost(best)) best = hands;
  return { kept, walked, hands: best };
}

/** Whether index + position·stride is another number for each place of the index's axes and each position: every step is larger than all smaller ones reach. */
function isInjective({ extents, index, stride, extent }: ScatterKernel): boolean {
  if (!isAffine(index)) return false;
  const steps = index.terms.map(({ factor }, term) => ({ size: Math.abs(factor), count: extents[axesIn(index)[term]!]! }));
  let reach = 0;
  for (const { size, count } of [...steps, { size: stride, count: extent }].toSorted((a, b) => a.size - b.size)) {
    if (count > 1 && size <= reach) return false;
    reach += size * (count - 1);
  }
  return true;
}

/** The shaders of a scatter kernel: none where there is nowhere to write to. */
export function scatterShaders(kernel: ScatterKernel, layout: OperandLayout, profile: AdapterProfile): readonly Shader[] {
  return kernel.extent === 0 ? [] : [scatterShader(kernel, layout, planOf(kernel, profile))];
}

function scatterShader(kernel: ScatterKernel, layout: OperandLayout, { kept, walked, hands }: ScatterPlan): Shader {
  const { operands, extents, target, index, position, stride, extent } = kernel;
  const places = sizeOf(kept.map((axis) => extents[axis]!));
  const expressions = new Expressions(new Operands(operands, layout), extentsOf(kernel));
  const workgroups = workgroupsFor(places * hands);
  const body = new Block(1);
  declarePiece(body, 'piece', places * hands, workgroups);
  // Neighbours write to neighbours, where they can.
  const [place, hand] = stride === 1 ? ['/', '%'].map((symbol) => `piece ${symbol} ${hands}`) : ['%', '/'].map((symbol) => `piece ${symbol} ${places}`);
  body.line(`let place = ${place!};`, `let hand = ${hand!};`);
  declareEach(body, kept, extents, 'place');
  const scope = new Scope(body.slot(), kept);
  const isOwn = hands === extent;
  const element = (position_: string): string => {
    const rest = expressions.place(index, scope);
    return `${rest === '0' ? '' : `${rest} + `}${stride === 1 ? '' : `${stride} * `}${position_}`;
  };
  /** The position of a step, where it is one of this invocation. */
  const look = (loop: Block): { readonly inner: Block; readonly chosen: string; readonly scope: Scope } => {
    declareEach(loop, walked, extents, 'step');
    const each = new Scope(loop.slot(), walked, scope);
    const [text] = expressions.write([position], each);
    const chosen = expressions.name(`u32(${text!})`, each);
    // A negative position is, as uint32, beyond every extent.
    const dealt = hands === 1 ? '' : ` && (${chosen} & ${hands - 1}u) == u32(hand)`;
    const inner = loop.nest(`if (${isOwn ? `${chosen} == u32(hand)` : `${chosen} < ${extent}u${dealt}`})`);
    return { inner, chosen, scope: new Scope(inner.slot(), walked, each) };
  };
  const steps = sizeOf(walked.map((axis) => extents[axis]!));
  if (isOwn) {
    gatherSteps(kernel, expressions, body, steps, element('hand'), (loop) => look(loop).scope);
  } else {
    const { chosen, scope: inner } = look(body.nest(`for (var step = 0; step < ${steps}; step++)`));
    const at = expressions.name(element(`i32(${chosen})`), inner);
    const [value] = expressions.write([kernel.value], inner);
    const { dtype } = operands[target]!;
    const sum = (): string => expressions.use(binaryExpression('add', dtype, expressions.operands.load(target, at), value!));
    inner.block.line(expressions.operands.store(target, at, kernel.mode === 'set' ? value! : sum()));
  }
  return shaderOf({ expressions, ...workgroups, body });
}

/** An invocation for one target: what belongs there is found in a register, and stored once. */
function gatherSteps(
  { operands, target, mode, value }: ScatterKernel,
  expressions: Expressions,
  body: Block,
  steps: number,
  element: string,
  look: (loop: Block) => Scope,
): void {
  const { dtype } = operands[target]!;
  const kept = dtype === 'float16' ? 'float32' : dtype;
  const plus = (a: string, b: string): string => expressions.use(reduceExpression('sum', kept, a, b));
  body.line(`let element = ${element};`, `var found = ${expressions.operands.load(target, 'element')};`);
  const perBlock = mode === 'add' && valueType(dtype) === 'f32' && steps > BLOCK ? 2 ** Math.ceil(Math.log2(steps) / 2) : 0;
  const outer = perBlock === 0 ? null : body.nest(`for (var begin = 0; begin < ${steps}; begin += ${perBlock})`);
  outer?.line(`var recent = ${expressions.use(reduceIdentity('sum', kept))};`);
  const [first, end] = outer === null ? ['0', String(steps)] : ['begin', `min(begin + ${perBlock}, ${steps})`];
  const scope = look((outer ?? body).nest(`for (var step = ${first}; step < ${end}; step++)`));
  const [text] = expressions.write([value], scope);
  const name = outer === null ? 'found' : 'recent';
  scope.block.line(`${name} = ${mode === 'set' ? text! : plus(name, text!)};`);
  outer?.line(`found = ${plus('found', 'recent')};`);
  const result = dtype === 'float16' ? expressions.use(castExpression('float32', 'float16', 'found')) : 'found';
  body.line(expressions.operands.store(target, 'element', result));
}

/** Declares some loop variables at element `place` of their space in row-major order. */
function declareEach(block: Block, axes: readonly number[], extents: readonly number[], place: string): void {
  let stride = sizeOf(axes.map((axis) => extents[axis]!));
  axes.forEach((axis, which) => {
    const extent = extents[axis]!;
    stride /= extent;
    const whole = stride === 1 ? place : `${place} / ${stride}`;
    block.line(`let ${axisName(axis)} = ${which === 0 ? whole : `${whole} % ${extent}`};`);
  });
}
