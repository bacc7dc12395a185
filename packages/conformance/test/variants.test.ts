/**
 * The whole suite on two variants of the reference device: one that runs every composite through its body,
 * and one that says no to float64, as a GPU does. Long tests: an ordinary run checks kernels against bodies
 * case by case, and one operation on each variant here.
 */
import type { Device } from '@firsthand/autograd';
import { tensor } from '@firsthand/autograd';
import { createReference } from '@firsthand/runtime';
import { expect, test } from 'vitest';
import { describeConformance } from '../src/suite.ts';

function withoutFloat64(inner: Device): Device {
  return {
    name: 'float32',
    supports: (dtype) => dtype !== 'float64',
    prepare: (program) => inner.prepare(program),
    upload: (data, dtype) => inner.upload(data, dtype),
    read: (storage) => inner.read(storage),
    readSync: (storage) => inner.readSync!(storage),
    memory: () => inner.memory(),
    dispose: () => {
      inner.dispose();
    },
  };
}

const variants = {
  'reference without kernels': (): Device => createReference({ kernels: new Map() }),
  float32: (): Device => withoutFloat64(createReference()),
};

test.each(Object.entries(variants))('%s multiplies matrices', async (_, createDevice) => {
  const x = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    { device: createDevice() },
  );
  expect(await x.matmul(x).toArray()).toEqual([
    [7, 10],
    [15, 22],
  ]);
});

if (process.env['FIRSTHAND_FULL'] === '1') {
  for (const [name, createDevice] of Object.entries(variants))
    describeConformance(name, createDevice, { randomPrograms: 1000 });
}
