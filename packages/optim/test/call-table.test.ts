// Every function, class and method that people call, held to the convention: an option that does not exist and an argument too many are errors that name the right call.
import { tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { testCalls, type CallTable } from '../../../tests/support/call-table.ts';
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
    (optim.schedule as unknown as Record<string, Call>)[name]!({ ...needed, ...(typeof options === 'object' ? options : {}) }, ...more);
const saved = new optim.SGD(parameters(), { lr: 0.1 }).stateDict();

const TABLE: CallTable = {
  'new Optimizer': null,
  'new AdamW': {
    call: (...more) => new (optim.AdamW as unknown as Loose)(parameters(), ...more),
    options: { lr: 'learningRate', betas: 'beta', eps: 'epsilon', weightDecay: 'weight_decay' },
  },
  'new SGD': {
    call: (options = {}, ...more) => new (optim.SGD as unknown as Loose)(parameters(), { lr: 0.1, ...(options as object) }, ...more),
    options: { momentum: 'momentun', dampening: 'damping', nesterov: 'nesterow', weightDecay: 'weight_decay' },
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
  'schedule.exponential': { call: (...more) => (optim.schedule.exponential as Call)({ factor: 0.9 }, ...more) },
  'schedule.linearWarmup': { call: (...more) => (optim.schedule.linearWarmup as Call)({ steps: 2 }, ...more) },
  'schedule.cosine': { call: schedule('cosine', { steps: 4 }), options: { warmup: 'warm_up', minimum: 'minimun' } },
};

testCalls(optim, ['Optimizer'], TABLE);
