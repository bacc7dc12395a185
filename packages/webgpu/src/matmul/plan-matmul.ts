/** Plans a matrix product: the kind and the size of its tiles, by the adapter and the shape. */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../emit/profile.ts';
import type { ShaderPlan } from '../emit/shader.ts';
import { chooseRegisterTile } from './choose-register-tile.ts';
import { chooseWorkgroupTile } from './choose-workgroup-tile.ts';
import { matrixVectorShader } from './matrix-vector.ts';
import { registerTileShader, type RegisterTile } from './register-tile.ts';
import { workgroupTileShader, type WorkgroupTile } from './workgroup-tile.ts';

/** Which kernel computes a product, with its tile. */
export type MatmulPartition =
  | { readonly kind: 'register tile'; readonly tile: RegisterTile }
  | { readonly kind: 'workgroup tile'; readonly tile: WorkgroupTile }
  | { readonly kind: 'matrix-vector' };

/** Plans a product. Register tiles serve adapters that compute in software, or have no memory for others. */
export function planMatmul(kernel: ContractKernel, profile: AdapterProfile): ShaderPlan<MatmulPartition> {
  const partition = partitionOf(kernel, profile);
  return {
    scratch: 0,
    partition,
    emit: (layout) => {
      if (partition.kind === 'matrix-vector') return [matrixVectorShader(kernel, layout)];
      if (partition.kind === 'workgroup tile') return [workgroupTileShader(kernel, layout, partition.tile)];
      return [registerTileShader(kernel, layout, partition.tile)];
    },
  };
}

function partitionOf(kernel: ContractKernel, profile: AdapterProfile): MatmulPartition {
  const tile = profile.isSoftware ? null : chooseWorkgroupTile(kernel, profile);
  if (tile === null) return { kind: 'register tile', tile: chooseRegisterTile(kernel, profile) };
  return kernel.m === 1 || kernel.n === 1 ? { kind: 'matrix-vector' } : { kind: 'workgroup tile', tile };
}
