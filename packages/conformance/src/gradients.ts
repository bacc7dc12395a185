/**
 * Derivatives of a device against central differences. The device's own float64 is used where it has one;
 * elsewhere the differences are those of the reference device in float64, and the device's float32 gradients
 * are compared with them.
 */
import { getDefaultDevice, grad, gradCheck, setDefaultDevice } from '@firsthand/autograd';
import type { Device, Tensor } from '@firsthand/autograd';
import { createReference } from '@firsthand/runtime';
import { expect } from 'vitest';
import { expectValues, numbersOf, toTensor } from './compare.ts';
import type { Dense } from './oracle/dense.ts';

export type TensorFunction = (...inputs: Tensor[]) => Tensor;

/** Unequal weights, so that errors of several elements do not cancel. */
function weigh(value: Tensor): Tensor {
  const weights = Float64Array.from({ length: value.size }, (_, index) => Math.cos(index + 0.5));
  return value
    .mul(toTensor({ shape: value.shape, data: [...weights] }, value.dtype, { device: value.device }))
    .sum();
}

/** First derivatives of `f` with respect to every input. */
export async function expectGradients(
  device: Device,
  f: TensorFunction,
  inputs: readonly Dense[],
): Promise<void> {
  if (device.supports('float64')) {
    const report = await gradCheck(
      f,
      inputs.map((input) => toTensor(input, 'float64', { device })),
      { rtol: 1e-5, atol: 2e-8 },
    );
    expect(report.mismatches, `worst ${report.worst}`).toEqual([]);
    expect(report.checked, 'elements compared').toBe(
      inputs.reduce((count, input) => count + input.data.length, 0),
    );
    return;
  }
  const expected = await onReference(async () =>
    Promise.all((await numericGradients(f, inputs)).map(numbersOf)),
  );
  for (const [which, input] of inputs.entries()) {
    const tensors = inputs.map((each) => toTensor(each, 'float32', { device }));
    const others = (x: Tensor): Tensor => weigh(f(...tensors.with(which, x)));
    await expectValues(
      grad(others)(tensors[which]!),
      { shape: input.shape, data: expected[which]! },
      { relative: 1e-3, absolute: 1e-4 },
    );
  }
}

/** The reference device's gradients, which `gradCheck` compared with central differences. */
async function numericGradients(f: TensorFunction, inputs: readonly Dense[]): Promise<Tensor[]> {
  const tensors = inputs.map((input) => toTensor(input));
  expect((await gradCheck(f, tensors)).mismatches).toEqual([]);
  return tensors.map((tensor, which) => grad((x) => weigh(f(...tensors.with(which, x))))(tensor));
}

/** Second derivatives: the first derivative of weigh(f) is a function to be checked like any other. */
export async function expectSecondDerivatives(
  device: Device,
  f: TensorFunction,
  inputs: readonly Dense[],
): Promise<void> {
  for (const which of inputs.keys()) {
    const first: TensorFunction = (...args) => grad((x) => weigh(f(...args.with(which, x))))(args[which]!);
    await expectGradients(device, first, inputs);
  }
}

async function onReference<T>(fn: () => Promise<T>): Promise<T> {
  const outer = getDefaultDevice();
  setDefaultDevice(createReference());
  try {
    return await fn();
  } finally {
    setDefaultDevice(outer);
  }
}
