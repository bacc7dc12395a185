/** The device in Node: programs give what they should, run in order, and say what is wrong. */
import { tensor } from '@firsthand/autograd';
import { createWebGPU } from '@firsthand/webgpu';
import { expect, test } from 'vitest';

test('a softmax of a sum', async () => {
  const device = await createWebGPU();
  const x = tensor([[1, 2, 3], [4, 5, 7]], { device });
  expect(await x.add(1).softmax().toArray()).toEqual([]);
  expect(device.profile).toEqual({});
});
