#!/usr/bin/env bash
# Dawn rounds the timestamps of queries to 65,536 ns unless it is told otherwise, in Node too, where no page can misuse them: a kernel that takes a few microseconds seems to take none.
# WebGPU lets implementations round (https://www.w3.org/TR/webgpu/#timestamp); a good guess is that Node, which has high-resolution clocks, does not. `create([...])` takes Dawn's switches:
# `disable-dawn-features=timestamp_quantization` gives nanoseconds.
# Packages: webgpu 0.6.2 (Dawn), @sparticuz/chromium 153.0.0 (SwiftShader, a GPU in software). Fails if this changes.
set -euo pipefail
source "$(dirname "$0")/support.sh"
in_temporary_folder
npm_install webgpu@0.6.2 @sparticuz/chromium@153.0.0
use_swiftshader
cat > check.mjs <<'JS'
import { create } from 'webgpu';
const starts = async (switches) => {
  const gpu = create(switches);
  const device = await (await gpu.requestAdapter()).requestDevice({ requiredFeatures: ['timestamp-query'] });
  const set = device.createQuerySet({ type: 'timestamp', count: 2 });
  const found = [];
  for (let run = 0; run < 8; run++) {
    const resolved = device.createBuffer({ size: 16, usage: 0x0200 | 0x0004 });
    const read = device.createBuffer({ size: 16, usage: 0x0001 | 0x0008 });
    const encoder = device.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: { querySet: set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } }).end();
    encoder.resolveQuerySet(set, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, read, 0, 16);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(1);
    found.push(...new BigUint64Array(read.getMappedRange().slice(0)));
  }
  kept.push(gpu);
  return found;
};
const kept = [];
const rounded = (stamps) => stamps.every((stamp) => stamp % 65536n === 0n);
const byDefault = await starts([]);
const switched = await starts(['disable-dawn-features=timestamp_quantization']);
console.log(`by default, modulo 65,536 ns: ${byDefault.map((stamp) => stamp % 65536n).join(' ')}`);
console.log(`without timestamp_quantization: ${switched.map((stamp) => stamp % 65536n).join(' ')}`);
process.exit(rounded(byDefault) && !rounded(switched) ? 0 : 1);
JS
node check.mjs
