// Programs for tests of kernels: arguments, and the kernels of what is computed from them.
import { compileProgram, type Kernel, type Target } from '@firsthand/compiler';
import { leaf, postOrder, type Leaf, type Node } from '@firsthand/graph';
import { createReference } from '@firsthand/runtime';
import type { DType, Shape } from '@firsthand/linalg';

const device = createReference();

/** A stored argument. */
export function argument(shape: Shape, dtype: DType = 'float32'): Leaf {
  return leaf({ role: 'stored', name: null, shape, dtype, host: null, sample: null }, device);
}

/** The kernels of a program, by default for a target that asks for computed matrices. */
export function kernelsOf(roots: readonly Node[], asks: Partial<Target> = {}): readonly Kernel[] {
  const args = postOrder(roots, (node) => node.inputs).filter((node): node is Leaf => node.op === 'leaf');
  const target = { float64: true, plan: () => ({ scratch: 0 }), implicitMatrices: true, ...asks };
  return compileProgram({ args, effects: [], roots }, target).kernels.map(({ kernel }) => kernel);
}
