import { array, unary } from '@firsthand/linalg';
import { test } from 'vitest';
import type { UnaryKind } from '@firsthand/graph';
import { unaryExpression } from '../src/scalar/operations.ts';
import { compare, evaluateWords, noErrors } from './support/scalar.ts';
const erf = (x: number): number => unary('erf', array(Float64Array.of(x), { dtype: 'float64' })).data[0]!;
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const CASES: Record<string, (x: number) => number> = { exp: Math.exp, expm1: Math.expm1, log: Math.log, log1p: Math.log1p, tanh: Math.tanh, erf, sigmoid, sqrt: Math.sqrt, rsqrt: x => 1 / Math.sqrt(x), reciprocal: x => 1/x, sin: Math.sin, cos: Math.cos, tan: Math.tan, sinmid: Math.sin, cosmid: Math.cos, tanmid: Math.tan };
test.each(Object.keys(CASES))('%s', async (kind) => {
  const n = 1 << (kind==='erf'?17:19);
  const words = new Uint32Array(n); const stride = Math.floor(2 ** 32 / n) | 1;
  for (let i = 0; i < n; i++) words[i] = kind.endsWith('mid') ? 0x3e000000 + (i * 277) % 0x09000000 + (i&1)*2**31 : i * stride;
  const [got] = await evaluateWords(['float32'], [words], [{ expression: (x) => unaryExpression(kind.replace('mid','') as UnaryKind, 'float32', x!), result: 'float32' }]);
  const X = new Float32Array(words.buffer); const Y = new Float32Array(got!.buffer);
  const e = noErrors();
  for (let i = 0; i < n; i++) compare(e, Y[i]!, CASES[kind]!, [X[i]!]);
  console.log(kind, e);
});
