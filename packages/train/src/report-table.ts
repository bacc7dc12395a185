/**
 * The report of a program as a table for the terminal: the slowest kernels first where the device times them.
 */
import { checkCount, describeValue, OptionError } from '@firsthand/linalg';
import type { Ceiling, KernelReport, PlanReport } from '@firsthand/autograd';

/**
 * Characters of a kernel's name. A longer one loses some before its last word, the sizes, which tell kernels
 * apart.
 */
const NAME_WIDTH = 48;
const GAP = '  ';
/** Stands for a number that is not known. */
const UNKNOWN = '–';

/** Kernels of one name, as one row. */
interface Row {
  readonly name: string;
  readonly calls: number;
  readonly flops: number;
  readonly bytes: number;
  /** Seconds of all calls; NaN where they are not measured. */
  readonly seconds: number;
  /**
   * Seconds that the device would take at best: each call's seconds times its share. NaN where that is not
   * known.
   */
  readonly least: number;
  /** What the shares of its calls are shares of; null where there is none. */
  readonly ceiling: Ceiling | 'several' | null;
  /** Seconds below which its time is none to the clock. */
  readonly resolution: number;
}

interface Column {
  readonly title: string;
  readonly text: (row: Row, total: Row) => string;
}

const NAME: Column = { title: 'kernel', text: ({ name }) => shorten(name) };
const CALLS: Column = { title: 'calls', text: ({ calls }) => String(calls) };
const WORK: readonly Column[] = [
  { title: 'MFLOP', text: ({ flops }) => rounded(flops / 1e6, 3) },
  { title: 'MB', text: ({ bytes }) => rounded(bytes / 1e6, 3) },
];
const TIMES: readonly Column[] = [
  {
    title: 'ms',
    text: ({ seconds, resolution }) =>
      seconds === 0 && resolution > 0 ? below(resolution * 1e3) : rounded(seconds * 1e3, 3),
  },
  { title: 'of time', text: ({ seconds }, total) => percent(seconds / total.seconds) },
  { title: 'GFLOP/s', text: ({ flops, seconds }) => rounded(flops / seconds / 1e9, 1) },
  { title: 'GB/s', text: ({ bytes, seconds }) => rounded(bytes / seconds / 1e9, 1) },
  { title: 'at best', text: ({ seconds, least }) => percent(least / seconds) },
  { title: 'of', text: ({ ceiling }) => ceiling ?? UNKNOWN },
];

/**
 * The kernels of a program as a table, with a line for the whole of it. Kernels of one name are one row, with
 * the number of its calls. Where the device has measured times (its option `timings`), rows are sorted by
 * theirs, and show how fast they compute, how fast they move data, and their share of what the device reaches
 * at best, of arithmetic, of memory or of caches; a time that is too short for the clock is shown as less
 * than the shortest that it tells. Else rows are in order, and show operations and bytes.
 * @example
 * ```ts
 * import { compile, ones, type Tensor } from '@firsthand/autograd';
 * import { reportTable } from '@firsthand/train';
 * const square = compile((x: Tensor) => x.matmul(x));
 * square(ones([64, 64]));
 * console.log(reportTable(square.reports()[0]!)); // kernel MFLOP MB matmul 0.524 0.049 total 0.524 0.049
 * ```
 */
export function reportTable(report: PlanReport): string {
  checkCount('reportTable', arguments.length, 1, 'reportTable(report)');
  if (!Array.isArray(report?.kernels)) {
    const problem = `the report is ${describeValue(report)}`;
    throw new OptionError({
      operation: 'reportTable',
      problem,
      expected: 'a PlanReport',
      remedy: 'write reportTable(f.reports()[0])',
    });
  }
  const { kernels, resolution = 0 } = report;
  const rows = mergedByName(kernels, resolution);
  const total = merge('total', kernels, resolution);
  const isTimed = kernels.length > 0 && kernels.every(({ seconds }) => seconds !== undefined);
  if (isTimed) rows.sort((a, b) => b.seconds - a.seconds);
  const columns = [
    NAME,
    ...(rows.some(({ calls }) => calls > 1) ? [CALLS] : []),
    ...(isTimed ? TIMES : WORK),
  ];
  const lines = [
    columns.map(({ title }) => title),
    ...[...rows, total].map((row) => columns.map(({ text }) => text(row, total))),
  ];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!)))
        .join(GAP),
    )
    .join('\n');
}

/** Rows in the order in which their names come first. */
function mergedByName(kernels: readonly KernelReport[], resolution: number): Row[] {
  const named = new Map<string, KernelReport[]>();
  for (const kernel of kernels) named.set(kernel.name, [...(named.get(kernel.name) ?? []), kernel]);
  return [...named].map(([name, each]) => merge(name, each, resolution));
}

function merge(name: string, kernels: readonly KernelReport[], resolution: number): Row {
  const ceilings = new Set(kernels.flatMap(({ ceiling }) => ceiling ?? []));
  const sum = (of: (kernel: KernelReport) => number): number =>
    kernels.reduce((total, kernel) => total + of(kernel), 0);
  return {
    name,
    calls: kernels.length,
    flops: sum(({ flops }) => flops),
    bytes: sum(({ bytes }) => bytes),
    seconds: sum(({ seconds = Number.NaN }) => seconds),
    // A time of 0 has no share, and adds nothing.
    least: sum(({ seconds = Number.NaN, share = Number.NaN }) => (seconds === 0 ? 0 : seconds * share)),
    ceiling: ceilings.size > 1 ? 'several' : ([...ceilings][0] ?? null),
    resolution: kernels.length * resolution,
  };
}

function shorten(name: string): string {
  if (name.length <= NAME_WIDTH) return name;
  const end = name.slice(name.lastIndexOf(' ')).slice(-NAME_WIDTH / 2);
  return `${name.slice(0, NAME_WIDTH - 1 - end.length)}…${end}`;
}

function rounded(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : UNKNOWN;
}

/** A number that is not reached, rounded up. */
function below(value: number): string {
  return `< ${(Math.ceil(value * 1e3) / 1e3).toFixed(3)}`;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : UNKNOWN;
}
