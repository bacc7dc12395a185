/** Kernels of maps, rows and sums over a million elements, written down by hand. */
import type { Index, LoopKernel, Scalar } from '@firsthand/compiler';
import type { BinaryKind, UnaryKind } from '@firsthand/graph';
import { affine, constant, load, mapKernel, operandsOf, rowMajor } from '../../test/support/build.ts';

/** Elements of the largest arrays. */
export const COUNT: number = 1 << 20;

const x = (index: Index, operand = 0): Scalar => load(operand, 'float32', index);
const number = (value: number): Scalar => constant('float32', value);
const unary = (kind: UnaryKind, a: Scalar): Scalar => ({ op: 'unary', dtype: 'float32', kind, x: a });
const binary = (kind: BinaryKind, a: Scalar, b: Scalar): Scalar => ({
  op: 'binary',
  dtype: 'float32',
  kind,
  a,
  b,
});
const reduced = (reduction: number): Scalar => ({ op: 'reduced', dtype: 'float32', reduction });
const flat = affine(0, [0, 1]);

function map(
  arrays: number,
  value: Scalar,
  extents: readonly number[] = [COUNT],
  index: Index = rowMajor(extents),
): LoopKernel {
  return mapKernel(
    operandsOf(Array.from({ length: arrays + 1 }, () => ['float32', COUNT] as const)),
    extents,
    [{ operand: arrays, index, value }],
  );
}

/** a + b */
export function addition(): LoopKernel {
  return map(2, binary('add', x(flat), x(flat, 1)));
}

/** A function of one array. */
export function functionOf(kind: UnaryKind): LoopKernel {
  return map(1, unary(kind, x(flat)));
}

/** A row added to every row of a matrix, and a relu. */
export function biasRelu(rows: number, columns: number): LoopKernel {
  const sum = binary('add', x(affine(0, [0, columns], [1, 1])), x(affine(0, [1, 1]), 1));
  return map(2, binary('maximum', sum, number(0)), [rows, columns]);
}

/** A matrix turned round. */
export function transposition(rows: number, columns: number): LoopKernel {
  return map(1, x(affine(0, [0, 1], [1, rows])), [rows, columns]);
}

/** Two matrices side by side. */
export function concatenation(rows: number, left: number, right: number): LoopKernel {
  const guard: Scalar = { op: 'inside', dtype: 'bool', index: affine(0, [1, 1]), low: 0, high: left };
  const [a, b] = [x(affine(0, [0, left], [1, 1])), x(affine(-left, [0, right], [1, 1]), 1)];
  return map(2, { op: 'where', dtype: 'float32', condition: guard, a, b }, [rows, left + right]);
}

/** gelu by tanh */
export function gelu(): LoopKernel {
  const a = x(flat);
  const inner = binary(
    'mul',
    a,
    binary('add', number(0.7978845608), binary('mul', number(0.7978845608 * 0.044715), binary('mul', a, a))),
  );
  return map(1, binary('mul', binary('mul', number(0.5), a), binary('add', number(1), unary('tanh', inner))));
}

/** softmax over the columns */
export function softmax(rows: number, columns: number): LoopKernel {
  const index = affine(0, [0, columns], [1, 1]);
  const e = unary('exp', binary('sub', x(index), reduced(0)));
  return {
    ...map(1, e, [rows, columns]),
    reductions: [
      { kind: 'max', dtype: 'float32', value: x(index) },
      { kind: 'sum', dtype: 'float32', value: e },
    ],
    passes: [
      { reductions: [0], stores: [] },
      { reductions: [1], stores: [] },
      { reductions: [], stores: [{ operand: 1, index, value: binary('div', e, reduced(1)) }] },
    ],
  };
}

/** layer norm over the columns */
export function layerNorm(rows: number, columns: number): LoopKernel {
  const index = affine(0, [0, columns], [1, 1]);
  const mean = binary('mul', reduced(0), number(1 / columns));
  const centred = binary('sub', x(index), mean);
  const scale = unary('rsqrt', binary('add', binary('mul', reduced(1), number(1 / columns)), number(1e-5)));
  const value = binary(
    'add',
    binary('mul', binary('mul', centred, scale), x(affine(0, [1, 1]), 1)),
    x(affine(0, [1, 1]), 2),
  );
  return {
    ...map(3, value, [rows, columns]),
    reductions: [
      { kind: 'sum', dtype: 'float32', value: x(index) },
      { kind: 'sum', dtype: 'float32', value: binary('mul', centred, centred) },
    ],
    passes: [
      { reductions: [0], stores: [] },
      { reductions: [1], stores: [] },
      { reductions: [], stores: [{ operand: 3, index, value }] },
    ],
  };
}

/** The sums of rows, whose elements stand where `index` says. */
export function sum(rows: number, columns: number, index: Index): LoopKernel {
  return {
    ...map(1, x(index), [rows, columns]),
    reductions: [{ kind: 'sum', dtype: 'float32', value: x(index) }],
    passes: [{ reductions: [0], stores: [] }],
    rowStores: [{ operand: 1, index: flat, value: reduced(0) }],
  };
}

/** One step of Adam for a million weights: weights and both moments in place. */
export function adam(): LoopKernel {
  const [w, g, m, v] = [0, 1, 2, 3].map((operand) => x(flat, operand)) as [Scalar, Scalar, Scalar, Scalar];
  const m2 = binary('add', binary('mul', m, number(0.9)), binary('mul', g, number(0.1)));
  const v2 = binary(
    'add',
    binary('mul', v, number(0.999)),
    binary('mul', binary('mul', g, g), number(0.001)),
  );
  const w2 = binary(
    'sub',
    w,
    binary('div', binary('mul', m2, number(1e-3)), binary('add', unary('sqrt', v2), number(1e-8))),
  );
  const kernel = map(3, w2);
  return {
    ...kernel,
    operands: kernel.operands.map((operand) => ({ ...operand, access: 'update' })),
    passes: [
      {
        reductions: [],
        stores: [w2, m2, v2].map((value, position) => ({
          operand: [0, 2, 3][position]!,
          index: flat,
          value,
        })),
      },
    ],
  };
}

/** dropout: a tenth of the elements */
export function dropout(): LoopKernel {
  const words = (operand: number): [Scalar, Scalar] => [
    load(operand, 'uint32', affine(0)),
    load(operand, 'uint32', affine(1)),
  ];
  const random: Scalar = { op: 'random', dtype: 'float32', key: words(1), counter: words(1), index: flat };
  const keep: Scalar = { op: 'binary', dtype: 'bool', kind: 'lt', a: random, b: number(0.9) };
  const value: Scalar = {
    op: 'where',
    dtype: 'float32',
    condition: keep,
    a: binary('mul', x(flat), number(1 / 0.9)),
    b: number(0),
  };
  return mapKernel(
    operandsOf([
      ['float32', COUNT],
      ['uint32', 2],
      ['float32', COUNT],
    ]),
    [COUNT],
    [{ operand: 2, index: flat, value }],
  );
}
