/**
 * Products against explicit loops: matmul on every size class of the blocked algorithm and every layout,
 * einsum against a loop over all labels.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  array,
  arange,
  diagonal,
  dot,
  DTypeError,
  einsum,
  eye,
  full,
  Generator,
  kron,
  matmul,
  mul,
  type NDArray,
  norm,
  outer,
  reduce,
  ShapeError,
  tensordot,
  trace,
  zeros,
} from '../src/index.ts';
import { elements, fromIndices, indicesOf, layouts } from './helpers.ts';

/** Σₖ aᵢₖ·bₖⱼ in double precision, and Σₖ |aᵢₖ·bₖⱼ|, which scales its rounding error. */
function naive(a: NDArray, b: NDArray): { value: number[]; scale: number[] } {
  const [rows, inner] = a.shape as [number, number];
  const value: number[] = [];
  const scale: number[] = [];
  for (const [i, j] of indicesOf([rows, b.shape[1]!]) as [number, number][]) {
    const products = Array.from({ length: inner }, (_, k) => a.get(i, k) * b.get(k, j));
    value.push(products.reduce((sum, p) => sum + p, 0));
    scale.push(products.reduce((sum, p) => sum + Math.abs(p), 0));
  }
  return { value, scale };
}

/** Each element within √K·ε of the naive sum, relative to the sum of magnitudes. */
function expectClose(c: NDArray, a: NDArray, b: NDArray): void {
  const epsilon = c.dtype === 'float32' ? 2 ** -24 : 2 ** -53;
  const { value, scale } = naive(a, b);
  const slack = epsilon * Math.max(1, Math.sqrt(a.shape[1]!));
  elements(c).forEach((got, i) =>
    expect(Math.abs(got - value[i]!)).toBeLessThanOrEqual(slack * scale[i]! + Number.MIN_VALUE),
  );
}

