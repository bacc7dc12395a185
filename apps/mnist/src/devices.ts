/** The devices that a run can choose from: a name, and how to make one. Another device is another line. */
import type { Device } from '@firsthand/autograd';
import { createReference } from '@firsthand/graph';

export type DeviceName = 'reference';

export const DEVICES: { readonly [K in DeviceName]: () => Promise<Device> } = {
  reference: async () => createReference(),
};
