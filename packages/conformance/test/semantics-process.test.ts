// Rules 27 and 28 in processes of their own: a loop that never yields keeps nothing alive, and Node ends by
// itself when nothing is under way, and not before.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src/', import.meta.url));
// Inside the package, so that what is not bundled is found.
const folder = mkdtempSync(join(src, '../node_modules/.semantics-'));

/** A program on the queued device, ending with `code`. */
const PROGRAMS = {
  idle: `const x = tensor([1]); console.log(await x.add(1).item());`,
  'work under way': `tensor([1]).add(1).item().then((value) => console.log(value));`,
  'a failure that nobody asks about': `
    const w = tensor([1]);
    w.assign(w.add(1));
    device.failNext(new Error('lost'));
    runtimeOf(device).flush();
    console.log(2);`,
} as const;

/** The same on the GPU device. The package that brings WebGPU to Node is found from here. */
const GPU_PROGRAMS = {
  'a value of the GPU': `setDefaultDevice(await createWebGPU()); console.log(await tensor([1]).add(1).item());`,
  'work under way on the GPU': `setDefaultDevice(await createWebGPU()); tensor([1]).add(1).item().then((value) => console.log(value));`,
} as const;

/**
 * 1,200 steps with 400 kB of arguments each, and not one turn of the event loop: prints by how many MiB the
 * process has grown.
 */
const LOOP = `
  setDefaultDevice(createReference());
  const weight = tensor(new Float32Array(1000), { requiresGrad: true });
  const step = (x) => {
    const loss = x.slice(0, 0, 1000).mul(weight).sum();
    loss.backward();
    weight.assign(weight.detach().sub(weight.grad.mul(0.1)));
    weight.grad = null;
  };
  const data = new Float32Array(100_000);
  const before = process.memoryUsage().rss;
  let peak = before;
  for (let index = 0; index < 1200; index++) {
    step(tensor(data));
    if (index % 100 === 0) peak = Math.max(peak, process.memoryUsage().rss);
  }
  console.log(Math.round((peak - before) / 2 ** 20));`;

/** The program as one file of JavaScript. */
async function compileProgram(name: string, code: string): Promise<void> {
  const contents = `
    import { setDefaultDevice, tensor } from '@firsthand/autograd';
    import { createReference, runtimeOf } from '@firsthand/runtime';
    import { createWebGPU } from '@firsthand/webgpu';
    import { createQueued } from './queued-device.ts';
    const device = createQueued(createReference());
    setDefaultDevice(device);
    ${code}
    export { createWebGPU, runtimeOf };`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: src, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    conditions: ['@firsthand/source'],
  });
  writeFileSync(join(folder, `${name}.mjs`), outputFiles[0]!.text);
}

function runProgram(name: string): {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const { status, stdout, stderr, signal } = spawnSync(process.execPath, [join(folder, `${name}.mjs`)], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { status, signal, stdout, stderr };
}

afterAll(() => rmSync(folder, { recursive: true }));

describe('rule 27: a loop that never yields', () => {
  test('keeps no arguments alive: the process grows by a fraction of what went through it', async () => {
    await compileProgram('loop', LOOP);
    const { status, stdout, stderr } = runProgram('loop');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    // 458 MiB of arguments; about 90 are measured.
    expect(Number(stdout)).toBeLessThan(250);
  });
});

describe('rule 28: processes', () => {
  beforeAll(async () => {
    for (const [name, code] of Object.entries({ ...PROGRAMS, ...GPU_PROGRAMS }))
      await compileProgram(name, code);
  });

  test.each([...Object.keys(PROGRAMS), ...Object.keys(GPU_PROGRAMS)])(
    '%s: prints its value and ends',
    (name) => {
      expect(runProgram(name)).toEqual({ status: 0, signal: null, stdout: '2\n', stderr: '' });
    },
  );
});
