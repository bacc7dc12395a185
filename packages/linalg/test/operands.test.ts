/**
 * What is no operand is refused by every exported function and method, with a typed error that names the
 * operation, what was given and what is wanted: plain booleans and strings, null, undefined, bigints,
 * objects, functions, and JavaScript arrays where an NDArray belongs. The table is exhaustive over the
 * exports.
 */
import { describe, expect, test } from 'vitest';
import * as linalg from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;
/** What an argument is, which says what it is not. */
type Kind =
  | 'array'
  | 'operand'
  | 'number'
  | 'element'
  | 'axis'
  | 'index'
  | 'range'
  | 'data'
  | 'numbers'
  | 'arrays'
  | 'indices'
  | 'widths'
  | 'free';

const { array, FirsthandError } = linalg;
const x = array([[1, 2], [3, 4]]); // prettier-ignore
const vector = array([1, 2]);
const truth = array([[true, false], [true, true]]); // prettier-ignore
const index = array([[0, 1]], { dtype: 'int32' });

const NOTHING = {
  null: null,
  'a bigint': 1n,
  'an object': {},
  'a function': () => 1,
  'a symbol': Symbol('s'),
  'a string': 'two',
};
/** For each kind, what it refuses, by name. */
const REFUSED: { readonly [K in Kind]: { readonly [name: string]: unknown } } = {
  array: { ...NOTHING, undefined, 'a boolean': true, 'a number': 1, 'an array': [1, 2], 'a typed array': new Float32Array(2) },
  operand: { ...NOTHING, undefined, 'a boolean': true, 'an array': [1, 2], 'a typed array': new Float32Array(2), 'a numeral': '1' },
  number: { ...NOTHING, 'a boolean': true, 'an array': [1], 'a numeral': '1', 'an NDArray': vector },
  element: { ...NOTHING, undefined, 'a boolean': true, 'two for one': [1, 2], 'an NDArray of two': vector, 'a numeral': '1', 'a numeral in a row': ['1'] },
  axis: { null: null, 'a bigint': 1n, 'a function': () => 1, 'a symbol': Symbol('s'), 'a string': 'two', 'a boolean': true, 'a numeral': '1', 'an NDArray': vector },
  index: { 'a bigint': 1n, 'a function': () => 1, 'a symbol': Symbol('s'), 'a string': 'two', 'a boolean': true, 'an array': [0], 'an NDArray': vector },
  range: { 'a number': 1, 'a bigint': 1n, 'a function': () => 1, 'a symbol': Symbol('s'), 'a string': 'two', 'a boolean': true, 'an array': [0, 1], 'an NDArray': vector },
  data: { ...NOTHING, undefined, 'a numeral': '1', 'a string in a row': ['two'], 'null in a row': [[1, null]], 'an object in a row': [{}] },
  numbers: { ...NOTHING, 'a boolean': true, 'a numeral': '1', 'strings': ['0'], 'booleans': [true], 'null in a row': [null] },
  arrays: { ...NOTHING, undefined, 'a boolean': true, 'a number': 1, 'an NDArray': x, numbers: [1, 2], 'plain arrays': [[1], [2]], 'one that is none': [x, null] },
  indices: { ...NOTHING, undefined, 'a boolean': true, 'a number': 1, 'strings': ['0'], 'booleans': [true], 'null in a row': [null] },
  widths: { ...NOTHING, undefined, 'a boolean': true, 'a number': 1, 'numbers': [1, 2], 'strings': [['0', '1'], [0, 0]] },
  free: {},
}; // prettier-ignore

interface Entry {
  readonly call: Call;
  /** Valid arguments, each with its kind. */
  readonly args: readonly (readonly [kind: Kind, value: unknown])[];
  /** What the operation is called in messages, if not by its export. */
  readonly says?: string;
}

