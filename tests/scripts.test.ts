// The scripts behind `npm start` and `npm test`, where a mistake would show only on someone else's machine: a
// program runs from its source with its arguments, Ctrl-C and its exit status are its own, its errors point
// into the source, and a stage that does not exist is refused.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { command } from './support/command.ts';
import { root } from './support/repository.ts';

const runner =
  "const { runTypeScript } = await import('./scripts/typescript.mjs'); await runTypeScript(...JSON.parse(process.argv[1]));";
const argumentsFor = (file: string, args: readonly string[]): string[] => [
  '--input-type=module',
  '-e',
  runner,
  JSON.stringify(['tests', file, args]),
];

test('a program runs from source with its arguments, and gets Ctrl-C itself', async () => {
  const child = spawn(process.execPath, argumentsFor('fixtures/program.ts', ['--epochs', '3']), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  expect(JSON.parse(first.toString())).toEqual({ args: ['--epochs', '3'], total: 3 });
  child.kill('SIGINT');
  const [second] = (await once(child.stdout, 'data')) as [Buffer];
  expect(second.toString()).toBe('stopped\n');
  expect(await exit).toEqual([3, null]);
});

test('an error points to the line of the source', () => {
  expect(() => command(root, process.execPath, ...argumentsFor('fixtures/failing.ts', []))).toThrow(
    /fixtures\/failing\.ts:5/,
  );
});

test('an unknown app or stage is refused by name', () => {
  expect(() => command(root, process.execPath, join('scripts', 'start.mjs'), 'attic')).toThrow(
    'no app named attic; there are bench, by-hand, mnist, mnist-page',
  );
  expect(() => command(root, process.execPath, join('scripts', 'check.mjs'), 'attic')).toThrow(
    'no such stage: attic; there are install, lint',
  );
});
