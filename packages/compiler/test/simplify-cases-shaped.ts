/**
 * One case at least for each rule about movements, reductions, indices and matrix products: a node, and the
 * text of what stands in its place.
 */
import {
  add,
  argReduce,
  argsort,
  cast,
  constant,
  cumprod,
  cumsum,
  type DType,
  exp,
  expand,
  flip,
  gather,
  iota,
  linearRecurrence,
  log,
  matmul,
  mul,
  neg,
  node,
  type Node,
  pad,
  permute,
  reduce,
  reshape,
  scatter,
  shrink,
  sub,
  sum,
  transpose,
} from '@firsthand/graph';
import type { Case } from './simplify-cases-elementwise.ts';
import { argument } from './simplify-support.ts';

const leaf = (name: string, shape: readonly number[], dtype: DType = 'float32'): Node =>
  argument(name, shape, dtype);
const a = leaf('a', [2, 3]);
const b = leaf('b', [2, 3]);
const row = leaf('r', [1, 3]);
const column = leaf('k', [2, 1]);
const cube = leaf('x', [2, 3, 4]);
const whole = leaf('n', [1, 3], 'int32');
const empty = leaf('e', [0, 3]);
const index = leaf('i', [2, 1], 'int32');
const wide = leaf('w', [2, 8]);
const fold = (kind: 'sum' | 'prod' | 'max' | 'min', x: Node, ...axes: number[]): Node =>
  reduce(kind, x, { axis: axes, keepDims: true });
const same = (kind: 'reshape' | 'expand', x: Node): Node => node('movement', { kind, shape: x.shape }, [x]);

