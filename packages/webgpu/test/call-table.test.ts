// Every function that people call, held to the convention: an option that does not exist and an argument too
// many are errors that name the right call.
import { defineOp, type Tensor } from '@firsthand/autograd';
import { testCalls } from '../../../tests/support/call-table.ts';
import * as webgpu from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;

const same = defineOp({ name: 'same', body: (x: Tensor) => x, vjp: ([g]) => [g] });

testCalls(webgpu, [], {
  createWebGPU: {
    call: async (...args) => {
      const device = (await (webgpu.createWebGPU as Call)(...args)) as webgpu.WebGPUDevice;
      device.dispose();
    },
    options: {
      adapter: 'adapters',
      device: 'devices',
      timings: 'timing',
      kernels: 'kernel',
      onProgress: 'onprogress',
    },
  },
  defineKernel: {
    call: (...more) => (webgpu.defineKernel as Call)(same, () => ({ wgsl: '', workgroups: 1 }), ...more),
  },
});
