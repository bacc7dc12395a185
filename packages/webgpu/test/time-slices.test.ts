// Time slices: tasks run in order, no longer than a slice at a time, and report what fails.
import { expect, test, vi } from 'vitest';
import { TimeSlicer } from '../src/runtime/time-slices.ts';

/** A clock that goes on by one millisecond whenever it is looked at. */
function tick(): void {
  let time = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => time++);
}

function* count(to: number, log: (at: number) => void = () => {}): Generator<void, number> {
  for (let at = 0; at < to; at++) {
    log(at);
    yield;
  }
  return to;
}

test('a short task runs at once', () => {
  const sliced = new TimeSlicer().start(count(3));
  expect(sliced.isDone).toBe(true);
  expect(sliced.finish()).toBe(3);
});

test('a long task runs in later turns of the event loop, one task after the other', async () => {
  tick();
  const slices = new TimeSlicer();
  const log: string[] = [];
  const [first, second] = ['a', 'b'].map((name) => slices.start(count(20, (at) => log.push(`${name}${at}`))));
  expect(log).toHaveLength(4);
  expect([first!.isDone, second!.isDone]).toEqual([false, false]);
  await second!.settled;
  expect([first!.finish(), second!.finish()]).toEqual([20, 20]);
  expect(log).toEqual(['a', 'b'].flatMap((name) => Array.from({ length: 20 }, (_, at) => `${name}${at}`)));
});

test('the event loop has its turns in between', async () => {
  tick();
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const sliced = new TimeSlicer().start(
    count(50, () => {
      const start = Date.now();
      while (Date.now() < start + 1);
    }),
  );
  await sliced.settled;
  clearInterval(timer);
  expect(turns).toBeGreaterThan(1);
});

test('a task is finished at once on demand', async () => {
  tick();
  const slices = new TimeSlicer();
  const first = slices.start(count(100));
  expect(first.finish()).toBe(100);
  const second = slices.start(count(100));
  await second.settled;
  expect(second.finish()).toBe(100);
});

test('a failure is thrown in the first slice, or by finish after it', async () => {
  tick();
  const slices = new TimeSlicer();
  function* fail(after: number): Generator<void, number> {
    yield* count(after);
    throw new RangeError(`after ${after}`);
  }
  expect(() => slices.start(fail(2))).toThrow('after 2');
  const late = slices.start(fail(20));
  const next = slices.start(count(20));
  await late.settled;
  expect(() => late.finish()).toThrow('after 20');
  await next.settled;
  expect(next.finish()).toBe(20);
});
