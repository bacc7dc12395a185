// Every function and method that people call, by the convention: an option that does not exist and an
// argument too many are errors that name the right call.
import { expect, test } from 'vitest';
import { testCalls, testRefusals, type CallTable } from '../../../tests/support/call-table.ts';
import * as autograd from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;
type Loose = new (...args: unknown[]) => object;
const all: Readonly<Record<string, unknown>> = { ...autograd };
const { tensor } = autograd;

const x = tensor([
  [1, 2],
  [3, 4],
]);
const mask = x.gt(2);
const vector = tensor([1, 2]);
const row = tensor([[1]]);
const index = tensor([[0, 1]], { dtype: 'int32' });
const signal = tensor([[[1, 2, 3]]]);
const image = tensor([[[[1, 2], [3, 4]]]]); // prettier-ignore
const kernel = tensor([[[[1]]]]);

/** A function of this name, called with `args` and what stands behind them. */
const fn = (name: string, args: readonly unknown[], options?: Record<string, string>): CallTable[string] => ({
  call: (...more) => (all[name] as Call)(...args, ...more),
  ...(options === undefined ? {} : { options }),
});
const on = (
  receiver: object,
  name: string,
  args: readonly unknown[] = [],
  options?: Record<string, string>,
): CallTable[string] => ({
  call: (...more) => (receiver as Record<string, Call>)[name]!(...args, ...more),
  ...(options === undefined ? {} : { options }),
});

const reduction = { axis: 'dim', keepDims: 'keepdim' };
const along = { axis: 'dim' };
const where = { dtype: 'type', device: 'to', requiresGrad: 'requires_grad', name: 'names' };
const placed = { dtype: 'type', device: 'to', name: 'names' };
const windows = { stride: 'strides', padding: 'pad', dilation: 'dilations' };
const convolution = { ...windows, groups: 'group' };

/** Methods that are functions too: the operand, other arguments, options. */
const METHODS: Readonly<
  Record<
    string,
    readonly [operand: autograd.Tensor, args?: readonly unknown[], options?: Record<string, string>]
  >
> = {
  ...Object.fromEntries(
    [
      'neg',
      'abs',
      'sign',
      'square',
      'exp',
      'expm1',
      'log',
      'log1p',
      'sqrt',
      'rsqrt',
      'reciprocal',
      'sin',
      'cos',
      'tan',
      'tanh',
      'erf',
      'floor',
      'ceil',
      'round',
      'sigmoid',
      'relu',
      'silu',
      'softplus',
      'isNaN',
    ].map((name) => [name, [x]] as const),
  ),
  ...Object.fromEntries(
    ['add', 'sub', 'mul', 'div', 'pow', 'mod', 'maximum', 'minimum', 'eq', 'ne', 'lt', 'le', 'gt', 'ge'].map(
      (name) => [name, [x, [x]]] as const,
    ),
  ),
  logicalNot: [mask],
  logicalAnd: [mask, [mask]],
  logicalOr: [mask, [mask]],
  leakyRelu: [x, [0.1]],
  elu: [x, [1]],
  gelu: [x, ['tanh']],
  clamp: [x, [0, 1]],
  sum: [x, [], reduction],
  prod: [x, [], reduction],
  max: [x, [], reduction],
  min: [x, [], reduction],
  mean: [x, [], reduction],
  std: [x, [], { ...reduction, correction: 'ddof' }],
  norm: [x, [], { ...reduction, order: 'p' }],
  logsumexp: [x, [], reduction],
  argmax: [x, [], reduction],
  argmin: [x, [], reduction],
  any: [mask, [], reduction],
  all: [mask, [], reduction],
  softmax: [x, [], along],
  logSoftmax: [x, [], along],
  cumsum: [vector, [0]],
  cumprod: [vector, [0]],
  flip: [x, [], along],
  squeeze: [row, [], along],
  matmul: [x, [x]],
  conv1d: [signal, [tensor([[[1]]]), null], convolution],
  conv2d: [image, [kernel, null], convolution],
  convTranspose2d: [image, [kernel, null], { ...convolution, outputPadding: 'output_padding' }],
  maxPool2d: [image, [1], windows],
  avgPool2d: [image, [1], { stride: 'strides', padding: 'pad', countIncludePad: 'count_include_pad' }],
  transpose: [x, [0, 1]],
  permute: [x, [1, 0]],
  reshape: [x, [2, 2]],
  flatten: [x, [0, 1]],
  unsqueeze: [x, [0]],
  pad: [x, [[[0, 1], [1, 0]]]], // prettier-ignore
  roll: [x, [1, 0]],
  tril: [x, [0]],
  triu: [x, [0]],
  indexSelect: [x, [0, tensor([0], { dtype: 'int32' })]],
  gather: [x, [0, index]],
  scatterAdd: [x, [0, index, tensor([[1, 1]])]],
  narrow: [x, [0, 0, 1]],
  select: [x, [0, 0]],
  maskedFill: [x, [mask, 0]],
  unbind: [x, [], along],
  split: [x, [1], along],
  chunk: [x, [2], along],
  sort: [x, [], { ...along, descending: 'reverse' }],
  topk: [x, [1], { ...along, largest: 'larger' }],
};

