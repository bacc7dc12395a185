// Every layer, initialiser, loss and method of a module, held to the convention of calls.
import { tensor, zeros } from '@firsthand/autograd';
import { testCalls, type CallTable } from '../../../tests/support/call-table.ts';
import * as nn from '../src/index.ts';

type Loose = new (...args: unknown[]) => object;
type Call = (...args: unknown[]) => unknown;
const all: Readonly<Record<string, unknown>> = { ...nn };

const where = { dtype: 'type', device: 'to' };
const made = (
  name: string,
  args: readonly unknown[] = [],
  options?: Record<string, string>,
): [string, CallTable[string]] => [
  `new ${name}`,
  {
    call: (...more) => new (all[name] as Loose)(...args, ...more),
    ...(options === undefined ? {} : { options }),
  },
];
const conv = {
  ...where,
  stride: 'strides',
  padding: 'pad',
  dilation: 'dilations',
  groups: 'group',
  bias: 'useBias',
};
const init = (
  name: keyof typeof nn.init,
  options: Record<string, string>,
  args: readonly unknown[] = [[3, 2]],
): [string, CallTable[string]] => [
  `init.${name}`,
  { call: (...more) => (nn.init[name] as Call)(...args, ...more), options },
];
const drawn = { dtype: 'type', generator: 'rng' };
const layer = new nn.Linear(2, 3);
const method = (
  name: string,
  args: readonly unknown[] = [],
  options?: Record<string, string>,
): [string, CallTable[string]] => [
  `Module.${name}`,
  {
    call: (...more) => (layer as unknown as Record<string, Call>)[name]!(...args, ...more),
    ...(options === undefined ? {} : { options }),
  },
];

const labels = tensor([0, 1], { dtype: 'int32' });
const NONE = ['new Module', 'new StateDictError', 'Module.fields'];

const TABLE: CallTable = {
  ...Object.fromEntries(NONE.map((name) => [name, null])),
  ...Object.fromEntries([
    ...['ReLU', 'SiLU', 'Tanh', 'Sigmoid', 'Softplus', 'LeakyReLU', 'ELU', 'GELU', 'Dropout'].map((name) =>
      made(name),
    ),
    made('LeakyReLU', [0.1]),
    made('ELU', [2]),
    made('GELU', ['tanh']),
    made('Dropout', [0.1]),
    made('Softmax', [], { axis: 'dim' }),
    made('Flatten', [1, -1]),
    made('Linear', [2, 3], { ...where, bias: 'useBias' }),
    made('Embedding', [5, 3], where),
    made('Conv1d', [2, 4, 3], conv),
    made('Conv2d', [2, 4, [3, 1]], conv),
    made('ConvTranspose2d', [2, 4, 3], { ...conv, outputPadding: 'output_padding' }),
    made('MaxPool2d', [2], { stride: 'strides', padding: 'pad', dilation: 'dilations' }),
    made('AvgPool2d', [2], { stride: 'strides', padding: 'pad', countIncludePad: 'count_include_pad' }),
    made('LayerNorm', [4], { ...where, eps: 'epsilon', affine: 'elementwiseAffine', bias: 'useBias' }),
    made('Parameter', [[1, 2]], { device: 'to', requiresGrad: 'requires_grad', name: 'names' }),
    made('ModuleList', [[]]),
    made('ModuleDict', [{}]),
    init('uniform', { ...drawn, low: 'min', high: 'max' }),
    init('normal', { ...drawn, mean: 'means', std: 'stddev' }),
    init('truncNormal', { ...drawn, mean: 'means', std: 'stddev', low: 'min', high: 'max' }),
    init('zeros', { dtype: 'type' }),
    init('ones', { dtype: 'type' }),
    init('xavierUniform', { ...drawn, gain: 'gains' }),
    init('xavierNormal', { ...drawn, gain: 'gains' }),
    init('kaimingUniform', { ...drawn, mode: 'modes', nonlinearity: 'nonlinearities', slope: 'slopes' }),
    init('kaimingNormal', { ...drawn, mode: 'modes', nonlinearity: 'nonlinearities', slope: 'slopes' }),
    ...[
      'namedModules',
      'namedParameters',
      'parameters',
      'buffers',
      'stateDict',
      'eval',
      'summary',
      'zeroGrad',
    ].map((name) => method(name)),
    method('apply', [() => {}]),
    method('train', [true]),
    method('to', [tensor(0).device]),
    method('onForward', [() => {}]),
    method('checkStateDict', [layer.stateDict()], { strict: 'strictly' }),
    method('loadStateDict', [layer.stateDict()], { strict: 'strictly' }),
  ]),
  'init.gain': { call: (...more) => (nn.init.gain as Call)('relu', 0.1, ...more) },
  'loss.mse': {
    call: (...more) => (nn.loss.mse as Call)(zeros(2), zeros(2), ...more),
    options: { reduction: 'reduce' },
  },
  'loss.crossEntropy': {
    call: (...more) => (nn.loss.crossEntropy as Call)(zeros(2, 3), labels, ...more),
    options: { reduction: 'reduce' },
  },
  'new Sequential': { call: (...more) => new (nn.Sequential as Loose)(layer, ...more) },
  parameter: {
    call: (...more) => (nn.parameter as Call)([1], ...more),
    options: { dtype: 'type', shape: 'size', device: 'to', requiresGrad: 'requires_grad', name: 'names' },
  },
  parametersToVector: { call: (...more) => (nn.parametersToVector as Call)(layer.parameters(), ...more) },
  vectorToParameters: {
    call: (...more) =>
      (nn.vectorToParameters as Call)(nn.parametersToVector(layer.parameters()), layer.parameters(), ...more),
  },
  functionalCall: {
    call: (...more) => (nn.functionalCall as Call)(layer, layer.stateDict(), zeros([1, 2]), ...more),
    variadic: true,
  },
};

testCalls(nn, ['Module'], TABLE);
