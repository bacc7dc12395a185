/**
 * Writing a file so that no interruption can lose the one that was there: write a temporary file beside it,
 * force it to disk, and rename it over the old name, which file systems do in one step. At every moment the
 * name leads to the whole old file or the whole new one.
 */
import { open, rename, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { checkCount } from '@firsthand/linalg';

/**
 * Writes a file atomically.
 * @param path where; the folder must exist. A file of this name is replaced.
 * @param bytes the whole contents
 * @throws the file system's error, after removing the temporary file; the previous file is then as it was. A
 *   process that is killed meanwhile
 *   leaves its temporary file, named `.<name>.<random>.tmp`, beside the previous one.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  checkCount('writeFileAtomic', arguments.length, 2, 'await writeFileAtomic(path, bytes)');
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeThrough(temporary, bytes);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Writes a new file and returns once it is on disk, not merely in the system's memory. */
async function writeThrough(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Forces the rename itself to disk, where the system can: not all can open or sync a folder. If it fails, a
 * power cut may bring back the old file, whole.
 */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // both files are complete, and the new one has its name: nothing is lost that could be repaired here
  }
}
