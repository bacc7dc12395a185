// The command line: what each option means, and that a wrong one gets one clear line and exit code 2.
import { describe, expect, test } from 'vitest';
import { UsageError } from '@firsthand/kit/options';
import { parseOptions, requireSameSettings } from '../src/options.ts';
import { DEFAULTS, isSettings } from '../src/settings.ts';

const usage = (...args: string[]): UsageError => {
  try {
    parseOptions(args);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`${args.join(' ')} is accepted`);
};

test('without arguments, the defaults', () => {
  expect(parseOptions([])).toEqual({
    settings: { ...DEFAULTS, learningRate: 0.003 },
    device: 'wasm',
    out: 'mnist.safetensors',
    resume: null,
    given: new Set(),
  });
});

test('every option has its effect', () => {
  const args =
    '--epochs 3 --batch-size 64 --optimizer sgd --seed 7 --hidden 32 --examples 500 --device reference --out a.safetensors';
  expect(parseOptions(args.split(' '))).toMatchObject({
    settings: {
      epochs: 3,
      batchSize: 64,
      optimizer: 'sgd',
      learningRate: 0.1,
      seed: 7,
      hidden: 32,
      examples: 500,
    },
    device: 'reference',
    out: 'a.safetensors',
  });
  expect(parseOptions(['-e', '1', '-b', '2', '-o', 'sgd', '-l', '1e-2', '-s', '0']).settings).toMatchObject({
    epochs: 1,
    batchSize: 2,
    optimizer: 'sgd',
    learningRate: 0.01,
    seed: 0,
  });
});

test('a resumed run goes on in its own file, unless another is named', () => {
  expect(parseOptions(['--resume', 'a'])).toMatchObject({ resume: 'a', out: 'a' });
  expect(parseOptions(['--resume', 'a', '--out', 'b'])).toMatchObject({ resume: 'a', out: 'b' });
  expect(parseOptions(['--resume'])).toMatchObject({ resume: 'mnist.safetensors', out: 'mnist.safetensors' });
  expect(parseOptions(['--resume', '--epochs', '6'])).toMatchObject({
    resume: 'mnist.safetensors',
    settings: { epochs: 6 },
  });
  expect(parseOptions(['--resume', '--out', 'b'])).toMatchObject({ resume: 'mnist.safetensors', out: 'b' });
});

test('a resumed run keeps its settings, but for the number of epochs', () => {
  const saved = parseOptions([]).settings;
  const refuse =
    (...args: string[]) =>
    () =>
      requireSameSettings(parseOptions(args), saved);
  expect(refuse('--resume', 'a', '--epochs', '5')).not.toThrow();
  expect(refuse('--resume', 'a', '--epochs', '6')).not.toThrow();
  expect(refuse('--resume', 'a', '--seed', '1')).toThrow(UsageError);
  expect(refuse('--resume', 'a', '--batch-size', '64')).toThrow(
    new UsageError(
      'error: --batch-size 64 does not fit the resumed run, which has 128; leave the option out, or start anew',
      2,
    ),
  );
});

describe('a wrong option', () => {
  test.each([
    ['--epochs', '0', 'a whole number of at least 1'],
    ['--epochs', '1.5', 'a whole number of at least 1'],
    ['--epochs', '', 'a whole number of at least 1'],
    ['--batch-size', 'many', 'a whole number of at least 1'],
    ['--learning-rate', '0', 'a number greater than 0'],
    ['--learning-rate', 'NaN', 'a number greater than 0'],
    ['--learning-rate', 'Infinity', 'a number greater than 0'],
    ['--seed', '-1', 'a whole number of at least 0'],
    ['--hidden', '0', 'a whole number from 1 to 16384'],
    ['--hidden', '1e9', 'a whole number from 1 to 16384'],
    ['--examples', '60001', 'a whole number from 1 to 60000'],
    ['--optimizer', 'magic', 'Allowed choices are adamw, sgd.'],
    ['--device', 'abacus', 'Allowed choices are wasm, webgpu, reference.'],
    ['--out', '', 'the path of a file'],
    ['--resume', '', 'the path of a file'],
  ])('%s %s', (option, value, reason) => {
    const { message, exitCode } = usage(option, value);
    expect(message).toMatch(
      new RegExp(`^error: option '.*${option} [<[].*[>\\]]' argument '${value}' is invalid\\.`),
    );
    expect(message).toContain(reason);
    expect(message).not.toContain('\n');
    expect(exitCode).toBe(2);
  });

  test('that does not exist, or lacks its value, or is no option', () => {
    expect([usage('--epoch', '3'), usage('--epochs'), usage('twice')]).toEqual([
      new UsageError("error: unknown option '--epoch' (Did you mean --epochs?)", 2),
      new UsageError("error: option '-e, --epochs <n>' argument missing", 2),
      expect.objectContaining({ message: expect.stringMatching(/^error: too many arguments/), exitCode: 2 }),
    ]);
  });
});

test('help names every option and its default', () => {
  const { message: help, exitCode } = usage('--help');
  const message = help.replaceAll(/\s+/g, ' ');
  expect(exitCode).toBe(0);
  for (const option of [
    'epochs',
    'batch-size',
    'optimizer',
    'learning-rate',
    'seed',
    'hidden',
    'examples',
    'device',
    'out',
  ]) {
    expect(message).toContain(`--${option} <`);
  }
  expect(message).toContain('--resume [');
  expect(message).toContain('0.003 for adamw, 0.1 for sgd');
  expect(message).toContain('mnist.safetensors');
});

test('settings from a file are what the command line would take, or none', () => {
  const { settings } = parseOptions([]);
  expect(isSettings(JSON.parse(JSON.stringify(settings)))).toBe(true);
  const wrong = {
    epochs: 0,
    batchSize: 0.5,
    optimizer: 'toString',
    learningRate: null,
    seed: -1,
    hidden: 2 ** 40,
    examples: 60_001,
  };
  for (const [name, value] of Object.entries(wrong)) {
    expect([name, isSettings({ ...settings, [name]: value })]).toEqual([name, false]);
    const { [name as keyof typeof settings]: _, ...rest } = settings;
    expect([name, isSettings(rest)]).toEqual([name, false]);
  }
  expect([null, 'text', 3, []].map(isSettings)).toEqual([false, false, false, false]);
});
