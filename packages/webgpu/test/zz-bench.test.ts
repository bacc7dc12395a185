import { test } from 'vitest';
import type { Kernel } from '@firsthand/compiler';
import { planOf, PROFILES } from './support/kernels.ts';
import { plainLayout, testDevice } from './support/run-shader.ts';
import { kernelShaders, scratchBytes } from '../src/kernels/kernel-shaders.ts';
import { dispatchOf } from '../src/emit/module.ts';
import { sort as sortTensor } from '@firsthand/autograd';
async function time(kernel: Kernel, profile: any, fill: (op: number, words: Uint32Array<ArrayBuffer>, f: Float32Array) => void): Promise<string> {
  const d = await testDevice();
  const shaders = kernelShaders(kernel, plainLayout(kernel.operands), profile, new Map());
  const mk = (n: number, k: number) => { const b = d.createBuffer({ size: Math.max(4, n * 4), usage: 0x8c }); const w = new Uint32Array(n); if (k >= 0) fill(k, w, new Float32Array(w.buffer)); d.queue.writeBuffer(b, 0, w); return b; };
  const bufs = kernel.operands.map((o, k) => mk(o.length, k));
  const scratch = mk(scratchBytes(kernel, profile) / 4, -1);
  const ps = shaders.map((s) => { const pipeline = d.createComputePipeline({ layout: 'auto', compute: { module: d.createShaderModule({ code: s.wgsl }) } });
    return { pipeline, s, group: d.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: s.bindings.map((b, binding) => ({ binding, resource: { buffer: b.kind === 'operand' ? bufs[b.operand]! : scratch } })) }) }; });
  const times: number[] = [];
  const each = ps.length > 3;
  for (let r = 0; r < 4; r++) {
    const t = performance.now();
    const e = d.createCommandEncoder(); const p = e.beginComputePass();
    for (const x of ps) { p.setPipeline(x.pipeline); p.setBindGroup(0, x.group); p.dispatchWorkgroups(...dispatchOf(x.s.workgroups)); }
    p.end(); d.queue.submit([e.finish()]); await d.queue.onSubmittedWorkDone();
    times.push(performance.now() - t);
  }
  for (const b of [...bufs, scratch]) b.destroy();
  return `${Math.min(...times.slice(1)).toFixed(2)} ms (first ${times[0]!.toFixed(0)}, ${shaders.length} shaders)`;
}
const rnd = (n: number) => (_: number, w: Uint32Array, f: Float32Array) => { for (let k = 0; k < w.length; k++) f[k] = Math.random(); };
test('bench', async () => {
  const only = process.env['ONLY'];
  const cases: [string, any, any][] = [
    ['scan 1M', planOf((x) => [x.cumsum(0)], ['float32', [1 << 20]]), rnd(0)],
    ['scan 1024x1024 last', planOf((x) => [x.cumsum(1)], ['float32', [1024, 1024]]), rnd(0)],
    ['scan 1024x1024 first', planOf((x) => [x.cumsum(0)], ['float32', [1024, 1024]]), rnd(0)],
    ['scan 8x131072', planOf((x) => [x.cumsum(1)], ['float32', [8, 131072]]), rnd(0)],
    ['scan 131072x8', planOf((x) => [x.cumsum(1)], ['float32', [131072, 8]]), rnd(0)],
    ['sort 1M', planOf((x) => [sortTensor(x).indices], ['float32', [1 << 20]]), rnd(0)],
    ['sort 64K', planOf((x) => [sortTensor(x).indices], ['float32', [1 << 16]]), rnd(0)],
    ['sort 1024x1024', planOf((x) => [sortTensor(x).indices], ['float32', [1024, 1024]]), rnd(0)],
    ['sort 16384x64', planOf((x) => [sortTensor(x).indices], ['float32', [16384, 64]]), rnd(0)],
    ['sort 65536x10', planOf((x) => [sortTensor(x).indices], ['float32', [65536, 10]]), rnd(0)],
  ];
  const idx = (limit: number) => (op: number, w: Uint32Array, f: Float32Array) => { if (op === 1) for (let k = 0; k < w.length; k++) w[k] = Math.floor(Math.random() * limit); else rnd(0)(0, w, f); };
  for (const [v, c, t] of [[65, 64, 4096], [50257, 64, 4096], [50257, 384, 1024], [1000, 1, 65536], [10, 1, 1 << 20]] as const)
    cases.push([`embed V${v} C${c} T${t}`, planOf((b, i, s) => [b.scatterAdd(0, i.reshape(t, 1).expand(t, c), s)], ['float32', [v, c]], ['int32', [t]], ['float32', [t, c]]), idx(v)]);
  cases.push(['onehot rows 4096x65', planOf((b, i, s) => [b.scatterAdd(1, i, s)], ['float32', [4096, 65]], ['int32', [4096, 1]], ['float32', [4096, 1]]), idx(65)]);
  for (const [name, plan, fill] of cases) {
    if (only && !name.includes(only)) continue;
    for (const { kernel } of plan.kernels) {
      if (kernel.kind === 'loop') continue;
      for (const p of Object.values(PROFILES)) console.log(name, p.name, await time(kernel, p, fill));
    }
  }
}, 300000);
