/** A whole comparison as data: what the table, the chart and the JSON file are made from. */
import { type ContenderName, DESCRIPTIONS } from './contender.ts';
import type { Effort, Outcome, Outcomes } from './measure.ts';
import { median, spread } from './statistics.ts';
import { flopsOf, type FootprintTask, type Group, type Task } from './tasks.ts';

/** Where and how it was measured. */
export interface Setting {
  readonly node: string;
  readonly flags: readonly string[];
  readonly processor: string;
  readonly cores: number;
  readonly device: string;
  readonly effort: Effort;
  /** Versions of the libraries, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** What the page said that it was measured in; null on the processor. */
  readonly page: PageSetting | null;
}

/** A page, and the GPU that it computes on. */
export interface PageSetting {
  /** As the browser names itself. */
  readonly browser: string;
  /** The adapter's vendor, architecture and so on, as far as the browser tells. */
  readonly adapter: string;
  /** Whether it is no GPU but the processor that plays one. */
  readonly software: boolean;
  /** Of the adapter. */
  readonly features: readonly string[];
}

/** The machine and engine of the measurement, in a line. */
export function describeSetting({ node, processor, page }: Setting): string {
  if (page === null) return `Node ${node}, ${processor}, one thread`;
  return `WebGPU on ${page.adapter}${page.software ? ', a GPU IN SOFTWARE' : ''}`;
}

export interface Row {
  readonly task: Task;
  readonly outcomes: Outcomes;
}

export interface Results {
  readonly setting: Setting;
  readonly rows: readonly Row[];
}

interface Unit {
  readonly name: string;
  /** The number in this unit, from the milliseconds of a run. */
  of(milliseconds: number): number;
}

const MILLISECONDS: Unit = { name: 'ms', of: (milliseconds) => milliseconds };
const FOOTPRINT_UNITS: { readonly [K in FootprintTask['of']]: string } = {
  coldStart: 'ms',
  bundle: 'kB',
  memory: 'MB',
};

/** What a task is measured in. A footprint's numbers are in its unit already. */
export function unitOf({ group, work }: Task): Unit {
  if (work.kind === 'footprint') return { name: FOOTPRINT_UNITS[work.of], of: (value) => value };
  return group === 'matmul'
    ? { name: 'GFLOP/s', of: (milliseconds) => flopsOf(work)! / milliseconds / 1e6 }
    : MILLISECONDS;
}

export const GROUP_TITLES: { readonly [K in Group]: string } = {
  matmul: 'products, GFLOP/s',
  elementwise: 'elementwise and by rows, ms',
  attention: 'attention, both ways, ms',
  training: 'training step, ms',
  footprint: 'start, size and memory',
};

/**
 * The results as plain JSON: times in milliseconds, `factor` as in `Timed`, medians of the rounds for whoever
 * wants to look closer.
 */
export function toJson({ setting, rows }: Results): string {
  const outcomeOf = (task: Task, name: ContenderName, outcome: Outcome): object => {
    const contender = DESCRIPTIONS[name].title;
    if (outcome.kind !== 'timed') return { contender, ...outcome };
    const { time, rounds, ...rest } = outcome;
    return {
      contender,
      rate: unitOf(task).of(time.median),
      ...time,
      spread: spread(time),
      rounds: rounds.map(median),
      ...rest,
    };
  };
  const tasks = rows.map(({ task, outcomes }) => ({
    id: task.id,
    unit: unitOf(task).name,
    flops: flopsOf(task.work),
    outcomes: [...outcomes].map(([name, outcome]) => outcomeOf(task, name, outcome)),
  }));
  return `${JSON.stringify({ setting, tasks }, null, 2)}\n`;
}
