import { create } from 'webgpu';
import { test, expect } from 'vitest';
test('adapter', async () => { const gpu = create([]); const a = await gpu.requestAdapter(); expect(a?.info.architecture).toBe('swiftshader'); });
