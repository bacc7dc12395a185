// A message reaches the handler of its kind, and an answer the request whose id it bears.
import { expect, test } from 'vitest';
import { PendingAnswers, receive } from '../src/messages.ts';

type Message = { readonly kind: 'add'; readonly value: number } | { readonly kind: 'clear' };

test('each message is handed to the handler of its kind', () => {
  const receiver = new EventTarget();
  const calls: (number | string)[] = [];
  receive<Message>(receiver as unknown as Worker, {
    add: ({ value }) => calls.push(value),
    clear: () => calls.push('clear'),
  });
  for (const data of [{ kind: 'add', value: 3 }, { kind: 'clear' }, { kind: 'add', value: 4 }])
    receiver.dispatchEvent(new MessageEvent('message', { data }));
  expect(calls).toEqual([3, 'clear', 4]);
});

test('answers are matched with requests in any order', async () => {
  const pending = new PendingAnswers<string>();
  const ids: number[] = [];
  const [first, second] = [0, 1].map(() => pending.request((id) => ids.push(id)));
  pending.answer(ids[1]!, 'second');
  pending.answer(ids[0]!, 'first');
  pending.answer(99, 'nobody');
  expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  expect(new Set(ids).size).toBe(2);
});
