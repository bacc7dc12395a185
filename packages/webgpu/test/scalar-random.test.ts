/** Random words: the bits of @firsthand/linalg's generator, and the published ones. */
import { philox4x32, randomBits } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { randomExpression } from '../src/scalar/operations.ts';
import { evaluate, randomWords } from './support/scalar.ts';

/** Words and uniforms at indices, as words of 32 bits and as numbers. */
async function streamAt(
  key: readonly [number, number],
  counter: readonly [number, number],
  index: Uint32Array<ArrayBuffer>,
): Promise<readonly number[][]> {
  const literals = [key, counter].map((pair) => pair.map((word) => `${word}u`)) as [
    [string, string],
    [string, string],
  ];
  return evaluate(
    ['uint32'],
    [index],
    (['uint32', 'float32'] as const).map((dtype) => ({
      expression: (i) => randomExpression(dtype, ...literals, i),
      result: dtype,
    })),
  );
}

test.each([
  [
    [0, 0],
    [0, 0],
  ],
  [
    [0x12345678, 0x9abcdef0],
    [0xffffff00, 7],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xfffffff0, 0xffffffff],
  ],
] as const)('key %j, counter %j', async (key, counter) => {
  const length = 20000;
  const [words, uniforms] = await streamAt(
    key,
    counter,
    Uint32Array.from({ length }, (_, i) => i),
  );
  const expected = [...randomBits(key, counter, length)];
  expect(words).toEqual(expected);
  expect(uniforms).toEqual(expected.map((word) => (word >>> 8) * 2 ** -24));
});

test('any index', async () => {
  const index = Uint32Array.from([0xffffffff, 0xfffffffc, 0x80000000, 0x7fffffff, ...randomWords(2000, 3)]);
  const counter = [0xd0000000, 9] as const;
  const key = [1, 2] as const;
  const [words] = await streamAt(key, counter, index);
  const expected = Array.from(index, (i) => {
    const low = counter[0] + Math.floor(i / 4);
    return philox4x32([low >>> 0, counter[1] + Math.floor(low / 2 ** 32), 0, 0], key)[i % 4];
  });
  expect(words).toEqual(expected);
});

test('the published words', async () => {
  // Random123's kat_vectors: philox4x32-10 of zeros
  const [words] = await streamAt([0, 0], [0, 0], Uint32Array.of(0, 1, 2, 3));
  expect(words).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
});
