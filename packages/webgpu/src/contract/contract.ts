/** Matrix products as shaders: which kind of tile, and how large, is chosen by the adapter and the shape. */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../profile.ts';
import type { OperandLayout, Shader } from '../shader.ts';
import { registerTileShader } from './register-tile.ts';
import { chooseRegisterTile } from './choose.ts';

/** The shaders of a matrix product. */
export function contractShaders(kernel: ContractKernel, layout: OperandLayout, profile: AdapterProfile): readonly Shader[] {
  return [registerTileShader(kernel, layout, chooseRegisterTile(kernel, profile))];
}
