/** The threading tuner runs a plan in the faster mode, also when that changes. */
import { expect, test, vi } from 'vitest';
import { ThreadTuner } from '../src/threads/tuner.ts';

/** Runs a plan on a simulated clock. @returns the number of parallel runs */
function parallelRuns(
  tuner: ThreadTuner,
  runs: number,
  milliseconds: { readonly parallel: number; readonly serial: number },
): number {
  let [now, count] = [0, 0];
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  for (let run = 0; run < runs; run++) {
    tuner.run(
      () => {
        now += milliseconds.parallel;
        count++;
      },
      () => {
        now += milliseconds.serial;
      },
    );
  }
  clock.mockRestore();
  return count;
}

test('parallel where that is faster, with a probe of serial now and then', () => {
  const runs = parallelRuns(new ThreadTuner(), 1000, { parallel: 1, serial: 1.8 });
  expect(runs).toBeGreaterThan(965);
  expect(runs).toBeLessThan(985);
});

test('serial where the cores are busy', () => {
  expect(parallelRuns(new ThreadTuner(), 1000, { parallel: 9, serial: 1.8 })).toBeLessThan(30);
});

test('parallel, though sleeping threads take long to wake', () => {
  const tuner = new ThreadTuner();
  parallelRuns(tuner, 500, { parallel: 9, serial: 1.8 });
  let [now, count, isAwake] = [0, 0, false];
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  for (let run = 0; run < 1000; run++) {
    tuner.run(
      () => {
        now += isAwake ? 1 : 2;
        isAwake = true;
        count++;
      },
      () => {
        now += 1.8;
        isAwake = false;
      },
    );
  }
  clock.mockRestore();
  expect(count).toBeGreaterThan(700);
});

test('occasional slow runs change nothing', () => {
  const tuner = new ThreadTuner();
  parallelRuns(tuner, 500, { parallel: 1, serial: 1.8 });
  for (let run = 0; run < 20; run++) {
    parallelRuns(tuner, 1, { parallel: 6, serial: 1.8 });
    parallelRuns(tuner, 2, { parallel: 1, serial: 1.8 });
  }
  expect(parallelRuns(tuner, 60, { parallel: 1, serial: 1.8 })).toBeGreaterThan(55);
});

test('the mode follows a change', () => {
  const tuner = new ThreadTuner();
  parallelRuns(tuner, 500, { parallel: 9, serial: 1.8 });
  expect(parallelRuns(tuner, 1000, { parallel: 1, serial: 1.8 })).toBeGreaterThan(700);
  expect(parallelRuns(tuner, 1000, { parallel: 9, serial: 1.8 })).toBeLessThan(100);
});
