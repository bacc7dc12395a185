/** Arrays from data and from nothing, and how they print; the printed forms were recorded from numpy 2.4. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arange,
  array,
  DTypeError,
  eye,
  FirsthandError,
  full,
  iota,
  linspace,
  type NDArray,
  ones,
  ShapeError,
  zeros,
  type Nested,
} from '../src/index.ts';
import { indicesOf, shapes } from './helpers.ts';

describe('array', () => {
  test('toArray and array are inverse', () => {
    fc.assert(
      fc.property(
        shapes.filter((shape) => !shape.slice(0, -1).includes(0)),
        (shape) => {
          const x = arange(indicesOf(shape).length).reshape(shape);
          const again = array(x.toArray());
          expect([again.shape, again.toArray()]).toEqual([x.shape, x.toArray()]);
        },
      ),
    );
    expect(array(true).toArray()).toBe(true);
    expect(array([[true], [false]]).toArray()).toEqual([[true], [false]]);
  });

  test('types by default', () => {
    expect(
      [
        1,
        [true],
        [1, true],
        [],
        new Float64Array(1),
        new Int8Array(1),
        new Uint8Array(1),
        new Uint32Array(1),
      ].map((data) => array(data as Nested).dtype),
    ).toEqual(['float32', 'bool', 'float32', 'float32', 'float64', 'int32', 'int32', 'uint32']);
    expect(array(new Uint32Array([7]), { dtype: 'int32' }).data).toBeInstanceOf(Int32Array);
    expect(array(new Uint8Array([0, 7]), { dtype: 'bool' }).toArray()).toEqual([false, true]);
    expect(array(new Uint8Array([0, 255]), { dtype: 'float32' }).toArray()).toEqual([0, 255]);
    expect(array(new Uint16Array([0x3c00]), { dtype: 'float16' }).toArray()).toEqual([1]);
    expect(array(new Uint16Array([60000]), { dtype: 'int32' }).toArray()).toEqual([60000]);
    expect(array([1.5, 70000], { dtype: 'float16' }).toArray()).toEqual([1.5, Infinity]);
  });

  test('takes arrays, rows of typed arrays, and data that brings its shape', () => {
    const x = arange(6).reshape([2, 3]).transpose();
    const copy = array(x);
    expect([copy.toArray(), copy.dtype, copy.data === x.data]).toEqual([x.toArray(), 'float32', false]);
    expect(array(x, { copy: false })).toBe(x);
    expect(array(x, { dtype: 'int32', shape: [6] }).toArray()).toEqual([0, 3, 1, 4, 2, 5]);
    expect(array(x, { dtype: 'int32' }).dtype).toBe('int32');
    expect(array([Float64Array.of(1, 2), Float64Array.of(3, 4)]).dtype).toBe('float64');
    expect(array([Uint8Array.of(1, 2), Int32Array.of(3, 4)]).dtype).toBe('int32');
    expect(array([Float64Array.of(1, 2), [3, 4]]).dtype).toBe('float32');
    expect(array([Float64Array.of(1, 2), [3, 4]]).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test.each([
    ['uint8', Uint8Array.of(1, 255), 'int32', [1, 255]],
    ['uint16', Uint16Array.of(1, 65535), 'int32', [1, 65535]],
    ['int8', Int8Array.of(1, -1), 'int32', [1, -1]],
    ['int64', Int32Array.of(1, -1), 'int32', [1, -1]],
    ['bfloat16', Float32Array.of(1, -1), 'float32', [1, -1]],
    ['float16', Uint16Array.of(0x3c00, 0xbc00), 'float16', [1, -1]],
    ['bool', Uint8Array.of(1, 0), 'bool', [true, false]],
    ['float64', Float64Array.of(1, -1), 'float64', [1, -1]],
  ] as const)('data that a file calls %s', (dtype, data, memory, values) => {
    const x = array({ data, dtype, shape: [2, 1] });
    expect([x.dtype, x.shape, x.toArray()]).toEqual([memory, [2, 1], values.map((value) => [value])]);
    const numbers = values.map(Number);
    expect(array({ data, dtype, shape: [2] }, { dtype: 'float32' }).toArray()).toEqual(numbers);
    expect(array({ data, dtype, shape: [2] }, { dtype: 'float16' }).toArray()).toEqual(
      numbers.map((value) => (value === 65535 ? Infinity : value)),
    );
    expect(array({ data, dtype, shape: [2] }, { copy: false }).toArray()).toEqual(values);
  });

  test('refuses what is no data', () => {
    const wrong: unknown[] = [
      '1',
      ['1'],
      [[1], ['2']],
      null,
      undefined,
      [undefined],
      {},
      new Map(),
      new BigInt64Array(1),
      [[1n]],
      new DataView(new ArrayBuffer(8)),
    ];
    for (const data of wrong) expect(() => array(data as Nested), String(data)).toThrow(DTypeError);
    expect(() => array([[1], ['2']] as unknown as Nested)).toThrow(
      "array: wants numbers, nested arrays of numbers, a typed array or an NDArray, not '2'",
    );
    expect(() => array(new BigInt64Array(1) as unknown as Nested)).toThrow(
      'a BigInt64Array has elements of no dtype',
    );
    expect(() => array({ data: Float32Array.of(1), shape: [2], dtype: 'float32' })).toThrow(
      '1 elements do not fill shape [2]',
    );
    expect(() => array([Float32Array.of(1), Float32Array.of(1, 2)])).toThrow('rows differ in length');
    expect(() => array([[[1]], Float32Array.of(1)])).toThrow(ShapeError);
  });

  test('set writes a number, or an array into a sub-array', () => {
    const x = zeros([2, 3]);
    x.set([1, 2, 3], 0);
    x.set(Int32Array.of(4, 5, 6), -1);
    x.set(9, 1, 0);
    expect(x.toArray()).toEqual([
      [1, 2, 3],
      [9, 5, 6],
    ]);
    x.set(x.flip(1));
    expect(x.toArray()).toEqual([
      [3, 2, 1],
      [6, 5, 9],
    ]);
    x.transpose().set(array([7, 8], { dtype: 'int32' }), 2);
    expect(x.toArray()).toEqual([
      [3, 2, 7],
      [6, 5, 8],
    ]);
    expect(() => x.set([1, 2], 0)).toThrow(ShapeError);
    expect(() => x.set(1, 0)).toThrow('set: 1 indices for an array of shape [2, 3]; give 2');
  });

  test('copies its data', () => {
    const data = new Float32Array(2);
    const x = array(data);
    data[0] = 5;
    expect(x.get(0)).toBe(0);
    const bits = new Uint16Array(1);
    expect(array(bits, { dtype: 'float16' }).data).not.toBe(bits);
  });

  test('is a view of its data where that is asked for, and the dtype allows it', () => {
    const data = new Float32Array(6);
    expect(array(data, { shape: [2, 3], copy: false }).data).toBe(data);
    expect(array(data, { dtype: 'float64', copy: false }).data).toBeInstanceOf(Float64Array);
    const bits = new Uint16Array(1);
    expect(array(bits, { dtype: 'float16', copy: false }).data).toBe(bits);
    expect(array(new Int8Array([-1]), { copy: false }).toArray()).toEqual([-1]);
  });

  test('errors', () => {
    expect(() => array([[1, 2], [3]])).toThrow(
      'array: rows differ in length: 1 entries at depth 1, where the first row has 2 entries',
    );
    expect(() => array([[1], 2])).toThrow(ShapeError);
    expect(() => array([1, [2]])).toThrow(ShapeError);
    expect(() => array([1, 2, 3], { shape: [2, 2] })).toThrow(
      'array: 3 elements do not fill shape [2, 2], which holds 4',
    );
    expect(() => array(new Uint16Array(1))).toThrow('may hold float16 bits or whole numbers');
  });
});

test('arrays from nothing', () => {
  expect(zeros([2], { dtype: 'int32' }).toArray()).toEqual([0, 0]);
  expect(ones([1, 2]).toArray()).toEqual([[1, 1]]);
  expect(full([2], 1, { dtype: 'bool' }).toArray()).toEqual([true, true]);
  expect(eye(2, 3).toArray()).toEqual([
    [1, 0, 0],
    [0, 1, 0],
  ]);
  expect(arange(3).toArray()).toEqual([0, 1, 2]);
  expect(arange(5, 0, -2, { dtype: 'int32' }).toArray()).toEqual([5, 3, 1]);
  expect(arange(3, 1).size).toBe(0);
  expect(() => arange(0, 1, 0)).toThrow(FirsthandError);
  expect(linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
  expect(linspace(3, 4, 1).toArray()).toEqual([3]);
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
      fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
      (first, last) => {
        const x = linspace(first, last, 7, { dtype: 'float64' });
        expect([x.get(0) - first, x.get(-1) - last]).toEqual([0, 0]);
      },
    ),
  );
  expect(iota([2, 3], 1).toArray()).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  expect(iota([2, 2], 0, { dtype: 'float32' }).toArray()).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

describe('toString, as numpy prints', () => {
  const float64 = (data: Nested): NDArray => array(data, { dtype: 'float64' });
  test.each<[string, NDArray, string]>([
    [
      'whole floats',
      float64([
        [1, 2],
        [3, 4],
      ]),
      '[[1. 2.]\n [3. 4.]]',
    ],
    [
      'fractions aligned',
      float64([
        [1.5, 2],
        [3, -0.004],
      ]),
      '[[ 1.5    2.   ]\n [ 3.    -0.004]]',
    ],
    ['float32 digits', array([0.1, 1 / 3]), '[0.1        0.33333334]'],
    ['float16 digits', array([0.1, 2], { dtype: 'float16' }), '[0.1 2. ]'],
    ['float64 digits', float64([0.1, 1 / 3]), '[0.1        0.33333333]'],
    ['exponents', float64([1e-10, 1]), '[1.e-10 1.e+00]'],
    ['large', array([1e9, -2.5e8]), '[ 1.0e+09 -2.5e+08]'],
    ['non-finite', float64([NaN, Infinity, -Infinity, 1.25]), '[ nan  inf -inf 1.25]'],
    ['only NaN', float64([NaN]), '[nan]'],
    [
      'integers',
      array(
        [
          [1, -20],
          [300, 4],
        ],
        { dtype: 'int32' },
      ),
      '[[  1 -20]\n [300   4]]',
    ],
    ['bools', array([true, false]), '[ True False]'],
    ['scalar', float64(2.5), '2.5'],
    ['three axes', arange(8).reshape([2, 2, 2]), '[[[0. 1.]\n  [2. 3.]]\n\n [[4. 5.]\n  [6. 7.]]]'],
    ['empty', zeros([0]), '[]'],
    [
      'long rows wrap',
      arange(40),
      '[ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.\n 18. 19. 20. 21. 22. 23. 24. 25. 26. 27. 28. 29. 30. 31. 32. 33. 34. 35.\n 36. 37. 38. 39.]',
    ],
    [
      'long integers wrap in two axes',
      arange(60).reshape([2, 30]).astype('int32'),
      '[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n  24 25 26 27 28 29]\n [30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53\n  54 55 56 57 58 59]]',
    ],
    ['summarized vector', arange(2000, { dtype: 'int32' }), '[   0    1    2 ... 1997 1998 1999]'],
    [
      'summarized matrix',
      arange(4000).reshape([100, 40]).astype('int32'),
      '[[   0    1    2 ...   37   38   39]\n [  40   41   42 ...   77   78   79]\n [  80   81   82 ...  117  118  119]\n ...\n [3880 3881 3882 ... 3917 3918 3919]\n [3920 3921 3922 ... 3957 3958 3959]\n [3960 3961 3962 ... 3997 3998 3999]]',
    ],
    ['summarized floats', arange(2000), '[0.000e+00 1.000e+00 2.000e+00 ... 1.997e+03 1.998e+03 1.999e+03]'],
  ])('%s', (_, x, text) => {
    expect(String(x)).toBe(text);
  });
});
