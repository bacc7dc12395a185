/**
 * The function that runs a plan: it calls the plan's kernels in order, with addresses that are constants beyond the base of the working region or stand in the
 * table there. It is a module of its own that imports the kernels, since kernels outlive the plan that they were compiled for.
 */
import type { Place, Plan } from '@firsthand/compiler';
import type { Callee, Code, Local } from '../assembler/code.ts';
import { Module, type Signature } from '../assembler/module.ts';
import { instantiate } from './compile-module.ts';
import type { Layout } from './layout.ts';
import type { LinearMemory } from './memory.ts';

/** Calls in one function: more are split, so that no function becomes larger than engines take. */
const CALLS = 4096;
const RUN: Signature = { params: ['i32'], results: [] };

/** Code of a plan: its one parameter is the base of the working region. */
export type RunFunction = (base: number) => void;

/** The parameters of a kernel with so many operands: an address for each, and one for its scratch memory. */
export function kernelSignature(operands: number): Signature {
  return { params: new Array<'i32'>(operands + 1).fill('i32'), results: [] };
}

/**
 * Assembles and compiles the code of a plan.
 * @param kernels the plan's kernels in order, compiled; equal ones may be one function
 * @throws DeviceError if the engine refuses
 */
export function assembleRun(plan: Plan, layout: Layout, kernels: readonly WebAssembly.ExportValue[], memory: LinearMemory): RunFunction {
  const module = new Module(memory.declaration);
  const env: WebAssembly.ModuleImports = { memory: memory.memory };
  const callees = new Map<WebAssembly.ExportValue, Callee>();
  kernels.forEach((compiled, number) => {
    if (callees.has(compiled)) return;
    const name = `kernel ${callees.size}`;
    env[name] = compiled;
    callees.set(compiled, module.importFunction(name, kernelSignature(plan.kernels[number]!.kernel.operands.length)));
  });
  const parts: Callee[] = [];
  for (let start = 0; start < kernels.length; start += CALLS) {
    const part = module.function(`run ${parts.length}`, RUN, (code, [base]) => {
      for (let number = start; number < Math.min(start + CALLS, kernels.length); number++) {
        const { buffers, scratch } = plan.kernels[number]!;
        for (const buffer of buffers) pushAddress(code, base!, plan.buffers[buffer]!.place, layout);
        pushAddress(code, base!, { kind: 'arena', offset: scratch.offset }, layout);
        code.call(callees.get(kernels[number]!)!);
      }
    });
    parts.push(part);
  }
  const callParts = (code: Code, [base]: readonly Local[]): void => {
    for (const part of parts) code.get(base!).call(part);
  };
  module.function('run', RUN, callParts, { exported: true });
  return instantiate(module.toBytes(), env)['run'] as RunFunction;
}

/** Leaves the address of a place on the stack. */
function pushAddress(code: Code, base: Local, place: Place, layout: Layout): void {
  code.get(base);
  if (place.kind === 'arena') code.i32(layout.arena + place.offset).op('i32.add');
  else code.memory('i32.load', 4 * (place.kind === 'argument' ? place.argument : layout.arguments.length + place.output));
}
