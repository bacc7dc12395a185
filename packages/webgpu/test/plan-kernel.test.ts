// A plan is data that prints: how each kind of kernel is divided among invocations, by adapter.
import type { Tensor } from '@firsthand/autograd';
import type { Kernel, KernelKind } from '@firsthand/compiler';
import { expect, test } from 'vitest';
import { planKernel } from '../src/kernels/plan-kernel.ts';
import { kernelsOf, PROFILES } from './support/kernels.ts';
import { productKernel } from './support/product-kernel.ts';

/** The kernel of one operation on a float32 array. */
const kernelOf = (kind: KernelKind, shape: readonly number[], build: (x: Tensor) => Tensor): Kernel =>
  kernelsOf(kind, (x) => [build(x)], ['float32', shape])[0]!;

test('each kind of kernel has a partition', () => {
  const kernels: { readonly [name: string]: Kernel } = {
    map: kernelOf('loop', [4096], (x) => x.exp()),
    'short rows': kernelOf('loop', [512, 16], (x) => x.sum(1)),
    'rows of two passes': kernelOf('loop', [8, 4096], (x) => x.softmax(1)),
    'one long row': kernelOf('loop', [65536], (x) => x.sum()),
    'running sums': kernelOf('scan', [4, 8192], (x) => x.cumsum(1)),
    sort: kernelOf('sort', [4, 64], (x) => x.sort(1).values),
    product: productKernel({ m: 64, k: 64, n: 64 }),
    'vector by matrix': productKernel({ m: 1, k: 512, n: 512 }),
  };
  const lines = Object.entries(kernels).flatMap(([name, kernel]) =>
    Object.values(PROFILES).map((profile) => {
      const { scratch, partition } = planKernel(kernel, profile);
      return `${name}, ${profile.name}: ${JSON.stringify(partition)}, ${scratch} bytes`;
    }),
  );
  expect(lines.join('\n')).toMatchInlineSnapshot(`
    "map, software: {"kind":"map"}, 0 bytes
    map, hardware: {"kind":"map"}, 0 bytes
    short rows, software: {"kind":"invocation rows"}, 0 bytes
    short rows, hardware: {"kind":"invocation rows"}, 0 bytes
    rows of two passes, software: {"kind":"workgroup rows","size":64}, 0 bytes
    rows of two passes, hardware: {"kind":"workgroup rows","size":256}, 0 bytes
    one long row, software: {"kind":"split rows","chunks":64}, 256 bytes
    one long row, hardware: {"kind":"split rows","chunks":1024}, 4096 bytes
    running sums, software: {"chunks":16,"lanes":1}, 256 bytes
    running sums, hardware: {"chunks":2,"lanes":256}, 32 bytes
    sort, software: {"merges":3}, 4096 bytes
    sort, hardware: {"merges":3}, 4096 bytes
    product, software: {"kind":"register tile","tile":{"lanes":"n","width":4,"rows":8,"columns":8,"unroll":4,"broadcasts":false}}, 0 bytes
    product, hardware: {"kind":"workgroup tile","tile":{"rows":16,"columns":16,"depth":16,"perInvocation":{"rows":4,"columns":4},"buffers":2,"vectors":true}}, 0 bytes
    vector by matrix, software: {"kind":"register tile","tile":{"lanes":"n","width":4,"rows":1,"columns":8,"unroll":4,"broadcasts":false}}, 0 bytes
    vector by matrix, hardware: {"kind":"matrix-vector"}, 0 bytes"
  `);
});
