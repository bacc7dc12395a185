/**
 * Elementwise operations of random programs. Where a function has a kink or a jump, the oracle notes the side
 * of each element.
 */
import { checkpoint, where } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import type { Dense } from '../oracle/dense.ts';
import { broadcastShape, map, zip } from '../oracle/dense.ts';
import { erf, normalCdf } from '../oracle/special.ts';
import type { Decide, Operation } from './operation.ts';

const always = (): boolean => true;

function elementwise(tensor: (a: Tensor) => Tensor, f: (x: number) => number): Operation {
  return { operands: 1, fits: always, tensor, oracle: (a) => map(a, f) };
}

/** A function with a kink or jump at `place`: 0 by default. */
function kinked(
  tensor: (a: Tensor) => Tensor,
  f: (x: number) => number,
  side: (x: number) => number,
  distance: (x: number) => number = Math.abs,
): Operation {
  const note = (decide: Decide) => (x: number) => {
    decide(side(x), distance(x));
    return f(x);
  };
  return { operands: 1, fits: always, tensor, oracle: (a, _, __, decide) => map(a, note(decide)) };
}

export function canBroadcast(a: Dense, b: Dense): boolean {
  const shape = broadcastShape(a.shape, b.shape);
  return [a, b].every((each) =>
    each.shape.every(
      (extent, axis) => extent === 1 || extent === shape[axis + shape.length - each.shape.length],
    ),
  );
}

function pairwise(tensor: (a: Tensor, b: Tensor) => Tensor, f: (x: number, y: number) => number): Operation {
  return { operands: 2, fits: canBroadcast, tensor, oracle: (a, b) => zip(a, b, f) };
}

function choosing(tensor: (a: Tensor, b: Tensor) => Tensor, f: (x: number, y: number) => number): Operation {
  const oracle: Operation['oracle'] = (a, b, _, decide) =>
    zip(a, b, (x, y) => {
      decide(Math.sign(x - y), Math.abs(x - y));
      return f(x, y);
    });
  return { operands: 2, fits: canBroadcast, tensor, oracle };
}

export const ELEMENTWISE: { readonly [name: string]: Operation } = {
  neg: elementwise(
    (a) => a.neg(),
    (x) => -x,
  ),
  sin: elementwise((a) => a.sin(), Math.sin),
  cos: elementwise((a) => a.cos(), Math.cos),
  tanh: elementwise((a) => a.tanh(), Math.tanh),
  exp: elementwise((a) => a.exp(), Math.exp),
  erf: elementwise((a) => a.erf(), erf),
  normalCdf: elementwise((a) => a.normalCdf(), normalCdf),
  square: elementwise(
    (a) => a.square(),
    (x) => x * x,
  ),
  sigmoid: elementwise(
    (a) => a.sigmoid(),
    (x) => 1 / (1 + Math.exp(-x)),
  ),
  hypotenuse: elementwise(
    (a) => a.square().add(1).sqrt(),
    (x) => Math.sqrt(x * x + 1),
  ),
  lorentzian: elementwise(
    (a) => a.square().add(1).reciprocal(),
    (x) => 1 / (x * x + 1),
  ),
  logOfSquare: elementwise(
    (a) => a.square().log1p(),
    (x) => Math.log1p(x * x),
  ),
  gelu: elementwise(
    (a) => a.gelu(),
    (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  ),
  silu: elementwise(
    (a) => a.silu(),
    (x) => x / (1 + Math.exp(-x)),
  ),
  softplus: elementwise(
    (a) => a.softplus(),
    (x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0),
  ),
  detach: kinked((a) => a.detach().sign(), Math.sign, Math.sign),
  abs: kinked((a) => a.abs(), Math.abs, Math.sign),
  relu: kinked(
    (a) => a.relu(),
    (x) => Math.max(x, 0),
    Math.sign,
  ),
  elu: kinked(
    (a) => a.elu(),
    (x) => (x > 0 ? x : Math.expm1(x)),
    Math.sign,
  ),
  floor: kinked(
    (a) => a.floor(),
    Math.floor,
    Math.floor,
    (x) => Math.abs(x - Math.round(x)),
  ),
  clamp: kinked(
    (a) => a.clamp(-0.5, 0.5),
    (x) => Math.min(0.5, Math.max(-0.5, x)),
    (x) => Math.sign(x - 0.5) + Math.sign(x + 0.5),
    (x) => Math.abs(Math.abs(x) - 0.5),
  ),
  checkpointed: elementwise(
    (a) => checkpoint((x) => x.tanh().mul(x).add(x))(a),
    (x) => Math.tanh(x) * x + x,
  ),
  add: pairwise(
    (a, b) => a.add(b),
    (x, y) => x + y,
  ),
  sub: pairwise(
    (a, b) => a.sub(b),
    (x, y) => x - y,
  ),
  mul: pairwise(
    (a, b) => a.mul(b),
    (x, y) => x * y,
  ),
  div: pairwise(
    (a, b) => a.div(b.square().add(1)),
    (x, y) => x / (y * y + 1),
  ),
  pow: pairwise(
    (a, b) => a.square().add(0.5).pow(b.tanh()),
    (x, y) => (x * x + 0.5) ** Math.tanh(y),
  ),
  maximum: choosing((a, b) => a.maximum(b), Math.max),
  minimum: choosing((a, b) => a.minimum(b), Math.min),
  where: choosing(
    (a, b) => where(a.lt(b), a.mul(b), b),
    (x, y) => (x < y ? x * y : y),
  ),
};
