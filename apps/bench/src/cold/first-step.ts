/**
 * The first training step of a network in a fresh process, and where its milliseconds go. `graph` is what is
 * left of the step: the layers, their gradients, the optimizer, the program's key.
 */
import { setDefaultDevice } from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';
import { preparePrograms } from '../contenders/firsthand.ts';
import { TASKS } from '../tasks.ts';

/** Milliseconds by phase: wall-clock time, and processor time of all threads for the whole step. */
export interface FirstStep {
  readonly graph: number;
  /** Planning and emitting. */
  readonly plan: number;
  /** Compiling and instantiating WebAssembly. */
  readonly assemble: number;
  readonly run: number;
  readonly total: number;
  readonly processor: number;
}

/** Takes the first step of a task, such as `training/gpt`, on one thread. */
export async function firstStep(id: string): Promise<FirstStep> {
  const spent = { prepare: 0, assemble: 0, run: 0 };
  const timed = <T>(phase: keyof typeof spent, work: () => T): T => {
    const start = performance.now();
    const result = work();
    spent[phase] += performance.now() - start;
    return result;
  };
  const device = await createWasm({ threads: 1 });
  const prepare = device.prepare.bind(device);
  device.prepare = (program) => {
    const executable = timed('prepare', () => prepare(program));
    const run = executable.run.bind(executable);
    executable.run = (args) => timed('run', () => run(args));
    return executable;
  };
  const assembling = <T extends object>(constructor: T): T =>
    new Proxy(constructor, {
      construct: (target, args) =>
        timed('assemble', () => Reflect.construct(target as new () => object, args) as object),
    });
  WebAssembly.Module = assembling(WebAssembly.Module);
  WebAssembly.Instance = assembling(WebAssembly.Instance);
  setDefaultDevice(device);
  const { work } = TASKS.find((task) => task.id === id)!;
  if (work.kind !== 'training') throw new RangeError(`${id} is no training step`);
  const { run } = preparePrograms(work);
  const [start, used] = [performance.now(), process.cpuUsage()];
  await run();
  const total = performance.now() - start;
  const { user, system } = process.cpuUsage(used);
  return {
    graph: total - spent.prepare - spent.run,
    plan: spent.prepare - spent.assemble,
    assemble: spent.assemble,
    run: spent.run,
    total,
    processor: (user + system) / 1000,
  };
}
