// The losses of a training reach the page in the order of their steps, in whichever order the device answers.
import type { StepReport } from '@firsthand/train';
import { expect, test } from 'vitest';
import type { Report } from '../src/protocol.ts';
import { Reporter } from '../src/trainer.ts';

test('losses that arrive out of order are told in order, and none is left out', async () => {
  const told: Report[] = [];
  const reporter = new Reporter((report) => told.push(report));
  const delays = [0, 30, 5, 0, 20, 1];
  for (const [index, delay] of delays.entries()) {
    const values = async (): Promise<Record<string, number>> => {
      await new Promise((resolve) => setTimeout(resolve, delay));
      if (index === 3) throw new Error('the device is lost');
      return { loss: index / 10 };
    };
    reporter.onStep({ epoch: 0, step: index + 1, examplesPerSecond: 1, values } as StepReport);
  }
  await reporter.finish();
  const advances = told.flatMap((report) => (report.kind === 'advanced' ? [report.advance] : []));
  expect(advances.flatMap(({ steps }) => steps)).toEqual([1, 2, 3, 5, 6]);
  expect(advances.flatMap(({ losses }) => losses)).toEqual([0, 0.1, 0.2, 0.4, 0.5]);
});