const exports_: Readonly<Record<string, unknown>> = { ...linalg };
const fn = (name: string): Call => exports_[name] as Call;
const entry = (name: string, ...args: Entry['args']): [string, Entry] => [name, { call: fn(name), args }];
const method = (receiver: () => object, name: string, ...args: Entry['args']): Entry => ({
  call: (...given) => (receiver() as Record<string, Call>)[name]!(...given),
  args,
  says: name,
});
const on = (name: string, ...args: Entry['args']): [string, Entry] => [
  `NDArray.${name}`,
  method(() => x.copy(), name, ...args),
];
const drawn = (name: string, ...args: Entry['args']): [string, Entry] => [
  `Generator.${name}`,
  method(() => new linalg.Generator(1), name, ...args),
];

const UNARY = [
  'neg', 'abs', 'sign', 'exp', 'expm1', 'log', 'log1p', 'sqrt', 'rsqrt', 'reciprocal', 'sin', 'cos', 'tan', 'tanh', 'erf', 'normalCdf', 'sigmoid', 'floor', 'ceil', 'round',
  'logicalNot', 'isNaN', 'diagonal', 'trace',
] as const; // prettier-ignore
const BINARY = [
  'add', 'sub', 'mul', 'div', 'pow', 'mod', 'maximum', 'minimum', 'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'logicalAnd', 'logicalOr',
] as const; // prettier-ignore
const REDUCTIONS = ['sum', 'prod', 'max', 'min', 'mean', 'variance', 'std', 'norm', 'argmax', 'argmin', 'cumsum', 'cumprod', 'sort', 'argsort'] as const; // prettier-ignore

const TABLE: ReadonlyMap<string, Entry> = new Map([
  ...UNARY.map((name) => entry(name, ['array', x])),
  ...BINARY.map((name) => entry(name, ['operand', x], ['operand', x])),
  ...REDUCTIONS.map((name) => entry(name, ['array', x], ['axis', 0])),
  entry('array', ['data', [1, 2]]),
  entry('zeros', ['numbers', [2, 3]]),
  entry('ones', ['numbers', [2, 3]]),
  entry('full', ['numbers', [2, 3]], ['number', 1]),
  entry('eye', ['numbers', [2]]),
  entry('arange', ['number', 3]),
  entry('linspace', ['number', 0], ['number', 1], ['number', 5]),
  entry('iota', ['numbers', [2, 3]], ['number', 0]),
  entry('stack', ['arrays', [x, x]], ['axis', 0]),
  entry('concatenate', ['arrays', [x, x]], ['axis', 0]),
  entry('pad', ['array', x], ['widths', [[0, 1], [1, 0]]], ['number', 7]), // prettier-ignore
  entry('where', ['array', truth], ['operand', x], ['operand', x]),
  entry('linearRecurrence', ['array', x], ['array', x], ['axis', 0]),
  entry('gather', ['array', x], ['array', index], ['number', 0]),
  entry(
    'scatter',
    ['free', 'add'],
    ['array', x],
    ['array', index],
    ['array', array([[1, 1]])],
    ['number', 0],
  ),
  entry('take', ['array', x], ['indices', [0, 1]], ['axis', 0]),
  entry('matmul', ['array', x], ['array', x]),
  entry('dot', ['array', vector], ['array', vector]),
  entry('outer', ['array', vector], ['array', vector]),
  entry('kron', ['array', x], ['array', x]),
  entry('tensordot', ['array', x], ['array', x]),
  ['einsum', { call: (a, b) => fn('einsum')('ij,jk->ik', a, b), args: [['array', x], ['array', x]] }], // prettier-ignore
  ['unary', { call: (a) => fn('unary')('exp', a), args: [['array', x]], says: 'exp' }],
  ['binary', { call: (a, b) => fn('binary')('add', a, b), args: [['operand', x], ['operand', x]], says: 'add' }], // prettier-ignore
  ['reduce', { call: (a, axes) => fn('reduce')('sum', a, axes), args: [['array', x], ['numbers', [0]]], says: 'sum' }], // prettier-ignore
  ['argReduce', { call: (a, axis) => fn('argReduce')('argmax', a, axis), args: [['array', x], ['number', 0]], says: 'argmax' }], // prettier-ignore
  on('get', ['number', 0], ['number', 1]),
  on('set', ['element', 5], ['number', 0], ['number', 1]),
  on('at', ['index', 0], ['index', null]),
  on('reshape', ['numbers', [4]]),
  on('broadcastTo', ['numbers', [3, 2, 2]]),
  on('permute', ['numbers', [1, 0]]),
  on('transpose', ['number', 0], ['number', 1]),
  on('flip', ['axis', [0]]),
  on('astype', ['free', 'int32']),
  ...['contiguous', 'copy', 'toArray'].map((name) => on(name)),
  on('slice', ['range', null]),
  drawn('uniform', ['numbers', [2]]),
  drawn('normal', ['numbers', [2]]),
  drawn('integers', ['number', 0], ['number', 9]),
  drawn('permutation', ['number', 5]),
  drawn('advance', ['number', 1]),
  drawn('split'),
]);

