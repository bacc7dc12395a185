// Functions of several vectors at once give the bits of one vector at a time.
import { expect, test } from 'vitest';
import type { Code, Local } from '../src/assembler/code.ts';
import { Module } from '../src/assembler/module.ts';
import { FLOAT32_FUNCTIONS } from '../src/math/functions.ts';

const VECTORS = 4;
const features = {
  relaxed: false,
  imported: (): never => {
    throw new Error('no function is imported');
  },
};
const straight = Object.entries(FLOAT32_FUNCTIONS).filter(([, { interleaved }]) => interleaved !== undefined);

/** f of sixteen numbers at address 0, to address 64. */
function run(
  emit: (code: Code, xs: readonly Local[], results: readonly Local[]) => void,
  values: readonly number[],
): Float32Array {
  const module = new Module({ initial: 1, maximum: 1, shared: false });
  module.function(
    'run',
    { params: [], results: [] },
    (code) => {
      const [xs, results] = [0, 1].map(() => Array.from({ length: VECTORS }, () => code.local('v128'))) as [
        Local[],
        Local[],
      ];
      xs.forEach((x, vector) =>
        code
          .i32(0)
          .memory('v128.load', 16 * vector)
          .set(x),
      );
      emit(code, xs, results);
      results.forEach((result, vector) =>
        code
          .i32(0)
          .get(result)
          .memory('v128.store', 64 + 16 * vector),
      );
      xs.forEach((x, vector) =>
        code
          .i32(0)
          .get(x)
          .memory('v128.store', 128 + 16 * vector),
      );
    },
    { exported: true },
  );
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  new Float32Array(memory.buffer).set(values);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  (exports['run'] as () => void)();
  expect([...new Float32Array(memory.buffer, 128, 16)]).toEqual(values.map(Math.fround));
  return new Float32Array(memory.buffer, 64, 16);
}

test('the exponentials, the error function and the normal distribution have such a form', () => {
  expect(straight.map(([name]) => name).toSorted()).toEqual([
    'erf',
    'exp',
    'expm1',
    'normalCdf',
    'sigmoid',
    'tanh',
  ]);
});

test.each(straight)('%s', (_, f) => {
  const values = [
    0,
    -0,
    1,
    -1,
    0.3,
    -0.7,
    88,
    -103,
    1e-30,
    -1e-40,
    Infinity,
    -Infinity,
    NaN,
    12.5,
    -3.25,
    200,
  ];
  const single = run((code, xs, results) => {
    xs.forEach((x, vector) => {
      f(code, x, features);
      code.set(results[vector]!);
    });
  }, values);
  const interleaved = run((code, xs, results) => f.interleaved!(code, xs, results, features), values);
  expect(interleaved).toEqual(single);
  expect(new Set(single).size).toBeGreaterThan(4);
});
