// Every function, class and method that people call, held to the convention: an option that does not exist
// and an argument too many are errors that name the right call.
import { tensor } from '@firsthand/autograd';
import { ArrayDataset, DataLoader } from '@firsthand/data';
import { array } from '@firsthand/linalg';
import { Linear } from '@firsthand/nn';
import { SGD } from '@firsthand/optim';
import { testCalls, testRefusals, type CallTable } from '../../../tests/support/call-table.ts';
import * as train from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;

const model = new Linear(1, 1);
const optimizer = (): SGD => new SGD(model.parameters(), { lr: 0.01 });
const dataset = new ArrayDataset({ x: array([[1], [2]]) });
const loader = (): DataLoader<'x'> => new DataLoader(dataset, { batchSize: 1 });
const loss = (net: Linear, { x }: { x: Parameters<Linear['forward']>[0] }): unknown =>
  net.forward(x).square().mean();
const needed = (): object => ({ model, loss, data: loader() });
const means = (name: string, args: readonly unknown[] = []): Call => {
  return (...more) => (new train.RunningMeans() as unknown as Record<string, Call>)[name]!(...args, ...more);
};
const progress = (name: string, args: readonly unknown[] = []): Call => {
  return (...more) => (new train.Progress() as unknown as Record<string, Call>)[name]!(...args, ...more);
};
const report = { epoch: 0, step: 1, learningRate: 0.1, seconds: 1, training: { loss: 1 } };
const state = { step: 0, history: [], position: 0, seconds: 0, totals: { sums: {}, weight: 0 } };

const TABLE: CallTable = {
  'new NonFiniteLossError': null,
  'new Progress': { call: () => new train.Progress(), variadic: true },
  'new RunningMeans': { call: () => new train.RunningMeans(), variadic: true },
  fit: {
    call: (options = {}, ...more) =>
      (train.fit as Call)(
        { ...needed(), optimizer: optimizer(), epochs: 1, ...(options as object) },
        ...more,
      ),
    options: {
      validation: 'validations',
      schedule: 'scheduler',
      clip: 'clips',
      accumulate: 'accumulation',
      callbacks: 'callback',
      signal: 'signals',
      compile: 'compiled',
      progress: 'progres',
      nonFinite: 'nonfinite',
    },
  },
  evaluate: {
    call: (options = {}, ...more) =>
      (train.evaluate as Call)({ ...needed(), ...(options as object) }, ...more),
    options: { compile: 'compiled' },
  },
  reportTable: {
    call: (...more) => (train.reportTable as Call)({ kernels: [], peakBytes: 0 }, ...more),
  },
  accuracy: {
    call: (...more) => (train.accuracy as Call)(tensor([[1, 2]]), tensor([1], { dtype: 'int32' }), ...more),
  },
  saveCheckpoint: { call: (...more) => (train.saveCheckpoint as Call)({ model }, new Map(), ...more) },
  loadCheckpoint: {
    call: async (...more) =>
      (train.loadCheckpoint as Call)(await train.saveCheckpoint({ model }), { model }, ...more),
  },
  'RunningMeans.add': { call: means('add', [Promise.resolve({ loss: 1 }), 1]) },
  'RunningMeans.settle': { call: means('settle', [0]) },
  'RunningMeans.means': { call: means('means') },
  'Progress.completeStep': { call: progress('completeStep', [1]) },
  'Progress.spend': { call: progress('spend', [1]) },
  'Progress.completeEpoch': { call: progress('completeEpoch', [report]) },
  'Progress.restartEpoch': { call: progress('restartEpoch') },
  'Progress.state': { call: progress('state') },
  'Progress.restore': { call: progress('restore', [state]) },
};

testCalls(train, ['RunningMeans', 'Progress'], TABLE);

const fitted = (options: object): unknown =>
  (train.fit as Call)({ ...needed(), optimizer: optimizer(), epochs: 1, ...options });

testRefusals({
  'fit()': () => (train.fit as Call)(),
  'fit(model)': () => (train.fit as Call)(model),
  'fit without data': () => fitted({ data: undefined }),
  'fit on a dataset': () => fitted({ data: dataset }),
  'fit for "1" epochs': () => fitted({ epochs: '1' }),
  'fit with an object of callbacks': () => fitted({ callbacks: { onStep: () => {} } }),
  'fit with a callback that is a function': () => fitted({ callbacks: [() => {}] }),
  'fit with { onstep }': () => fitted({ callbacks: [{ onstep: () => {} }] }),
  'fit with clip: "1"': () => fitted({ clip: '1' }),
  'fit with compile: "no"': () => fitted({ compile: 'no' }),
  'fit with nonFinite: "warning"': () => fitted({ nonFinite: 'warning' }),
  'fit with progress: {}': () => fitted({ progress: {} }),
  'fit with schedule: 0.1': () => fitted({ schedule: 0.1 }),
  'evaluate()': () => (train.evaluate as Call)(),
  'evaluate(model, data)': () => (train.evaluate as Call)(model, loader()),
  'evaluate with compile: 1': () => (train.evaluate as Call)({ ...needed(), compile: 1 }),
  'reportTable(1)': () => (train.reportTable as Call)(1),
  'accuracy without labels': () => (train.accuracy as Call)(tensor([[1, 2]])),
  'accuracy with labels that are numbers': () => (train.accuracy as Call)(tensor([[1, 2]]), [1]),
  'saveCheckpoint(model)': () => (train.saveCheckpoint as Call)(model),
  'saveCheckpoint with { optimiser }': () =>
    (train.saveCheckpoint as Call)({ model, optimiser: optimizer() }),
  'saveCheckpoint with an optimizer that is none': () =>
    (train.saveCheckpoint as Call)({ model, optimizer: 1 }),
  'loadCheckpoint()': () => (train.loadCheckpoint as Call)(),
  'completeStep("1")': progress('completeStep', ['1']),
  'settle("1")': means('settle', ['1']),
});
