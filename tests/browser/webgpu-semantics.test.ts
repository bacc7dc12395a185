// The rules of docs/semantics.md on the GPU device, in a page, on the adapter that Chromium brings.
import { describeSemantics } from '@firsthand/conformance';
import { createWebGPU } from '@firsthand/webgpu';
import { inject } from 'vitest';

describeSemantics('webgpu in a page', () => createWebGPU(), { tinySteps: inject('full') ? 10_000 : 200 });
