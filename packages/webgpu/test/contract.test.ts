// Matrix products of every shape, layout and dtype against the interpreter, by the register tiles that are chosen for software adapters, with and without subgroups.
import type { ContractKernel, Scalar, Store } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { affine, kernelsOf, load } from './support/kernels.ts';
import { arraysFor, expectProduct, productKernel, products, withQuotients } from './support/products.ts';

describe.each(['', 'a', 'b', 'ab'])('transposed: %s', (transposed) => {
  test.each([
    [1, 1, 1],
    [1, 50, 37],
    [50, 37, 1],
    [2, 3, 2],
    [4, 4, 4],
    [5, 8, 3],
    [33, 17, 29],
    [64, 64, 64],
    [70, 100, 130],
  ])('%i × %i × %i', async (m, k, n) => {
    await expectProduct(productKernel({ m, k, n, transposed }));
  });

  test('long sums', async () => {
    await expectProduct(productKernel({ m: 3, k: 1100, n: 5, transposed }));
    await expectProduct(productKernel({ m: 9, k: 1026, n: 40, transposed }));
  });

  test.each<DType>(['int32', 'uint32'])('%s', async (dtype) => {
    await expectProduct(productKernel({ m: 21, k: 35, n: 18, transposed, dtype }));
    await expectProduct(productKernel({ m: 1, k: 700, n: 9, transposed, dtype }));
  });
});

test('batches, and operands that they share', async () => {
  await expectProduct(productKernel({ batch: [3], m: 9, k: 12, n: 20 }));
  await expectProduct(productKernel({ batch: [2, 1, 3], m: 4, k: 4, n: 4, transposed: 'b' }));
  await expectProduct(productKernel({ batch: [3, 2], m: 20, k: 6, n: 17, shared: 'a' }));
  await expectProduct(productKernel({ batch: [5], m: 3, k: 9, n: 33, shared: 'b', transposed: 'c' }));
});

test('lines that lie apart, from somewhere on', async () => {
  await expectProduct(productKernel({ m: 18, k: 10, n: 22, offset: 5, gap: 3 }));
  await expectProduct(productKernel({ batch: [2], m: 18, k: 10, n: 22, offset: 4, gap: 4, transposed: 'ab' }));
});

test('indices that are not linear', async () => {
  await expectProduct(withQuotients());
});

test('what is done with sums: bias and ReLU, a residual, two results of which one is transposed', async () => {
  const [m, n] = [19, 35];
  const total: Scalar = { op: 'total', dtype: 'float32' };
  const zero: Scalar = { op: 'const', dtype: 'float32', value: 0 };
  const add = (a: Scalar, b: Scalar): Scalar => ({ op: 'binary', dtype: 'float32', kind: 'add', a, b });
  const biased = add(total, load(3, 'float32', affine(0, [2, 1])));
  const relu: Scalar = { op: 'binary', dtype: 'float32', kind: 'maximum', a: biased, b: zero };
  const residual = load(4, 'float32', affine(0, [1, n], [2, 1]));
  const kernel = productKernel(
    { batch: [2], m, n, k: 13 },
    (index): readonly Store[] => [
      { operand: 2, index, value: add(relu, residual) },
      { operand: 5, index: affine(0, [0, m * n], [1, 1], [2, m]), value: { op: 'binary', dtype: 'bool', kind: 'gt', a: biased, b: zero } },
    ],
    [
      { dtype: 'float32', length: n, access: 'read' },
      { dtype: 'float32', length: m * n, access: 'read' },
      { dtype: 'bool', length: 2 * m * n, access: 'write' },
    ],
  );
  await expectProduct(kernel);
});

test('a result that is written over the residual', async () => {
  const [m, n] = [21, 9];
  const value: Scalar = { op: 'binary', dtype: 'float32', kind: 'add', a: { op: 'total', dtype: 'float32' }, b: load(2, 'float32', affine(0, [0, n], [1, 1])) };
  const kernel = productKernel({ m, n, k: 10 }, (index) => [{ operand: 2, index, value }]);
  const [a, b, c] = kernel.operands as [ContractKernel['operands'][0], ContractKernel['operands'][0], ContractKernel['operands'][0]];
  await expectProduct({ ...kernel, operands: [a, b, { ...c, access: 'update' }] });
});

test('NaN and infinities stay in their rows and columns', async () => {
  const kernel = productKernel({ m: 9, k: 11, n: 13 });
  const [a, b, c] = arraysFor(kernel) as [Float32Array, Float32Array, Float32Array];
  a[4 * 11 + 3] = NaN;
  b[5 * 13 + 12] = Infinity;
  await expectProduct(kernel, { arrays: [a, b, c] });
});

test('what the compiler makes of a linear layer and its gradients', async () => {
  const kernels = kernelsOf(
    'contract',
    (x, w, bias) => [x.matmul(w.transpose()).add(bias).relu(), x.transpose().matmul(x)],
    ['float32', [17, 24]],
    ['float32', [10, 24]],
    ['float32', [10]],
  );
  expect(kernels.length).toBeGreaterThan(0);
  for (const kernel of kernels) await expectProduct(kernel);
});

test('products of any extents and layouts', async () => {
  await fc.assert(
    fc.asyncProperty(products, async (p) => expectProduct(productKernel(p))),
    { numRuns: 25 },
  );
});
