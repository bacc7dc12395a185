/** What a shader computes, in a comment above it. */
import { printKernel, type ContractKernel } from '@firsthand/compiler';

/** The kernel's loops as comment lines, then how they are shared out. */
export function headerOf(kernel: ContractKernel, ...notes: readonly string[]): readonly string[] {
  return [...printKernel(kernel).trimEnd().split('\n'), ...notes].map((line) => `// ${line}`);
}
