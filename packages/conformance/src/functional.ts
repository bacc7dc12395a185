/**
 * The functional transforms against closed forms: f(x) = Σ sin(x)·x² elementwise and f(x) = A·tanh(x), whose
 * Jacobians and Hessians are written by hand. Transforms of transforms, checkpoints and mapped functions
 * included.
 */
import {
  cat,
  checkpoint,
  chunk,
  einsum,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  noGrad,
  split,
  stack,
  tensor,
  topk,
  valueAndGrad,
  vjp,
  vmap,
} from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { expectExact, expectValues, toTensor } from './compare.ts';
import type { Dense } from './oracle/dense.ts';
import { along, at, dense, map, matmul, permute, reshape, vector } from './oracle/dense.ts';
import { samples } from './oracle/samples.ts';
import type { GetDevice } from './get-device.ts';
import { expectGradients, expectSecondDerivatives } from './gradients.ts';

const point = samples([3], -1, 1);
const direction = samples([3], -1, 1, 2);
const A = samples([2, 3], -1, 1, 3);
const float = 'float32';
const tolerance = { relative: 2e-5, absolute: 2e-6 };

/** Σ x²·sin x, and its derivatives. */
const wave = (x: Tensor): Tensor => x.square().mul(x.sin()).sum();
const slope = (x: number): number => 2 * x * Math.sin(x) + x * x * Math.cos(x);
const bend = (x: number): number => 2 * Math.sin(x) + 4 * x * Math.cos(x) - x * x * Math.sin(x);
const twist = (x: number): number => 6 * Math.cos(x) - 6 * x * Math.sin(x) - x * x * Math.cos(x);

/** A·tanh x, and ∂/∂xⱼ of element i. */
const layer = (x: Tensor): Tensor => toTensor(A, x.dtype, { device: x.device }).matmul(x.tanh());
const layerJacobian: Dense = dense([2, 3], ([i, j]) => at(A, [i!, j!]) / Math.cosh(point.data[j!]!) ** 2);
const column = (x: Dense): Dense => reshape(x, [x.data.length, 1]);
const flat = (x: Dense): Dense => reshape(x, [x.data.length]);

function describeTransforms(): void {
  const x = (): Tensor => toTensor(point, float);
  const v = (): Tensor => toTensor(direction, float);
  test('grad and valueAndGrad', async () => {
    await expectValues(grad(wave)(x()), map(point, slope), tolerance);
    const [value, gradient] = valueAndGrad(wave)(x());
    await expectValues(
      value,
      dense([], () => point.data.reduce((sum, each) => sum + each * each * Math.sin(each), 0)),
      tolerance,
    );
    await expectValues(gradient, map(point, slope), tolerance);
  });
  test('grad with respect to the first argument only', async () => {
    await expectValues(grad((a, b) => a.mul(b).sum())(x(), v()), direction, tolerance);
  });
  test('grad of grad of grad', async () => {
    const second = grad((each) => grad(wave)(each).sum());
    await expectValues(second(x()), map(point, bend), tolerance);
    await expectValues(grad((each) => second(each).sum())(x()), map(point, twist), tolerance);
  });
  test('vjp: gᵀJ', async () => {
    const [value, pull] = vjp(layer, x());
    await expectValues(value, flat(matmul(A, column(map(point, Math.tanh)))), tolerance);
    await expectValues(
      pull(toTensor(vector(2, -1), float))[0]!,
      flat(
        matmul(
          dense([1, 2], ([, j]) => [2, -1][j!]!),
          layerJacobian,
        ),
      ),
      tolerance,
    );
  });
  test('jvp: J·v', async () => {
    const [value, tangent] = jvp(layer, [x()], [v()]);
    await expectValues(value, flat(matmul(A, column(map(point, Math.tanh)))), tolerance);
    await expectValues(tangent, flat(matmul(layerJacobian, column(direction))), tolerance);
  });
  test('jvp of two arguments, and of a value that depends on none', async () => {
    const [, tangent] = jvp((a, b) => a.mul(b), [x(), v()], [v(), x()]);
    await expectValues(
      tangent,
      dense([3], ([i]) => direction.data[i!]! ** 2 + point.data[i!]! ** 2),
      tolerance,
    );
    const [, still] = jvp(() => tensor([1, 2]), [x()], [v()]);
    await expectExact(still, vector(0, 0));
  });
  test('jacobian', async () => {
    await expectValues(jacobian(layer)(x()), layerJacobian, tolerance);
    await expectValues(
      jacobian((each) => each.square())(x()),
      dense([3, 3], ([i, j]) => (i === j ? 2 * point.data[i!]! : 0)),
      tolerance,
    );
    await expectValues(jacobian((each) => each.sum())(x()), vector(1, 1, 1), tolerance);
    await expectValues(
      jacobian(() => tensor([1, 2]))(x()),
      dense([2, 3], () => 0),
      tolerance,
    );
  });
  test('hessian and hvp', async () => {
    const expected = dense([3, 3], ([i, j]) => (i === j ? bend(point.data[i!]!) : 0));
    await expectValues(hessian(wave)(x()), expected, tolerance);
    await expectValues(hvp(wave, x(), v()), flat(matmul(expected, column(direction))), tolerance);
  });
  test('a transform leaves .grad alone, and works inside noGrad', async () => {
    const leaf = toTensor(point, float, { requiresGrad: true });
    const gradient = noGrad(() => grad(wave)(leaf));
    await expectValues(gradient, map(point, slope), tolerance);
    expect(leaf.grad).toBeNull();
  });
  test('vmap maps and stacks, and is differentiable', async () => {
    const rows = samples([4, 3], -1, 1);
    const mapped = vmap((row) => layer(row));
    await expectValues(
      mapped(toTensor(rows, float)),
      permute(matmul(A, permute(map(rows, Math.tanh), [1, 0])), [1, 0]),
      tolerance,
    );
    await expectValues(
      vmap((each) => each.cumsum(0), { axis: 1, outAxis: 1 })(toTensor(rows, float)),
      along(rows, 0, (line) =>
        line.map((_, position) => line.slice(0, position + 1).reduce((sum, each) => sum + each, 0)),
      ),
      tolerance,
    );
    await expectValues(vmap(grad(wave))(toTensor(rows, float)), map(rows, slope), tolerance);
  });
}

