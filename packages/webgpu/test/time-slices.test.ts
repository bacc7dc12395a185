// Work in slices: in order, not longer than a slice at a time, and told of what fails.
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

test('what is short is done at once', () => {
  const sliced = new TimeSlicer().start(count(3));
  expect(sliced.isDone).toBe(true);
  expect(sliced.finish()).toBe(3);
});

test('what is long is done in turns of the event loop, one piece after the other', async () => {
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

test('what somebody cannot wait for is finished at once', async () => {
  tick();
  const slices = new TimeSlicer();
  const first = slices.start(count(100));
  expect(first.finish()).toBe(100);
  const second = slices.start(count(100));
  await second.settled;
  expect(second.finish()).toBe(100);
});

test('a failure is thrown in the first slice, and told to whoever asks after it', async () => {
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
