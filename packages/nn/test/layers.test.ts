// Layers against their formulas, written again in plain numbers, and their gradients against central
// differences.
import {
  compile,
  createReference,
  DTypeError,
  gradCheck,
  manualSeed,
  randn,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  Dropout,
  ELU,
  Embedding,
  Flatten,
  GELU,
  type Layer,
  LayerNorm,
  LeakyReLU,
  Linear,
  ReLU,
  Sequential,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from '../src/index.ts';

const float64 = { dtype: 'float64' } as const;
const close = (values: unknown, digits = 12): unknown =>
  expect.arrayContaining((values as number[]).map((value) => expect.closeTo(value, digits)));

describe('Linear', () => {
  test('is x·Wᵀ + b over the last axis, with or without the bias', async () => {
    const layer = new Linear(2, 3, float64);
    layer.weight.assign(
      tensor(
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        float64,
      ),
    );
    layer.bias!.assign(tensor([10, 20, 30], float64));
    expect(await layer.forward(tensor([[[1, 1]], [[0, -1]]], float64)).toArray()).toEqual([
      [[13, 27, 41]],
      [[8, 16, 24]],
    ]);
    expect(new Linear(2, 3, { bias: false }).bias).toBeNull();
    expect(() => layer.forward(tensor([[1, 2, 3]], float64))).toThrow('inner sizes differ');
  });

  test('begins uniform in ±1/√in', async () => {
    manualSeed(0);
    const layer = new Linear(100, 200);
    for (const parameter of [layer.weight, layer.bias!]) {
      const values = [...(await parameter.data())];
      const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.1);
      expect(square).toBeGreaterThan((0.8 * 0.01) / 3);
      expect(square).toBeLessThan((1.2 * 0.01) / 3);
    }
  });
});

describe('Embedding, indices', () => {
  const ids = (...values: number[]): Tensor => tensor(Int32Array.from(values));

  test('that are out of range are an error where their values are at hand', async () => {
    const table = new Embedding(4, 2);
    expect(() => table.forward(ids(0, 3, 4))).toThrow('index 4 at position 2 is not a row from 0 to 3');
    expect(() => table.forward(ids(-1))).toThrow('index -1 at position 0');
    expect(() => table.forward(tensor([0.5]))).toThrow(DTypeError);
    expect((await table.forward(ids(3, 0)).data()).every(Number.isFinite)).toBe(true);
  });

  test('that are arguments of a compiled function give NaN', async () => {
    const table = new Embedding(4, 2);
    const forward = compile((index: Tensor) => table.forward(index));
    expect(Array.from(await forward(ids(9)).data())).toEqual([NaN, NaN]);
  });
});

describe('layers on a device and of a dtype that are given', () => {
  test('have all their parameters there', () => {
    const device = createReference();
    const options = { device, dtype: 'float64' } as const;
    const layers = [
      new Linear(2, 3, options),
      new Embedding(2, 3, options),
      new LayerNorm(3, options),
      new Conv1d(1, 2, 3, options),
      new Conv2d(1, 2, 3, options),
      new ConvTranspose2d(1, 2, 3, options),
    ];
    for (const layer of layers) {
      for (const [name, each] of layer.namedParameters()) {
        // Two devices may be deeply equal: what counts is which one it is.
        expect([layer.constructor.name, name, each.device === device, each.dtype]).toEqual([
          layer.constructor.name,
          name,
          true,
          'float64',
        ]);
      }
    }
    expect(layers.map((layer) => layer.parameters().length)).toEqual([2, 1, 2, 2, 2, 2]);
  });
});

describe('Embedding', () => {
  test('gives rows, and each row the sum of its gradients', async () => {
    const table = new Embedding(4, 2);
    const rows = (await table.weight.toArray()) as number[][];
    const index = tensor(
      [
        [1, 3],
        [1, 0],
      ],
      { dtype: 'int32' },
    );
    const out = table.forward(index); // (2, 2, 2)
    expect(await out.toArray()).toEqual([
      [rows[1], rows[3]],
      [rows[1], rows[0]],
    ]);
    table.forward(index).sum().backward();
    expect(await table.weight.grad?.toArray()).toEqual([
      [1, 1],
      [2, 2],
      [0, 0],
      [1, 1],
    ]);
    expect(() => table.forward(tensor([1]))).toThrow('int32');
  });
});

