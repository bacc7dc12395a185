// One thing at a time, and the last one for certain.
import { expect, test } from 'vitest';
import { latestOnly } from '../src/latest.ts';

test('what is asked for while it runs is done once, afterwards', async () => {
  const started: number[] = [];
  const ends: (() => void)[] = [];
  let wanted = 0;
  const run = latestOnly(async () => {
    started.push(wanted);
    await new Promise<void>((resolve) => ends.push(resolve));
  });
  const turn = async (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 0));
  for (wanted = 1; wanted < 5; wanted++) run();
  expect(started).toEqual([1]);
  ends[0]!();
  await turn();
  expect(started).toEqual([1, 5]);
  ends[1]!();
  await turn();
  expect(started).toEqual([1, 5]);
  run();
  expect(started).toEqual([1, 5, 5]);
});
