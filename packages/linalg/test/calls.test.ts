// The convention of calls itself: options, choices, axes, shapes, and what errors say.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  arange,
  argmax,
  array,
  concatenate,
  cumsum,
  exp,
  eye,
  Generator,
  matmul,
  type NDArray,
  nearest,
  sort,
  stack,
  sum,
  take,
  zeros,
  AXIS_KEYS,
  axisOptions,
  checkChoice,
  checkCount,
  checkOptions,
  FirsthandError,
  oneAxisOptions,
  OptionError,
  readShape,
  readSizes,
  REDUCE_KEYS,
  ShapeError,
  DTypeError,
} from '../src/index.ts';

const thrown = (run: () => unknown): FirsthandError => {
  try {
    run();
  } catch (error) {
    if (error instanceof FirsthandError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('options', () => {
  const ask = (key: string, keys: Record<string, true>): string =>
    thrown(() => checkOptions('f', { [key]: 1 }, keys as Record<never, true>)).message;

  test.each([
    ['dim', { axis: true, keepDims: true }, 'axis'],
    ['dims', { axis: true, keepDims: true }, 'axis'],
    ['axes', { axis: true, keepDims: true }, 'axis'],
    ['Axis', { axis: true, keepDims: true }, 'axis'],
    ['keepdim', { axis: true, keepDims: true }, 'keepDims'],
    ['keepdims', { axis: true, keepDims: true }, 'keepDims'],
    ['keep_dims', { axis: true, keepDims: true }, 'keepDims'],
    ['epsilon', { eps: true, rtol: true }, 'eps'],
    ['learningRate', { lr: true, eps: true }, 'lr'],
    ['learning_rate', { lr: true, eps: true }, 'lr'],
    ['weight_decay', { lr: true, weightDecay: true }, 'weightDecay'],
    ['unbiased', { axis: true, correction: true }, 'correction'],
    ['ddof', { axis: true, correction: true }, 'correction'],
    ['size', { shape: true, dtype: true }, 'shape'],
    ['strides', { stride: true, padding: true }, 'stride'],
    ['pading', { stride: true, padding: true }, 'padding'],
    ['dtpye', { dtype: true, device: true }, 'dtype'],
    ['requires_grad', { dtype: true, requiresGrad: true }, 'requiresGrad'],
  ])('%s is answered with the right key', (key, keys, right) => {
    expect(ask(key, keys as unknown as Record<string, true>)).toContain(`f: there is no option '${key}'`);
    expect(ask(key, keys as unknown as Record<string, true>)).toMatch(new RegExp(`; write ${right}$`));
  });

  test('a key that resembles none is to be left out, and all that there are stand in the message', () => {
    expect(ask('colour', { axis: true, keepDims: true })).toBe(
      "f: there is no option 'colour'; needs axis or keepDims; leave 'colour' out",
    );
  });

  test.each([
    [null, 'null'],
    [1, '1'],
    [true, 'true'],
    ['int32', "'int32'"],
    [[1], 'an array'],
    [new Map(), 'a Map'],
    [new Float32Array(1), 'a Float32Array'],
    [() => 1, 'a function'],
    [1n, '1n'],
  ])('%s is no options object', (value, name) => {
    const error = thrown(() => checkOptions('f', value as object, { dtype: true }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toBe(
      `f: ${name} where options are wanted; needs an object with dtype; write { dtype: … }`,
    );
  });

  test('options without a prototype are options, and none are none', () => {
    expect(
      checkOptions<{ a?: number }>('f', Object.assign(Object.create(null), { a: 1 }) as { a: number }, {
        a: true,
      }).a,
    ).toBe(1);
    expect(checkOptions<{ a?: number }>('f', undefined, { a: true })).toEqual({});
  });

  test('a choice is one of the choices', () => {
    const choices = ['none', 'tanh'] as const;
    expect(checkChoice('gelu', 'approximate', 'tanh', choices)).toBe('tanh');
    for (const wrong of ['tanh ', 'Tanh', 'TANH', 'tan']) {
      expect(thrown(() => checkChoice('gelu', 'approximate', wrong as 'tanh', choices)).message).toBe(
        `gelu: approximate is '${wrong}'; needs 'none' or 'tanh'; write 'tanh'`,
      );
    }
    expect(thrown(() => checkChoice('gelu', 'approximate', true as never, choices)).message).toBe(
      "gelu: approximate is true; needs 'none' or 'tanh'",
    );
  });

  test('an argument too many is refused', () => {
    checkCount('sum', 1, 1, 'x.sum({ axis, keepDims })');
    expect(thrown(() => checkCount('sum', 2, 1, 'x.sum({ axis, keepDims })')).message).toBe(
      'sum: 2 arguments; needs at most 1; write x.sum({ axis, keepDims })',
    );
  });
});

describe('axes and shapes', () => {
  test('an axis is a number, an array or options', () => {
    expect(axisOptions('sum', undefined, REDUCE_KEYS)).toEqual({});
    expect(axisOptions('sum', -1, REDUCE_KEYS)).toEqual({ axis: -1 });
    expect(axisOptions('sum', [0, 1], REDUCE_KEYS)).toEqual({ axis: [0, 1] });
    expect(axisOptions('sum', { axis: [0], keepDims: true }, REDUCE_KEYS)).toEqual({
      axis: [0],
      keepDims: true,
    });
    expect(oneAxisOptions('cumsum', [1] as never, AXIS_KEYS)).toEqual({ axis: 1 });
  });

  test.each([
    ['all'],
    ['1'],
    [true],
    [null],
    [1n],
    [new Int32Array(1)],
    [{ axis: '1' }],
    [{ axis: null }],
    [{ axis: [0, '1'] }],
    [['1']],
  ])('what is no axis: %#', (axis) => {
    expect(thrown(() => axisOptions('sum', axis as never, REDUCE_KEYS))).toBeInstanceOf(OptionError);
  });

  test('keepDims is a boolean, and one axis is one', () => {
    expect(thrown(() => axisOptions('sum', { keepDims: 1 } as never, REDUCE_KEYS)).message).toContain(
      'keepDims is 1',
    );
    expect(thrown(() => oneAxisOptions('cumsum', [0, 1] as never, AXIS_KEYS)).message).toBe(
      'cumsum: 2 axes are given; needs one axis',
    );
  });

  test('a shape is an array or numbers, with options behind', () => {
    const keys = { dtype: true } as const;
    type Options = { readonly dtype?: string };
    const dtype = { dtype: 'bool' };
    expect(readShape<Options>('zeros', [[2, 3]], keys)).toEqual({ shape: [2, 3], options: {} });
    expect(readShape<Options>('zeros', [2, 3], keys)).toEqual({ shape: [2, 3], options: {} });
    expect(readShape<Options>('zeros', [[2, 3], dtype], keys)).toEqual({ shape: [2, 3], options: dtype });
    expect(readShape<Options>('zeros', [2, 3, dtype], keys)).toEqual({ shape: [2, 3], options: dtype });
    expect(readShape<Options>('zeros', [[2, 3], undefined], keys)).toEqual({ shape: [2, 3], options: {} });
    expect(readShape<Options>('zeros', [[]], keys)).toEqual({ shape: [], options: {} });
    expect(readSizes('reshape', [2, -1])).toEqual([2, -1]);
    expect(readSizes('reshape', [[2, -1]])).toEqual([2, -1]);
  });

  test.each([
    [['2']],
    [[undefined]],
    [[2, '3', 4]],
    [[[2, '3']]],
    [[null]],
    [[2n]],
    [[[2, undefined]]],
    [[1.5]],
    [[NaN]],
    [[-1]],
    [[[2], 3]],
    [[2, 3, 'int32']],
    [[[2, 3], 'int32']],
    [[[2], {}, {}]],
  ])('what is no shape: %#', (args) => {
    expect(thrown(() => readShape('zeros', args as never, { dtype: true }))).toBeInstanceOf(FirsthandError);
  });
});

describe('arrays', () => {
  const x = array([[1, 2], [3, 4]]); // prettier-ignore
  const loose = sum as unknown as (...args: unknown[]) => NDArray;

  test('an axis and a shape are given in any form', () => {
    expect([sum(x, 1), sum(x, [1]), sum(x, { axis: 1 }), sum(x, -1)].map((each) => each.toArray())).toEqual(
      new Array(4).fill([3, 7]),
    );
    expect(sum(x, { axis: [0, 1], keepDims: true }).toArray()).toEqual([[10]]);
    expect(argmax(x, 1).toArray()).toEqual([1, 1]);
    expect(cumsum(x, 0).toArray()).toEqual([[1, 2], [4, 6]]); // prettier-ignore
    expect(sort(x, { axis: 0, descending: true }).toArray()).toEqual(sort(x, 0).flip(0).toArray());
    expect(x.flip({ axis: 0 }).toArray()).toEqual(x.flip([0]).toArray());
    expect([x.reshape(4), x.reshape([4]), x.reshape(-1)].map((each) => each.shape)).toEqual([[4], [4], [4]]);
    expect([x.permute(1, 0), x.permute([1, 0])].map((each) => each.toArray())).toEqual(
      new Array(2).fill(x.transpose().toArray()),
    );
    expect([zeros(2, 3), zeros([2, 3]), zeros(2, 3, { dtype: 'int32' })].map((each) => each.shape)).toEqual(
      new Array(3).fill([2, 3]),
    );
    expect([eye(2, 3), eye([2, 3]), eye(2, 3, { dtype: 'bool' })].map((each) => each.shape)).toEqual(
      new Array(3).fill([2, 3]),
    );
    expect([arange(4), arange(0, 4), arange(0, 4, 1), arange(0, 4, { step: 1 })].map(String)).toEqual(
      new Array(4).fill('[0. 1. 2. 3.]'),
    );
    expect(new Generator(1).normal(2, 3, { std: 2 }).toArray()).toEqual(
      new Generator(1).normal([2, 3], { std: 2 }).toArray(),
    );
  });

  test('a misspelled name is the nearest one: at most one edit, or one in three letters', () => {
    /**
     * The edit distance by its definition: an insertion, a deletion, a replacement or an exchange of
     * neighbours first, then the rest.
     */
    const edits = (a: string, b: string): number => {
      if (a === '' || b === '') return a.length + b.length;
      const exchanged =
        a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0]
          ? edits(a.slice(2), b.slice(2)) + 1
          : Infinity;
      const replaced = edits(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1);
      return Math.min(edits(a.slice(1), b) + 1, edits(a, b.slice(1)) + 1, replaced, exchanged);
    };
    const word = fc.string({ unit: fc.constantFrom('x', 'y', 'z'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(word, word, (given, name) => {
        expect(nearest(given, [name])).toBe(
          edits(given, name) <= Math.max(1, Math.floor(given.length / 3)) ? name : null,
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('what other libraries write is refused where it means something else', () => {
    const cases: [() => unknown, string][] = [
      [() => loose(x, 1, true), 'sum: 3 arguments; needs at most 2; write sum(x, { axis, keepDims })'],
      [
        () => loose(x, '1'),
        "sum: the axis is '1'; needs a number, an array of numbers or { axis }; write sum(1) or sum({ axis: 1 })",
      ],
      [() => loose(x, array(1)), 'sum: the axis is an NDArray; needs a number'],
      [() => loose(x, { axis: 1n }), 'sum: the axis is 1n; needs a number'],
      [() => loose(x, NaN), 'sum: axis NaN is out of range for 2 axes; needs a whole number from -2 to 1'],
      [() => loose(x, [1.5]), 'sum: axis 1.5 is out of range for 2 axes'],
      [() => loose([[1, 2]], 1), 'sum: the operand is an array; needs an NDArray; make one with array(…)'],
      [
        () => x.transpose([1, 0] as never),
        'transpose: an array where two axes are exchanged; needs two axes, or none for the last two; write transpose(0, 1), or permute(…)',
      ],
      [
        () => x.transpose(...([2, 0, 1] as unknown as [number])),
        'transpose: 3 axes where two axes are exchanged',
      ],
      [() => x.reshape('4' as never), "reshape: '4' is no size; needs an array of numbers or numbers"],
      [() => x.astype('float' as never), "astype: dtype is 'float'; needs 'float32', "],
      [() => x.at([0] as never), 'at: the index of axis 0 is an array, not a number'],
      [
        () => zeros([2], 'int32' as never),
        "zeros: 'int32' where options are wanted; needs an object with dtype; write { dtype: … }",
      ],
      [() => add(x, true as never), 'add: b is true; needs an NDArray or a number; make one with array(…)'],
      [() => add(undefined as never, x), 'add: a is undefined; needs an NDArray or a number'],
      [
        () => concatenate(x as never),
        'concatenate: an NDArray where arrays are wanted; needs an array of NDArrays; write concatenate([a, b])',
      ],
      [
        () => new Generator(1).uniform(0, 1, [2, 3] as never),
        'uniform: an array where options are wanted; needs an object with low, high or dtype',
      ],
    ];
    for (const [run, message] of cases) expect(thrown(run).message).toContain(message);
  });

  test('text is what toString gives, and operators throw', () => {
    expect(`${x as unknown as string}`).toBe(x.toString());
    expect(String(x)).toBe('[[1. 2.]\n [3. 4.]]');
    expect(JSON.stringify({ x })).toBe('{"x":[[1,2],[3,4]]}');
    expect(array(JSON.parse(JSON.stringify(x)) as number[][]).toArray()).toEqual(x.toArray());
    const number = x as unknown as number;
    for (const run of [
      () => number + 1,
      () => number * 2,
      () => +number,
      () => number < 1,
      () => number + '',
    ]) {
      expect(run).toThrow('an array is no number: write add(a, b) for a + b');
      expect(run).toThrow(TypeError);
    }
  });

  test('errors carry their operands', () => {
    const y = zeros([3], { dtype: 'float64' });
    const kinds: [() => unknown, string, unknown[]][] = [
      [() => add(x, zeros(3)), 'add', [x, zeros(3)]],
      [() => add(x, y), 'add', [x, y]],
      [() => matmul(x, zeros(3)), 'matmul', [x, zeros(3)]],
      [() => sum(x, 2), 'sum', [x]],
      [() => exp(array([1], { dtype: 'int32' })), 'exp', [array([1], { dtype: 'int32' })]],
      [() => x.reshape(3), 'reshape', [x]],
      [() => x.get(2, 0), 'get', [x]],
      [() => take(x, [2]), 'take', [x]],
      [() => stack([x, y]), 'stack', [x, y]],
    ];
    for (const [run, operation, operands] of kinds) {
      const error = thrown(run);
      expect(error.operation).toBe(operation);
      expect(error.operands).toEqual(
        (operands as NDArray[]).map(({ shape, dtype }) => ({ name: null, shape, dtype })),
      );
      expect(error.expected).toEqual(expect.any(String));
    }
  });
});

describe('errors', () => {
  const left = { name: 'w', shape: [2, 3], dtype: 'float32' };
  const right = { shape: [4], dtype: 'int32' };

  test('the message is composed of the fields', () => {
    expect(
      new DTypeError({
        operation: 'exp',
        operands: [right],
        expected: 'floats',
        remedy: "use cast('float32')",
      }).message,
    ).toBe("exp: needs floats, got int32 [4]; use cast('float32')");
    expect(
      new ShapeError({
        operation: 'add',
        problem: 'sizes differ',
        operands: [left, right],
        expected: 'equal sizes',
      }).message,
    ).toBe('add: sizes differ; needs equal sizes');
    expect(new ShapeError({ operation: null, operands: [left, right], expected: 'one shape' }).message).toBe(
      'needs one shape, got float32 [2, 3] "w" and int32 [4]',
    );
    const remedy = "compare first, or cast('bool')";
    expect(new ShapeError({ operation: 'not', operands: [right], expected: 'bool', remedy }).message).toBe(
      "not: needs bool, got int32 [4]; compare first, or cast('bool')",
    );
  });

  test('the fields are plain data', () => {
    const error = new ShapeError({
      operation: 'add',
      problem: 'sizes differ',
      operands: [left, right],
      expected: 'equal sizes',
    });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'ShapeError',
      scope: null,
      message: 'add: sizes differ; needs equal sizes',
      operation: 'add',
      operands: [left, { name: null, ...right }],
      expected: 'equal sizes',
    });
    const bare = new FirsthandError('lost', { cause: error });
    expect([bare.operation, bare.operands, bare.expected, bare.cause]).toEqual([null, [], null, error]);
  });
});