describe('matmul', () => {
  // Rows, inner, columns: below, at and beyond the tile (4), the depth (256) and the column block (256).
  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [1, 7, 9],
    [3, 5, 8],
    [8, 5, 3],
    [9, 7, 1],
    [4, 4, 4],
    [5, 3, 6],
    [13, 17, 11],
    [8, 256, 8],
    [7, 257, 9],
    [6, 520, 5],
    [5, 3, 256],
    [6, 5, 261],
  ];
  test.each(sizes)(
    '[%i, %i] · [·, %i], plain and transposed, float32 and float64',
    (rows, inner, columns) => {
      const random = new Generator(rows * 1000 + inner);
      for (const dtype of ['float32', 'float64'] as const) {
        for (const [left, right] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ]) {
          const a = left
            ? random.normal([inner, rows], { dtype }).transpose()
            : random.normal([rows, inner], { dtype });
          const b = right
            ? random.normal([columns, inner], { dtype }).transpose()
            : random.normal([inner, columns], { dtype });
          const c = matmul(a, b);
          expect([c.dtype, c.shape]).toEqual([dtype, [rows, columns]]);
          expectClose(c, a, b);
        }
      }
    },
  );

  test('any layout, exactly on whole numbers, in every numeric type', () => {
    const size = fc.integer({ min: 0, max: 9 });
    const cases = fc
      .tuple(size, size, size, fc.constantFrom('float64', 'float32', 'int32', 'uint32'))
      .chain(([m, k, n, dtype]) => fc.tuple(layouts([m, k], dtype), layouts([k, n], dtype)));
    fc.assert(
      fc.property(cases, ([a, b]) => {
        const c = matmul(a, b);
        expect(c.shape).toEqual([a.shape[0], b.shape[1]]);
        expect(elements(c)).toEqual(naive(a, b).value);
      }),
    );
  });

  test('batches broadcast', () => {
    const lead = fc.constantFrom(
      [[], [3]],
      [[3], []],
      [[2, 3], [3]],
      [
        [2, 1],
        [1, 3],
      ],
      [[0], [0]],
      [[2, 3], []],
      [
        [1, 3],
        [2, 3],
      ],
    );
    fc.assert(
      fc.property(
        lead.chain(([p, q]) => fc.tuple(layouts([...p, 5, 4]), layouts([...q, 4, 6]))),
        ([a, b]) => {
          const c = matmul(a, b);
          const shape = c.shape.slice(0, -2);
          for (const index of indicesOf(shape)) {
            const pick = (x: NDArray): NDArray =>
              x.broadcastTo([...shape, ...x.shape.slice(-2)]).at(...index);
            expect(elements(c.at(...index))).toEqual(naive(pick(a), pick(b)).value);
          }
        },
      ),
    );
  });

  test('vectors lose their axis', () => {
    const x = arange(6).reshape([2, 3]);
    expect(matmul(x, array([1, 0, 2])).toArray()).toEqual([4, 13]);
    expect(matmul(array([1, 2]), x).toArray()).toEqual([6, 9, 12]);
    expect(matmul(array([1, 2]), array([3, 4])).toArray()).toBe(11);
    expect(matmul(array([1, 2]), full([5, 2, 3], 1)).shape).toEqual([5, 3]);
  });

  test('no inner elements give zeros, integers wrap, NaN stays in its row', () => {
    expect(matmul(zeros([2, 0]), zeros([0, 3])).toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    const big = full([5, 5], 2 ** 30, { dtype: 'int32' });
    expect(matmul(big, full([5, 5], 3, { dtype: 'int32' })).get(0, 0)).toBe(
      Number(BigInt.asIntN(32, 15n * 2n ** 30n)),
    );
    const x = eye(5);
    x.set(NaN, 1, 1);
    const y = matmul(x, full([5, 5], 1));
    expect(elements(y).map((value) => Number.isNaN(value))).toEqual(indicesOf([5, 5]).map(([i]) => i === 1));
    expect(
      matmul(full([2, 300], 100, { dtype: 'float16' }), full([300, 2], 2, { dtype: 'float16' })).get(1, 1),
    ).toBe(60000);
  });

  test('errors name both shapes', () => {
    expect(() => matmul(zeros([32, 64]), zeros([128, 10]))).toThrow(
      'matmul: inner sizes differ: [32, 64] · [128, 10] (64 ≠ 128)',
    );
    expect(() => matmul(zeros([2, 4, 4]), zeros([3, 4, 4]))).toThrow(ShapeError);
    expect(() => matmul(zeros([]), zeros([2]))).toThrow(
      'matmul: a scalar has no axis to sum over: [] · [2]; use mul',
    );
    expect(() => matmul(zeros([2, 2]), zeros([2, 2], { dtype: 'int32' }))).toThrow(
      'matmul: element types differ: float32 and int32',
    );
    expect(() => matmul(zeros([2, 2], { dtype: 'bool' }), zeros([2, 2], { dtype: 'bool' }))).toThrow(
      DTypeError,
    );
  });
});