function describeCheckpoint(device: GetDevice): void {
  const block = (x: Tensor): Tensor => x.tanh().mul(x).softmax();
  test('values and derivatives of the function itself', async () => {
    await expectGradients(device(), checkpoint(block), [point]);
    await expectSecondDerivatives(device(), checkpoint(block), [point]);
    await expectGradients(device(), (x, y) => checkpoint((a, b) => a.mul(b).sin())(x, y.exp()).add(x), [
      point,
      direction,
    ]);
  });
  test('an argument that is used beside the checkpoint, differentiated at once', async () => {
    const [, pull] = vjp(
      (x) =>
        checkpoint((each) => each.tanh())(x)
          .sum()
          .sub(x.sum()),
      toTensor(point, float),
    );
    await expectValues(
      pull(tensor(1))[0]!,
      map(point, (value) => 1 / Math.cosh(value) ** 2 - 1),
      tolerance,
    );
  });
  test('one inside another, and a captured parameter', async () => {
    const weight = toTensor(direction, float, { requiresGrad: true });
    const nested = checkpoint((x) => checkpoint((y) => y.mul(weight).sin())(x).mul(x));
    nested(toTensor(point, float)).sum().backward();
    await expectValues(
      weight.grad!,
      dense([3], ([i]) => Math.cos(point.data[i!]! * direction.data[i!]!) * point.data[i!]! ** 2),
      tolerance,
    );
  });
}

function describeJoining(device: GetDevice): void {
  const [a, b] = [samples([2, 3], -1, 1), samples([2, 2], -1, 1, 2)];
  test('cat, stack, split, chunk', async () => {
    const joined = dense([2, 5], ([i, j]) => (j! < 3 ? at(a, [i!, j!]) : at(b, [i!, j! - 3])));
    await expectValues(cat([toTensor(a, float), toTensor(b, float)], 1), joined, tolerance);
    await expectValues(cat([toTensor(a, float)]), a, tolerance);
    await expectValues(
      stack([toTensor(a, float), toTensor(a, float)], -1),
      dense([2, 3, 2], ([i, j]) => at(a, [i!, j!])),
      tolerance,
    );
    const parts = split(toTensor(joined, float), [3, 0, 2], 1);
    await expectValues(parts[0]!, a, tolerance);
    await expectValues(
      parts[1]!,
      dense([2, 0], () => 0),
    );
    await expectValues(parts[2]!, b, tolerance);
    expect(chunk(toTensor(joined, float), 2, 1).map(({ shape }) => shape)).toEqual([
      [2, 3],
      [2, 2],
    ]);
    await expectGradients(device(), (x, y) => cat([x, y, x], 1).sin(), [a, b]);
    await expectGradients(device(), (x) => stack(split(x, [1, 1], 0)).exp(), [a]);
  });
  test('topk', async () => {
    const { values, indices } = topk(toTensor(vector(3, 1, 4, 1, 5), float), 3);
    await expectExact(values, vector(5, 4, 3));
    await expectExact(indices, vector(4, 2, 0));
    await expectExact(
      topk(toTensor(vector(3, 1, 4, 1, 5), float), 2, { axis: 0, largest: false }).indices,
      vector(1, 3),
    );
  });
  test('einsum: batch axes, diagonals, sums, outer products', async () => {
    const x = samples([2, 3, 3], -1, 1);
    await expectValues(
      einsum('bii->b', toTensor(x, float)),
      dense([2], ([i]) => [0, 1, 2].reduce((sum, k) => sum + at(x, [i!, k, k]), 0)),
      tolerance,
    );
    await expectValues(
      einsum('ij,ik->jk', toTensor(a, float), toTensor(b, float)),
      matmul(permute(a, [1, 0]), b),
      tolerance,
    );
    await expectGradients(device(), (y, z) => einsum('bij,bj->ib', y, z), [x, a]);
    await expectSecondDerivatives(device(), (y, z) => einsum('bij,bj->i', y, z), [x, a]);
  });
}

