#!/usr/bin/env bash
# naga, the WGSL compiler of wgpu, Deno and Firefox, takes subgroup functions and refuses the directive that the language asks for, `enable subgroups;`; and it wants the lane of
# `subgroupBroadcast` to be unsigned: `0` is refused, `0u` is taken, while WGSL's rule (https://www.w3.org/TR/WGSL/#subgroupbroadcast-builtin) is a const-expression of i32 or u32. No text that
# follows the specification passes: Dawn's Tint, on the other hand, refuses a shader without the directive.
# Packages: wgpu 0.32.0 from PyPI (wgpu-native 29.0.1.1), webgpu 0.6.2 (Dawn), @sparticuz/chromium 153.0.0 (SwiftShader, a GPU in software). Fails if this changes.
set -euo pipefail
source "$(dirname "$0")/support.sh"
in_temporary_folder
npm_install webgpu@0.6.2 @sparticuz/chromium@153.0.0
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check wgpu==0.32.0
use_swiftshader
cat > shaders.json <<'JSON'
{
  "directive, 0u": "enable subgroups;\n@group(0) @binding(0) var<storage, read_write> a: array<f32>;\n@compute @workgroup_size(4) fn main(@builtin(subgroup_invocation_id) i: u32) { a[i] = subgroupBroadcast(a[i], 0u); }",
  "directive, 0": "enable subgroups;\n@group(0) @binding(0) var<storage, read_write> a: array<f32>;\n@compute @workgroup_size(4) fn main(@builtin(subgroup_invocation_id) i: u32) { a[i] = subgroupBroadcast(a[i], 0); }",
  "no directive, 0u": "@group(0) @binding(0) var<storage, read_write> a: array<f32>;\n@compute @workgroup_size(4) fn main(@builtin(subgroup_invocation_id) i: u32) { a[i] = subgroupBroadcast(a[i], 0u); }",
  "no directive, 0": "@group(0) @binding(0) var<storage, read_write> a: array<f32>;\n@compute @workgroup_size(4) fn main(@builtin(subgroup_invocation_id) i: u32) { a[i] = subgroupBroadcast(a[i], 0); }"
}
JSON
cat > dawn.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { create } from 'webgpu';
const gpu = create([]);
const device = await (await gpu.requestAdapter()).requestDevice({ requiredFeatures: ['subgroups'] });
for (const [title, code] of Object.entries(JSON.parse(readFileSync('shaders.json', 'utf8')))) {
  device.pushErrorScope('validation');
  device.createShaderModule({ code });
  console.log(`Tint ${(await device.popErrorScope()) === null ? 'takes' : 'refuses'} ${title}`);
}
process.exit(0);
JS
cat > naga.py <<'PY'
import json
import wgpu
adapter = next(each for each in wgpu.gpu.enumerate_adapters_sync() if "subgroup" in each.features)
device = adapter.request_device_sync(required_features=["subgroup"])
for title, code in json.load(open("shaders.json")).items():
    try:
        device.create_shader_module(code=code)
        print(f"naga takes {title}")
    except wgpu.GPUError:
        print(f"naga refuses {title}")
PY
{ node dawn.mjs; venv/bin/python naga.py; } 2> errors.txt | tee found.txt
diff found.txt - <<'EXPECTED'
Tint takes directive, 0u
Tint takes directive, 0
Tint refuses no directive, 0u
Tint refuses no directive, 0
naga refuses directive, 0u
naga refuses directive, 0
naga takes no directive, 0u
naga refuses no directive, 0
EXPECTED
