// Rule 28 in processes of their own: Node ends by itself when nothing is under way, and not before.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'firsthand-semantics-'));
const src = fileURLToPath(new URL('../src/', import.meta.url));

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

describe('rule 28: processes', () => {
  beforeAll(async () => {
    for (const [name, code] of Object.entries(PROGRAMS)) {
      const contents = `
        import { setDefaultDevice, tensor } from '@firsthand/autograd';
        import { createReference, runtimeOf } from '@firsthand/graph';
        import { createQueued } from './queued-device.ts';
        const device = createQueued(createReference());
        setDefaultDevice(device);
        ${code}
        export { runtimeOf };`;
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
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(Object.keys(PROGRAMS))('%s: prints its value and ends', (name) => {
    const { status, stdout, stderr, signal } = spawnSync(process.execPath, [join(folder, `${name}.mjs`)], {
      encoding: 'utf8',
      timeout: 15_000,
    });
    expect({ status, signal, stdout, stderr }).toEqual({ status: 0, signal: null, stdout: '2\n', stderr: '' });
  });
});
