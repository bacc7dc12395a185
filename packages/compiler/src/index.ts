/** How to compute it: the public names of the package, and nothing else. */
export * from './ir/kernel.ts';
export { boundsOf, dependsOn, evaluateIndex, coefficientOf, isAffine } from './ir/index-expression.ts';
export type { Atom, Index, Term } from './ir/index-expression.ts';
export { compileResumable, compileProgram } from './plan/compile.ts';
export { runToEnd, type Resumable } from './support/resumable.ts';
export { tileMatrix, type TiledAxis, type TiledMatrix } from './ir/tiled-matrix.ts';
export { bodiesOf, inputsOf, scalarsIn, type LoopBody, type ScalarOf } from './ir/scalars.ts';
export { MOST_ELEMENTS } from './lower/countable.ts';
export { printKernel } from './report/print.ts';
export { axisName, operandName } from './report/print-expression.ts';
export { planMemory, type MemoryPlan, type MemoryRequest } from './plan/memory-plan.ts';
export { trafficOf, type Traffic } from './report/traffic.ts';
export { reportOf } from './report/report.ts';
export { withTimes, type Roofline } from './report/roofline.ts';
export { createInterpreter } from './interpreter/device.ts';
export { prepareKernel, runKernel } from './interpreter/run-kernel.ts';
export { KernelTable } from './plan/kernel-table.ts';
