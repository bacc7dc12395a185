// Convolutional and pooling layers: parameters as torch.nn names, shapes and draws them, and their gradients
// against central differences.
import { compile, gradCheck, manualSeed, randn, tensor, type Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import {
  AvgPool2d,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  Flatten,
  type Layer,
  Linear,
  MaxPool2d,
  type Parameter,
  Sequential,
} from '../src/index.ts';

const float64 = { dtype: 'float64' } as const;
const shapesOf = (layer: Layer): Record<string, readonly number[]> =>
  Object.fromEntries([...layer.namedParameters()].map(([name, { shape }]) => [name, shape]));

const layers: readonly [
  string,
  () => Layer & { readonly weight: Parameter; readonly bias: Parameter | null },
  number,
][] = [
  ['Conv1d', () => new Conv1d(10, 60, 20, { groups: 2 }), 100],
  ['Conv2d', () => new Conv2d(4, 64, 5), 100],
  ['ConvTranspose2d', () => new ConvTranspose2d(64, 8, 5, { groups: 2 }), 100],
];

describe('parameters', () => {
  test('have the names and shapes of torch.nn', () => {
    expect(shapesOf(new Conv1d(4, 6, 3, { groups: 2 }))).toEqual({ weight: [6, 2, 3], bias: [6] });
    expect(shapesOf(new Conv2d(3, 6, [2, 5]))).toEqual({ weight: [6, 3, 2, 5], bias: [6] });
    expect(shapesOf(new ConvTranspose2d(4, 6, 3, { groups: 2 }))).toEqual({
      weight: [4, 3, 3, 3],
      bias: [6],
    });
    expect(shapesOf(new Conv2d(3, 6, 1, { bias: false }))).toEqual({ weight: [6, 3, 1, 1] });
    expect(shapesOf(new MaxPool2d(2))).toEqual({});
    expect(new Conv2d(3, 6, 3, float64).bias!.dtype).toBe('float64');
  });

  test.each(layers)('of %s begin uniform in ±1/√(fan in)', async (_, create, fanIn) => {
    manualSeed(0);
    const { weight, bias } = create();
    const variance = 1 / fanIn / 3;
    for (const [parameter, slack] of [
      [weight, 0.1],
      [bias!, 0.6],
    ] as const) {
      const values = [...(await parameter.data())];
      const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(fanIn));
      expect(square).toBeGreaterThan((1 - slack) * variance);
      expect(square).toBeLessThan((1 + slack) * variance);
    }
  });

  test('need groups that divide the channels', () => {
    expect(() => new Conv1d(3, 4, 1, { groups: 2 })).toThrow('Conv1d: 2 groups do not divide 3 channels');
    expect(() => new Conv2d(4, 3, 1, { groups: 2 })).toThrow('Conv2d: 2 groups do not divide 3 channels');
    expect(() => new ConvTranspose2d(4, 3, 1, { groups: 2 })).toThrow(
      'ConvTranspose2d: 2 groups do not divide 3 channels',
    );
    expect(() => new Conv1d(4, 4, 1, { groups: -2 })).toThrow(
      'Conv1d: groups is -2; needs a whole number of at least 1',
    );
  });
});

describe('functions', () => {
  test('are the methods of a tensor with the options of the layer', async () => {
    const x = randn([2, 4, 5, 6], float64);
    const line = randn([2, 4, 7], float64);
    const options = { stride: 2, padding: 1, dilation: 2, groups: 2 } as const;
    const same = async (a: Tensor, b: Tensor): Promise<void> =>
      expect(await a.toArray()).toEqual(await b.toArray());
    const one = new Conv1d(4, 6, 3, { ...options, ...float64 });
    await same(one.forward(line), line.conv1d(one.weight, one.bias, options));
    const two = new Conv2d(4, 6, [3, 2], { ...options, ...float64 });
    await same(two.forward(x), x.conv2d(two.weight, two.bias, options));
    const back = new ConvTranspose2d(4, 6, 3, { ...options, outputPadding: 1, ...float64 });
    await same(back.forward(x), x.convTranspose2d(back.weight, back.bias, { ...options, outputPadding: 1 }));
    await same(
      new MaxPool2d(3, { stride: 1, padding: 1 }).forward(x),
      x.maxPool2d(3, { stride: 1, padding: 1 }),
    );
    await same(new AvgPool2d([2, 3]).forward(x), x.avgPool2d([2, 3]));
    expect(new Conv2d(4, 6, 3, { bias: false, ...float64 }).forward(x).shape).toEqual([2, 6, 3, 4]);
  });

  test('a small network learns to tell a row from a column, compiled or not', async () => {
    const x = tensor(
      [
        [
          [
            [1, 1, 1],
            [0, 0, 0],
            [0, 0, 0],
          ],
        ],
        [
          [
            [0, 1, 0],
            [0, 1, 0],
            [0, 1, 0],
          ],
        ],
      ],
      float64,
    ); // (2, 1, 3, 3)
    const target = tensor([[1], [-1]], float64);
    const train = async (wrap: <F extends (...args: never[]) => Tensor>(step: F) => F): Promise<number[]> => {
      manualSeed(3);
      const model = new Sequential(
        new Conv2d(1, 3, 2, float64),
        new MaxPool2d(2),
        new Flatten(),
        new Linear(3, 1, float64),
      );
      const parameters = [...model.parameters()];
      const step = wrap((input: Tensor) => {
        const loss = model.forward(input).sub(target).square().mean();
        loss.backward();
        for (const parameter of parameters) {
          parameter.assign(parameter.sub(parameter.grad!.mul(0.1)));
          parameter.grad = null;
        }
        return loss;
      });
      const losses: number[] = [];
      for (let i = 0; i < 40; i++) losses.push(await step(x).item());
      return losses;
    };
    const plain = await train((step) => step);
    const compiled = await train((step) => compile(step) as never);
    expect(plain.at(-1)!).toBeLessThan(0.05 * plain[0]!);
    compiled.forEach((loss, index) => expect(loss).toBeCloseTo(plain[index]!, 10));
  });

  test('have gradients for their operand and every parameter', async () => {
    manualSeed(1);
    for (const layer of [
      new Conv2d(2, 4, 2, { padding: 1, groups: 2, ...float64 }),
      new ConvTranspose2d(2, 2, 2, { stride: 2, ...float64 }),
    ]) {
      const x = randn([1, 2, 3, 2], float64);
      const method = layer instanceof Conv2d ? 'conv2d' : 'convTranspose2d';
      const report = await gradCheck(
        (...[input, weight, bias]) => input![method](weight!, bias, layer.options),
        [x, layer.weight.detach(), layer.bias!.detach()],
      );
      expect(report.mismatches).toEqual([]);
      layer.forward(x).sum().backward();
      expect(layer.weight.grad!.shape).toEqual(layer.weight.shape);
      expect(layer.bias!.grad!.shape).toEqual([layer.bias!.size]);
    }
  });
});
