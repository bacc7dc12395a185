// Loops that are unrolled by hand cost in proportion to their steps: nodes, kernels, different kernels to
// compile, memory, and arithmetic.
import { chunk, split, stack, tensor, type Tensor, vjp, zeros } from '@firsthand/autograd';
import { compileProgram, type Plan, printKernel, trafficOf } from '@firsthand/compiler';
import { closeProgram, keyOf, postOrder } from '@firsthand/graph';
import { describe, expect, test } from 'vitest';

const target = { float64: true, implicitMatrices: true, plan: () => ({ scratch: 0 }) };
const [BATCH, INPUTS, UNITS] = [4, 8, 16];
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

interface Cost {
  readonly nodes: number;
  readonly kernels: number;
  readonly texts: number;
  readonly bytes: number;
  readonly flops: number;
  readonly moved: number;
}

function costOf(program: { readonly order: number; readonly plan: Plan }): Cost {
  const { kernels, arenaBytes } = program.plan;
  const traffic = kernels.map(({ kernel }) => trafficOf(kernel));
  return {
    nodes: program.order,
    kernels: kernels.length,
    texts: new Set(kernels.map(({ kernel }) => printKernel(kernel))).size,
    bytes: arenaBytes,
    flops: traffic.reduce((sum, { flops }) => sum + flops, 0),
    moved: traffic.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

type Take = (x: Tensor, steps: number) => readonly Tensor[];
/** Ways to take (B, T, C) apart. */
const TAKES: { readonly [name: string]: Take } = {
  unbind: (x) => x.unbind(1),
  narrow: (x, steps) => range(steps).map((step) => x.narrow(1, step, 1).squeeze(1)),
  slice: (x, steps) =>
    range(steps).map((step) => x.slice(1, step, step + 1).reshape(x.shape[0]!, x.shape[2]!)),
  split: (x, steps) =>
    split(
      x,
      range(steps).map(() => 1),
      1,
    ).map((part) => part.squeeze(1)),
  at: (x, steps) => range(steps).map((step) => x.at(null, step)),
  'unbind of the transposed': (x) => x.transpose(0, 1).unbind(0),
};

type Net = (take: Take, steps: number, ...operands: Tensor[]) => Tensor;
function lstm(inputs: readonly Tensor[], recurrent: Tensor): readonly Tensor[] {
  let [h, c] = [zeros([BATCH, UNITS]), zeros([BATCH, UNITS])];
  return inputs.map((input) => {
    const [i, f, g, o] = chunk(input.add(h.matmul(recurrent)), 4, 1) as [Tensor, Tensor, Tensor, Tensor];
    c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    h = o.sigmoid().mul(c.tanh());
    return h;
  });
}
/** Each net has operands x (B, T, I), W (I, 4H), U (H, 4H), b (4H). */
const NETS: { readonly [name: string]: Net } = {
  'all outputs, inputs projected at once': (take, steps, x, w, u, b) =>
    stack(lstm(take(x.matmul(w).add(b), steps), u), 1),
  'all outputs, inputs projected step by step': (take, steps, x, w, u, b) =>
    stack(
      lstm(
        take(x, steps).map((each) => each.matmul(w).add(b)),
        u,
      ),
      1,
    ),
  'the last output': (take, steps, x, w, u, b) =>
    lstm(
      take(x, steps).map((each) => each.matmul(w).add(b)),
      u,
    ).at(-1)!,
  'a sum of losses': (take, steps, x, w, u, b) =>
    lstm(
      take(x, steps).map((each) => each.matmul(w).add(b)),
      u,
    )
      .map((output) => output.square().mean())
      .reduce((sum, loss) => sum.add(loss)),
};

/** The gradients of all operands, and the value, as a program. */
function compiled(net: Net, take: Take, steps: number): { readonly order: number; readonly plan: Plan } {
  const shapes = [[BATCH, steps, INPUTS], [INPUTS, 4 * UNITS], [UNITS, 4 * UNITS], [4 * UNITS]];
  const inputs = shapes.map((shape) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape }));
  const [value, pullback] = vjp(
    (...operands) =>
      net(take, steps, ...operands)
        .square()
        .sum(),
    ...inputs,
  );
  const roots = [value, ...pullback(tensor(1))].map((each) => each.read());
  const request = { effects: [], roots };
  const order = postOrder(roots, (node) => node.inputs).length;
  return { order, plan: compileProgram(closeProgram(request, keyOf(request)), target) };
}

describe.each(Object.entries(NETS))('%s', (_, net) => {
  test.each(Object.entries(TAKES))('%s', (__, take) => {
    const [short, long] = [12, 24].map((steps) => costOf(compiled(net, take, steps))) as [Cost, Cost];
    for (const key of ['nodes', 'kernels', 'bytes', 'flops', 'moved'] as const) {
      expect(long[key] / short[key], `${key}: ${short[key]} and ${long[key]}`).toBeLessThanOrEqual(2.1);
    }
    expect(long.texts).toBe(short.texts);
    // Forward: two products and the gates; backward: one product with all that follows it.
    expect(long.kernels - short.kernels).toBeLessThanOrEqual(4 * 12);
  });
});

test('arithmetic is done once', () => {
  const steps = 12;
  const { flops } = costOf(
    compiled(NETS['all outputs, inputs projected step by step']!, TAKES['unbind']!, steps),
  );
  const products = 3 * 2 * steps * BATCH * 4 * UNITS * (INPUTS + UNITS);
  expect(flops / products).toBeLessThan(1.2);
});
