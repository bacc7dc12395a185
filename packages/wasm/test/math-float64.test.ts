/**
 * The functions that modules import, applied to both lanes: they are those of @firsthand/linalg's arrays of
 * float64, bit for bit except for erf.
 */
import { array, binary, unary, type BinaryKind, type UnaryKind } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { emitFloat64, FLOAT64_IMPORTS, type Float64Import } from '../src/math/functions.ts';
import { apply } from './support/vector-functions.ts';

const SPECIAL = [
  0,
  1,
  2,
  3,
  0.5,
  0.1,
  1.1,
  30,
  709,
  745,
  1e-310,
  2 ** -1074,
  1e5,
  1e300,
  1.5,
  1.99,
  2.5,
  3.7,
  5.9,
  6.1,
  Infinity,
  NaN,
].flatMap((value) => [value, -value]);
const PAIRS = SPECIAL.flatMap((x) => SPECIAL.map((y) => [x, y] as const));

test.each(Object.keys(FLOAT64_IMPORTS) as Float64Import[])('%s', (name) => {
  const arity = FLOAT64_IMPORTS[name];
  const length = PAIRS.length;
  const { operands, result, run } = apply(
    (code, locals, { imported }) => emitFloat64(code, imported(name), locals),
    false,
    2 * length,
    arity,
  );
  const inputs = operands.map((operand) => new Float64Array(operand.buffer, operand.byteOffset, length));
  PAIRS.forEach((pair, i) => inputs.forEach((input, which) => (input[i] = pair[which]!)));
  run();
  const [x, y] = inputs.map((input) => array(Float64Array.from(input), { dtype: 'float64' }));
  const expected = arity === 1 ? unary(name as UnaryKind, x!) : binary(name as BinaryKind, x!, y!);
  const got = new Float64Array(result.buffer, result.byteOffset, length);
  if (name !== 'erf' && name !== 'normalCdf') {
    expect([...got]).toEqual([...expected.data]);
    return;
  }
  got.forEach((value, i) => {
    const right = expected.data[i]!;
    if (Math.abs(right) === 1 || !(Math.abs(right) > 2 ** -1000)) expect(value).toBe(right);
    else expect(Math.abs(value / right - 1), `${name}(${x!.get(i)})`).toBeLessThan(2e-15);
  });
});