describe('LayerNorm', () => {
  const normalised = (row: readonly number[], eps: number): number[] => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
    return row.map((x) => (x - mean) / Math.sqrt(variance + eps));
  };

  test('gives each row mean 0 and variance 1, then scale and shift', async () => {
    // Decimal fractions: fc.double draws bit patterns, of which nearly all are tiny numbers.
    const number = fc.integer({ min: -100_000, max: 100_000 }).map((n) => n / 100);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 4 }),
        async (rows) => {
          const layer = new LayerNorm(3, float64);
          layer.weight!.assign(tensor([1, 2, -1], float64));
          layer.bias!.assign(tensor([0, 10, 0.5], float64));
          const out = (await layer.forward(tensor(rows, float64)).toArray()) as number[][];
          rows.forEach((row, r) => {
            const [a, b, c] = normalised(row, 1e-5) as [number, number, number];
            expect(out[r]).toEqual([
              expect.closeTo(a, 7),
              expect.closeTo(2 * b + 10, 7),
              expect.closeTo(0.5 - c, 7),
            ]);
          });
        },
      ),
      { numRuns: 25, seed: 1 },
    );
  });

  test('over several axes, without shift, without anything learned, with another ε', async () => {
    const x = randn([3, 2, 2], float64);
    const rows = (await x.reshape(3, 4).toArray()) as number[][];
    const expected = rows.map((row) => normalised(row, 0.1).map((value) => expect.closeTo(value, 12)));
    for (const options of [{ bias: false }, { affine: false }, {}]) {
      const layer = new LayerNorm([2, 2], { eps: 0.1, ...float64, ...options });
      expect(await layer.forward(x).reshape(3, 4).toArray()).toEqual(expected);
    }
    expect(new LayerNorm(2, { bias: false }).parameters()).toHaveLength(1);
    expect(new LayerNorm(2, { affine: false }).parameters()).toHaveLength(0);
    expect(() => new LayerNorm(3).forward(tensor([[1, 2]]))).toThrow('last axes');
    expect(() => new LayerNorm('2' as never)).toThrow(/^LayerNorm: /);
  });

  test('has the gradient of its formula', async () => {
    manualSeed(2);
    const layer = new LayerNorm(4, float64);
    layer.loadStateDict(
      new Map([
        ['weight', randn([4], float64)],
        ['bias', randn([4], float64)],
      ]),
    );
    const x = randn([2, 4], float64);
    expect(await gradCheck((each) => layer.forward(each).pow(3), [x])).toMatchObject({ ok: true });
    // ∂ Σ c·(n·w + b) is Σ c·n for w and Σ c for b, over the rows.
    const c = randn([2, 4], float64);
    layer.forward(x).mul(c).sum().backward();
    const rows = ((await x.toArray()) as number[][]).map((row) => normalised(row, 1e-5));
    const factors = (await c.toArray()) as number[][];
    const overRows = (term: (row: number, column: number) => number): unknown =>
      [0, 1, 2, 3].map((column) => expect.closeTo(term(0, column) + term(1, column), 10));
    expect(await layer.weight!.grad?.toArray()).toEqual(
      overRows((row, column) => factors[row]![column]! * rows[row]![column]!),
    );
    expect(await layer.bias!.grad?.toArray()).toEqual(overRows((row, column) => factors[row]![column]!));
  });
});

