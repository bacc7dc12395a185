// What a page says arrives as it was said, every number of it.
import { expect, test } from 'vitest';
import { decodeWords, encodeWords, type Words } from '../src/wire.ts';

const sent = async (words: Words): Promise<Words> =>
  decodeWords(new Uint8Array(await encodeWords(words).arrayBuffer()));

test('results arrive bit by bit, whatever they are', async () => {
  const outputs = [
    Float32Array.of(1, Number.NaN, -0, Number.POSITIVE_INFINITY),
    new Float32Array(0),
    Float32Array.of(1e-45),
  ];
  const reply = { kind: 'prepared', outputs, times: [2, 1.5], notes: { dispatches: 3 } } as const;
  expect(await sent({ kind: 'reply', reply })).toEqual({ kind: 'reply', reply });
});

test('so does everything else', async () => {
  const setting = {
    browser: 'a browser',
    adapter: 'ünïcode\nadapter',
    software: false,
    features: ['subgroups'],
  };
  const words: Words[] = [
    { kind: 'hello', setting },
    { kind: 'hello', setting: null },
    { kind: 'reply', reply: { kind: 'times', times: [1, 2] } },
    { kind: 'reply', reply: { kind: 'failed', message: 'lost' } },
  ];
  for (const each of words) expect(await sent(each)).toEqual(each);
});

test('a part of what was said is refused', async () => {
  const reply = { kind: 'prepared', outputs: [Float32Array.of(1, 2)], times: [], notes: {} } as const;
  const bytes = new Uint8Array(await encodeWords({ kind: 'reply', reply }).arrayBuffer());
  expect(() => decodeWords(bytes.subarray(0, -1))).toThrow('the words of the page end too early');
});