/** What layers above are built with, protected methods, and what JavaScript itself calls. */
// prettier-ignore
const PARTS = [
  'about', 'addGradient', 'adoptGradient', 'along', 'argReduce', 'axisFor', 'binary', 'convolve',
  'copyLeaf', 'createGradient', 'dataNode', 'decode', 'derive', 'enqueueGradient', 'forValue', 'referTo',
  'keepAsRoot', 'outlive', 'over', 'asVariable', 'parts', 'plain', 'read', 'rebindLeaf', 'reduce',
  'requireSingle', 'runtime', 'shareWith', 'toCompute', 'toJSON', 'toNDArray', 'toString', 'unary', 'wrap',
].map((name) => `Tensor.${name}`);
const CLASSES = [
  'CaptureError',
  'DTypeError',
  'DeviceError',
  'FirsthandError',
  'GradientError',
  'Guarded',
  'NonFiniteError',
  'OptionError',
  'ShapeError',
  'StaleError',
  'Tensor',
];

const square = (t: autograd.Tensor): autograd.Tensor => t.mul(t).sum();
const fresh = (): autograd.Tensor => tensor([1, 2], { requiresGrad: true });
const opened = (name: string, args: readonly unknown[] = []): CallTable[string] => ({
  call: (...more) => (fresh() as unknown as Record<string, Call>)[name]!(...args, ...more),
});

