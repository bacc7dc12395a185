// Every public function and method follows the convention: an option that does not exist and an
// argument too many are errors that name the right call.
import { testCalls, type CallTable } from '../../../tests/support/call-table.ts';
import * as linalg from '../src/index.ts';

const x = linalg.array([
  [1, 2],
  [3, 4],
]);
const vector = linalg.array([1, 2]);
const index = linalg.array([[0, 1]], { dtype: 'int32' });
const generator = new linalg.Generator(1);
const all: Readonly<Record<string, unknown>> = { ...linalg };
type Call = (...args: unknown[]) => unknown;
/** A function as plain JavaScript sees it. */
const loose = (call: unknown): Call => call as Call;
const method =
  (receiver: object, name: string): Call =>
  (...args) =>
    (receiver as Record<string, Call>)[name]!(...args);

const reduction = { axis: 'dim', keepDims: 'keepdim' };
const unary = (name: string): CallTable[string] => ({ call: (...more) => loose(all[name])(x, ...more) });
const binary = (name: string): CallTable[string] => ({ call: (...more) => loose(all[name])(x, x, ...more) });
const reduce = (name: string, options: Record<string, string> = reduction): CallTable[string] => ({
  call: (...more) => loose(all[name])(x, ...more),
  options,
});
const on = (name: string, ...args: unknown[]): CallTable[string] => ({
  call: (...more) => method(x, name)(...args, ...more),
});

const UNARY = [
  'neg', 'abs', 'sign', 'exp', 'expm1', 'log', 'log1p', 'sqrt', 'rsqrt', 'reciprocal', 'sin', 'cos', 'tan', 'tanh', 'erf', 'normalCdf', 'sigmoid', 'floor', 'ceil', 'round',
  'logicalNot', 'isNaN',
] as const; // prettier-ignore
const BINARY = [
  'add', 'sub', 'mul', 'div', 'pow', 'mod', 'maximum', 'minimum', 'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'logicalAnd', 'logicalOr', 'matmul', 'kron',
] as const; // prettier-ignore

/** What packages are built with, and nobody calls to compute. */
const PARTS = [
  'describeOperand', 'unaryFunction', 'binaryFunction', 'printable', 'withOperands', 'checkChoice', 'checkFunction', 'checkNumber', 'checkOptions', 'describeValue', 'isPlain', 'nearest', 'normalizeIndex', 'resolveRange', 'NDArray.indexed', 'axisOptions', 'checkCount', 'oneAxisOptions', 'readArray', 'readExchange', 'readShape',
  'readSizes', 'readRange', 'allocate', 'checkDType', 'fromFloat16Bits', 'toFloat16Bits', 'floatsWithin', 'broadcastShapes', 'checkShape', 'equalShapes', 'formatShape',
  'normalizeAxes', 'normalizeAxis', 'rowMajorStrides', 'sizeOf', 'unary', 'binary', 'reduce', 'argReduce', 'philox4x32', 'randomBits', 'new DTypeError',
  'new FirsthandError', 'new OptionError', 'new ShapeError', 'new NDArray', 'NDArray.fromParts', 'NDArray.packed',
]; // prettier-ignore

