// Interning: equal kernels are one object, whatever objects they are made of; kernels that differ anywhere
// are not.
import { expect, test } from 'vitest';
import type { Kernel, Scalar } from '../src/kernel.ts';
import { interned } from '../src/plan/interned.ts';
import { printKernel } from '../src/report/print.ts';
import { at, binary, constant, load, map, reads, softmax, store, unary, writes } from './kernels.ts';

const OPERANDS = [reads('float32', 8), writes('float32', 8)];
const kernel = (value: Scalar, length = 8): Kernel => map(length, OPERANDS, store(1, at([1]), value));

test('equal kernels are the first of them', () => {
  const known: Kernel[] = [];
  const first = interned(softmax(4, 8), known);
  expect(interned(softmax(4, 8), known)).toBe(first);
  expect(interned(softmax(8, 4), known)).not.toBe(first);
  expect(interned(softmax(4, 8), known)).toBe(first);
});

test('kernels that differ in one place are two, as their texts are', () => {
  const x = load(0, at([1]));
  const kernels = [
    kernel(x),
    kernel(x, 4),
    kernel(load(0, at([1], 1))),
    kernel(load(0, at([-1], 7))),
    kernel(unary('neg', x)),
    kernel(unary('abs', x)),
    kernel(binary('add', x, constant(0))),
    kernel(binary('add', x, constant(-0))),
    kernel(binary('add', constant(0), x)),
    map(8, OPERANDS, store(1, at([1]), x), store(1, at([1]), x)),
  ];
  const known: Kernel[] = [];
  expect(new Set(kernels.map((each) => interned(each, known))).size).toBe(kernels.length);
  expect(new Set(kernels.map(printKernel)).size).toBe(kernels.length);
});

test('expressions that share their parts are compared in a time that is linear in their parts', () => {
  const deep = (): Kernel => {
    let value = load(0, at([1]));
    for (let level = 0; level < 100; level++) value = binary('mul', value, value);
    return kernel(value);
  };
  const known: Kernel[] = [];
  expect(interned(deep(), known)).toBe(interned(deep(), known));
});
