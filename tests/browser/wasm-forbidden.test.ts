// A page whose policy forbids workers: the first run that needs them says so. The policy is this page's from here on.
import { tensor } from '@firsthand/autograd';
import { DeviceError } from '@firsthand/graph';
import { createWasm } from '@firsthand/wasm';
import { expect, test } from 'vitest';

test('a policy that forbids workers is named, by this run and the next', async () => {
  const policy = document.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = "worker-src 'none'";
  document.head.append(policy);
  const device = await createWasm({ threads: 2 });
  const x = tensor([1, 2, 3], { device });
  await expect(x.exp().data()).rejects.toThrow(DeviceError);
  await expect(x.sin().data()).rejects.toThrow(/worker-src blob:/);
  device.dispose();
});
