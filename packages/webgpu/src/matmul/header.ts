/** The comment above a shader: its kernel in the compiler's notation, and its tile. */
import { printKernel, type ContractKernel } from '@firsthand/compiler';

/** The kernel's loops as comment lines, then notes. */
export function headerOf(kernel: ContractKernel, ...notes: readonly string[]): readonly string[] {
  return [...printKernel(kernel).trimEnd().split('\n'), ...notes].map((line) => `// ${line}`);
}
