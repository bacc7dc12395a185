// Programs for tests of plans: arguments, and the plan of what is computed from them.
import { leaf, postOrder, type DType, type Leaf, type Node, type Shape } from '@firsthand/graph';
import { createReference } from '@firsthand/runtime';
import { compileProgram } from '../src/plan/compile.ts';
import type { Plan, Target } from '../src/ir/kernel.ts';

const device = createReference();

/** A stored argument. */
export function argument(shape: Shape, dtype: DType = 'float32'): Leaf {
  return leaf({ role: 'stored', name: null, shape, dtype, host: null, sample: null }, device);
}

/** The plan of a program, whose arguments are in the order in which it reads them. */
export function planOf(roots: readonly Node[], target: Target): Plan {
  const args = postOrder(roots, (node) => node.inputs).filter((node): node is Leaf => node.op === 'leaf');
  return compileProgram({ args, effects: [], roots }, target);
}
