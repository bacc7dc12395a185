/**
 * Loop kernels as WebAssembly: maps, rows and sums over a million elements, in milliseconds, beside the
 * plainest JavaScript loops over the same arrays, both measured here and now. Then what it takes to assemble
 * and compile as many kernels as a training step has.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { Generator } from '@firsthand/linalg';
import type { Callee } from '../src/assembler/code.ts';
import { Module } from '../src/assembler/module.ts';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { detectFeatures } from '../src/engine/features.ts';
import { emitKernel, functionsOf, planKernel } from '../src/runtime/plan-kernel.ts';
import type { WasmKernelPlan } from '../src/kernels/kernel-plan.ts';
import { FLOAT64_IMPORTS, scalarImports, type Float64Import } from '../src/math/functions.ts';
import { affine } from '../test/support/build.ts';
import {
  adam,
  addition,
  biasRelu,
  concatenation,
  COUNT,
  dropout,
  functionOf,
  gelu,
  layerNorm,
  softmax,
  sum,
  transposition,
} from './support/loops.ts';

const features = detectFeatures();

const noParts = (): Callee => {
  throw new Error('only composites are made of other kernels');
};

const planOf = (kernel: LoopKernel): WasmKernelPlan => planKernel(kernel, TILES[0]!);

/** Kernels in one module, by name. */
function assemble(kernels: readonly LoopKernel[]): {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly imports: WebAssembly.ModuleImports;
} {
  const module = new Module({ initial: 1, maximum: 65536, shared: false });
  const names = new Set(kernels.flatMap((kernel) => [...functionsOf(kernel, planOf(kernel))]));
  const functions = new Map<Float64Import, Callee>();
  for (const name of names) {
    const params = Array.from({ length: FLOAT64_IMPORTS[name] }, () => 'f64' as const);
    functions.set(name, module.importFunction(name, { params, results: ['f64'] }));
  }
  kernels.forEach((kernel, number) => {
    const params = Array.from({ length: kernel.operands.length + 1 }, () => 'i32' as const);
    module.function(
      `kernel${number}`,
      { params, results: [] },
      (code, locals) =>
        emitKernel(
          code,
          kernel.operands.length,
          planOf(kernel),
          locals,
          { features, functions, module, define: noParts },
          null,
        ),
      {
        exported: true,
      },
    );
  });
  return { bytes: module.toBytes(), imports: { ...scalarImports() } };
}

const memory = new WebAssembly.Memory({ initial: 512, maximum: 65536 });
const generator = new Generator(1);
const arrays = [0, 1, 2, 3].map(
  (number) => new Float32Array(memory.buffer, 65536 + number * (4 * COUNT + 1088), COUNT),
);
for (const array of arrays) array.set(generator.uniform([COUNT], { low: 0.01, high: 1 }).data);
const scratch = 65536 + 4 * (4 * COUNT + 1088);
const [a, b, r] = [arrays[0]!.slice(), arrays[1]!.slice(), new Float32Array(COUNT)];

function plainRows(rows: number, columns: number, row: (start: number) => void): () => void {
  return () => {
    for (let start = 0; start < rows * columns; start += columns) row(start);
  };
}

