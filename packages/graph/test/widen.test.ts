/**
 * float16 is storage: composites and derived operations take it as float32, and round what they give once.
 */
import { DTypeError } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import {
  call,
  callNode,
  cast,
  gelu,
  matmul,
  mean,
  type Composite,
  type Node,
  widen,
  widened,
  mul,
  sum,
  sqrt,
} from '../src/index.ts';
import { stored, valuesOf } from './support.ts';

const half = stored(Uint16Array.of(0x5cb0, 0x5e40), [2], 'float16'); // 300, 400
const single = stored([1, 2], [2]);

/** Dtypes from a node down along first inputs. */
function dtypesBelow(node: Node): string[] {
  const found: string[] = [];
  for (let each: Node | undefined = node; each !== undefined; each = each.inputs[0]) found.push(each.dtype);
  return found;
}

test('a composite of float16 is called in float32', () => {
  const outputs = call(both, {}, half);
  expect(outputs.map(({ op, dtype }) => `${op} ${dtype}`)).toEqual(['cast float16', 'output int32']);
  expect(outputs[0]!.inputs[0]!.inputs[0]).toMatchObject({ op: 'call', dtype: 'float32' });
  expect(call(both, {}, single).map(({ op }) => op)).toEqual(['output', 'output']);
  expect(callNode(both, {}, half).map(({ op, dtype }) => `${op} ${dtype}`)).toEqual([
    'output float16',
    'output int32',
  ]);
});

const both: Composite = {
  name: 'both',
  infer: (_, x) => [x, { shape: x.shape, dtype: 'int32' }],
  body: (_, x) => [mul(x, x), cast(x, 'int32')],
};

test('errors name the dtypes that were given', () => {
  expect(() => matmul(stored(Uint16Array.of(0), [1, 1], 'float16'), stored([0], [1, 1]))).toThrow(
    'float16 [1, 1]',
  );
  expect(() => widened((a, b) => mul(a, b), half, single)).toThrow(DTypeError);
  expect(() => widened((a, b) => mul(a, b), half, single)).toThrow('float16 [2] and float32 [2]');
});

test('derived operations are float32 between two casts', () => {
  expect(dtypesBelow(mean(half)).filter((dtype, place, all) => dtype !== all[place - 1])).toEqual([
    'float16',
    'float32',
    'float16',
  ]);
  expect(dtypesBelow(gelu(single))).not.toContain('float16');
  expect([widen(single), widen(half).dtype]).toEqual([single, 'float32']);
});

test('what leaves the range on the way comes back', () => {
  const length = (x: Node): Node => sqrt(sum(mul(x, x)));
  expect(valuesOf(cast(length(half), 'float32'))).toEqual([Infinity]);
  expect(valuesOf(cast(widened(length, half), 'float32'))).toEqual([500]);
});
