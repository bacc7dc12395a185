/**
 * Loop kernels: maps, and rows with reductions, each of which one invocation, one workgroup, or several
 * invocations in two dispatches compute. The adapter decides: one that computes in software has a few lanes
 * and slow barriers, hardware has thousands of lanes that should load neighbouring elements.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { OperandLayout, Shader, ShaderPlan } from '../emit/shader.ts';
import { mapShader } from './map.ts';
import { splitScratchWords, splitShaders } from './split-rows.ts';
import { declareResults, loopOverColumns, openRow } from './row-loop.ts';
import { declareWorkItem, workgroupsFor } from './work-items.ts';
import { workgroupRows } from './workgroup-rows.ts';

/** How a loop kernel is divided among invocations. */
export type LoopPartition =
  | { readonly kind: 'map' }
  /** An invocation for each row. */
  | { readonly kind: 'invocation rows' }
  /** A workgroup of `size` invocations for each row. */
  | { readonly kind: 'workgroup rows'; readonly size: number }
  /** An invocation for each of `chunks` chunks of each row, then one for each row. */
  | { readonly kind: 'split rows'; readonly chunks: number };

/** Rows that keep an adapter busy with one invocation each: in software, a few vectors for each core. */
const ENOUGH_ROWS = { software: 32, hardware: 8192 } as const;
/** Columns of a chunk, at least. */
const LEAST_CHUNK_COLUMNS = { software: 256, hardware: 64 } as const;
/** Chunks of a row, at most. */
const MOST_CHUNKS = { software: 64, hardware: 1024 } as const;
/** Columns from which on a row may have a workgroup or chunks. */
const LONG_ROW = 64;
/** Invocations of a workgroup that reduces a row in software. */
const SOFTWARE_WORKGROUP = 64;

/** Plans a loop kernel. */
export function planLoop(kernel: LoopKernel, profile: AdapterProfile): ShaderPlan<LoopPartition> {
  const partition = partitionOf(kernel, profile);
  const { kind } = partition;
  return {
    scratch: kind === 'split rows' ? 4 * splitScratchWords(kernel, partition.chunks) : 0,
    partition,
    emit: (layout) => {
      if (kind === 'map') return [mapShader(kernel, layout, profile)];
      if (kind === 'split rows') return splitShaders(kernel, layout, partition.chunks);
      if (kind === 'workgroup rows') return [workgroupRows(kernel, layout, profile, partition.size)];
      return [invocationRows(kernel, layout)];
    },
  };
}

function partitionOf(kernel: LoopKernel, { isSoftware, maxInvocations }: AdapterProfile): LoopPartition {
  if (kernel.reductions.length === 0 && kernel.rowStores.length === 0) return { kind: 'map' };
  const [rows, columns] = [sizeOf(kernel.rows), sizeOf(kernel.columns)];
  const adapter = isSoftware ? 'software' : 'hardware';
  if (rows >= ENOUGH_ROWS[adapter] || columns < LONG_ROW) return { kind: 'invocation rows' };
  const isOnePass = kernel.passes.length === 1 && kernel.passes[0]!.stores.length === 0;
  const chunks = Math.min(
    MOST_CHUNKS[adapter],
    Math.floor(columns / LEAST_CHUNK_COLUMNS[adapter]),
    Math.ceil((2 * ENOUGH_ROWS[adapter]) / rows),
  );
  if (isOnePass && chunks > 1 && (isSoftware || rows < 64)) return { kind: 'split rows', chunks };
  const wanted = isSoftware ? SOFTWARE_WORKGROUP : 2 ** Math.ceil(Math.log2(columns / 4));
  return { kind: 'workgroup rows', size: Math.min(maxInvocations, 256, Math.max(32, wanted)) };
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
    declareResults(body, pass, accumulators);
  }
  scope.block = body.insertionPoint();
  expressions.storeAll(rowStores, scope);
  return shaderOf({ expressions, ...workgroups, body });
}
