/** What a comparison is asked to do, from the command line. What is wrong is said in one line. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type ContenderName, CONTENDERS, type ContenderOptions, DESCRIPTIONS } from './contender.ts';
import { DEVICES } from './devices.ts';
import { EFFORTS, type Effort } from './measure.ts';
import { type Task, TASKS } from './tasks.ts';

export interface Options extends ContenderOptions {
  readonly tasks: readonly Task[];
  readonly contenders: readonly ContenderName[];
  readonly effort: Effort;
  /** Where the results go as JSON. */
  readonly json: string | null;
  /** Where the chart goes. */
  readonly svg: string | null;
}

/** The command line is wrong, or asks for a text instead of a run. */
export class UsageError extends Error {
  readonly exitCode: number;

  /** @param exitCode 0 if the text was asked for, else 2 */
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

function filePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('It takes the path of a file.');
  return text;
}

const devices = Object.keys(DEVICES) as (keyof typeof DEVICES)[];

function command(): Command {
  const contenders = CONTENDERS.map((name) => `  ${name.padEnd(11)} ${DESCRIPTIONS[name].text}`).join('\n');
  const tasks = TASKS.map(({ id }) => `  ${id}`).join('\n');
  return new Command('npm run bench:peers --')
    .description('Times this project beside other libraries and plain loops, all taking turns, each in a process of its own.')
    .option('--only <word...>', 'the tasks whose names contain one of the words')
    .addOption(new Option('--contenders <name...>', 'who takes part').choices(CONTENDERS))
    .option('--quick', 'fewer and shorter rounds: less than a minute, less exact', false)
    .addOption(new Option('--device <name>', "where this project's own tensors live").default('wasm').choices(devices))
    .addOption(new Option('--json <file>', 'write all numbers to a file').argParser(filePath))
    .addOption(new Option('--svg <file>', 'draw a chart into a file').argParser(filePath))
    .addHelpText('after', `\nContenders:\n${contenders}\n\nTasks:\n${tasks}`)
    .allowExcessArguments(false)
    .exitOverride();
}

interface Parsed extends ContenderOptions {
  readonly only?: readonly string[];
  readonly contenders?: readonly ContenderName[];
  readonly quick: boolean;
  readonly json?: string;
  readonly svg?: string;
}

/** @throws UsageError if a word is in no name */
function tasksNamed(words: readonly string[]): readonly Task[] {
  const chosen = TASKS.filter(({ id }) => words.some((word) => id.toLowerCase().includes(word.toLowerCase())));
  if (words.length === 0) return TASKS;
  if (chosen.length === 0)
    throw new UsageError(`error: --only ${words.join(' ')} names no task; there are ${TASKS.map(({ id }) => id).join(', ')}`, 2);
  return chosen;
}

/**
 * Reads the arguments that follow the program's name.
 * @throws UsageError with one line that says what is wrong and what would be right; with the help text if that was asked for
 */
export function parseOptions(args: readonly string[]): Options {
  const program = command();
  let text = '';
  const collect = (part: string): void => {
    text += part;
  };
  program.configureOutput({ writeOut: collect, writeErr: collect });
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new UsageError(text.trimEnd(), 0);
    throw new UsageError(text.trim().replaceAll(/\s*\n\s*/g, ' '), 2);
  }
  const { only = [], contenders = CONTENDERS, quick, device, json, svg } = program.opts<Parsed>();
  return {
    tasks: tasksNamed(only),
    contenders: CONTENDERS.filter((name) => contenders.includes(name)),
    effort: quick ? EFFORTS.quick : EFFORTS.full,
    device,
    json: json ?? null,
    svg: svg ?? null,
  };
}
