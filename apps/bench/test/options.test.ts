// The command line: what each option means, and that a wrong one gets one clear line and exit code 2.
import { describe, expect, test } from 'vitest';
import { CONTENDERS } from '../src/contender.ts';
import { EFFORTS } from '../src/measure.ts';
import { parseOptions, UsageError } from '../src/options.ts';
import { TASKS } from '../src/tasks.ts';

const usage = (...args: string[]): UsageError => {
  try {
    parseOptions(args);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`${args.join(' ')} is accepted`);
};

test('without arguments, everything', () => {
  expect(parseOptions([])).toEqual({
    tasks: TASKS,
    contenders: CONTENDERS,
    effort: EFFORTS.full,
    device: 'wasm',
    json: null,
    svg: null,
  });
});

test('every option has its effect', () => {
  const options = parseOptions(
    '--quick --device reference --json a.json --svg a.svg --contenders loops firsthand --only MLP exp'.split(' '),
  );
  expect(options.tasks.map(({ id }) => id)).toEqual(['elementwise/exp', 'elementwise/exp-gradient', 'training/mlp']);
  expect(options).toMatchObject({
    contenders: ['firsthand', 'loops'],
    effort: EFFORTS.quick,
    device: 'reference',
    json: 'a.json',
    svg: 'a.svg',
  });
});

test('help is a text, not an error, and names every task and contender', () => {
  const { message, exitCode } = usage('--help');
  expect(exitCode).toBe(0);
  for (const name of [...TASKS.map(({ id }) => id), ...CONTENDERS]) expect(message).toContain(`  ${name}`);
});

describe('a wrong option', () => {
  test.each([
    [['--only', 'attic'], '--only attic names no task; there are matmul/64, '],
    [['--contenders', 'attic'], 'Allowed choices are firsthand, uncompiled, '],
    [['--device', 'attic'], 'Allowed choices are wasm, reference'],
    [['--json', ''], 'It takes the path of a file.'],
    [['--fast'], "unknown option '--fast'"],
    [['attic'], 'too many arguments'],
  ])('%j is refused in a line', (args, reason) => {
    const { message, exitCode } = usage(...args);
    expect(message).toContain(reason);
    expect(message).not.toContain('\n');
    expect(exitCode).toBe(2);
  });
});
