#!/usr/bin/env bash
# A shader on SwiftShader gives 0 for x · 0 where x is NaN or infinite, 3e38 for x · 3 / 3 at 3e38, and x for (x − y) + y whatever y is, if the operations stand in one shader, and 0 and 3 are
# literals; the same with the 0 read from an array gives NaN. WGSL allows it: implementations may assume that there are no NaN and no infinities, and may reassociate
# (https://www.w3.org/TR/WGSL/#floating-point-evaluation). A good guess is that a processor in software keeps to IEEE 754, as its C++ and JavaScript do; it is the optimizer of SPIR-V that
# rewrites, and it does so for 0 times anything.
# Packages: webgpu 0.6.2 (Dawn), @sparticuz/chromium 153.0.0 (SwiftShader). Fails if this changes.
set -euo pipefail
source "$(dirname "$0")/support.sh"
in_temporary_folder
npm_install webgpu@0.6.2 @sparticuz/chromium@153.0.0
use_swiftshader
cat > check.mjs <<'JS'
import { create } from 'webgpu';
const gpu = create([]);
const device = await (await gpu.requestAdapter()).requestDevice();
const cases = {
  'NaN * 0f': ['x * 0f', NaN, 0],
  'infinity * 0f': ['x * 0f', Infinity, 0],
  'NaN * y, y = 0 from an array': ['x * y', NaN, 0],
  '3e38 * 3f / 3f': ['x * 3f / 3f', 3e38, 0],
  '(1 - y) + y, y = 1e30': ['(x - y) + y', 1, 1e30],
  '(1 - y) + y, y = infinity': ['(x - y) + y', 1, Infinity],
};
for (const [title, [expression, x, y]] of Object.entries(cases)) {
  const code = `@group(0) @binding(0) var<storage, read> given: array<f32>;
@group(0) @binding(1) var<storage, read_write> found: array<f32>;
@compute @workgroup_size(1) fn main() { let x = given[0]; let y = given[1]; found[0] = ${expression}; }`;
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const given = device.createBuffer({ size: 8, usage: 0x0080 | 0x0008 });
  const found = device.createBuffer({ size: 4, usage: 0x0080 | 0x0004 });
  const read = device.createBuffer({ size: 4, usage: 0x0001 | 0x0008 });
  device.queue.writeBuffer(given, 0, Float32Array.of(x, y));
  const entries = [given, found].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(found, 0, read, 0, 4);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(1);
  console.log(`${title}: ${new Float32Array(read.getMappedRange())[0].toPrecision(2)}`);
}
process.exit(0);
JS
node check.mjs | tee found.txt
diff found.txt - <<'EXPECTED'
NaN * 0f: 0.0
infinity * 0f: 0.0
NaN * y, y = 0 from an array: NaN
3e38 * 3f / 3f: 3.0e+38
(1 - y) + y, y = 1e30: 1.0
(1 - y) + y, y = infinity: 1.0
EXPECTED
