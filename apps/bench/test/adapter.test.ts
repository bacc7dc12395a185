// An adapter has a name, and whether it is a GPU in software can be told.
import { expect, test } from 'vitest';
import { type AdapterInfo, adapterName, isSoftware } from '../src/page/adapter.ts';

const info = (parts: Partial<AdapterInfo>): AdapterInfo => ({
  vendor: '',
  architecture: '',
  device: '',
  description: '',
  ...parts,
});

test('the name is all that the browser tells', () => {
  expect(adapterName(info({ vendor: 'nvidia', architecture: 'hopper' }))).toBe('nvidia, hopper');
  expect(adapterName(info({}))).toBe('an adapter without a name');
});

test.each([
  [{ vendor: 'google', architecture: 'swiftshader' }, true],
  [{ vendor: 'mesa', description: 'llvmpipe (LLVM 19, 256 bits)' }, true],
  [{ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }, true],
  [{ vendor: 'unknown', isFallbackAdapter: true }, true],
  [{ vendor: 'apple', architecture: 'metal-3', isFallbackAdapter: false }, false],
  [{ vendor: 'intel', architecture: 'gen-12lp' }, false],
])('%j is in software: %s', (parts, software) => {
  expect(isSoftware(info(parts))).toBe(software);
});
