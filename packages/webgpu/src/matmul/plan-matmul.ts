/** Matrix products as shaders: which kind of tile, and how large, is chosen by the adapter and the shape. */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../emit/profile.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { chooseRegisterTile } from './choose-register-tile.ts';
import { chooseWorkgroupTile } from './choose-workgroup-tile.ts';
import { matrixVectorShader } from './matrix-vector.ts';
import { registerTileShader } from './register-tile.ts';
import { workgroupTileShader } from './workgroup-tile.ts';

/** The shaders of a matrix product. */
export function contractShaders(
  kernel: ContractKernel,
  layout: OperandLayout,
  profile: AdapterProfile,
): readonly Shader[] {
  const tile = profile.isSoftware ? null : chooseWorkgroupTile(kernel, profile);
  if (tile === null) return [registerTileShader(kernel, layout, chooseRegisterTile(kernel, profile))];
  return [
    kernel.m === 1 || kernel.n === 1
      ? matrixVectorShader(kernel, layout)
      : workgroupTileShader(kernel, layout, tile),
  ];
}
