/**
 * Functions that approach 0 far from the origin keep their digits there: x·Φ(x) written as x/2·(1 +
 * erf(x/√2)) has lost 194 units in the last place near −2.8, and all of them from −6 on. Values and slopes in
 * float32 against formulas in double precision that do not cancel, in units of the last place. Slopes that
 * are a sum of two terms are measured in the units of the larger one: where they cross 0, no digits are left
 * of either.
 */
import { grad } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { expect, test } from 'vitest';
import { numbersOf, toTensor } from './compare.ts';
import type { GetDevice } from './get-device.ts';
import { dense, map } from './oracle/dense.ts';
import { gaussian, normalCdf } from './oracle/special.ts';

interface Tail {
  readonly compute: (x: Tensor) => Tensor;
  readonly exact: (x: number) => number;
  /** What the error is a multiple of, if not the exact value. */
  readonly scale?: (x: number) => number;
  readonly from: number;
  readonly to: number;
  /** The largest error, in units of the last place of the scale. */
  readonly bound: (x: number) => number;
}

const density = (x: number): number => gaussian(x) / Math.sqrt(2 * Math.PI);
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const slopeOf =
  (f: (x: Tensor) => Tensor): Tail['compute'] =>
  (x) =>
    grad((each) => f(each).sum())(x);

/** 2u, with u = √(2/π)(x + 0.044715 x³), and its slope. */
const twice = (x: number): number => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const slopeOfTwice = (x: number): number => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
/** Rounding 2u by a unit in the last place is |2u| of them in the result. */
const ofTwice = (x: number): number => 4 + 3 * Math.abs(twice(x));

// oxfmt-ignore
const TAILS: { readonly [title: string]: Tail } = {
  gelu: { compute: (x) => x.gelu(), exact: (x) => x * normalCdf(x), from: -12.5, to: 12.5, bound: () => 8 },
  'slope of gelu': { compute: slopeOf((x) => x.gelu()), exact: (x) => normalCdf(x) + x * density(x), scale: (x) => normalCdf(x) + Math.abs(x) * density(x), from: -12.5, to: 12.5, bound: () => 8 },
  'gelu by tanh': { compute: (x) => x.gelu('tanh'), exact: (x) => x * sigmoid(twice(x)), from: -9, to: 9, bound: ofTwice },
  'slope of gelu by tanh': { compute: slopeOf((x) => x.gelu('tanh')), exact: (x) => sigmoid(twice(x)) * (1 + x * slopeOfTwice(x) * sigmoid(-twice(x))), scale: (x) => sigmoid(twice(x)) * (1 + Math.abs(x) * slopeOfTwice(x) * sigmoid(-twice(x))), from: -9, to: 9, bound: ofTwice },
  normalCdf: { compute: (x) => x.normalCdf(), exact: normalCdf, from: -12.5, to: 12.5, bound: () => 6 },
  'slope of normalCdf': { compute: slopeOf((x) => x.normalCdf()), exact: density, from: -12.5, to: 12.5, bound: () => 8 },
  silu: { compute: (x) => x.silu(), exact: (x) => x * sigmoid(x), from: -80, to: 20, bound: () => 5 },
  softplus: { compute: (x) => x.softplus(), exact: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), from: -80, to: 20, bound: () => 4 },
  elu: { compute: (x) => x.elu(), exact: (x) => (x > 0 ? x : Math.expm1(x)), from: -20, to: 5, bound: () => 3 },
  'slope of elu': { compute: slopeOf((x) => x.elu()), exact: (x) => (x > 0 ? 1 : Math.exp(x)), from: -80, to: 5, bound: () => 3 },
  'slope of softplus': { compute: slopeOf((x) => x.softplus()), exact: sigmoid, from: -80, to: 20, bound: () => 8 },
};

const unit = (x: number): number => 2 ** Math.max(Math.floor(Math.log2(Math.abs(x))) - 23, -149);

export function describeTails(device: GetDevice): void {
  test.each(Object.entries(TAILS))('%s', async (_, { compute, exact, scale = exact, from, to, bound }) => {
    const count = 4001;
    const points = map(
      dense([count], ([i]) => from + ((to - from) * (i! + 0.1 * Math.sin(i!))) / count),
      Math.fround,
    );
    const found = await numbersOf(compute(toTensor(points, 'float32', { device: device() })));
    let [worst, at] = [0, 0];
    points.data.forEach((x, position) => {
      const error = Math.abs(found[position]! - exact(x)) / unit(scale(x)) / bound(x);
      if (!(error <= worst)) [worst, at] = [error, x];
    });
    expect(worst, `of its bound, at ${at}`).toBeLessThanOrEqual(1);
  });
}
