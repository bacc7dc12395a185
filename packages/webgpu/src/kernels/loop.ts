/**
 * Loop kernels: maps, with an invocation for each element; reductions and row kernels, with an invocation or a workgroup for each row. Which one it is depends on
 * the adapter: one that computes in software has a few lanes and slow barriers, hardware has thousands of lanes that want to be fed with neighbouring elements.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from './axes.ts';
import { Block } from '../emit/block.ts';
import { Expressions, extentsOf, Scope } from '../emit/expressions.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import type { AdapterProfile } from '../profile.ts';
import type { OperandLayout, Shader } from '../shader.ts';
import { rowStrategy, splitShaders, WORKGROUP } from './split.ts';
import { workgroupRows } from './workgroup-rows.ts';
import { storeAll, sweep, writePass } from './sweep.ts';
import { accumulatorOf } from './reductions.ts';

/** Elements of a map that one invocation computes. */
const MAP_ELEMENTS = 4;

/** The shaders of a loop kernel. */
export function loopShaders(kernel: LoopKernel, layout: OperandLayout, profile: AdapterProfile): readonly Shader[] {
  if (kernel.reductions.length === 0 && kernel.rowStores.length === 0) return [mapShader(kernel, layout)];
  const strategy = rowStrategy(kernel, profile);
  if (strategy.kind === 'split') return splitShaders(kernel, layout, strategy.parts);
  if (strategy.kind === 'workgroup') return [workgroupRows(kernel, layout, profile, strategy.size)];
  return [invocationRows(kernel, layout)];
}

/** An invocation computes elements that lie a workgroup apart, so that neighbours in a workgroup touch neighbours in memory. */
function mapShader(kernel: LoopKernel, layout: OperandLayout): Shader {
  const extents = extentsOf(kernel);
  const total = sizeOf(extents);
  const perInvocation = total >= 4096 ? MAP_ELEMENTS : 1;
  const expressions = new Expressions(new Operands(kernel.operands, layout), extents);
  const body = new Block(1);
  const inner = perInvocation === 1 ? body : body.nest(`for (var step = 0; step < ${perInvocation}; step++)`);
  const first = perInvocation === 1 ? 'group' : `(group * ${perInvocation} + step)`;
  inner.line(`let place = ${first} * ${WORKGROUP} + lane;`);
  if (total % (WORKGROUP * perInvocation) !== 0) inner.nest(`if (place >= ${total})`).line('return;');
  declareAxes(inner, 0, extents, 'place');
  const scope = new Scope(inner.slot(), range(extents.length));
  for (const { stores } of kernel.passes) storeAll(expressions, stores, scope);
  const workgroups = Math.ceil(total / (WORKGROUP * perInvocation));
  return shaderOf({ expressions, size: WORKGROUP, workgroups, body });
}

/** An invocation for each row. */
function invocationRows(kernel: LoopKernel, layout: OperandLayout): Shader {
  const { rows, columns, reductions, passes, rowStores } = kernel;
  const count = sizeOf(rows);
  const size = Math.min(WORKGROUP, Math.max(4, 2 ** Math.ceil(Math.log2(count / 8))));
  const body = new Block(1);
  body.line(`let row = group * ${size} + lane;`);
  if (count % size !== 0) body.nest(`if (row >= ${count})`).line('return;');
  declareAxes(body, 0, rows, 'row');
  const scope = new Scope(body.slot(), range(rows.length));
  const reduced = (reduction: number): { name: string; scope: Scope } => ({ name: `r${reduction}`, scope });
  const expressions = new Expressions(new Operands(kernel.operands, layout), extentsOf(kernel), { reduced });
  for (const pass of passes) {
    const accumulators = pass.reductions.map((number) => accumulatorOf(reductions[number]!, number, expressions));
    scope.block = body.slot();
    for (const accumulator of accumulators) accumulator.begin(body);
    sweep(body, columns, rows.length, { first: '0', step: 1, count: sizeOf(columns) }, accumulators, (inner) =>
      writePass(kernel, pass, accumulators, expressions, new Scope(inner, range(columns.length, rows.length), scope)),
    );
    pass.reductions.forEach((number, place) => body.line(`let r${number} = ${accumulators[place]!.result()};`));
  }
  scope.block = body.slot();
  storeAll(expressions, rowStores, scope);
  return shaderOf({ expressions, size, workgroups: Math.ceil(count / size), body });
}
