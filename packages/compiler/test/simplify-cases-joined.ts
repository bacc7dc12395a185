/** One case at least for each rule about concatenations, and for each pass over the whole graph. */
import {
  add,
  concatenate,
  constant,
  exp,
  expand,
  matmul,
  maximum,
  mul,
  neg,
  type Node,
  reshape,
  shrink,
  stack,
  sum,
  transpose,
  unbind,
} from '@firsthand/graph';
import type { Case } from './simplify-cases-elementwise.ts';
import { argument as leaf, textOf } from './simplify-support.ts';

const a = leaf('a', [2, 3]);
const b = leaf('b', [2, 3]);
const cube = leaf('x', [2, 3, 4]);
const weight = leaf('w', [3, 4]);
const zeros = (rows: number): Node => constant(0, [rows, 3], 'float32');

const concatenations: readonly Case[] = [
  ['concatenation with nothing', concatenate([a, leaf('e', [0, 3]), b], 0), 'concatenate@0(a, b)'],
  ['concatenation of one', concatenate([leaf('e', [2, 0]), a], 1), 'a'],
  ['[c c] = c', concatenate([a, zeros(1), zeros(2), b], 0), 'concatenate@0(a, 0, b)'],
  ['[c c] = c', concatenate([zeros(1), zeros(2)], 0), '0'],
  ['[[a b] c] = [a b c]', concatenate([concatenate([a, b], 0), exp(a)], 0), 'concatenate@0(a, b, exp(a))'],
  [
    'slices side by side are one slice',
    concatenate([shrink(cube, [0, 0, 0], [2, 1, 4]), shrink(cube, [0, 1, 0], [2, 3, 4])], 1),
    'x',
  ],
  [
    'slices side by side are one slice',
    concatenate([shrink(cube, [0, 0, 1], [2, 1, 3]), shrink(cube, [0, 1, 1], [2, 2, 3])], 1),
    'shrink[0, 0, 1][2, 2, 3](x)',
  ],
  ['slices side by side are one slice', stack(unbind(cube, 0), 0), 'x'],
  ['slices side by side are one slice', stack(unbind(cube, 1), 1), 'x'],
  ['slices side by side are one slice', stack(unbind(cube, 1), 0), 'permute[1, 0, 2](x)'],
  ['a stack is rows, moved', stack([a, exp(b)], 0), 'reshape[2, 2, 3](concatenate@0(a, exp(b)))'],
  [
    'a stack is rows, moved',
    stack([a, exp(b)], 1),
    'permute[1, 0, 2](reshape[2, 2, 3](concatenate@0(a, exp(b))))',
  ],
  [
    'a stack is rows, moved',
    stack([a, exp(b)], 2),
    'permute[1, 2, 0](reshape[2, 2, 3](concatenate@0(a, exp(b))))',
  ],
  [
    'a stack is rows, moved',
    concatenate([leaf('r', [1, 3]), leaf('s', [1, 2])], 1),
    'reshape[1, 5](concatenate@0(reshape[3](r), reshape[2](s)))',
  ],
  [
    '[a₁·b; a₂·b; …] ≈ [a₁; a₂; …]·b',
    concatenate([matmul(a, weight), matmul(exp(b), weight)], 0),
    'matmul(concatenate@0(a, exp(b)), w)',
  ],
  [
    '[a₁·b; a₂·b; …] ≈ [a₁; a₂; …]·b',
    stack([matmul(a, weight), matmul(b, weight)], 1),
    'permute[1, 0, 2](reshape[2, 2, 4](matmul(concatenate@0(a, b), w)))',
  ],
  ['shrink([a b]) = shrink(a)', shrink(concatenate([a, exp(b)], 0), [2, 0], [4, 3]), 'exp(b)'],
  ['shrink([a b]) = shrink(a)', shrink(concatenate([a, b], 1), [0, 4], [2, 6]), 'shrink[0, 1][2, 3](b)'],
  ['shrink([a b]) = shrink(a)', exp(unbind(stack([a, b], 1), 1)[1]!), 'exp(b)'],
  [
    'shrink(reshape) = reshape(shrink)',
    shrink(reshape(leaf('f', [6, 4]), [3, 2, 4]), [1, 0, 0], [2, 2, 4]),
    'reshape[1, 2, 4](shrink[2, 0][4, 4](f))',
  ],
];

const steps = [0, 1, 2, 3, 4];
const total = (terms: readonly Node[]): Node => terms.reduce((left, right) => add(left, right));
const named = (name: string, shape: readonly number[]): readonly Node[] =>
  steps.map((step) => leaf(`${name}${step}`, shape));
const lefts = named('p', [3, 8]);
const rights = named('q', [3, 9]);
/** Values of a loop, and gradients, which go back from the last of them. */
const states: Node[] = [];
for (const left of lefts) states.push(states.length === 0 ? left : maximum(states.at(-1)!, left));
const slopes: Node[] = [];
for (const state of states.toReversed())
  slopes.unshift(slopes.length === 0 ? neg(state) : maximum(slopes[0]!, state));
const product = (step: number): Node => matmul(transpose(states[step]!), slopes[step]!);
const listOf = (nodes: readonly Node[]): string => nodes.map(textOf).join(', ');
const powers = rights.map((right) => exp(right));
const joined = concatenate(powers, 0);
const joinedText = 'concatenate@0(exp(q0), exp(q1), exp(q2), exp(q3), exp(q4))';

const passes: readonly Case[] = [
  [
    'Σ aᵢ·bᵢ ≈ [a₁ a₂ …]·[b₁; b₂; …], of the terms of a sum',
    total(steps.map((step) => matmul(transpose(lefts[step]!), rights[step]!))),
    'matmul(permute[1, 0](concatenate@0(p0, p1, p2, p3, p4)), concatenate@0(q0, q1, q2, q3, q4))',
  ],
  // Others remain, and steps are joined in their order.
  [
    'Σ aᵢ·bᵢ ≈ [a₁ a₂ …]·[b₁; b₂; …], of the terms of a sum',
    total([...steps.toReversed().map(product), leaf('z', [8, 8])]),
    `add(matmul(permute[1, 0](concatenate@0(${listOf(states)})), concatenate@0(${listOf(slopes)})), z)`,
  ],
  [
    '[b c] = some of [a b c d]',
    matmul(joined, transpose(concatenate(powers.slice(1, 4), 0))),
    `matmul(${joinedText}, permute[1, 0](shrink[3, 0][12, 9](${joinedText})))`,
  ],
  [
    'Σ sum(aᵢ) ≈ sum([a₁; a₂; …])',
    mul(joined, expand(total(powers.map((power) => sum(power, { axis: 0, keepDims: true }))), [15, 9])),
    `mul(${joinedText}, expand[15, 9](sum@0(${joinedText})))`,
  ],
  [
    '[a b] = i < n ? pad(a) : pad(b)',
    mul(concatenate([a, exp(b)], 0), 2),
    'mul(where(lt(iota[4, 3]@0, 2), pad[0, 0][2, 0](a), pad[2, 0][0, 0](exp(b))), 2)',
  ],
];

/** Cases of rules about concatenations, and of passes. */
export const JOINED_CASES: readonly Case[] = [...concatenations, ...passes];