const TABLE: CallTable = {
  ...Object.fromEntries([...PARTS, ...CLASSES.map((name) => `new ${name}`)].map((name) => [name, null])),
  ...Object.fromEntries(
    Object.entries(METHODS).flatMap(([name, [operand, args = [], options]]) => [
      [`Tensor.${name}`, on(operand, name, args, options)],
      [name, fn(name, [operand, ...args], options)],
    ]),
  ),
  'Tensor.expand': { call: (...more) => row.expand(2, 2, ...(more as [])), variadic: true },
  expand: { call: (...more) => (autograd.expand as Call)(row, 2, 2, ...more), variadic: true },
  'Tensor.var': on(x, 'var', [], { ...reduction, correction: 'ddof' }),
  variance: fn('variance', [x], { ...reduction, correction: 'ddof' }),
  'Tensor.normalCdf': on(x, 'normalCdf'),
  'Tensor.cast': on(x, 'cast', ['int32']),
  'Tensor.at': on(x, 'at', [0, 0]),
  'Tensor.slice': on(x, 'slice', [0, 0, 1, 1]),
  'Tensor.where': on(x, 'where', [mask, 0]),
  where: fn('where', [mask, x, 0]),

  // ---- values, gradients, rebinding
  'Tensor.data': on(x, 'data'),
  'Tensor.item': on(tensor(1), 'item'),
  'Tensor.toArray': on(x, 'toArray'),
  'Tensor.dataSync': on(x, 'dataSync'),
  'Tensor.itemSync': on(tensor(1), 'itemSync'),
  'Tensor.to': on(x, 'to', [x.device]),
  'Tensor.backward': {
    call: (...more) => (square(fresh()) as unknown as Record<string, Call>)['backward']!(...more),
    options: { retainGraph: 'retain_graph' },
  },
  'Tensor.retainGrad': {
    call: (...more) => (square(fresh()) as unknown as Record<string, Call>)['retainGrad']!(...more),
  },
  'Tensor.detach': opened('detach'),
  'Tensor.assign': opened('assign', [[3, 4]]),
  'Tensor.dispose': opened('dispose'),
  realize: { call: (...more) => autograd.realize(x, ...(more as [])), variadic: true },
  moveInPlace: fn('moveInPlace', [[x], x.device]),
  'new Variable': {
    call: (...more) => new (autograd.Variable as unknown as Loose)([1], ...more),
    options: where,
  },

  // ---- creation
  tensor: fn('tensor', [[1]], { ...where, shape: 'size' }),
  stateVariable: fn('stateVariable', [[1]], placed),
  hostValue: fn('hostValue', [() => 1], placed),
  ...Object.fromEntries(['zeros', 'ones', 'rand', 'randn'].map((name) => [name, fn(name, [2, 3], where)])),
  eye: fn('eye', [2], where),
  full: fn('full', [[2], 1], where),
  ...Object.fromEntries(
    ['zerosLike', 'onesLike', 'randLike', 'randnLike'].map((name) => [name, fn(name, [x], where)]),
  ),
  fullLike: fn('fullLike', [x, 1], where),
  arange: fn('arange', [3], { ...where, step: 'steps' }),
  linspace: fn('linspace', [0, 1, 3], where),
  randint: fn('randint', [0, 9, 2], where),
  oneHot: fn('oneHot', [index, 3], { dtype: 'type' }),
  defaultGenerator: fn('defaultGenerator', []),
  manualSeed: fn('manualSeed', [1]),

  // ---- several operands, several results
  cat: fn('cat', [[x, x]], along),
  stack: fn('stack', [[x, x]], along),
  multinomial: fn('multinomial', [vector, 1], { replacement: 'replacment' }),
  einsum: fn('einsum', ['ij->', x]),
  attention: fn('attention', [x, x, x], { mask: 'masks', causal: 'isCausal', scale: 'scales' }),
  layerNorm: fn('layerNorm', [x, 2], { weight: 'weights', bias: 'biass', eps: 'epsilon' }),
  crossEntropy: fn('crossEntropy', [x, tensor([0, 1], { dtype: 'int32' })]),
  embedding: fn('embedding', [index, x]),
  stopGradient: fn('stopGradient', [x]),
  widened: { call: (...more) => autograd.widened((t) => t, x, ...(more as [])), variadic: true },

  // ---- transforms
  grad: fn('grad', [square], { argnums: 'argnum', hasAux: 'has_aux' }),
  valueAndGrad: fn('valueAndGrad', [square], { argnums: 'argnum', hasAux: 'has_aux' }),
  gradients: {
    call: (...more) => ((v) => (autograd.gradients as Call)(square(v), [v], ...more))(fresh()),
    options: { seed: 'sed' },
  },
  vjp: {
    call: (...more) => autograd.vjp((...all: autograd.Tensor[]) => all[0]!, x, ...(more as [])),
    variadic: true,
  },
  jvp: fn('jvp', [square, [x], [x]]),
  hvp: fn('hvp', [square, x, x]),
  jacobian: fn('jacobian', [square], { argnums: 'argnum' }),
  hessian: fn('hessian', [square], { argnums: 'argnum' }),
  vmap: fn('vmap', [square], { axis: 'axes', outAxis: 'outAxes' }),
  checkpoint: fn('checkpoint', [square]),
  compile: fn('compile', [square], { maxBytes: 'max_bytes', verify: 'verfy' }),
  noGrad: fn('noGrad', [() => 1]),
  gradCheck: fn('gradCheck', [square, [tensor([1], { dtype: 'float64' })]], {
    eps: 'epsilon',
    rtol: 'rtoll',
    atol: 'atoll',
  }),
  defineOp: fn('defineOp', [{ name: 'same', body: (t: autograd.Tensor) => t, vjp: ([g]: unknown[]) => [g] }]),
  substitute: fn('substitute', [new Map(), () => 1]),
  updateStatistic: {
    call: (...more) => (autograd.updateStatistic as Call)(tensor([1]), tensor([2]), ...more),
  },
  memoizedAssignments: fn('memoizedAssignments', [[], [], () => 1]),
  withoutStatistics: fn('withoutStatistics', [() => 1]),
  guard: fn('guard', [{ a: 1 }, 'a']),
  guardContents: fn('guardContents', [[1]]),

  // ---- devices
  checkDevice: fn('checkDevice', ['to', x.device]),
  computeDType: null,
  createReference: fn('createReference', [], { kernels: 'kernel' }),
  effectGroup: fn('effectGroup', [() => 1]),
  getDefaultDevice: fn('getDefaultDevice', []),
  setDefaultDevice: fn('setDefaultDevice', [x.device]),
};

