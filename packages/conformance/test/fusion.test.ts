// Fusion by rule: what comes out as one kernel although no rule names it, forward and backward, and where a
// kernel must end.
import { grad, Tensor, tensor, vjp } from '@firsthand/autograd';
import { compileProgram, type Plan } from '@firsthand/compiler';
import { closeProgram, crossEntropy, keyOf, layerNorm } from '@firsthand/graph';
import { describe, expect, test } from 'vitest';

const target = { float64: true, plan: () => ({ scratch: 0 }) };

/** The plan of the program that gives these values. */
function planOf(
  build: (...inputs: Tensor[]) => readonly Tensor[],
  ...shapes: readonly (readonly number[])[]
): Plan {
  const inputs = shapes.map((shape) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape }));
  const request = { effects: [], roots: build(...inputs).map((value) => value.read()) };
  return compileProgram(closeProgram(request, keyOf(request)), target);
}

const kindsOf = ({ kernels }: Plan): string[] => kernels.map(({ kernel }) => kernel.kind);
const labels = (x: Tensor): Tensor =>
  tensor(Int32Array.from({ length: x.shape[0]! }, (_, row) => row % x.shape[1]!));
const rmsNorm = (x: Tensor, weight: Tensor): Tensor =>
  x.mul(x.square().mean({ axis: -1, keepDims: true }).add(1e-5).rsqrt()).mul(weight);
const losses = (x: Tensor): Tensor => new Tensor(crossEntropy(x.read(), labels(x).read()));
/** The gradient with respect to the first input, for a gradient of the output that is an input too. */
const pullback =
  (f: (...inputs: Tensor[]) => Tensor) =>
  (g: Tensor, ...inputs: Tensor[]): readonly Tensor[] =>
    vjp(f, ...inputs)[1](g);

describe('one kernel each', () => {
  const rows = [16, 10];
  test.each<[string, (...inputs: Tensor[]) => readonly Tensor[], readonly (readonly number[])[]]>([
    ['softmax', (x) => [x.softmax()], [rows]],
    ['softmax over a leading axis', (x) => [x.softmax(0)], [rows]],
    ['log-softmax', (x) => [x.logSoftmax()], [rows]],
    ['log-sum-exp', (x) => [x.logsumexp({ axis: -1 })], [rows]],
    ['softmax of one head of one sequence', (x) => [x.softmax()], [[1, 1, 16, 10]]],
    ['layer norm', (x, w, b) => [new Tensor(layerNorm(x.read(), w.read(), b.read()))], [rows, [10], [10]]],
    ['RMS norm', (x, w) => [rmsNorm(x, w)], [rows, [10]]],
    ['cross-entropy', (x) => [losses(x)], [rows]],
    ['cross-entropy and its gradient', (x) => [losses(x), grad((each) => losses(each).sum())(x)], [rows]],
    ['gradient of softmax', pullback((x) => x.softmax()), [rows, rows]],
    ['gradient of log-softmax', pullback((x) => x.logSoftmax()), [rows, rows]],
    ['variance', (x) => [x.var({ axis: -1 })], [rows]],
    ['gelu of a sum, and both', (x, y) => [x.add(y).gelu(), x.add(y)], [rows, rows]],
    ['two sums over the same rows', (x) => [x.sum({ axis: -1 }), x.square().sum({ axis: -1 })], [rows]],
  ])('%s', (_, build, shapes) => {
    expect(kindsOf(planOf(build, ...shapes))).toEqual(['loop']);
  });

  test('a matrix product with bias, activation and residual', () => {
    const plan = planOf(
      (x, w, b, r) => [x.matmul(w.transpose()).add(b).gelu('tanh').add(r)],
      [16, 8],
      [12, 8],
      [12],
      [16, 12],
    );
    expect(kindsOf(plan)).toEqual(['contract']);
  });

  test('heads are read and written through strides, without copies', () => {
    const plan = planOf(
      (x) => {
        const heads = x.reshape(2, 6, 3, 4).permute(0, 2, 1, 3); // (B, H, T, D)
        return [heads.matmul(heads.transpose()).matmul(heads).permute(0, 2, 1, 3).reshape(2, 6, 12)];
      },
      [2, 6, 12],
    );
    expect(kindsOf(plan)).toEqual(['contract', 'contract']);
  });

  test('the gradient of a weight is one product over batch and time', () => {
    const plan = planOf(
      (g, x, w) => pullback((weight) => x.matmul(weight.transpose()))(g, w),
      [4, 6, 8],
      [4, 6, 5],
      [8, 5],
    );
    expect(kindsOf(plan)).toEqual(['contract']);
    expect(plan.kernels[0]!.kernel).toMatchObject({ batch: [], k: 24 });
  });
});

describe('two kernels each', () => {
  const rows = [16, 10];
  test.each<[string, (...inputs: Tensor[]) => readonly Tensor[], readonly (readonly number[])[]]>([
    // Rows for dx; columns for dw and db, together.
    [
      'gradients of layer norm',
      pullback((x, w, b) => new Tensor(layerNorm(x.read(), w.read(), b.read()))),
      [rows, rows, [10], [10]],
    ],
    ['gradients of RMS norm', pullback(rmsNorm), [rows, rows, [10]]],
    ['sums over rows and over columns', (x) => [x.sum({ axis: 0 }), x.sum({ axis: 1 })], [rows]],
    ['the mean of cross-entropies', (x) => [losses(x).mean()], [rows]],
  ])('%s', (_, build, shapes) => {
    expect(kindsOf(planOf(build, ...shapes))).toEqual(['loop', 'loop']);
  });
});
