# Gives every WGSL file of a folder to naga, the compiler of Firefox, Deno and wgpu, and prints what it refuses.
# naga is reached through the package `wgpu`, whose devices check a shader when it is created. That needs an
# adapter with subgroups: naga accepts no shader that its device could not run. naga does not know the directive
# `enable subgroups;` (gfx-rs/wgpu#5555); our device omits it where it is unknown, and so does this.
import pathlib
import sys

import wgpu

DIRECTIVE = "enable subgroups;\n"


def main(folder):
    adapters = [a for a in wgpu.gpu.enumerate_adapters_sync() if "subgroup" in a.features]
    if not adapters:
        sys.exit("naga: wgpu finds no adapter that has subgroups, and without one it checks nothing")
    device = adapters[0].request_device_sync(required_features=["subgroup"])
    files = sorted(pathlib.Path(folder).glob("*.wgsl"))
    refused = 0
    for file in files:
        code = file.read_text()
        try:
            device.create_shader_module(label=file.name, code=code.replace(DIRECTIVE, "", 1))
        except wgpu.GPUError as error:
            refused += 1
            print(f"\n{file}\n{error}\n{code}")
    with_directive = sum(DIRECTIVE in file.read_text() for file in files)
    where = f"naga of wgpu {wgpu.__version__} on {adapters[0].info['device']}"
    print(f"{where}: {len(files)} shaders, {with_directive} with subgroups, {refused} refused")
    sys.exit(0 if files and refused == 0 else 1)


main(sys.argv[1])