const movements: readonly Case[] = [
  ['no elements = constant', neg(empty), '0'],
  ['move(c) = c', permute(constant(3, [2, 5], 'float32'), [1, 0]), '3'],
  ['pad(0) = 0', pad(constant(0, [2], 'float32'), [1], [1]), '0'],
  ['pad(nothing) = 0', pad(empty, [2, 0], [0, 0]), '0'],
  ['reshape to the same shape', same('reshape', a), 'a'],
  ['expand to the same shape', same('expand', a), 'a'],
  ['permute of axes of extent 1', permute(a, [0, 1]), 'a'],
  ['permute of axes of extent 1', permute(row, [1, 0]), 'reshape[3, 1](r)'],
  ['pad by nothing', pad(a, [0, 0], [0, 0]), 'a'],
  ['shrink to all of it', shrink(a, [0, 0], [2, 3]), 'a'],
  ['flip of axes of extent 1', flip(row, 0), 'r'],
  ['flip of axes of extent 1', flip(row), 'flip[1](r)'],
  ['two of reshape are one', reshape(reshape(a, [3, 2]), [6]), 'reshape[6](a)'],
  ['two of reshape are one', reshape(reshape(a, [6]), [2, 3]), 'a'],
  ['two of permute are one', permute(permute(cube, [1, 2, 0]), [1, 0, 2]), 'permute[2, 1, 0](x)'],
  ['two of expand are one', expand(expand(leaf('o', [1, 1]), [2, 1]), [2, 3]), 'expand[2, 3](o)'],
  ['two of pad are one', pad(pad(a, [1, 0], [0, 2]), [0, 1], [3, 0]), 'pad[1, 1][3, 2](a)'],
  [
    'two of shrink are one',
    shrink(shrink(cube, [0, 1, 1], [2, 3, 4]), [1, 1, 0], [2, 2, 2]),
    'shrink[1, 2, 1][2, 3, 3](x)',
  ],
  ['two of flip are one', flip(flip(cube, [0, 1]), [1, 2]), 'flip[0, 2](x)'],
  [
    'shrink(pad) = pad(shrink)',
    shrink(pad(a, [2, 1], [1, 0]), [1, 2], [4, 4]),
    'pad[1, 0][0, 0](shrink[0, 1][2, 3](a))',
  ],
  ['shrink(pad) = pad(shrink)', shrink(pad(a, [2, 0], [0, 0]), [2, 0], [4, 3]), 'a'],
  ['shrink(pad) = pad(shrink)', shrink(pad(a, [2, 0], [0, 0]), [0, 0], [1, 3]), '0'],
  ['shrink(pad) = pad(shrink)', shrink(pad(a, [0, 0], [3, 0]), [3, 0], [4, 3]), '0'],
  ['shrink(flip) = flip(shrink)', shrink(flip(a, 1), [0, 0], [2, 2]), 'flip[1](shrink[0, 1][2, 3](a))'],
  [
    'shrink(permute) = permute(shrink)',
    shrink(permute(cube, [2, 0, 1]), [1, 0, 0], [3, 2, 2]),
    'permute[2, 0, 1](shrink[0, 0, 1][2, 2, 3](x))',
  ],
  [
    'shrink(reshape) = reshape(shrink)',
    shrink(reshape(cube, [6, 1, 4]), [0, 0, 1], [6, 1, 3]),
    'reshape[6, 1, 2](shrink[0, 0, 1][2, 3, 3](x))',
  ],
  [
    'shrink(expand) = expand(shrink)',
    shrink(expand(row, [4, 3]), [1, 1], [3, 3]),
    'expand[2, 2](shrink[0, 1][1, 3](r))',
  ],
  ['pad(flip) = flip(pad)', pad(flip(a, 1), [1, 2], [0, 0]), 'flip[1](pad[1, 0][0, 2](a))'],
  [
    'pad(permute) = permute(pad)',
    pad(permute(a, [1, 0]), [1, 0], [0, 2]),
    'permute[1, 0](pad[0, 1][2, 0](a))',
  ],
  [
    'pad(reshape) = reshape(pad)',
    pad(reshape(cube, [6, 4]), [0, 1], [0, 0]),
    'reshape[6, 5](pad[0, 0, 1][0, 0, 0](x))',
  ],
  ['pad(expand) = expand(pad)', pad(expand(row, [4, 3]), [0, 1], [0, 1]), 'expand[4, 5](pad[0, 1][0, 1](r))'],
  ['flip(permute) = permute(flip)', flip(permute(cube, [2, 0, 1]), 0), 'permute[2, 0, 1](flip[2](x))'],
  ['flip(reshape) = reshape(flip)', flip(reshape(cube, [6, 4]), 1), 'reshape[6, 4](flip[2](x))'],
  ['flip(expand) = expand(flip)', flip(expand(row, [4, 3])), 'expand[4, 3](flip[1](r))'],
  ['flip(expand) = expand(flip)', flip(expand(row, [4, 3]), 0), 'expand[4, 3](r)'],
  [
    'permute(reshape) = reshape(permute)',
    permute(reshape(a, [2, 1, 3]), [2, 1, 0]),
    'reshape[3, 1, 2](permute[1, 0](a))',
  ],
  [
    'permute(reshape) = reshape(permute)',
    permute(reshape(leaf('q', [1, 2, 3]), [2, 3]), [1, 0]),
    'reshape[3, 2](permute[2, 1, 0](q))',
  ],
  [
    'permute(expand) = expand(permute)',
    permute(expand(leaf('q', [1, 2, 3]), [4, 2, 3]), [2, 1, 0]),
    'expand[3, 2, 4](permute[2, 1, 0](q))',
  ],
  [
    'reshape(expand) = expand(reshape)',
    reshape(expand(reshape(row, [1, 1, 3]), [4, 5, 3]), [20, 3]),
    'expand[20, 3](r)',
  ],
  [
    'reshape(expand) = expand(reshape)',
    reshape(expand(column, [2, 4]), [2, 1, 2, 2]),
    'expand[2, 1, 2, 2](reshape[2, 1, 1, 1](k))',
  ],
];

const hoists: readonly Case[] = [
  ['f(reshape(a)) = reshape(f(a))', exp(reshape(a, [6])), 'reshape[6](exp(a))'],
  ['f(reshape(a)) = reshape(f(a))', add(reshape(a, [6]), reshape(b, [6])), 'reshape[6](add(a, b))'],
  ['f(reshape(a)) = reshape(f(a))', reshape(mul(reshape(a, [6]), 3), [2, 3]), 'mul(a, 3)'],
  [
    'f(reshape(a)) = reshape(f(a))',
    add(reshape(leaf('f', [4, 3]), [2, 2, 3]), expand(leaf('v', [3]), [2, 2, 3])),
    'reshape[2, 2, 3](add(f, expand[4, 3](reshape[1, 3](v))))',
  ],
  ['f(permute(a)) = permute(f(a))', add(permute(a, [1, 0]), permute(b, [1, 0])), 'permute[1, 0](add(a, b))'],
  [
    'f(permute(a)) = permute(f(a))',
    add(permute(a, [1, 0]), expand(leaf('v', [2]), [3, 2])),
    'permute[1, 0](add(a, expand[2, 3](reshape[2, 1](v))))',
  ],
  ['f(flip(a)) = flip(f(a))', mul(flip(a, 0), expand(row, [2, 3])), 'flip[0](mul(a, expand[2, 3](r)))'],
  [
    'f(pad(a)) = pad(f(a)) where f(0) = 0',
    add(pad(a, [1, 0], [0, 0]), pad(b, [1, 0], [0, 0])),
    'pad[1, 0][0, 0](add(a, b))',
  ],
  ['f(pad(a)) = pad(f(a)) where f(0) = 0', mul(pad(a, [1, 0], [0, 0]), 3), 'pad[1, 0][0, 0](mul(a, 3))'],
  ['f(expand(a)) = expand(f(a))', exp(expand(row, [2, 3])), 'expand[2, 3](exp(r))'],
  [
    'f(expand(a)) = expand(f(a))',
    add(expand(column, [2, 3]), expand(leaf('o', [1, 1]), [2, 3])),
    'expand[2, 3](add(k, expand[2, 1](o)))',
  ],
  ['f(expand(a)) = expand(f(a))', cast(expand(row, [2, 3]), 'float64'), 'expand[2, 3](float64(r))'],
];

