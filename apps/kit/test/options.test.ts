// A refusal of the command line is one line with exit code 2; a text that was requested has exit code 0.
import { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { filePath, parseArguments, UsageError } from '../src/options.ts';

const program = (): Command =>
  new Command('try').addOption(new Option('--out <file>', 'a file').default('a.json').argParser(filePath));

const refusal = (...args: readonly string[]): UsageError => {
  try {
    parseArguments(program(), args);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

test('options have their values, or their defaults', () => {
  expect(parseArguments(program(), ['--out', 'b.json'])).toEqual({ out: 'b.json' });
  expect(parseArguments(program(), [])).toEqual({ out: 'a.json' });
});

test('what is wrong is said in one line', () => {
  for (const args of [['--out', ''], ['--other'], ['more']]) {
    const { message, exitCode } = refusal(...args);
    expect(message).toMatch(/^error: .*\S$/);
    expect(exitCode).toBe(2);
  }
  expect(refusal('--out', '').message).toContain('It takes the path of a file.');
});

test('help is no error', () => {
  const { message, exitCode } = refusal('--help');
  expect(message).toContain('Usage: try [options]');
  expect(exitCode).toBe(0);
});
