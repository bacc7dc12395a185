// A page whose policy forbids workers: as many threads as there are is one, and a number of them is an error
// of the first run that needs them. The policy is this page's from here on.
import { tensor } from '@firsthand/autograd';
import { DeviceError } from '@firsthand/graph';
import { createWasm } from '@firsthand/wasm';
import { beforeAll, expect, test, vi } from 'vitest';

beforeAll(() => {
  const policy = document.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = "worker-src 'none'";
  document.head.append(policy);
});

test('a policy that forbids workers is named, by this run and the next', async () => {
  const device = await createWasm({ threads: 2 });
  const x = tensor([1, 2, 3], { device });
  await expect(x.exp().data()).rejects.toThrow(DeviceError);
  await expect(x.sin().data()).rejects.toThrow(/worker-src blob:/);
  device.dispose();
});

test('as many threads as there are is one, as the console is told', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const device = await createWasm();
  const x = tensor([1, 2, 3], { device });
  expect(await x.mul(2).toArray()).toEqual([2, 4, 6]);
  expect(await x.mul(3).toArray()).toEqual([3, 6, 9]);
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/one thread.*worker-src blob:/)]]);
  device.dispose();
});
