// Every function, class and method that people call, held to the convention: an option that does not exist
// and an argument too many are errors that name the right call.
import { tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { testCalls, testRefusals, type CallTable } from '../../../tests/support/call-table.ts';
import * as optim from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;
type Loose = new (...args: unknown[]) => object;

const parameters = (): Tensor[] => {
  const w = tensor([1, 2], { requiresGrad: true });
  w.square().sum().backward();
  return [w];
};
const method =
  (name: string, args: readonly unknown[] = []): Call =>
  (...more) =>
    (new optim.SGD(parameters(), { lr: 0.1 }) as unknown as Record<string, Call>)[name]!(...args, ...more);
/** A schedule, whose options are its first argument. */
const schedule =
  (name: string, needed: object): Call =>
  (options, ...more) =>
    (optim.schedule as unknown as Record<string, Call>)[name]!(
      { ...needed, ...(typeof options === 'object' ? options : {}) },
      ...more,
    );
const saved = new optim.SGD(parameters(), { lr: 0.1 }).stateDict();

const vector = tensor([1, 2]);
const start = { mean: vector, square: vector, step: tensor(0) };

const TABLE: CallTable = {
  'new Optimizer': null,
  adamW: {
    call: (...more) => (optim.adamW as Call)(vector, vector, start, ...more),
    options: { lr: 'learningRate', betas: 'beta', eps: 'epsilon', weightDecay: 'weight_decay' },
  },
  'new AdamW': {
    call: (...more) => new (optim.AdamW as unknown as Loose)(parameters(), ...more),
    options: { lr: 'learningRate', betas: 'beta', eps: 'epsilon', weightDecay: 'weight_decay' },
  },
  'new SGD': {
    call: (options = {}, ...more) =>
      new (optim.SGD as unknown as Loose)(parameters(), { lr: 0.1, ...(options as object) }, ...more),
    options: {
      momentum: 'momentun',
      dampening: 'damping',
      nesterov: 'nesterow',
      weightDecay: 'weight_decay',
    },
  },
  'Optimizer.numbersOf': null,
  'Optimizer.addGroup': { call: method('addGroup', [{ parameters: [tensor([1], { requiresGrad: true })] }]) },
  'Optimizer.step': { call: method('step') },
  'Optimizer.zeroGrad': { call: method('zeroGrad') },
  'Optimizer.follow': { call: method('follow', [optim.schedule.constant(), 0]) },
  'Optimizer.stateDict': { call: method('stateDict') },
  'Optimizer.checkStateDict': { call: method('checkStateDict', [saved]) },
  'Optimizer.loadStateDict': { call: method('loadStateDict', [saved]) },
  clipGradNorm: { call: (...more) => (optim.clipGradNorm as Call)(parameters(), 1, ...more) },
  clipGradValue: { call: (...more) => (optim.clipGradValue as Call)(parameters(), 1, ...more) },
  'schedule.constant': { call: () => optim.schedule.constant(), variadic: true },
  'schedule.step': { call: schedule('step', { every: 2 }), options: { factor: 'factors' } },
  'schedule.exponential': {
    call: (...more) => (optim.schedule.exponential as Call)({ factor: 0.9 }, ...more),
  },
  'schedule.linearWarmup': {
    call: (...more) => (optim.schedule.linearWarmup as Call)({ steps: 2 }, ...more),
  },
  'schedule.cosine': {
    call: schedule('cosine', { steps: 4 }),
    options: { warmup: 'warm_up', minimum: 'minimun' },
  },
};

testCalls(optim, ['Optimizer'], TABLE);

const step = optim.schedule.constant();
/** Optimizers as plain JavaScript makes them. */
const made = (name: 'SGD' | 'AdamW', ...args: unknown[]): object =>
  new ((name === 'SGD' ? optim.SGD : optim.AdamW) as unknown as Loose)(...args);

testRefusals({
  'SGD without a rate': () => made('SGD', parameters()),
  'SGD with a rate in place of options': () => made('SGD', parameters(), 0.1),
  'SGD with a rate in quotes': () => made('SGD', parameters(), { lr: '0.1' }),
  'SGD with { learningRate }': () => made('SGD', parameters(), { learningRate: 0.1 }),
  'SGD of one tensor': () => made('SGD', parameters()[0], { lr: 0.1 }),
  'SGD of numbers': () => made('SGD', [1], { lr: 0.1 }),
  'SGD with { params }': () => made('SGD', [{ params: parameters() }], { lr: 0.1 }),
  'SGD of a group of one tensor': () => made('SGD', [{ parameters: parameters()[0] }], { lr: 0.1 }),
  'SGD of a group with { wd }': () => made('SGD', [{ parameters: parameters(), wd: 1 }], { lr: 0.1 }),
  'adamW without variables': () => (optim.adamW as Call)(vector, vector),
  'adamW with one beta': () => (optim.adamW as Call)(vector, vector, start, { betas: 0.9 }),
  'adamW with eps: "1"': () => (optim.adamW as Call)(vector, vector, start, { eps: '1' }),
  'AdamW with one beta': () => made('AdamW', parameters(), { betas: 0.9 }),
  'AdamW with [β₁]': () => made('AdamW', parameters(), { betas: [0.9] }),
  'addGroup()': () => method('addGroup')(),
  'addGroup({ lr })': () => method('addGroup', [{ lr: 1 }])(),
  'follow(1, 1)': () => method('follow', [1, 1])(),
  'loadStateDict()': () => method('loadStateDict')(),
  'loadStateDict({})': () => method('loadStateDict', [{}])(),
  'clipGradNorm of one tensor': () => (optim.clipGradNorm as Call)(parameters()[0], 1),
  'clipGradNorm of a number': () => (optim.clipGradNorm as Call)(1, 1),
  'clipGradNorm of numbers': () => (optim.clipGradNorm as Call)([1], 1),
  'clipGradNorm without a norm': () => (optim.clipGradNorm as Call)(parameters()),
  'clipGradNorm with { maxNorm }': () => (optim.clipGradNorm as Call)(parameters(), { maxNorm: 1 }),
  'clipGradValue with a limit in quotes': () => (optim.clipGradValue as Call)(parameters(), '1'),
  'schedule.cosine(10)': () => (optim.schedule.cosine as Call)(10),
  'schedule.cosine()': () => (optim.schedule.cosine as Call)(),
  'schedule.step({ step })': () => (optim.schedule.step as Call)({ step: 1 }),
  'schedule.step({ every: "1" })': () => (optim.schedule.step as Call)({ every: '1' }),
  'follow(schedule)': () => method('follow', [step])(),
});
