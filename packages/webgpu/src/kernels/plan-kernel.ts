/** From a kernel to its shaders, by kind. */
import type { Kernel, KernelKind } from '@firsthand/compiler';
import type { Composite } from '@firsthand/graph';
import { SUBGROUPS_DIRECTIVE } from '../emit/module.ts';
import { contractShaders } from '../matmul/plan-matmul.ts';
import { loopShaders } from './loop.ts';
import { customShaders, type KernelDefinition } from './custom-kernel.ts';
import { loopScratchWords } from './split-rows.ts';
import { scanScratchWords, scanShaders } from './scan.ts';
import { scatterScratchWords, scatterShaders } from './scatter.ts';
import { sortScratchWords, sortShaders } from './sort.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { readonly kind: K }>;
/** Kernels that a user has written, by composite. */
export type Definitions = ReadonlyMap<Composite, KernelDefinition>;

interface Kind<K extends KernelKind> {
  shaders(
    kernel: KernelOf<K>,
    layout: OperandLayout,
    profile: AdapterProfile,
    definitions: Definitions,
  ): readonly Shader[];
  /** 32-bit words of working memory. */
  scratchWords(kernel: KernelOf<K>, profile: AdapterProfile): number;
}

const none = (): number => 0;
const KINDS: { readonly [K in KernelKind]: Kind<K> } = {
  loop: { shaders: loopShaders, scratchWords: loopScratchWords },
  contract: { shaders: contractShaders, scratchWords: none },
  scan: { shaders: scanShaders, scratchWords: scanScratchWords },
  scatter: { shaders: scatterShaders, scratchWords: scatterScratchWords },
  sort: { shaders: sortShaders, scratchWords: sortScratchWords },
  custom: { shaders: customShaders, scratchWords: none },
};

/** The dispatches of a kernel, in order. */
export function kernelShaders(
  kernel: Kernel,
  layout: OperandLayout,
  profile: AdapterProfile,
  definitions: Definitions,
): readonly Shader[] {
  const shaders = (KINDS[kernel.kind] as Kind<KernelKind>).shaders(kernel, layout, profile, definitions);
  if (profile.subgroups?.directive !== false) return shaders;
  return shaders.map((shader) => ({ ...shader, wgsl: shader.wgsl.replace(SUBGROUPS_DIRECTIVE, '') }));
}

/** Bytes of working memory that a kernel needs while it runs. */
export function scratchBytes(kernel: Kernel, profile: AdapterProfile): number {
  return 4 * (KINDS[kernel.kind] as Kind<KernelKind>).scratchWords(kernel, profile);
}
