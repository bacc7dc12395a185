// Kernels of few elements call functions such as eˣ, larger ones inline them: with the same bits.
import type { LoopKernel, Scalar } from '@firsthand/compiler';
import { expect, test } from 'vitest';
import { Module } from '../src/assembler/module.ts';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { emitKernel, kernelSignature, planKernel } from '../src/runtime/plan-kernel.ts';
import { load, mapKernel, operandsOf, rowMajor } from './support/build.ts';
import { runCompiled } from './support/kernels.ts';

/** exp(tanh(x)) + exp(x)^tanh(x) of `length` numbers. */
function kernelOf(length: number): LoopKernel {
  const index = rowMajor([length]);
  const x = load(0, 'float32', index);
  const unary = (kind: 'exp' | 'tanh', of: Scalar): Scalar => ({
    op: 'unary',
    dtype: 'float32',
    kind,
    x: of,
  });
  const binary = (kind: 'add' | 'pow', a: Scalar, b: Scalar): Scalar => ({
    op: 'binary',
    dtype: 'float32',
    kind,
    a,
    b,
  });
  const tanh = unary('tanh', x);
  const value = binary('add', unary('exp', tanh), binary('pow', unary('exp', x), tanh));
  const operands = operandsOf([
    ['float32', length],
    ['float32', length],
  ]);
  return mapKernel(operands, [length], [{ operand: 1, index, value }]);
}

const FEW = 1024;
const MANY = FEW + 1;
const values = Float32Array.from({ length: MANY }, (_, i) => (i - 500) / 37);

test('the bits of a function that is called are those of the same function inlined', () => {
  const resultOf = (length: number): Float32Array =>
    runCompiled(kernelOf(length), [values.slice(0, length), new Float32Array(length)])[1] as Float32Array;
  const called = resultOf(FEW);
  expect(called).toEqual(resultOf(MANY).slice(0, FEW));
  expect(new Set(called).size).toBeGreaterThan(FEW / 2);
});

test('a kernel of few elements defines each function once, a larger one defines none', () => {
  const functionsOf = (length: number): readonly string[] => {
    const kernel = kernelOf(length);
    const module = new Module({ initial: 1, maximum: 1, shared: false });
    const tools = {
      features: { relaxedSimd: false },
      functions: new Map(),
      module,
      define: () => expect.unreachable('the kernel calls no other'),
    };
    module.function('kernel', kernelSignature(2, false), (code, params) =>
      emitKernel(code, 2, planKernel(kernel, TILES[0]!), params, tools, null),
    );
    const [names] = WebAssembly.Module.customSections(new WebAssembly.Module(module.toBytes()), 'name');
    return new TextDecoder().decode(names).match(/[a-z]{3,}/g)!;
  };
  expect(functionsOf(FEW).toSorted()).toEqual(['exp', 'kernel', 'pow', 'tanh']);
  expect(functionsOf(MANY)).toEqual(['kernel']);
});
