// Programs that the tests start: each runs to its end in a folder, and one that fails becomes an error that
// holds all it printed.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { root } from './repository.ts';

/**
 * Runs a program to its end.
 * @returns what it printed
 * @throws Error with all that it printed on both streams, where its exit status is not 0
 */
export function command(folder: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} failed with status ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** The path of a tool that is installed in the root. */
export const tool = (name: string): string => join(root, 'node_modules/.bin', name);
