/**
 * How the sections of the suite reach the device under test: by asking for it, since it exists only while
 * their tests run.
 */
import type { Device } from '@firsthand/autograd';

/** The device under test; it exists while the suite's tests run. */
export type GetDevice = () => Device;
