/**
 * Atomic file writing: what is there afterwards, after an error at every step, and after the process is
 * killed in the middle of a write.
 */
import { fork } from 'node:child_process';
import { mkdtemp, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeFileAtomic } from '../src/node.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firsthand-data-'));
  path = join(folder, 'checkpoint');
  await writeFile(path, 'the previous file');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const isUntouched = async (): Promise<void> => {
  expect(await readFile(path, 'utf8')).toBe('the previous file');
};

describe('writeFileAtomic', () => {
  it('replaces a file, and writes a new one, leaving nothing else', async () => {
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    await writeFileAtomic(join(folder, 'new'), new Uint8Array(0));
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    expect(await readdir(folder)).toEqual(['checkpoint', 'new']);
  });

  it('writes a view of a larger buffer only', async () => {
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3, 4).subarray(1, 3));
    expect([...(await readFile(path))]).toEqual([2, 3]);
  });

  it.each(['writeFile', 'sync'] as const)(
    'keeps the previous file and removes its own when %s fails',
    async (step) => {
      const handle = await open(path);
      const prototype = Object.getPrototypeOf(handle) as typeof handle;
      await handle.close();
      vi.spyOn(prototype, step).mockRejectedValueOnce(new Error('ENOSPC: no space left on device'));
      await expect(writeFileAtomic(path, new Uint8Array(10))).rejects.toThrow('ENOSPC');
      await isUntouched();
      expect(await readdir(folder)).toEqual(['checkpoint']);
    },
  );

  it('removes its own file when the rename fails', async () => {
    const target = join(folder, 'a folder');
    await mkdir(target);
    await expect(writeFileAtomic(target, new Uint8Array(10))).rejects.toThrow(
      /EISDIR|EEXIST|ENOTEMPTY|EPERM/,
    );
    expect(await readdir(folder)).toEqual(['a folder', 'checkpoint']);
  });

  it('fails where there is no folder', async () => {
    await expect(writeFileAtomic(join(folder, 'none', 'file'), new Uint8Array(1))).rejects.toThrow('ENOENT');
  });

  it('keeps the previous file whole when the process is killed in mid-write', async () => {
    // A program that writes files of 64 MiB, one after the other, until it is killed. Every whole one is all
    // sevens.
    const program = join(folder, 'writer.mjs');
    const source = `
      import { writeFileAtomic } from ${JSON.stringify(new URL('../src/node.ts', import.meta.url).pathname)};
      const bytes = new Uint8Array(2 ** 26).fill(7);
      process.send('begin');
      for (;;) await writeFileAtomic(process.argv[2], bytes);
    `;
    await build({
      stdin: { contents: source, resolveDir: folder },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'error',
    });

    let cutShort = 0;
    for (const wait of [5, 20, 60, 120]) {
      await writeFile(path, 'the previous file');
      const child = fork(program, [path], { execArgv: [] });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => child.once('message', resolve));
      await new Promise((resolve) => setTimeout(resolve, wait));
      child.kill('SIGKILL');
      await ended;
      const content = await readFile(path);
      if (content.length === 2 ** 26) expect(content.equals(Buffer.alloc(2 ** 26, 7))).toBe(true);
      else expect(content.toString()).toBe('the previous file');
      const left = (await readdir(folder)).filter((name) => name.endsWith('.tmp'));
      cutShort += left.length;
      await Promise.all(left.map((name) => rm(join(folder, name))));
    }
    expect(cutShort).toBeGreaterThan(0); // at least once the kill came in the middle of a write
  });
});
