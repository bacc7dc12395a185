// Records shaders: vitest loads this before a test file where FIRSTHAND_WGSL names a folder. Every shader
// that Dawn accepts is written there, once, for another WGSL compiler to check.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { globals } from 'webgpu';

const folder = process.env['FIRSTHAND_WGSL'];
if (folder !== undefined) {
  const { prototype } = (globals as { readonly GPUDevice: { readonly prototype: GPUDevice } }).GPUDevice;
  // oxlint-disable-next-line typescript/unbound-method -- called on the device below
  const create = prototype.createShaderModule;
  prototype.createShaderModule = function (
    this: GPUDevice,
    descriptor: GPUShaderModuleDescriptor,
  ): GPUShaderModule {
    const module = create.call(this, descriptor);
    const name = createHash('sha256').update(descriptor.code).digest('hex').slice(0, 24);
    module.getCompilationInfo().then(
      ({ messages }) => {
        if (!messages.some(({ type }) => type === 'error'))
          writeFileSync(join(folder, `${name}.wgsl`), descriptor.code);
      },
      () => {}, // the device is gone
    );
    return module;
  };
}
