/**
 * Command lines: parses arguments with commander, and turns every refusal into one line that says what is
 * wrong and what would be right.
 */
import { type Command, CommanderError, InvalidArgumentError } from 'commander';

/** The command line is wrong, or requests a text (help, version) instead of a run. */
export class UsageError extends Error {
  readonly exitCode: number;

  /** @param exitCode 0 if the text was requested, else 2, or 1 where something else is missing */
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Parses the path of a file. @throws InvalidArgumentError if it is empty */
export function filePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('It takes the path of a file.');
  return text;
}

/** Parses the path of a folder. @throws InvalidArgumentError if it is empty */
export function folderPath(text: string): string {
  if (text === '') throw new InvalidArgumentError('It takes the path of a folder.');
  return text;
}

/**
 * Parses the arguments that follow the program's name into `program`.
 * @returns the values of its options
 * @throws UsageError with one line that says what is wrong and what would be right; with the help text if
 *   that was requested
 */
export function parseArguments<T>(program: Command, args: readonly string[]): T {
  let text = '';
  const collect = (part: string): void => {
    text += part;
  };
  program.allowExcessArguments(false).exitOverride();
  program.configureOutput({ writeOut: collect, writeErr: collect });
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new UsageError(text.trimEnd(), 0);
    throw new UsageError(text.trim().replaceAll(/\s*\n\s*/g, ' '), 2);
  }
  return program.opts() as T;
}