describe('Dropout', () => {
  test('in training drops a share p, scales the rest, and differentiates through the same mask', async () => {
    manualSeed(3);
    const layer = new Dropout(0.25);
    const x = tensor(
      Array.from({ length: 20_000 }, () => 3),
      { requiresGrad: true },
    );
    const y = layer.forward(x);
    y.sum().backward();
    const values = [...(await y.data())];
    expect(new Set(values)).toEqual(new Set([0, 4]));
    const dropped = values.filter((value) => value === 0).length / values.length;
    // Four standard deviations.
    expect(Math.abs(dropped - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 20_000));
    const slope = Math.fround(1 / 0.75);
    expect([...(await x.grad!.data())]).toEqual(values.map((value) => (value === 0 ? 0 : slope)));
  });

  test('does nothing in use or at p = 0, and leaves nothing at p = 1, gradients included', async () => {
    const x = tensor([1, -2, Infinity], { requiresGrad: true });
    expect(new Dropout(0).forward(x)).toBe(x);
    expect(new Dropout(0.9).eval().forward(x)).toBe(x);
    const none = new Dropout(1).forward(x);
    none.sum().backward();
    expect(await none.toArray()).toEqual([0, 0, 0]);
    expect(await x.grad?.toArray()).toEqual([0, 0, 0]);
    for (const p of [-0.1, 1.1, NaN]) expect(() => new Dropout(p)).toThrow('from 0 to 1');
  });

  test('compiled, every call draws anew, and the seed decides', async () => {
    const layer = new Dropout(0.5);
    const run = compile((x: Tensor) => layer.forward(x));
    const x = tensor(new Float32Array(64).fill(1));
    const draw = async (f: (x: Tensor) => Tensor): Promise<string[]> => {
      manualSeed(8);
      return [String(await f(x).data()), String(await f(x).data())];
    };
    const [first, second] = await draw(run);
    expect(first).not.toBe(second);
    expect(await draw(run)).toEqual([first, second]);
    expect(await draw((each) => layer.forward(each))).toEqual([first, second]);
  });
});

describe('activations', () => {
  const erf = (x: number): number => {
    // The Maclaurin series: exact enough for |x| < 3.
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  };
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const formulas: readonly (readonly [string, Layer, (x: number) => number])[] = [
    ['ReLU', new ReLU(), (x) => (x > 0 ? x : 0)],
    ['LeakyReLU', new LeakyReLU(), (x) => (x > 0 ? x : 0.01 * x)],
    ['LeakyReLU 0.3', new LeakyReLU(0.3), (x) => (x > 0 ? x : 0.3 * x)],
    ['ELU', new ELU(), (x) => (x > 0 ? x : Math.exp(x) - 1)],
    ['ELU 2', new ELU(2), (x) => (x > 0 ? x : 2 * (Math.exp(x) - 1))],
    ['GELU', new GELU(), (x) => (x * (1 + erf(x / Math.SQRT2))) / 2],
    [
      'GELU tanh',
      new GELU('tanh'),
      (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
    ],
    ['SiLU', new SiLU(), (x) => x * sigmoid(x)],
    ['Tanh', new Tanh(), Math.tanh],
    ['Sigmoid', new Sigmoid(), sigmoid],
    ['Softplus', new Softplus(), (x) => Math.log(1 + Math.exp(x))],
  ];
  const points = [-2.5, -1, -0.1, 0, 0.2, 1, 3];

  test.each(formulas)('%s is its formula', async (_, layer, formula) => {
    expect(await layer.forward(tensor(points, float64)).toArray()).toEqual(close(points.map(formula)));
  });

  test('Softmax normalises along its axis', async () => {
    const x = tensor(
      [
        [0, Math.log(3)],
        [0, 0],
      ],
      float64,
    );
    expect(await new Softmax().forward(x).reshape(4).toArray()).toEqual(close([0.25, 0.75, 0.5, 0.5]));
    expect(await new Softmax(0).forward(x).reshape(4).toArray()).toEqual(close([0.5, 0.75, 0.5, 0.25]));
  });

  test('Flatten joins axes', () => {
    const x = randn([2, 3, 4, 5]);
    expect(new Flatten().forward(x).shape).toEqual([2, 60]);
    expect(new Flatten(0, 1).forward(x).shape).toEqual([6, 4, 5]);
  });

  test('Sequential calls one after the other, and without layers gives its input', async () => {
    const x = tensor([-1, 2], float64);
    expect(await new Sequential(new ReLU(), new LeakyReLU(), new Tanh()).forward(x).toArray()).toEqual([
      0,
      Math.tanh(2),
    ]);
    expect(new Sequential().forward(x)).toBe(x);
  });
});
