// Parameters as one vector and back, and gradients that are dropped through the model.
import { compile, grad, ones, ShapeError, type Tensor, tensor } from '@firsthand/autograd';
import { expect, test } from 'vitest';
import { Linear, parametersToVector, vectorToParameters } from '../src/index.ts';

test('to one vector and back, in order, eager and compiled', async () => {
  const model = new Linear(2, 2);
  vectorToParameters(tensor([1, 2, 3, 4, 5, 6]), model.parameters());
  expect([await model.weight.toArray(), await model.bias!.toArray()]).toEqual([
    [
      [1, 2],
      [3, 4],
    ],
    [5, 6],
  ]);
  expect(await parametersToVector(model.parameters()).toArray()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(model.weight.requiresGrad).toBe(true);
  const step = compile(() => {
    const vector = parametersToVector(model.parameters());
    vectorToParameters(vector.mul(2), model.parameters());
    return vector.sum();
  });
  expect([await step().item(), await step().item()]).toEqual([21, 42]);
  expect(await model.bias!.toArray()).toEqual([20, 24]);
});

test('gradients flow into the parameters', async () => {
  const [a, b] = [ones([2]), ones([1, 2])];
  const gradients = grad((parts: readonly Tensor[]) =>
    parametersToVector(parts)
      .mul(tensor([1, 2, 3, 4]))
      .sum(),
  )([a, b]);
  expect(await Promise.all(gradients.map((each) => each.toArray()))).toEqual([[1, 2], [[3, 4]]]);
});

test('what does not fit is refused, and nothing changes', async () => {
  const model = new Linear(2, 1);
  const before = await model.weight.toArray();
  expect(() => vectorToParameters(tensor([1, 2]), model.parameters())).toThrow(ShapeError);
  expect(() => vectorToParameters(tensor([1, 2]), model.parameters())).toThrow('a vector of 3 elements');
  expect(() => vectorToParameters(tensor([[1, 2, 3]]), model.parameters())).toThrow(ShapeError);
  expect(() => parametersToVector([])).toThrow('there are no parameters; pass model.parameters()');
  expect(await model.weight.toArray()).toEqual(before);
});

test('zeroGrad drops all gradients', () => {
  const model = new Linear(2, 1);
  model
    .forward(ones([1, 2]))
    .sum()
    .backward();
  expect(model.parameters().every(({ grad: each }) => each !== null)).toBe(true);
  model.zeroGrad();
  expect(model.parameters().map(({ grad: each }) => each)).toEqual([null, null]);
});
