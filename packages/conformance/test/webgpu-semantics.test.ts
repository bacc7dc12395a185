// The rules of docs/semantics.md on the GPU device in Node, through Dawn, on an adapter in software.
import { createWebGPU } from '@firsthand/webgpu';
import { describeSemantics } from '../src/semantics.ts';

describeSemantics('webgpu', () => createWebGPU(), {
  tinySteps: process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 500,
});
