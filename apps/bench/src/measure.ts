/**
 * One task, all contenders. Each makes it ready and shows its results, which are compared with those of the
 * plain loops; who is right warms up; then they take turns, round by round, so that what else the machine
 * does falls on all alike. The order turns too.
 */
import { firstDifference } from './compare.ts';
import { CEILINGS, type ContenderName, type Notes, ORACLE, OURS } from './contender.ts';
import type { ContenderClient } from './contender-process.ts';
import type { Reply, Request } from './protocol.ts';
import { factor, type Summary, summarize } from './statistics.ts';
import type { Task } from './tasks.ts';

/** How much time a measurement takes. */
export interface Effort {
  readonly rounds: number;
  /** Of one contender in one round, in milliseconds. */
  readonly round: number;
  /** Before the first round, in milliseconds. */
  readonly warmUp: number;
  /**
   * A contender that is slower has fewer rounds, so that all of its together take no longer, in milliseconds.
   */
  readonly most: number;
}

interface Efforts {
  readonly full: Effort;
  readonly quick: Effort;
}

export const EFFORTS: Efforts = {
  full: { rounds: 9, round: 120, warmUp: 300, most: 10_000 },
  quick: { rounds: 3, round: 25, warmUp: 50, most: 1500 },
};

/** Where the processor plays the GPU, a run takes seconds. */
export const PAGE_EFFORTS: Efforts = {
  full: { rounds: 9, round: 120, warmUp: 300, most: 20_000 },
  quick: { rounds: 3, round: 25, warmUp: 50, most: 6000 },
};

/** How a contender did at a task. */
export type Outcome =
  | { readonly kind: 'unable' }
  | { readonly kind: 'failed'; readonly message: string }
  /** It computed something else than the plain loops, and was not timed. */
  | { readonly kind: 'wrong'; readonly message: string }
  | Timed;

export interface Timed {
  readonly kind: 'timed';
  /** Milliseconds of the first run, with compiling. */
  readonly firstRun: number;
  /** Milliseconds of a run. */
  readonly time: Summary;
  /** Milliseconds of the runs, by round. */
  readonly rounds: readonly (readonly number[])[];
  /** How many times as long it takes as this project; null where this project was not timed. */
  readonly factor: number | null;
  /** What there was to note after the first run. */
  readonly firstNotes: Notes;
  /** What there was to note in the end. */
  readonly notes: Notes;
}

export type Outcomes = ReadonlyMap<ContenderName, Outcome>;

/**
 * How often a task is run before its results are compared, so that the last run has no compiling in it. An
 * operation that takes longer than all of its rounds may is run once. Training is compared by its losses, and
 * the second one depends on gradients and update.
 */
const RUNS = 2;

/** Milliseconds that nothing takes; infinity is no number in JSON. */
const NEVER = Number.MAX_VALUE;

/**
 * @param tell is called before everything that takes time
 * @param judge the plain loops, where they say what is right and take no turn
 */