/** Exports that take no operands: errors, checks, tables, and what is built with the types themselves. */
const OTHERS = new Set([
  'describeOperand', 'unaryFunction', 'binaryFunction', 'printable', 'withOperands', 'checkChoice', 'checkFunction', 'checkNumber', 'checkOptions', 'describeValue', 'isPlain', 'nearest', 'axisOptions', 'checkCount', 'oneAxisOptions', 'readArray', 'readExchange', 'readShape',
  'readSizes', 'readRange', 'allocate', 'checkDType', 'fromFloat16Bits', 'toFloat16Bits', 'floatsWithin', 'broadcastShapes', 'checkShape', 'equalShapes', 'formatShape',
  'normalizeAxes', 'normalizeAxis', 'normalizeIndex', 'resolveRange', 'rowMajorStrides', 'sizeOf', 'philox4x32', 'randomBits', 'DTypeError', 'FirsthandError', 'OptionError', 'ShapeError', 'NDArray', 'Generator',
]); // prettier-ignore
/** Methods that others call, and those of JavaScript. */
const OTHER_METHODS = new Set([
  'constructor',
  'toString',
  'toJSON',
  'position',
  'countError',
  'lead',
  'view',
  'indexed',
  'words',
  'units',
  'below',
]);

test('the table names every function and method', () => {
  const functions = Object.entries(exports_).flatMap(([name, value]) =>
    typeof value === 'function' && !OTHERS.has(name) ? [name] : [],
  );
  const methods = [linalg.NDArray, linalg.Generator].flatMap((type) =>
    Object.entries(Object.getOwnPropertyDescriptors(type.prototype)).flatMap(([name, { value }]) =>
      typeof value === 'function' && !OTHER_METHODS.has(name)
        ? [`${type === linalg.NDArray ? 'NDArray' : 'Generator'}.${name}`]
        : [],
    ),
  );
  expect([...TABLE.keys()].toSorted()).toEqual([...functions, ...methods].toSorted());
});

function failureOf(run: () => unknown): Error | null {
  try {
    run();
    return null;
  } catch (error) {
    return error as Error;
  }
}

describe.each([...TABLE.keys()])('%s', (name) => {
  const { call, args, says = name } = TABLE.get(name)!;
  const valid = args.map(([, value]) => value);
  test('takes what it should take', () => {
    expect(() => call(...valid)).not.toThrow();
  });
  const cases = args.flatMap(([kind], position) =>
    Object.entries(REFUSED[kind]).map(([title, value]) => [position, title, kind, value] as const),
  );
  if (cases.length === 0) return;
  test.each(cases)('argument %d: %s', (position, _, kind, value) => {
    const error = failureOf(() => call(...valid.with(position, value)));
    expect(error, 'nothing was thrown').not.toBeNull();
    expect(error, String(error)).toBeInstanceOf(FirsthandError);
    expect(error!.message).toContain(says);
    const { operation, expected } = error as InstanceType<typeof FirsthandError>;
    expect(operation).toBe(says);
    expect(expected, 'what is wanted').not.toBeNull();
    if (kind === 'array' || kind === 'operand')
      expect(error!.message, 'what to do').toContain('make one with array(');
  });
});