const TABLE: CallTable = {
  ...Object.fromEntries(PARTS.map((name) => [name, null])),
  ...Object.fromEntries(UNARY.map((name) => [name, unary(name)])),
  ...Object.fromEntries(BINARY.map((name) => [name, binary(name)])),
  array: {
    call: (...more) => loose(linalg.array)([1], ...more),
    options: { dtype: 'type', shape: 'size', copy: 'copyy' },
  },
  zeros: { call: (...more) => loose(linalg.zeros)([2], ...more), options: { dtype: 'type' } },
  ones: { call: (...more) => loose(linalg.ones)(2, 3, ...more), options: { dtype: 'type' } },
  full: { call: (...more) => loose(linalg.full)([2], 1, ...more), options: { dtype: 'type' } },
  eye: { call: (...more) => loose(linalg.eye)(2, ...more), options: { dtype: 'type' } },
  arange: { call: (...more) => loose(linalg.arange)(2, ...more), options: { dtype: 'type', step: 'steps' } },
  linspace: { call: (...more) => loose(linalg.linspace)(0, 1, 5, ...more), options: { dtype: 'type' } },
  iota: { call: (...more) => loose(linalg.iota)([2, 3], 0, ...more), options: { dtype: 'type' } },
  concatenate: { call: (...more) => loose(linalg.concatenate)([x, x], ...more), options: { axis: 'dim' } },
  stack: { call: (...more) => loose(linalg.stack)([x, x], ...more), options: { axis: 'dim' } },
  pad: { call: (...more) => loose(linalg.pad)(x, [[0, 1], [1, 0]], 7, ...more) }, // prettier-ignore
  where: { call: (...more) => loose(linalg.where)(linalg.gt(x, 1), x, 0, ...more) },
  sum: reduce('sum'),
  prod: reduce('prod'),
  max: reduce('max'),
  min: reduce('min'),
  mean: reduce('mean'),
  argmax: reduce('argmax'),
  argmin: reduce('argmin'),
  variance: reduce('variance', { ...reduction, correction: 'ddof' }),
  std: reduce('std', { ...reduction, correction: 'unbiased' }),
  norm: reduce('norm', { ...reduction, order: 'p' }),
  cumsum: reduce('cumsum', { axis: 'dim' }),
  cumprod: reduce('cumprod', { axis: 'dim' }),
  linearRecurrence: { call: (...more) => loose(linalg.linearRecurrence)(x, x, 0, ...more) },
  sort: reduce('sort', { axis: 'dim', descending: 'reverse' }),
  argsort: reduce('argsort', { axis: 'dim', descending: 'decsending' }),
  gather: { call: (...more) => linalg.gather(x, index, 0, ...(more as [])) },
  scatter: { call: (...more) => loose(linalg.scatter)('add', x, index, linalg.array([[1, 1]]), 0, ...more) },
  take: { call: (...more) => loose(linalg.take)(x, [0], ...more), options: { axis: 'dim' } },
  dot: { call: (...more) => loose(linalg.dot)(vector, vector, ...more) },
  outer: { call: (...more) => loose(linalg.outer)(vector, vector, ...more) },
  tensordot: { call: (...more) => loose(linalg.tensordot)(x, x, 1, ...more) },
  diagonal: unary('diagonal'),
  trace: unary('trace'),
  einsum: { call: (...more) => loose(linalg.einsum)('ij->', x, ...more) },
  'new Generator': {
    call: (...more) => new (linalg.Generator as new (...args: unknown[]) => object)(1, ...more),
  },
  'Generator.advance': { call: (...more) => method(generator, 'advance')(1, ...more) },
  'Generator.split': { call: (...more) => method(generator, 'split')(...more) },
  'Generator.words': null,
  'Generator.units': null,
  'Generator.below': null,
  'Generator.uniform': {
    call: (...more) => method(generator, 'uniform')(2, 3, ...more),
    options: { low: 'min', high: 'max', dtype: 'type' },
  },
  'Generator.normal': {
    call: (...more) => method(generator, 'normal')([2], ...more),
    options: { mean: 'means', std: 'stddev', dtype: 'type' },
  },
  'Generator.integers': {
    call: (...more) => method(generator, 'integers')(0, 9, ...more),
    options: { shape: 'size', dtype: 'type' },
  },
  'Generator.permutation': { call: (...more) => method(generator, 'permutation')(5, ...more) },
  'NDArray.position': null,
  'NDArray.countError': null,
  'NDArray.lead': null,
  'NDArray.view': null,
  'NDArray.contiguous': on('contiguous'),
  'NDArray.copy': on('copy'),
  'NDArray.astype': on('astype', 'int32'),
  'NDArray.get': on('get', 0, 1),
  'NDArray.set': { call: (...more) => method(x.copy(), 'set')(5, 0, 1, ...more) },
  'NDArray.at': on('at', 0, 1),
  'NDArray.slice': {
    call: (...more) => method(x, 'slice')(null, ...more),
    options: { start: 'begin', stop: 'end', step: 'steps' },
  },
  'NDArray.reshape': on('reshape', 2, 2),
  'NDArray.permute': on('permute', 1, 0),
  'NDArray.transpose': on('transpose', 0, 1),
  'NDArray.flip': { call: (...more) => method(x, 'flip')(...more), options: { axis: 'dim' } },
  'NDArray.broadcastTo': on('broadcastTo', 2, 2),
  'NDArray.toArray': on('toArray'),
  'NDArray.toString': null, // JavaScript itself calls these two with arguments
  'NDArray.toJSON': null,
};

testCalls(linalg, ['NDArray', 'Generator'], TABLE);
