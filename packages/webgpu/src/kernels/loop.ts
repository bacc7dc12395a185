/**
 * Loop kernels: maps, with an invocation for each element; reductions and row kernels, with an invocation or
 * a workgroup for each row. Which one it is depends on the adapter: one that computes in software has a few
 * lanes and slow barriers, hardware has thousands of lanes that want to be fed with neighbouring elements.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { mapShader } from './map.ts';
import { rowStrategy, splitShaders } from './split-rows.ts';
import { workgroupRows } from './workgroup-rows.ts';
import { declareWorkItem, workgroupsFor } from './work-items.ts';
import { openRow, storeAll, loopOverColumns } from './row-loop.ts';

/** The shaders of a loop kernel. */
export function loopShaders(
  kernel: LoopKernel,
  layout: OperandLayout,
  profile: AdapterProfile,
): readonly Shader[] {
  if (kernel.reductions.length === 0 && kernel.rowStores.length === 0)
    return [mapShader(kernel, layout, profile)];
  const strategy = rowStrategy(kernel, profile);
  if (strategy.kind === 'split') return splitShaders(kernel, layout, strategy.chunks);
  if (strategy.kind === 'workgroup') return [workgroupRows(kernel, layout, profile, strategy.size)];
  return [invocationRows(kernel, layout)];
}

/** An invocation for each row. */
function invocationRows(kernel: LoopKernel, layout: OperandLayout): Shader {
  const { rows, columns, passes, rowStores } = kernel;
  const count = sizeOf(rows);
  const workgroups = workgroupsFor(count);
  const body = new Block(1);
  declareWorkItem(body, 'row', count, workgroups);
  const row = openRow(kernel, layout, body, 'row');
  const { scope, expressions } = row;
  for (const pass of passes) {
    const accumulators = loopOverColumns(kernel, pass, row, body, {
      first: '0',
      step: 1,
      count: sizeOf(columns),
    });
    pass.reductions.forEach((number, place) =>
      body.line(`let r${number} = ${accumulators[place]!.result()};`),
    );
  }
  scope.block = body.insertionPoint();
  storeAll(expressions, rowStores, scope);
  return shaderOf({ expressions, ...workgroups, body });
}
