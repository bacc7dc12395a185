/**
 * Constant vectors are made where a function begins, once each, whatever the loops in which they occur; and
 * they have the right bits.
 */
import { expect, test } from 'vitest';
import { Code } from '../src/assembler/code.ts';
import { apply } from './support/vector-functions.ts';

/** How often v128.const stands in a body: 0xfd 0x0c and these 16 bytes. */
function occurrences(body: Uint8Array, bytes: ArrayLike<number>): number {
  const wanted = [0xfd, 0x0c, ...Array.from(bytes)].join();
  return Array.from(body.keys()).filter((start) => body.subarray(start, start + 18).join() === wanted).length;
}

test('each constant is made once, before the first instruction', () => {
  const code = new Code(['i32']);
  code.loop((again) => {
    for (let i = 0; i < 3; i++)
      code.f32x4(1.5).i32x4(7).f64x2(1.5).v128([1, 2, 3]).op('drop').op('drop').op('drop').op('drop');
    code.i32x4(0x3fc00000).op('drop'); // the bits of 1.5
    code.get(code.params[0]!).branchIf(again);
  });
  const body = code.toBytes().view();
  const loop = body.findIndex((byte, i) => byte === 0x03 && body[i + 1] === 0x40); // loop, without a result
  expect(loop).toBeGreaterThan(0);
  const constants = [
    new Uint8Array(Float32Array.of(1.5, 1.5, 1.5, 1.5).buffer),
    new Uint8Array(Int32Array.of(7, 7, 7, 7).buffer),
    new Uint8Array(Float64Array.of(1.5, 1.5).buffer),
    Array.from({ length: 16 }, (_, i) => [1, 2, 3][i % 3]!),
  ];
  for (const constant of constants) {
    expect(occurrences(body, constant)).toBe(1);
    expect(occurrences(body.subarray(loop), constant)).toBe(0);
  }
});

test('constants have the bits that are asked for', () => {
  const floats = [0, -0, 1, -1, 2 ** -149, Infinity, -Infinity, NaN, 0.1];
  const applied = (kind: 'f32x4' | 'f64x2', value: number): readonly number[] => {
    const { operands, result, run } = apply(
      (code) => code[kind](-value).op('drop').f32x4(3).op('drop')[kind](value),
      false,
      4,
    );
    expect(operands).toHaveLength(1);
    run();
    return kind === 'f32x4' ? [...result] : [...new Float64Array(result.buffer, result.byteOffset, 2)];
  };
  for (const value of floats) {
    expect(applied('f32x4', value)).toEqual(new Array(4).fill(Math.fround(value)));
    expect(applied('f64x2', value)).toEqual([value, value]);
  }
});