testCalls(autograd, ['Tensor'], TABLE);

/** Methods and functions as plain JavaScript calls them. */
const call = (name: string, ...args: unknown[]): [string, () => unknown] => [
  `${name}(${args.map((each) => (each === x ? 'x' : (JSON.stringify(each) ?? String(each)))).join(', ')})`,
  () => (all[name] as Call)(...args),
];
const same = (t: autograd.Tensor): autograd.Tensor => t;

testRefusals(
  Object.fromEntries([
    ...[1.5, '1', null, true, [0, 0], { axis: '1' }, { axis: 1, keepDims: 1 }].map((axis) =>
      call('sum', x, axis),
    ),
    ...[[0, 1], '0'].map((axis) => call('softmax', x, axis)),
    call('cumsum', x),
    call('cumsum', x, { dim: 1 }),
    call('argmax', x, [0, 1]),
    call('sort', x, 1, true),
    call('flip', x, '0'),
    call('roll', x, '1', 0),
    call('tril', x, '1'),
    call('triu', x, { diagonal: 1 }),
    call('topk', x, '1'),
    call('pad', x, [[0, 1, 2], [0, 0]]), // prettier-ignore
    call('layerNorm', x, '2'),
    call('layerNorm', x, 2, { eps: '1' }),
    ...[
      'noGrad',
      'grad',
      'valueAndGrad',
      'vmap',
      'compile',
      'checkpoint',
      'jacobian',
      'hessian',
      'hostValue',
      'effectGroup',
    ].map((name) => call(name, 1)),
    call('vmap', same, { axis: '0' }),
    call('compile', same, { verify: '1' }),
    call('withoutStatistics', 1),
    call('substitute', 1, same),
    call('substitute', new Map(), 1),
    call('gradCheck', same, x),
    call('gradCheck', 1, [x]),
    call('defineOp', { nam: 'same', body: same }),
    call('defineOp', { name: 1, body: same }),
    call('defineOp', { name: 'same', body: 1 }),
    call('defineOp', { name: 'same', body: same, vpj: same }),
    call('realize', 'x'),
    call('moveInPlace', x, x.device),
    call('moveInPlace', [x], 'wasm'),
    call('setDefaultDevice', 'wasm'),
    call('createReference', { kernels: 1 }),
    ['a pull of vjp with two gradients', () => (autograd.vjp(same, x)[1] as unknown as Call)(x, 1)],
    ['slice(0, "1")', () => (x as unknown as Record<string, Call>)['slice']!(0, '1')],
    ['slice(0, 0, 2, "1")', () => (x as unknown as Record<string, Call>)['slice']!(0, 0, 2, '1')],
  ]),
);

test('a tensor is the same text however it is asked for, and no operand of arithmetic', () => {
  const text = x.toString();
  expect(text).toContain('Tensor float32 [2, 2]');
  expect([String(x), `${x as unknown as string}`, [x].join()]).toEqual([text, text, text]);
  const operand = x as unknown as number;
  for (const arithmetic of [
    () => operand + 1,
    () => operand - 1,
    () => operand * 2,
    () => operand < 1,
    () => -operand,
  ]) {
    expect(arithmetic).toThrow('a tensor is no number');
  }
});