describe('einsum', () => {
  test('of float16, what several operands give on the way is float32', () => {
    const wide = full([2, 100], 300, { dtype: 'float16' });
    const small = full([2, 2], 2 ** -10, { dtype: 'float16' });
    const result = einsum('ik,jk,jl->il', wide, wide, small); // 100·300² is beyond float16
    expect([result.dtype, ...elements(result)]).toEqual(['float16', 17584, 17584, 17584, 17584]);
    expect(() => einsum('i,i->', zeros([2], { dtype: 'float16' }), zeros([2]))).toThrow(DTypeError);
  });

  /** Loops over every assignment of labels; knows nothing of pairs or matmul. */
  function loops(equation: string, arrays: NDArray[]): NDArray {
    const [left, output] = equation.split('->') as [string, string];
    const inputs = left.split(',');
    const sizes = new Map<string, number>();
    inputs.forEach((labels, k) =>
      labels.split('').forEach((label, axis) => sizes.set(label, arrays[k]!.shape[axis]!)),
    );
    const summed = [...sizes.keys()].filter((label) => !output.includes(label));
    return fromIndices(
      output.split('').map((label) => sizes.get(label)!),
      'float64',
      (outer) => {
        let total = 0;
        for (const inner of indicesOf(summed.map((label) => sizes.get(label)!))) {
          const at = (label: string): number =>
            output.includes(label) ? outer[output.indexOf(label)]! : inner[summed.indexOf(label)]!;
          total += arrays.reduce((product, x, k) => product * x.get(...inputs[k]!.split('').map(at)), 1);
        }
        return total;
      },
    );
  }

  const equations = [
    'ij,jk->ik',
    'ij,jk->ki',
    'bij,bjk->bik',
    'bij,bkj->bik',
    'i,i->',
    'i,j->ij',
    'i,i->i',
    'ij,ij->i',
    'ij->ji',
    'ij->',
    'ii->',
    'ii->i',
    'iij->j',
    'ij,j->i',
    'ij,kl->ijkl',
    'ij,jk,kl->il',
    'ijk,ilm,njm,nlk->',
    'ab,cb,dc->ad',
    'bhqd,bhkd->bhqk',
    'ij,ik->jk',
    'ij,kl->i',
    'i->i',
    'ijkj->ki',
    ',i->i',
    'abc,abd,ab->dc',
  ];
  test.each(equations)('%s', (equation) => {
    const lengths = fc.record(
      Object.fromEntries(
        [...new Set(equation.replace(/[^a-z]/g, ''))].map((label) => [label, fc.integer({ min: 1, max: 3 })]),
      ),
    );
    const operands = lengths.chain((sizes) =>
      fc.tuple(
        ...equation
          .split('->')[0]!
          .split(',')
          .map((labels) => layouts(labels.split('').map((label) => sizes[label]!))),
      ),
    );
    fc.assert(
      fc.property(operands, (arrays) => {
        const expected = loops(equation, arrays);
        const got = einsum(equation, ...arrays);
        expect(got.shape).toEqual(expected.shape);
        expect(elements(got)).toEqual(elements(expected));
      }),
      { numRuns: 25 },
    );
  });

  test('implicit output is alphabetical, and an ellipsis broadcasts', () => {
    const [x, y] = [arange(6).reshape([2, 3]), arange(12).reshape([3, 4])];
    expect(elements(einsum('ba', x))).toEqual(elements(x.transpose()));
    expect(elements(einsum('ij,jk', x, y))).toEqual(elements(matmul(x, y)));
    expect(einsum('ii', eye(3)).get()).toBe(3);
    const [p, q] = [arange(24).reshape([2, 1, 3, 4]), arange(60).reshape([5, 4, 3])];
    expect(elements(einsum('...ij,...jk->...ik', p, q))).toEqual(elements(matmul(p, q)));
    expect(elements(einsum('...ij,...jk', p, q))).toEqual(elements(matmul(p, q)));
    expect(elements(einsum('...->...', x))).toEqual(elements(x));
    expect(elements(einsum('i...->i', x))).toEqual([3, 12]);
    expect(einsum(' i j , j -> i ', x, array([1, 1, 1])).toArray()).toEqual([3, 12]);
  });

  test('several operands take the cheap order: the result of a long chain is the same', () => {
    const random = new Generator(1);
    const chain = [
      [2, 30],
      [30, 3],
      [3, 20],
    ].map((shape) => random.normal(shape, { dtype: 'float64' })) as [NDArray, NDArray, NDArray];
    const direct = matmul(chain[0], matmul(chain[1], chain[2]));
    const difference = reduce('max', add(einsum('ij,jk,kl->il', ...chain), mul(direct, -1)), [0, 1]).get();
    expect(Math.abs(difference)).toBeLessThan(1e-12);
  });

  test('errors quote the equation', () => {
    const x = zeros([2, 3]);
    expect(() => einsum('ij,jk->ik', x)).toThrow("einsum: 'ij,jk->ik' describes 2 operands; 1 were given");
    expect(() => einsum('ijk->i', x)).toThrow(
      "einsum: 'ijk' names 3 axes of operand 0, whose shape is [2, 3]",
    );
    expect(() => einsum('ij,jk->ik', x, x)).toThrow("einsum: axis 'j' of 'ij,jk->ik' has sizes 3 and 2");
    expect(() => einsum('ij->ik', x)).toThrow("einsum: output axis 'k' of 'ij->ik' is in no operand");
    expect(() => einsum('ij->ii', x)).toThrow("einsum: output axis 'i' of 'ij->ii' appears twice");
    expect(() => einsum('i1->i', x)).toThrow("einsum: cannot read 'i1'");
    expect(() => einsum('...i...->i', x)).toThrow(ShapeError);
    expect(() => einsum('ij->i->j', x)).toThrow(ShapeError);
    expect(() => einsum('ii->', x)).toThrow("einsum: axis 'i' of 'ii->' has sizes 2 and 3");
  });
});

