/** Which way a plan is run: the faster one, whichever that is now. */
import { expect, test, vi } from 'vitest';
import { Pace } from '../src/threads/pace.ts';

/** Runs so often with a clock of its own, and counts the runs by all threads. */
function together(
  pace: Pace,
  runs: number,
  milliseconds: { readonly together: number; readonly alone: number },
): number {
  let [now, count] = [0, 0];
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  for (let run = 0; run < runs; run++) {
    pace.run(
      () => {
        now += milliseconds.together;
        count++;
      },
      () => {
        now += milliseconds.alone;
      },
    );
  }
  clock.mockRestore();
  return count;
}

test('all threads, where they are faster, and a trial now and then', () => {
  const runs = together(new Pace(), 1000, { together: 1, alone: 1.8 });
  expect(runs).toBeGreaterThan(965);
  expect(runs).toBeLessThan(985);
});

test('one alone, where the cores are busy', () => {
  expect(together(new Pace(), 1000, { together: 9, alone: 1.8 })).toBeLessThan(30);
});

test('all threads, though those that sleep take long to wake', () => {
  const pace = new Pace();
  together(pace, 500, { together: 9, alone: 1.8 });
  let [now, count, isAwake] = [0, 0, false];
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  for (let run = 0; run < 1000; run++) {
    pace.run(
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

test('runs that something else makes slow now and then change nothing', () => {
  const pace = new Pace();
  together(pace, 500, { together: 1, alone: 1.8 });
  for (let run = 0; run < 20; run++) {
    together(pace, 1, { together: 6, alone: 1.8 });
    together(pace, 2, { together: 1, alone: 1.8 });
  }
  expect(together(pace, 60, { together: 1, alone: 1.8 })).toBeGreaterThan(55);
});

test('both ways again, when that changes', () => {
  const pace = new Pace();
  together(pace, 500, { together: 9, alone: 1.8 });
  expect(together(pace, 1000, { together: 1, alone: 1.8 })).toBeGreaterThan(700);
  expect(together(pace, 1000, { together: 9, alone: 1.8 })).toBeLessThan(100);
});
