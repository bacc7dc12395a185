// When a signal stops the run, when it ends the program, and what the exit code is.
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { listen } from '../src/interruption.ts';

function setUp(): {
  source: EventEmitter;
  ended: number[];
  at: (time: number, signal: string) => void;
  interruption: ReturnType<typeof listen>;
} {
  const source = new EventEmitter();
  const ended: number[] = [];
  let now = 0;
  const interruption = listen(
    source,
    (exitCode) => ended.push(exitCode),
    () => now,
  );
  const at = (time: number, signal: string): void => {
    now = time;
    source.emit(signal);
  };
  return { source, ended, at, interruption };
}

test('without a signal the run goes on, and ends with 0', () => {
  const { interruption } = setUp();
  expect([interruption.signal.aborted, interruption.exitCode()]).toEqual([false, 0]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('%s stops the run, and a second one ends the program at once', (signal, code) => {
  const { ended, at, interruption } = setUp();
  at(1000, signal);
  expect([interruption.signal.aborted, interruption.exitCode(), ended]).toEqual([true, code, []]);
  at(1010, signal); // passed on by npm
  at(1300, signal);
  expect(ended).toEqual([]);
  at(1301, signal);
  expect(ended).toEqual([code]);
});

test('output that nobody reads stops the run; a signal then ends the program', () => {
  const { ended, at, interruption } = setUp();
  interruption.unread();
  expect([interruption.signal.aborted, interruption.exitCode()]).toEqual([true, 141]);
  at(1000, 'SIGINT');
  expect(ended).toEqual([130]);
});
