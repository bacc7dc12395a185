/** A device without float64, as a GPU is: the suite holds it to what it has. It is the reference device that says no. */
import type { Device } from '@firsthand/autograd';
import { createReference } from '@firsthand/graph';
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

describeConformance('float32', () => withoutFloat64(createReference()), {
  randomPrograms: process.env['FIRSTHAND_FULL'] === '1' ? 1000 : 20,
});
