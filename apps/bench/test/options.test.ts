// The command line: what each option means, and that a wrong one gets one clear line and exit code 2.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { UsageError } from '@firsthand/kit/options';
import { CONTENDERS, PAGE_CONTENDERS } from '../src/contender.ts';
import { EFFORTS, PAGE_EFFORTS } from '../src/measure.ts';
import { parseOptions, parsePageOptions } from '../src/options.ts';
import { PAGE_TASKS, TASKS } from '../src/tasks.ts';

const usage = (
  args: readonly string[],
  parse: (args: readonly string[]) => unknown = parseOptions,
): UsageError => {
  try {
    parse(args);
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
    profile: false,
    docs: null,
    json: null,
    svg: null,
  });
});

test('every option has its effect', () => {
  const options = parseOptions(
    '--quick --device reference --docs a/docs --json a.json --svg a.svg --contenders loops firsthand --only MLP exp'.split(
      ' ',
    ),
  );
  expect(options.tasks.map(({ id }) => id)).toEqual([
    'elementwise/exp',
    'elementwise/exp-gradient',
    'training/mlp',
  ]);
  expect(options).toMatchObject({
    contenders: ['firsthand', 'loops'],
    effort: EFFORTS.quick,
    device: 'reference',
    docs: 'a/docs',
    json: 'a.json',
    svg: 'a.svg',
  });
});

test('a profile is of some tasks, at some effort', () => {
  const options = parseOptions('--profile --quick --only mlp'.split(' '));
  expect(options.tasks.map(({ id }) => id)).toEqual(['training/mlp']);
  expect(options).toMatchObject({ profile: true, effort: EFFORTS.quick, device: 'wasm' });
});

test('help is a text, not an error, and names every task and contender', () => {
  const { message, exitCode } = usage(['--help']);
  expect(exitCode).toBe(0);
  for (const name of [...TASKS.map(({ id }) => id), ...CONTENDERS]) expect(message).toContain(`  ${name}`);
});

describe('a wrong option', () => {
  test.each([
    [['--only', 'attic'], '--only attic names no task; there are matmul/64, '],
    [['--contenders', 'attic'], 'Allowed choices are firsthand, two-threads, uncompiled, '],
    [['--device', 'attic'], 'Allowed choices are wasm, reference'],
    [['--json', ''], 'It takes the path of a file.'],
    [['--profile', '--device', 'wasm'], "option '--profile' cannot be used with option '--device <name>'"],
    [
      ['--profile', '--contenders', 'loops'],
      "option '--profile' cannot be used with option '--contenders <name...>'",
    ],
    [['--json', 'a.json', '--profile'], "option '--profile' cannot be used with option '--json <file>'"],
    [['--docs', ''], 'It takes the path of a folder.'],
    [['--fast'], "unknown option '--fast'"],
    [['attic'], 'too many arguments'],
  ])('%j is refused in a line', (args, reason) => {
    const { message, exitCode } = usage(args);
    expect(message).toContain(reason);
    expect(message).not.toContain('\n');
    expect(exitCode).toBe(2);
  });
});

describe('on the GPU', () => {
  beforeEach(() => vi.stubEnv('FIRSTHAND_CHROMIUM', undefined));
  afterEach(() => vi.unstubAllEnvs());

  test('without arguments, everything, in the browser of the user', () => {
    expect(parsePageOptions([])).toEqual({
      tasks: PAGE_TASKS,
      contenders: PAGE_CONTENDERS,
      effort: PAGE_EFFORTS.full,
      chromium: null,
      json: null,
      svg: null,
    });
  });

  test('every option has its effect', () => {
    const options = parsePageOptions(
      '--quick --chromium a/b --json a.json --contenders jax-js --only mlp batched'.split(' '),
    );
    expect(options.tasks.map(({ id }) => id)).toEqual(['matmul/batched', 'training/mlp']);
    expect(options).toMatchObject({
      contenders: ['jax-js'],
      effort: PAGE_EFFORTS.quick,
      chromium: 'a/b',
      json: 'a.json',
      svg: null,
    });
  });

  test('the browser may be named by the environment', () => {
    vi.stubEnv('FIRSTHAND_CHROMIUM', 'c/d');
    expect(parsePageOptions([]).chromium).toBe('c/d');
  });

  test('help names every task and contender of it, and a wrong option is refused', () => {
    const { message } = usage(['--help'], parsePageOptions);
    for (const name of [...PAGE_TASKS.map(({ id }) => id), ...PAGE_CONTENDERS])
      expect(message).toContain(`  ${name}`);
    expect(message).not.toContain('ort-web');
    expect(usage(['--contenders', 'ort-web'], parsePageOptions).message).toContain(
      'Allowed choices are firsthand, tfjs-webgpu, jax-js',
    );
    expect(usage(['--only', 'matmul/64'], parsePageOptions).exitCode).toBe(2);
  });
});