export async function measure(
  task: Task,
  contenders: ReadonlyMap<ContenderName, ContenderClient>,
  effort: Effort,
  tell: (name: ContenderName, what: string) => void,
  judge: ContenderClient | null = null,
): Promise<Outcomes> {
  const outcomes = new Map<ContenderName, Outcome>();
  const ready: Ready[] = [];
  if (judge !== null) tell(ORACLE, 'check');
  let expected = judge === null ? null : await judgement(task, judge);
  const enough = task.work.kind === 'training' ? NEVER : effort.most;
  for (const [name, client] of oracleFirst(contenders)) {
    tell(name, 'check');
    const reply = await client.ask({ kind: 'prepare', task: task.id, runs: RUNS, enough });
    if (reply.kind !== 'prepared') {
      outcomes.set(name, reply.kind === 'unable' ? reply : { kind: 'failed', message: messageOf(reply) });
      continue;
    }
    if (name === ORACLE) expected = reply.outputs;
    const difference =
      expected === null || CEILINGS.has(name) ? null : firstDifference(reply.outputs, expected);
    if (difference === null) ready.push({ name, client, first: reply, rounds: [], failure: null });
    else outcomes.set(name, { kind: 'wrong', message: difference });
  }
  for (const each of ready) await warmUp(each, effort, tell);
  for (let round = 0; round < effort.rounds; round++) {
    const first = round % Math.max(1, ready.length);
    for (const each of [...ready.slice(first), ...ready.slice(0, first)]) {
      if (each.failure !== null || round >= roundsOf(each, effort)) continue;
      tell(each.name, `round ${round + 1} of ${effort.rounds}`);
      const reply = await each.client.ask({ kind: 'time', milliseconds: effort.round });
      if (reply.kind === 'times') each.rounds.push(reply.times);
      else each.failure = messageOf(reply);
    }
  }
  const ours = ready.find(({ name }) => name === OURS);
  for (const each of ready) outcomes.set(each.name, await outcomeOf(each, ours));
  for (const [name, client] of contenders)
    if (!ready.some((each) => each.name === name)) await client.ask({ kind: 'release' });
  return new Map([...contenders.keys()].map((name) => [name, outcomes.get(name)!]));
}

/** What is right. An operation need be computed once only. */
async function judgement(task: Task, judge: ContenderClient): Promise<readonly Float32Array[]> {
  const runs = task.work.kind === 'training' ? RUNS : 1;
  const reply = await judge.ask({ kind: 'prepare', task: task.id, runs, enough: NEVER });
  if (reply.kind !== 'prepared')
    throw new Error(`${task.id}: the plain loops do not say what is right: ${messageOf(reply)}`);
  await judge.ask({ kind: 'release' });
  return reply.outputs;
}

/** A contender whose results are right. */
interface Ready {
  readonly name: ContenderName;
  readonly client: ContenderClient;
  /** Milliseconds of the runs that made the compared results, and notes. */
  readonly first: { readonly times: readonly number[]; readonly notes: Notes };
  readonly rounds: (readonly number[])[];
  failure: string | null;
}

function oracleFirst(
  contenders: ReadonlyMap<ContenderName, ContenderClient>,
): (readonly [ContenderName, ContenderClient])[] {
  return [...contenders].toSorted(([a], [b]) => Number(b === ORACLE) - Number(a === ORACLE));
}

/** The number of rounds of a contender: that of the others, fewer if it is very slow, perhaps none. */
function roundsOf({ first }: Ready, { rounds, most }: Effort): number {
  return Math.min(rounds, Math.floor(most / first.times.at(-1)!));
}

async function warmUp(
  ready: Ready,
  effort: Effort,
  tell: (name: ContenderName, what: string) => void,
): Promise<void> {
  if (roundsOf(ready, effort) === 0 || ready.first.times.at(-1)! > effort.warmUp) return;
  tell(ready.name, 'warm-up');
  const request: Request = { kind: 'warmUp', milliseconds: effort.warmUp };
  const reply = await ready.client.ask(request);
  if (reply.kind !== 'done') ready.failure = messageOf(reply);
}

async function outcomeOf(ready: Ready, ours: Ready | undefined): Promise<Outcome> {
  const released = await ready.client.ask({ kind: 'release' });
  if (ready.failure !== null) return { kind: 'failed', message: ready.failure };
  const rounds = timesOf(ready);
  return {
    kind: 'timed',
    firstRun: ready.first.times[0]!,
    time: summarize(rounds.flat()),
    rounds,
    factor: ours === undefined || ours.failure !== null ? null : factor(timesOf(ours), rounds),
    firstNotes: ready.first.notes,
    notes: released.kind === 'done' ? released.notes : {},
  };
}

/** The times by round; those of the first runs for a contender that was too slow for any. */
function timesOf({ rounds, first }: Ready): readonly (readonly number[])[] {
  return rounds.length > 0 ? rounds : [first.times.slice(-1)];
}

function messageOf(reply: Reply): string {
  return reply.kind === 'failed' ? reply.message : `an answer that was not asked for: ${reply.kind}`;
}
