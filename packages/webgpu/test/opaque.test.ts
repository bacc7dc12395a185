// Shader compilers rewrite no float operation: in maps of one and of four elements, in rows, in the epilogue
// of a product.
import type { Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { expectSame, filled, kernelsOf, PROFILES, shadersOf } from './support/kernels.ts';

const SPECIAL = [0, -0, 1, -1, 3, 49, 3e38, -3e38, 1e30, Infinity, -Infinity, NaN];
const chains = (x: Tensor, y: Tensor): readonly Tensor[] => [
  x.mul(0).add(1),
  x.add(y).sub(y),
  x.mul(3).div(3),
  x.mul(0.5).add(y.mul(0.5)),
  x.mul(0).isNaN(),
];

describe('NaN, infinities and roundings survive', () => {
  // Lengths that are a multiple of four are computed four at a time on hardware.
  test.each([12, 13])('in maps of %i rows', async (rows) => {
    const [kernel] = kernelsOf('loop', chains, ['float32', [rows, 12]], ['float32', [rows, 12]]);
    const length = 12 * rows;
    const [x, y] = [0, 1].map((which) =>
      Array.from({ length }, (_, index) => SPECIAL[which === 0 ? index % 12 : Math.floor(index / 12) % 12]!),
    );
    const arrays = kernel!.operands.map(({ dtype, length: size }, operand) =>
      filled(dtype, operand === 0 ? x! : operand === 1 ? y! : [0], size),
    );
    await expectSame(kernel!, arrays);
  });

  test('in rows', async () => {
    const [kernel] = kernelsOf(
      'loop',
      (x) => [x.sum({ axis: 1 }).mul(0), x.sub(x.sum({ axis: 1, keepDims: true })).mul(0)],
      ['float32', [12, 3]],
    );
    await expectSame(
      kernel!,
      kernel!.operands.map(({ dtype, length }) =>
        filled(
          dtype,
          SPECIAL.flatMap((value) => [value, 0, 1]),
          length,
        ),
      ),
    );
  });

  test('in the results of products', async () => {
    const [kernel] = kernelsOf(
      'contract',
      (x, y) => [x.matmul(y).mul(0).add(1)],
      ['float32', [12, 4]],
      ['float32', [4, 4]],
    );
    await expectSame(
      kernel!,
      kernel!.operands.map(({ dtype, length }, operand) =>
        filled(dtype, operand === 0 ? SPECIAL.flatMap((value) => [value, 1, 1, 1]) : [1], length),
      ),
    );
  });
});

test('only what could be rewritten is opaque', () => {
  const [kernel] = kernelsOf(
    'loop',
    (x, y) => [x.mul(2).add(1).div(7).sub(y.div(4)).maximum(0).exp(), x.mul(0)],
    ['float32', [8]],
    ['float32', [8]],
  );
  const { wgsl } = shadersOf(kernel!, PROFILES.software)[0]!;
  expect(wgsl.slice(wgsl.indexOf('fn main'))).toMatchInlineSnapshot(`
    "fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) invocation: u32) {
      let group = i32(workgroup.x);
      let lane = i32(invocation);
      zero = workgroup.z;
      let element = group * 64 + lane;
      if (element >= 8) {
        return;
      }
      let i = element;
      let t0 = a[i];
      let t1 = b[i];
      let t2 = (opaque_f32(opaque_f32(opaque_f32(t0 * 2f) + 1f) / opaque_f32(7f)) - opaque_f32(t1 * 0.25f));
      c[i] = exp_f32(max_f32(opaque_f32(t2), 0f));
      d[i] = (t0 * opaque_f32(0f));
    }
    "
  `);
});
