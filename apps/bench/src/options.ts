/** The command lines of the two comparisons: tasks, contenders, effort and the files to write. */
import { filePath, folderPath, parseArguments, UsageError } from '@firsthand/kit/options';
import { Command, Option } from 'commander';
import {
  type ContenderName,
  CONTENDERS,
  type ContenderOptions,
  DESCRIPTIONS,
  PAGE_CONTENDERS,
  type PageContender,
  type ProcessContender,
} from './contender.ts';
import { DEVICES } from './devices.ts';
import { type Effort, EFFORTS, PAGE_EFFORTS } from './measure.ts';
import { PAGE_TASKS, type Task, TASKS } from './tasks.ts';

/** What every comparison is told. */
export interface Choices<Name extends ContenderName> {
  readonly tasks: readonly Task[];
  readonly contenders: readonly Name[];
  readonly effort: Effort;
  /** Where the results go as JSON. */
  readonly json: string | null;
  /** Where the chart goes. */
  readonly svg: string | null;
}

export interface Options extends Choices<ProcessContender>, ContenderOptions {
  /** Whether this project's own kernels are timed, and nobody is compared. */
  readonly profile: boolean;
  /** The folder where the page of the documentation goes, with its charts. */
  readonly docs: string | null;
}

export interface PageOptions extends Choices<PageContender> {
  /** The browser to start; null for the user's own. */
  readonly chromium: string | null;
}

const devices = Object.keys(DEVICES) as (keyof typeof DEVICES)[];

/** What can be chosen from, of one comparison. */
interface Menu<Name extends ContenderName> {
  readonly names: readonly Name[];
  readonly tasks: readonly Task[];
  readonly efforts: { readonly full: Effort; readonly quick: Effort };
}

const PROCESS_MENU: Menu<ProcessContender> = { names: CONTENDERS, tasks: TASKS, efforts: EFFORTS };
const PAGE_MENU: Menu<PageContender> = { names: PAGE_CONTENDERS, tasks: PAGE_TASKS, efforts: PAGE_EFFORTS };

/** The command with the options that every comparison has. */
function command({ names, tasks }: Menu<ContenderName>, name: string, description: string): Command {
  const contenders = names.map((each) => `  ${each.padEnd(11)} ${DESCRIPTIONS[each].text}`).join('\n');
  return new Command(name)
    .description(description)
    .option('--only <word...>', 'the tasks whose names contain one of the words')
    .addOption(new Option('--contenders <name...>', 'who takes part').choices(names))
    .option('--quick', 'fewer and shorter rounds, less exact', false)
    .addOption(new Option('--json <file>', 'write all numbers to a file').argParser(filePath))
    .addOption(new Option('--svg <file>', 'draw a chart into a file').argParser(filePath))
    .addHelpText(
      'after',
      `\nContenders:\n${contenders}\n\nTasks:\n${tasks.map(({ id }) => `  ${id}`).join('\n')}`,
    );
}

interface Parsed<Name extends ContenderName> {
  readonly only?: readonly string[];
  readonly contenders?: readonly Name[];
  readonly quick: boolean;
  readonly json?: string;
  readonly svg?: string;
}

/** @throws UsageError if a word is in no name */
function tasksNamed(words: readonly string[], tasks: readonly Task[]): readonly Task[] {
  const chosen = tasks.filter(({ id }) =>
    words.some((word) => id.toLowerCase().includes(word.toLowerCase())),
  );
  if (words.length === 0) return tasks;
  if (chosen.length === 0)
    throw new UsageError(
      `error: --only ${words.join(' ')} names no task; there are ${tasks.map(({ id }) => id).join(', ')}`,
      2,
    );
  return chosen;
}

function choicesOf<Name extends ContenderName>(
  parsed: Parsed<Name>,
  { names, tasks, efforts }: Menu<Name>,
): Choices<Name> {
  const { only = [], contenders = names, quick, json, svg } = parsed;
  return {
    tasks: tasksNamed(only, tasks),
    contenders: names.filter((name) => contenders.includes(name)),
    effort: quick ? efforts.quick : efforts.full,
    json: json ?? null,
    svg: svg ?? null,
  };
}

/**
 * Reads the arguments that follow the program's name.
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): Options {
  const program = command(
    PROCESS_MENU,
    'npm run bench:peers --',
    'Times this project beside other libraries and plain loops, all taking turns, each in a process of its own.',
  )
    .addOption(
      new Option('--device <name>', "where this project's own tensors live").default('wasm').choices(devices),
    )
    .addOption(
      new Option('--docs <folder>', 'write a page of benchmarks and its charts into a folder').argParser(
        folderPath,
      ),
    )
    .addOption(
      new Option('--profile', "compare nobody: time each kernel of this project's own, on its wasm device")
        .default(false)
        .conflicts(['contenders', 'device', 'json', 'svg', 'docs']),
    );
  const parsed = parseArguments<
    Parsed<ProcessContender> & ContenderOptions & { readonly profile: boolean; readonly docs?: string }
  >(program, args);
  return {
    ...choicesOf(parsed, PROCESS_MENU),
    device: parsed.device,
    profile: parsed.profile,
    docs: parsed.docs ?? null,
  };
}

/**
 * Reads the arguments of the comparison on the GPU.
 * @throws UsageError
 */
export function parsePageOptions(args: readonly string[]): PageOptions {
  const program = command(
    PAGE_MENU,
    'npm run bench:webgpu --',
    "Times this project beside other libraries on WebGPU, all taking turns in one page on one adapter. The page is opened in one's own browser.",
  ).addOption(
    new Option(
      '--chromium <file>',
      'start this Chromium instead, without a window and with a GPU in software',
    )
      .env('FIRSTHAND_CHROMIUM')
      .argParser(filePath),
  );
  const parsed = parseArguments<Parsed<PageContender> & { readonly chromium?: string }>(program, args);
  return { ...choicesOf(parsed, PAGE_MENU), chromium: parsed.chromium ?? null };
}
