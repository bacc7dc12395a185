/**
 * Philox on vectors against the vector that its authors publish for counter and key 0, and bit for bit
 * against @firsthand/linalg, the carry of the counter included.
 */
import { philox4x32, randomBits } from '@firsthand/linalg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Local } from '../src/assembler/code.ts';
import {
  emitPhiloxBlocks,
  emitPhiloxRun,
  emitPhiloxWords,
  emitUniform32,
  type Words2,
} from '../src/math/philox.ts';
import { apply, type Emitter } from './support/vector-functions.ts';

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const nearCarry = fc.oneof(word, fc.integer({ min: 2 ** 32 - 8, max: 2 ** 32 - 1 }));
const four = fc.tuple(word, word, word, word);

/** Runs an emitter over vectors of 32-bit words, four lanes each. */
function compute(emit: Emitter, operands: readonly (readonly number[])[]): Uint32Array {
  const calculation = apply(emit, false, operands[0]!.length, operands.length);
  operands.forEach((words, i) =>
    new Uint32Array(calculation.operands[i]!.buffer, calculation.operands[i]!.byteOffset).set(words),
  );
  calculation.run();
  return new Uint32Array(calculation.result.buffer, calculation.result.byteOffset, operands[0]!.length);
}
const splat = (value: number): number[] => [value, value, value, value];
const wordsOf = ([k0, k1, c0, c1]: readonly Local[]): readonly [Words2, Words2] => [
  [k0!, k1!],
  [c0!, c1!],
];
/** Which of four results an emitter is to leave on the stack. */
const nth =
  (results: (...parameters: Parameters<Emitter>) => readonly Local[], which: number): Emitter =>
  (code, operands, features) => {
    code.get(results(code, operands, features)[which]!);
  };
const block = (which: number): Emitter =>
  nth((code, operands) => emitPhiloxBlocks(code, ...wordsOf(operands)), which);

test('the published vector', () => {
  const words = [0, 1, 2, 3].map((which) => compute(block(which), [splat(0), splat(0), splat(0), splat(0)]));
  [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8].forEach((expected, which) =>
    expect([...words[which]!]).toEqual(splat(expected)),
  );
});

test('four blocks, each lane with a key and a counter of its own', () => {
  fc.assert(
    fc.property(four, four, four, four, (k0, k1, c0, c1) => {
      const words = [0, 1, 2, 3].map((which) => compute(block(which), [k0, k1, c0, c1]));
      for (let lane = 0; lane < 4; lane++) {
        expect(words.map((vector) => vector[lane])).toEqual(
          philox4x32([c0[lane]!, c1[lane]!, 0, 0], [k0[lane]!, k1[lane]!]),
        );
      }
    }),
    { numRuns: 20 },
  );
});

/** Element `index` of the stream. */
function element(
  key: readonly [number, number],
  [low, high]: readonly [number, number],
  index: number,
): number {
  const number = (BigInt(low) + (BigInt(high) << 32n) + BigInt(index >>> 2)) & (2n ** 64n - 1n);
  return philox4x32([Number(number & 0xffffffffn), Number(number >> 32n), 0, 0], key)[index & 3]!;
}

test('words of any four elements', () => {
  const emit: Emitter = (code, operands) => emitPhiloxWords(code, ...wordsOf(operands), operands[4]!);
  fc.assert(
    fc.property(
      word,
      word,
      nearCarry,
      nearCarry,
      fc.tuple(nearCarry, fc.nat(40), word, fc.nat(40)),
      (k0, k1, c0, c1, index) => {
        const words = compute(emit, [...[k0, k1, c0, c1].map(splat), index]);
        expect([...words]).toEqual(index.map((i) => element([k0, k1], [c0, c1], i)));
      },
    ),
    { numRuns: 50 },
  );
});

test('words of 16 elements in order', () => {
  const run = (first: number, which: number): Emitter =>
    nth((code, operands) => {
      const start = code.local('i32');
      code.i32(first).set(start);
      const words = emitPhiloxRun(code, ...wordsOf(operands), start);
      code.release(start);
      return words;
    }, which);
  fc.assert(
    fc.property(word, word, nearCarry, nearCarry, fc.nat(9), (k0, k1, c0, c1, skipped) => {
      const words = [0, 1, 2, 3].flatMap((which) => [
        ...compute(run(4 * skipped, which), [k0, k1, c0, c1].map(splat)),
      ]);
      expect(words).toEqual(Array.from(randomBits([k0, k1], [c0, c1], 4 * skipped + 16)).slice(4 * skipped));
    }),
    { numRuns: 20 },
  );
});

test('uniform float32', () => {
  const words = [0, 255, 256, 2 ** 31, 2 ** 32 - 1, 0x12345678, 0xdeadbeef, 511];
  const calculation = apply((code, [x]) => emitUniform32(code, x!), false, words.length);
  new Uint32Array(calculation.operands[0]!.buffer).set(words);
  calculation.run();
  expect([...calculation.result]).toEqual(words.map((bits) => (bits >>> 8) / 2 ** 24));
});

test('operands stay as they were', () => {
  for (let operand = 0; operand < 5; operand++) {
    const emit: Emitter = (code, operands) => {
      emitPhiloxWords(code, ...wordsOf(operands), operands[4]!);
      code.op('drop');
      code.release(...emitPhiloxBlocks(code, ...wordsOf(operands)));
      code.get(operands[operand]!);
    };
    const operands = [1, 2, 3, 4, 5].map((seed) => [seed, seed * 1000, 2 ** 32 - seed, seed << 20]);
    expect([...compute(emit, operands)]).toEqual(operands[operand]);
  }
});
