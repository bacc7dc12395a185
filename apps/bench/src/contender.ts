/**
 * The seam between the benchmark and what it compares: a contender takes a task and gives back something that
 * can be run again and again. On the processor each lives in a process of its own, so that no two share an
 * engine's heap, code or garbage collection; on the GPU all live in one page, so that they share its adapter.
 */
import type { Work } from './tasks.ts';

/** Numbers beside the times, by name, such as the milliseconds that went into compiling. */
export type Notes = Readonly<Record<string, number>>;

/** A task ready to run. */
export interface Prepared {
  /**
   * Does the work once, to its end; on a GPU, all of it is handed over, and a wait for its end may be left to
   * the caller. A promise only where the contender's own interface is asynchronous.
   */
  run(): void | Promise<void>;
  /**
   * What was computed: the results of an operation by its last run, or the losses of all training steps so
   * far.
   */
  outputs(): Promise<readonly Float32Array[]>;
  /** What there is to note so far. */
  notes?(): Notes;
  /** Gives the memory back. */
  release(): void;
}

export interface Contender {
  /** @returns null for a task that it cannot do */
  prepare(work: Work): Promise<Prepared | null>;
}

export type DeviceName = 'wasm' | 'reference';

/** What a contender can be told. */
export interface ContenderOptions {
  /** Where this project's own tensors live. */
  readonly device: DeviceName;
}

/** Those of the comparison on the processor. */
export const CONTENDERS = [
  'firsthand',
  'two-threads',
  'uncompiled',
  'mul-add',
  'madd',
  'tfjs-wasm',
  'jax-js',
  'ort-web',
  'ort-node',
  'torch-1',
  'torch-2',
  'loops',
] as const;

/** Those of the comparison on the GPU. */
export const PAGE_CONTENDERS = ['firsthand', 'tfjs-webgpu', 'jax-js'] as const;

export type ProcessContender = (typeof CONTENDERS)[number];
/** Those that run in Python. */
export type TorchContender = Extract<ProcessContender, `torch-${number}`>;
/** Those that run in Node. */
export type NodeContender = Exclude<ProcessContender, TorchContender>;
export type PageContender = (typeof PAGE_CONTENDERS)[number];
export type ContenderName = ProcessContender | PageContender;

/** The one that the others are compared with. */
export const OURS = 'firsthand';

/** The one whose results are right by definition. */
export const ORACLE = 'loops';

/** How each is shown, and what it is. */
export const DESCRIPTIONS: {
  readonly [K in ContenderName]: { readonly title: string; readonly text: string };
} = {
  firsthand: { title: 'firsthand', text: 'this project, compiled, one thread' },
  'two-threads': { title: 'two threads', text: 'this project, compiled, with two threads' },
  uncompiled: { title: 'uncompiled', text: 'this project, the same training step without compile' },
  'mul-add': {
    title: 'mul+add',
    text: 'nothing but f32x4 multiplications and additions in registers, as many as the task has: the ceiling',
  },
  madd: { title: 'madd', text: 'the same with relaxed_madd, where the engine has it' },
  'tfjs-wasm': { title: 'tfjs-wasm', text: '@tensorflow/tfjs-backend-wasm, one thread' },
  'tfjs-webgpu': { title: 'tfjs-webgpu', text: '@tensorflow/tfjs-backend-webgpu' },
  'jax-js': { title: 'jax-js', text: '@jax-js/jax, everything inside jit' },
  'ort-web': {
    title: 'ort-web',
    text: 'onnxruntime-web, wasm, one thread; a run copies its inputs and outputs',
  },
  'ort-node': { title: 'ort-node', text: 'onnxruntime-node, native code, one thread' },
  'torch-1': {
    title: 'torch',
    text: 'PyTorch in eager mode, native code, one thread; only where Python has it',
  },
  'torch-2': { title: 'torch, 2', text: 'the same with two threads' },
  loops: { title: 'loops', text: 'plain loops over typed arrays; they say what is right' },
};

/** Those that compute nothing: what others can be compared with is only their time. */
export const CEILINGS: ReadonlySet<ContenderName> = new Set(['mul-add', 'madd']);

/** Whether it runs in Python. */
export const isTorch = (name: ProcessContender): name is TorchContender => name.startsWith('torch-');

/** Those that come from the registry of npm. */
export const PEERS: ReadonlySet<ContenderName> = new Set([
  'tfjs-wasm',
  'tfjs-webgpu',
  'jax-js',
  'ort-web',
  'ort-node',
]);