describe('products', () => {
  test('dot and outer', () => {
    expect(dot(array([1, 2, 3]), array([4, 5, 6])).get()).toBe(32);
    expect(outer(array([1, 2]), array([3, 4, 5])).toArray()).toEqual([
      [3, 4, 5],
      [6, 8, 10],
    ]);
    expect(() => dot(zeros([2]), zeros([3]))).toThrow('dot: sizes differ: [2] · [3] (2 ≠ 3)');
    expect(() => outer(zeros([2, 1]), zeros([3]))).toThrow('outer: takes two vectors, not [2, 1] and [3]');
  });

  test('tensordot is the einsum over its pairs', () => {
    const [x, y] = [arange(24).reshape([2, 3, 4]), arange(24).reshape([4, 3, 2])];
    expect(
      elements(
        tensordot(x, y, [
          [1, 2],
          [1, 0],
        ]),
      ),
    ).toEqual(elements(einsum('ijk,kjl->il', x, y)));
    expect(elements(tensordot(x, y, 1))).toEqual(elements(einsum('ijk,klm->ijlm', x, y)));
    expect(tensordot(x, y, 0).shape).toEqual([2, 3, 4, 4, 3, 2]);
    expect(() => tensordot(x, y, 2)).toThrow('tensordot: paired sizes differ: [3, 4] and [4, 3]');
    expect(() => tensordot(x, y, 4)).toThrow(ShapeError);
  });

  test('kron, diagonal, trace', () => {
    expect(kron(eye(2), array([[1, 2]])).toArray()).toEqual([
      [1, 2, 0, 0],
      [0, 0, 1, 2],
    ]);
    expect(kron(array([1, 2]), array([[1], [3]])).toArray()).toEqual([
      [1, 2],
      [3, 6],
    ]);
    const x = arange(6).reshape([2, 3]);
    expect(diagonal(x).toArray()).toEqual([0, 4]);
    expect(trace(x).get()).toBe(4);
    expect(trace(full([3, 2, 2], 1)).toArray()).toEqual([2, 2, 2]);
    expect(() => trace(zeros([2]))).toThrow(ShapeError);
    diagonal(x).set(9, 1);
    expect(x.get(1, 1)).toBe(9);
  });

  test('norm neither overflows nor vanishes', () => {
    expect(norm(array([3, 4])).get()).toBe(5);
    expect(
      norm(
        array([
          [3, 4],
          [0, 5],
        ]),
        { axis: 1 },
      ).toArray(),
    ).toEqual([5, 5]);
    expect(norm(array([[3, -4]]), { order: 1, axis: 1, keepDims: true }).toArray()).toEqual([[7]]);
    expect(norm(array([3, -4]), { order: Infinity }).get()).toBe(4);
    expect(norm(array([3e200, 4e200], { dtype: 'float64' })).get() / 5e200).toBeCloseTo(1, 14);
    expect(norm(array([3e-200, 4e-200], { dtype: 'float64' })).get() / 5e-200).toBeCloseTo(1, 14);
    expect([norm(zeros([3])).get(), norm(zeros([0])).get(), norm(array([Infinity, 1])).get()]).toEqual([
      0,
      0,
      Infinity,
    ]);
    expect(norm(array([NaN, 1])).get()).toBeNaN();
    expect(norm(zeros([0, 2]), { axis: 0, keepDims: true }).shape).toEqual([1, 2]);
    expect(() => norm(array([1]), { order: 0 })).toThrow('norm: order 0 is not positive');
  });
});
