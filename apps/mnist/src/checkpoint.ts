/**
 * The run's file: a checkpoint of `@firsthand/train` with the run's settings beside it, so that `--resume`
 * needs nothing but the file. It is written atomically: an interruption leaves the one before.
 */
import { access, constants, readFile, rename, stat } from 'node:fs/promises';
import { dirname, parse, join } from 'node:path';
import { FormatError, readSafetensors } from '@firsthand/data';
import { writeFileAtomic } from '@firsthand/data/node';
import { type CheckpointContents, saveCheckpoint } from '@firsthand/train';
import { UsageError } from '@firsthand/kit/options';
import { isSettings, type Settings } from './settings.ts';

const SETTINGS_KEY = 'mnist.settings';

/** Writes everything from which the run can go on. */
export async function writeCheckpoint(
  path: string,
  contents: CheckpointContents,
  settings: Settings,
): Promise<void> {
  await writeFileAtomic(
    path,
    await saveCheckpoint(contents, new Map([[SETTINGS_KEY, JSON.stringify(settings)]])),
  );
}

/**
 * Checks, before any work is done, that a checkpoint can be written.
 * @throws UsageError that names the path
 */
export async function requireWritable(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw new UsageError(
      `error: --out ${path}: the folder ${dirname(path)} cannot be written to (${codeOf(error)})`,
      2,
    );
  }
  const existing = await stat(path).catch(() => null);
  if (existing?.isDirectory() === true)
    throw new UsageError(`error: --out ${path} is a folder; name a file in it`, 2);
}

/** Whether there is something of this name. */
const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;

/**
 * The first name that is free for the file of an earlier run: `mnist.1.safetensors` for `mnist.safetensors`,
 * then `mnist.2.safetensors`.
 */
async function freeName(path: string): Promise<string> {
  const { dir, name, ext } = parse(path);
  let number = 1;
  const candidate = (): string => join(dir, `${name}.${number}${ext}`);
  while (await exists(candidate())) number++;
  return candidate();
}

/** A file that this run would overwrite: what its name will be, and a function that renames it, once. */
export interface EarlierFile {
  readonly newName: string;
  keep(): Promise<void>;
}

/** The file that stands where a new one is going to be written, null if there is none. */
export async function earlierFile(path: string): Promise<EarlierFile | null> {
  if (!(await exists(path))) return null;
  const newName = await freeName(path);
  let isRenamed = false;
  return {
    newName,
    async keep() {
      if (isRenamed) return;
      isRenamed = true;
      await rename(path, newName);
    },
  };
}

/** A checkpoint's bytes, and the settings of the run that wrote it. */
export interface SavedRun {
  readonly bytes: Uint8Array;
  readonly settings: Settings;
}

/**
 * Reads the file that a run goes on from.
 * @throws UsageError if there is none, or it is not of this program
 */
export async function readCheckpoint(path: string): Promise<SavedRun> {
  try {
    const bytes = await readFile(path);
    return { bytes, settings: parseSettings(readSafetensors(bytes).metadata.get(SETTINGS_KEY)) };
  } catch (error) {
    if (error instanceof FormatError) throw new UsageError(`error: --resume ${path}: ${error.message}`, 2);
    const code = codeOf(error);
    const remedy =
      code === 'ENOENT'
        ? '; a run is saved there after its first epoch, or when it is stopped: start one without --resume'
        : '';
    throw new UsageError(`error: --resume ${path} cannot be read (${code})${remedy}`, 2);
  }
}

/** @throws FormatError unless the text is what `writeCheckpoint` writes */
function parseSettings(text: string | undefined): Settings {
  if (text === undefined)
    throw new FormatError(`the file's metadata has no ${SETTINGS_KEY}; it is no checkpoint of this program`);
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch {
    throw new FormatError(`the metadata ${SETTINGS_KEY} is no JSON`);
  }
  if (!isSettings(settings))
    throw new FormatError(`the metadata ${SETTINGS_KEY} lacks a setting, or has one out of range`);
  return settings;
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}