const BENCHMARKS: readonly (readonly [name: string, kernel: LoopKernel, plain: (() => void) | null])[] = [
  [
    'add, 1M',
    addition(),
    () => {
      for (let i = 0; i < COUNT; i++) r[i] = a[i]! + b[i]!;
    },
  ],
  ['bias + relu, 1024 × 1024', biasRelu(1024, 1024), null],
  [
    'exp, 1M',
    functionOf('exp'),
    () => {
      for (let i = 0; i < COUNT; i++) r[i] = Math.exp(a[i]!);
    },
  ],
  ['log, 1M', functionOf('log'), null],
  ['sin, 1M', functionOf('sin'), null],
  [
    'gelu (tanh), 1M',
    gelu(),
    () => {
      for (let i = 0; i < COUNT; i++)
        r[i] = 0.5 * a[i]! * (1 + Math.tanh(0.7978845608 * (a[i]! + 0.044715 * a[i]! ** 3)));
    },
  ],
  [
    'softmax, 512 × 1024',
    softmax(512, 1024),
    plainRows(512, 1024, (start) => {
      let [most, total] = [-Infinity, 0];
      for (let i = start; i < start + 1024; i++) most = Math.max(most, a[i]!);
      for (let i = start; i < start + 1024; i++) total += r[i] = Math.exp(a[i]! - most);
      for (let i = start; i < start + 1024; i++) r[i]! /= total;
    }),
  ],
  ['softmax, 16384 × 32', softmax(16384, 32), null],
  [
    'layer norm, 512 × 768',
    layerNorm(512, 768),
    plainRows(512, 768, (start) => {
      let [mean, variance] = [0, 0];
      for (let i = start; i < start + 768; i++) mean += a[i]! / 768;
      for (let i = start; i < start + 768; i++) variance += (a[i]! - mean) ** 2 / 768;
      for (let i = start; i < start + 768; i++)
        r[i] = ((a[i]! - mean) / Math.sqrt(variance + 1e-5)) * b[i - start]! + b[i - start]!;
    }),
  ],
  [
    'sum, 1M',
    sum(1, COUNT, affine(0, [1, 1])),
    () => {
      let total = 0;
      for (let i = 0; i < COUNT; i++) total += a[i]!;
      r[0] = total;
    },
  ],
  ['sum of columns, 512 × 512', sum(512, 512, affine(0, [0, 1], [1, 512])), null],
  ['sum of columns, 8192 × 128', sum(128, 8192, affine(0, [0, 1], [1, 128])), null],
  ['transposition, 1024 × 1024', transposition(1024, 1024), null],
  ['concatenation, 1024 × (512 + 512)', concatenation(1024, 512, 512), null],
  ['dropout, 1M', dropout(), null],
  ['Adam, 1M', adam(), null],
];

/** The shortest of runs in a quarter of a second, in milliseconds. */
function best(run: () => void): number {
  let least = Infinity;
  const until = performance.now() + 250;
  do {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  } while (performance.now() < until);
  return least;
}

const start = performance.now();
const { bytes, imports } = assemble(BENCHMARKS.map(([, kernel]) => kernel));
const assembled = performance.now();
const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, ...imports } });
const compiled = performance.now();
console.log(
  `${BENCHMARKS.length} kernels, ${bytes.length} bytes, assembled in ${(assembled - start).toFixed(1)} ms, compiled in ${(compiled - assembled).toFixed(1)} ms\n`,
);
for (const [number, [name, kernel, plain]] of BENCHMARKS.entries()) {
  if (planOf(kernel).scratch > memory.buffer.byteLength - scratch)
    throw new Error(`${name} needs more memory`);
  const call = instance.exports[`kernel${number}`] as (...addresses: number[]) => void;
  const addresses = [...kernel.operands.map((_, operand) => arrays[operand]!.byteOffset), scratch];
  call(...addresses);
  // The engine compiles what runs often a second time, in the background.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const milliseconds = best(() => call(...addresses));
  const other = plain === null ? '' : `, plain loop ${best(plain).toFixed(2)} ms`;
  console.log(`${name.padEnd(36)} ${milliseconds.toFixed(3).padStart(7)} ms${other}`);
}

/** As many different kernels as a small transformer's training step has. */
const many = Array.from({ length: 10 }, (_, each) => [
  biasRelu(64 + each, 512),
  softmax(512 + each, 64),
  layerNorm(512 + each, 128),
  gelu(),
  adam(),
  sum(512, 512 + each, affine(0, [0, 1], [1, 512])),
  sum(512 + each, 512, affine(0, [0, 512], [1, 1])),
  addition(),
  dropout(),
  concatenation(8, 8, 8 + each),
  transposition(64, 32 + each),
  biasRelu(512, 63 + each),
]).flat();
const begin = performance.now();
const module = assemble(many);
const middle = performance.now();
const program = new WebAssembly.Module(module.bytes);
const end = performance.now();
void new WebAssembly.Instance(program, { env: { memory, ...module.imports } });
console.log(
  `\n${many.length} kernels: ${module.bytes.length} bytes, assembled in ${(middle - begin).toFixed(1)} ms, compiled in ${(end - middle).toFixed(1)} ms`,
);