const reductions: readonly Case[] = [
  ['fold(nothing) = 0 or 1', fold('prod', empty, 0), '1'],
  ['fold(nothing) = 0 or 1', fold('sum', empty, 0), '0'],
  [
    'fold(c) is computed',
    fold('sum', constant(0.1, [3], 'float32'), 0),
    String(Math.fround(3 * Math.fround(0.1))),
  ],
  ['fold(c) is computed', fold('sum', constant(2 ** 31 - 1, [3], 'int32'), 0), '2147483645'],
  [
    'fold(c) is computed',
    fold('prod', constant(3, [21], 'int32'), 0),
    String(Number(BigInt.asIntN(32, 3n ** 21n))),
  ],
  ['fold(c) is computed', fold('max', constant(-0, [3], 'float32'), 0), '-0'],
  ['fold over axes of extent 1', fold('max', row, 0), 'r'],
  ['fold over axes of extent 1', fold('prod', row, 0, 1), 'prod@1(r)'],
  ['sum over axes of extent 1', fold('sum', row, 0, 1), 'sum@1(r)'],
  ['Σ x ≈ x for one x', fold('sum', row, 0), 'r'],
  ['fold(expand(x)) = expand(fold(x))', fold('prod', expand(row, [4, 3]), 1), 'expand[4, 1](prod@1(r))'],
  ['max of copies = max', fold('min', expand(row, [4, 3]), 0, 1), 'min@1(r)'],
  ['Σ of n equal terms = n·x', fold('sum', expand(whole, [4, 3]), 0), 'mul(n, 4)'],
  ['Σ of n equal terms ≈ n·x', fold('sum', expand(row, [5, 3]), 0), 'mul(r, 5)'],
  [
    'fold(x) ≈ fold(folds of parts)',
    sum(leaf('w', [514, 256])),
    'reshape[](sum@0(sum@1(reshape[16, 8224](w))))',
  ],
  [
    'fold(x) ≈ fold(folds of parts)',
    sum(leaf('w', [514, 256], 'float16')),
    'reshape[](float16(sum@0(sum@1(reshape[16, 8224](float32(w))))))',
  ],
  ['fold(reshape(x)) = reshape(fold(x))', sum(reshape(cube, [6, 4]), { axis: 0 }), 'reshape[4](sum@0,1(x))'],
  ['fold(reshape(x)) = reshape(fold(x))', fold('max', reshape(cube, [6, 4]), 1), 'reshape[6, 1](max@2(x))'],
  [
    'fold(permute(x)) = permute(fold(x))',
    fold('sum', permute(cube, [2, 1, 0]), 1),
    'permute[2, 1, 0](sum@1(x))',
  ],
  [
    'fold(permute(x)) = permute(fold(x))',
    fold('max', permute(cube, [2, 1, 0]), 0, 1),
    'reshape[1, 1, 2](max@1,2(x))',
  ],
  ['scan along an axis of extent 1', cumsum(whole, 0), 'n'],
  ['scan along an axis of extent 1', cumprod(row, 0), 'r'],
  ['scan along an axis of extent 1', linearRecurrence(leaf('m', [1, 3], 'int32'), whole, 0), 'n'],
];

