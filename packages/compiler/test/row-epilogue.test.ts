// What is done with the rows of a product becomes part of it: which kernels do, how it reads, and what it
// must not be.
import {
  add,
  crossEntropy,
  flip,
  layerNorm,
  matmul,
  mul,
  permute,
  reduce,
  relu,
  reshape,
  softmax,
  transpose,
  type Node,
} from '@firsthand/graph';
import { describe, expect, test } from 'vitest';
import { compileProgram } from '../src/plan/compile.ts';
import type { Plan, Target } from '../src/ir/kernel.ts';
import { printKernel } from '../src/report/print.ts';
import { trafficOf } from '../src/report/traffic.ts';
import { argument, planOf } from './plans.ts';

const TARGET: Target = {
  float64: true,
  plan: () => ({ scratch: 0, fusesRowEpilogue: true }),
  rowEpilogues: true,
};
const plan = (roots: readonly Node[], target: Target = TARGET): Plan => planOf(roots, target);
/** The kinds of the kernels; a product that finishes its rows is called so. */
const kinds = ({ kernels }: Plan): readonly string[] =>
  kernels.map(({ kernel }) =>
    kernel.kind === 'contract' && kernel.rowEpilogue !== null ? 'contract, rows' : kernel.kind,
  );

const [x, w] = [argument([6, 8]), argument([8, 5])] as const;
const scores = matmul(x, w);
const sum = (of: Node, axis?: number | readonly number[], keepDims = false): Node =>
  reduce('sum', of, axis === undefined ? {} : { axis, keepDims });

describe('part of the product', () => {
  test.each<[string, Node]>([
    ['softmax', softmax(scores)],
    ['softmax of what follows the product', softmax(relu(scores))],
    ['a sum of each row', sum(scores, 1)],
    ['rows in another shape', softmax(reshape(scores, [2, 3, 5]))],
    ['columns, which are rows of the transposed product', softmax(transpose(scores))],
  ])('%s', (_, root) => {
    expect(kinds(plan([root]))).toEqual(['contract, rows']);
    expect(kinds(plan([root], { float64: true, plan: () => ({ scratch: 0 }) }))).toEqual([
      'contract',
      'loop',
    ]);
    expect(kinds(plan([root], { ...TARGET, plan: () => ({ scratch: 0 }) }))).toEqual(['contract', 'loop']);
  });

  test('layer normalisation of a residual stream, which is stored for others too', () => {
    const next = add(argument([6, 5]), scores);
    const found = plan([layerNorm(next, argument([5]), argument([5])), next]);
    expect(kinds(found)).toEqual(['contract, rows']);
    expect(found.arenaBytes).toBe(0);
  });

  test('a loss that picks an element of the row', () => {
    const logits = matmul(x, argument([8, 12]));
    expect(kinds(plan([crossEntropy(logits, argument([6], 'int32'))]))).toEqual(['contract, rows']);
  });

  test('heads of attention: the batch of the product is rows of the softmax', () => {
    const heads = (): Node => permute(argument([2, 7, 3, 4]), [0, 2, 1, 3]); // (B, H, T, D)
    expect(kinds(plan([softmax(matmul(heads(), transpose(heads())))]))).toEqual(['contract, rows']);
  });

  test('the first of several kernels that read the rows', () => {
    expect(kinds(plan([softmax(scores), sum(scores, 0)])).toSorted()).toEqual(['contract, rows', 'loop']);
  });
});

describe('apart from the product', () => {
  test.each<[string, Node]>([
    ['sums of columns', sum(scores, 0)],
    ['a sum of everything', sum(scores)],
    ['rows that are half as long', softmax(reshape(matmul(x, argument([8, 6])), [12, 3]))],
    ['rows that end where others begin', softmax(reshape(scores, [5, 6]))],
    ['rows of which each reads another', mul(softmax(scores), flip(scores, 0))],
    ['rows that are read backwards', mul(softmax(scores), flip(scores, 1))],
  ])('%s', (_, root) => {
    expect(kinds(plan([root]))).not.toContain('contract, rows');
  });

  test('what waits for another kernel that waits for the product', () => {
    const columns = sum(scores, 0); // (5), of a kernel of its own
    const found = plan([softmax(mul(scores, expandRows(columns)))]);
    expect(kinds(found)).toEqual(['contract', 'loop', 'loop']);
  });
});

/** (5) as each of 6 rows. */
function expandRows(of: Node): Node {
  return add(reshape(of, [1, 5]), argument([6, 5]));
}

test('the text says what is done with a row, and the cost counts it', () => {
  const [{ kernel }] = plan([sum(scores, 1), scores]).kernels as [Plan['kernels'][number]];
  expect(printKernel(kernel)).toBe(
    [
      'contract (a: float32[48] read, b: float32[40] read, c: float32[30] update, d: float32[6] write)',
      'for i in 0..6',
      '  for j in 0..5',
      '    total: float32 = sum over k in 0..8 of a[8·i + k] · b[j + 5·k]',
      '    c[5·i + j] = total',
      '  for j in 0..5',
      '    r0 = sum c[5·i + j]',
      '  d[i] = r0',
    ].join('\n'),
  );
  expect(trafficOf(kernel)).toEqual({
    flops: 2 * 6 * 5 * 8 + 6 * 5,
    loads: 2 * 6 * 5 * 8 + 6 * 5,
    stores: 6 * 5 + 6,
    bytes: 4 * (48 + 40 + 30 + 30 + 6),
  });
});

describe('what is overwritten', () => {
  const stream = argument([6, 5]);
  const into = (node: Node): readonly (number | null)[] => {
    const args = [x, w, stream];
    return compileProgram({ args, effects: [{ node, into: stream }], roots: [] }, TARGET).outputs.map(
      (output) => output.into,
    );
  };
  test('a residual, by the stores, though its rows are finished', () => {
    const next = add(stream, scores);
    const { outputs, kernels } = compileProgram(
      { args: [x, w, stream], effects: [{ node: next, into: stream }], roots: [softmax(next)] },
      TARGET,
    );
    expect(kernels).toHaveLength(1);
    expect(outputs.map((output) => output.into)).toEqual([2, null]);
  });
  test('by what finishes the rows, if nothing but that reads it, in the last sweep', () => {
    expect(into(add(softmax(scores), stream))).toEqual([2]);
    expect(into(softmax(add(scores, stream)))).toEqual([null]);
  });
});
