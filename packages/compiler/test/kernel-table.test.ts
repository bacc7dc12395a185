// Interning: equal kernels are one object, whatever objects they are made of, and are planned once; kernels
// that differ anywhere are not.
import { expect, test, vi } from 'vitest';
import type { Kernel, KernelPlan, Scalar } from '../src/ir/kernel.ts';
import { KernelTable } from '../src/plan/kernel-table.ts';
import { printKernel } from '../src/report/print.ts';
import { at, binary, constant, load, map, reads, softmax, store, unary, writes } from './kernels.ts';

const tableOf = (): KernelTable<KernelPlan> => new KernelTable({ plan: () => ({ scratch: 0 }) });
const OPERANDS = [reads('float32', 8), writes('float32', 8)];
const kernel = (value: Scalar, length = 8): Kernel => map(length, OPERANDS, store(1, at([1]), value));

test('equal kernels are the first of them, and are planned once', () => {
  const plan = vi.fn<() => KernelPlan>(() => ({ scratch: 0 }));
  const table = new KernelTable({ plan });
  const first = table.entry(softmax(4, 8));
  expect(table.entry(softmax(4, 8))).toBe(first);
  expect(table.entry(softmax(8, 4))).not.toBe(first);
  expect(table.entry(softmax(4, 8))).toBe(first);
  expect(plan).toHaveBeenCalledTimes(2);
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
  const table = tableOf();
  expect(new Set(kernels.map((each) => table.entry(each))).size).toBe(kernels.length);
  expect(new Set(kernels.map(printKernel)).size).toBe(kernels.length);
});

test('expressions that share their parts are compared in a time that is linear in their parts', () => {
  const deep = (): Kernel => {
    let value = load(0, at([1]));
    for (let level = 0; level < 100; level++) value = binary('mul', value, value);
    return kernel(value);
  };
  const table = tableOf();
  expect(table.entry(deep())).toBe(table.entry(deep()));
});

test('a table forgets the kernels that were used least recently', () => {
  const table = tableOf();
  const lengths = Array.from({ length: 4096 }, (_, index) => index + 1);
  const sized = (length: number): Kernel =>
    map(length, [reads('float32', length), writes('float32', length)], store(1, at([1]), load(0, at([1]))));
  const first = table.entry(sized(1));
  const second = table.entry(sized(2));
  for (const length of lengths.slice(2)) table.entry(sized(length));
  expect(table.entry(sized(1))).toBe(first);
  table.entry(sized(5000));
  expect(table.entry(sized(1))).toBe(first);
  expect(table.entry(sized(2))).not.toBe(second);
});