const scale = expand(column, [2, 8]);
const indices: readonly Case[] = [
  ['gather from nothing', gather(empty, leaf('j', [2, 3], 'int32'), 0), 'NaN'],
  ['gather(c, i) = c where c is what is missing', gather(constant(0, [2, 3], 'int32'), index, 1), '0'],
  [
    'gather(x, k) is a part of x',
    gather(a, constant(1, [2, 2], 'int32'), 1),
    'expand[2, 2](shrink[0, 1][2, 2](a))',
  ],
  ['gather(x, k) is a part of x', gather(a, constant(3, [2, 2], 'int32'), 1), 'NaN'],
  ['gather(x, 0, 1, 2, …) is the beginning of x', gather(a, iota([2, 2], 1), 1), 'shrink[0, 0][2, 2](a)'],
  [
    'gather(reshape(x), i) = reshape(gather(x, reshape(i)))',
    gather(reshape(cube, [6, 4]), leaf('j', [6, 1], 'int32'), 1),
    'reshape[6, 1](gather@2(x, reshape[2, 3, 1](j)))',
  ],
  [
    'gather(f(a, b), i) = f(gather(a, i), gather(b, i))',
    gather(sub(sub(wide, scale), log(scale)), index, 1),
    'sub(sub(gather@1(w, i), k), log(k))',
  ],
  [
    'gather(f(a, b), i) = f(gather(a, i), gather(b, i))',
    gather(mul(exp(wide), 3), index, 1),
    'mul(exp(gather@1(w, i)), 3)',
  ],
  ['scatter of nothing', scatter('add', a, leaf('j', [0, 3], 'int32'), leaf('z', [0, 3]), 0), 'a'],
  ['argmax of equal elements is 0', argReduce('argmin', column, { axis: 1, keepDims: true }), '0'],
  [
    'argmax of equal elements is 0',
    argReduce('argmax', constant(NaN, [3], 'float32'), { axis: 0, keepDims: true }),
    '0',
  ],
  ['equal elements stay in their order', argsort(constant(3, [2, 4], 'float32'), 1), 'iota[2, 4]@1'],
  ['indices along an axis of extent 1 are 0', iota([1, 4], 0), '0'],
  ['reshape of indices', reshape(iota([2, 3], 1), [2, 1, 3]), 'iota[2, 1, 3]@2'],
  ['permute of indices', permute(iota([2, 3], 1), [1, 0]), 'iota[3, 2]@0'],
  ['expand of indices', expand(iota([1, 3], 1), [2, 3]), 'iota[2, 3]@1'],
  ['shrink of indices', shrink(iota([2, 3], 1), [1, 0], [2, 2]), 'iota[1, 2]@1'],
  ['flip of indices', flip(iota([2, 3], 1), 0), 'iota[2, 3]@1'],
  [
    'scatter add in float64',
    scatter('add', a, leaf('j', [2, 3], 'int32'), b, 0),
    'float32(scatter add@0(float64(a), j, float64(b)))',
  ],
];

const left = leaf('p', [4, 3, 5]);
const right = leaf('q', [4, 5, 6]);
const weight = leaf('w', [5, 6]);
const products: readonly Case[] = [
  [
    'expand(a)·b = expand(a·b)',
    matmul(left, expand(weight, [4, 5, 6])),
    'reshape[4, 3, 6](matmul(reshape[12, 5](p), w))',
  ],
  ['a batch of aᵢ·b is one product', matmul(left, weight), 'reshape[4, 3, 6](matmul(reshape[12, 5](p), w))'],
  [
    'a·b ≈ Σ aₖ·bₖ',
    matmul(leaf('p', [3, 5]), leaf('v', [5])),
    'reshape[3](sum@1(mul(p, expand[3, 5](reshape[1, 5](v)))))',
  ],
  [
    'Σᵢ aᵢ·bᵢ ≈ [a₁ a₂ …]·[b₁; b₂; …]',
    fold('sum', matmul(transpose(leaf('p', [4, 5, 3])), right), 0),
    'reshape[1, 3, 6](matmul(permute[1, 0](reshape[20, 3](p)), reshape[20, 6](q)))',
  ],
  ['(a·b)ᵀ ≈ bᵀ·aᵀ', transpose(matmul(left, right)), 'matmul(permute[0, 2, 1](q), permute[0, 2, 1](p))'],
  [
    'Σᵢ aᵢ·bᵢ ≈ [a₁ a₂ …]·[b₁; b₂; …]',
    fold('sum', matmul(leaf('p', [4, 3, 5]), leaf('q', [4, 5, 6])), 0),
    'reshape[1, 3, 6](matmul(permute[1, 0](reshape[20, 3](permute[0, 2, 1](p))), reshape[20, 6](q)))',
  ],
  [
    '(a·b)ᵀ ≈ bᵀ·aᵀ',
    transpose(sum(matmul(transpose(leaf('p', [4, 5, 3])), right), { axis: 0 })),
    'matmul(permute[1, 0](reshape[20, 6](q)), reshape[20, 3](p))',
  ],
];

/** Cases of rules that look at shapes. */
export const SHAPED_CASES: readonly Case[] = [
  ...movements,
  ...hoists,
  ...reductions,
  ...indices,
  ...products,
];