/** Magnitudes at which the plain formulas overflow or cancel. */
function describeStability(): void {
  const inf = Infinity;
  test.each([1e4, -1e4])('softmax, logSoftmax and logsumexp of rows around %d', async (shift) => {
    const row = vector(0, 1, 2);
    const shifted = toTensor(
      map(row, (value) => value + shift),
      float,
    );
    const total = Math.log(1 + Math.E + Math.E ** 2);
    await expectValues(
      shifted.softmax(),
      along(row, 0, (line) => line.map((value) => Math.exp(value - total))),
      tolerance,
    );
    await expectValues(
      shifted.logSoftmax(),
      map(row, (value) => value - total),
      tolerance,
    );
    await expectValues(
      shifted.logsumexp(),
      dense([], () => total + shift),
      tolerance,
    );
  });
  test('a fully masked row: softmax 0, logsumexp −∞, gradient 0', async () => {
    const x = toTensor(
      dense([2, 2], ([i]) => (i === 0 ? -inf : 1)),
      float,
    );
    await expectExact(x.softmax(), { shape: [2, 2], data: [0, 0, 0.5, 0.5] });
    await expectExact(
      x.logsumexp({ axis: 1 }).exp().sub(0),
      vector(0, Math.fround(Math.fround(Math.exp(Math.fround(1 + Math.LN2))))),
    );
    await expectExact(grad((each) => each.softmax().square().sum())(x), {
      shape: [2, 2],
      data: [0, 0, 0, 0],
    });
    await expectExact(grad((each) => each.logsumexp({ axis: 1 }).narrow(0, 0, 1).sum())(x), {
      shape: [2, 2],
      data: [0, 0, 0, 0],
    });
  });
  test('an empty row', async () => {
    const x = toTensor(
      dense([2, 0], () => 0),
      float,
    );
    await expectExact(
      x.softmax(),
      dense([2, 0], () => 0),
    );
    await expectExact(
      x.logSoftmax(),
      dense([2, 0], () => 0),
    );
    await expectExact(x.logsumexp({ axis: 1 }), vector(-inf, -inf));
  });
  test('variance and layer statistics with a mean of 1e4', async () => {
    const x = toTensor(vector(9999, 10_000, 10_001), float);
    await expectValues(
      x.var({ correction: 0 }),
      dense([], () => 2 / 3),
      tolerance,
    );
    await expectValues(
      x.std(),
      dense([], () => 1),
      tolerance,
    );
  });
  test('activations far from 0', async () => {
    const far = toTensor(vector(-1e4, 1e4), float);
    await expectExact(far.sigmoid(), vector(0, 1));
    await expectExact(far.softplus(), vector(0, 1e4));
    await expectExact(far.gelu(), vector(-0, 1e4));
    await expectExact(far.gelu('tanh'), vector(-0, 1e4));
    await expectExact(far.elu(), vector(-1, 1e4));
    for (const f of [
      (x: Tensor): Tensor => x.softplus(),
      (x: Tensor): Tensor => x.elu(),
      (x: Tensor): Tensor => x.sigmoid().add(x.relu()),
    ]) {
      await expectExact(grad((x) => f(x).sum())(far), vector(0, 1));
    }
  });
  test('derivatives where the elements are all equal', async () => {
    const x = toTensor(vector(2, 2, 2), float);
    await expectExact(grad((each) => each.std())(x), vector(0, 0, 0));
    await expectExact(grad((each) => each.sub(2).norm())(x), vector(0, 0, 0));
  });
}

export function describeFunctional(device: GetDevice): void {
  describe('transforms', () => {
    describeTransforms();
  });
  describe('checkpoint', () => {
    describeCheckpoint(device);
  });
  describe('joining', () => {
    describeJoining(device);
  });
  describe('stability', () => {
    describeStability();
  });
}
