/**
 * Transforms over structures of tensors and over several arguments, against derivatives written by hand: of
 * f(p, x) = 2·Σ tanh(x·w + b)², p = { w, scale: 2, layers: [{ b }] }, of a model that computes the same, and
 * of bilinear forms.
 */
import {
  compile,
  getDefaultDevice,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  noGrad,
  type Tensor,
  tensor,
  valueAndGrad,
  vjp,
  vmap,
  zeros,
} from '@firsthand/autograd';
import { runtimeOf } from '@firsthand/runtime';
import { functionalCall, Linear, Module } from '@firsthand/nn';
import { describe, expect, test } from 'vitest';
import { expectValues, toTensor } from './compare.ts';
import { at, dense, type Dense, map, vector } from './oracle/dense.ts';
import { samples } from './oracle/samples.ts';

const tolerance = { relative: 2e-5, absolute: 2e-6 };
const X = samples([4, 3], -1, 1);
const W = samples([3, 2], -1, 1, 2);
const B = samples([2], -1, 1, 3);

/** The parameters of a layer, with a number and a name among them that have no derivative. */
interface Params {
  readonly w: Tensor;
  readonly scale: number;
  readonly layers: readonly { readonly b: Tensor; readonly name: string }[];
}

const params = (): Params => ({
  w: toTensor(W, 'float32'),
  scale: 2,
  layers: [{ b: toTensor(B, 'float32'), name: 'first' }],
});
const f = ({ w, scale, layers }: Params, x: Tensor): Tensor =>
  x.matmul(w).add(layers[0]!.b).tanh().square().mul(scale).sum();

const pre = dense([4, 2], ([n, o]) =>
  [0, 1, 2].reduce((sum, i) => sum + at(X, [n!, i]) * at(W, [i, o!]), B.data[o!]!),
);
const value = pre.data.reduce((sum, each) => sum + 2 * Math.tanh(each) ** 2, 0);
/** ∂f/∂pre = 2·2·tanh·(1 − tanh²) */
const slope = map(pre, (each) => 4 * Math.tanh(each) * (1 - Math.tanh(each) ** 2));
const rows = [0, 1, 2, 3];
const gradW = dense([3, 2], ([i, o]) =>
  rows.reduce((sum, n) => sum + at(X, [n, i!]) * at(slope, [n, o!]), 0),
);
const gradB = dense([2], ([o]) => rows.reduce((sum, n) => sum + at(slope, [n, o!]), 0));
const gradX = dense([4, 3], ([n, i]) =>
  [0, 1].reduce((sum, o) => sum + at(slope, [n!, o]) * at(W, [i!, o]), 0),
);
const scalar = (number: number): Dense => dense([], () => number);

function describeStructures(): void {
  const x = (): Tensor => toTensor(X, 'float32');
  test('grad has the structure of its argument, null where there is no derivative', async () => {
    const g = grad(f)(params(), x());
    await expectValues(g.w, gradW, tolerance);
    await expectValues(g.layers[0]!.b, gradB, tolerance);
    expect([g.scale, g.layers[0]!.name]).toEqual([null, null]);
  });
  test('argnums: several, negative, and as an option', async () => {
    const [gp, gx] = grad(f, [0, -1])(params(), x());
    await expectValues(gp.w, gradW, tolerance);
    await expectValues(gx, gradX, tolerance);
    await expectValues(grad(f, 1)(params(), x()), gradX, tolerance);
    await expectValues(grad(f, -1)(params(), x()), gradX, tolerance);
    const [v, [only]] = valueAndGrad(f, { argnums: [1] })(params(), x());
    await expectValues(only, gradX, tolerance);
    await expectValues(v, scalar(value), tolerance);
  });
  test('hasAux: only the value is differentiated, the rest is passed on', async () => {
    const withAux = (p: Params, input: Tensor): [Tensor, { readonly pre: Tensor; readonly size: number }] => [
      f(p, input),
      { pre: input.matmul(p.w).add(p.layers[0]!.b), size: input.size },
    ];
    const [[v, aux], g] = valueAndGrad(withAux, { hasAux: true })(params(), x());
    await expectValues(v, scalar(value), tolerance);
    await expectValues(aux.pre, pre, tolerance);
    expect([aux.size, aux.pre.requiresGrad]).toEqual([12, false]);
    await expectValues(g.w, gradW, tolerance);
    const [gx, again] = grad(withAux, { argnums: 1, hasAux: true })(params(), x());
    await expectValues(gx, gradX, tolerance);
    await expectValues(again.pre, pre, tolerance);
  });
  test('maps', async () => {
    const g = grad((p: ReadonlyMap<string, Tensor>) => f({ ...params(), w: p.get('w')! }, x()))(
      new Map([['w', params().w]]),
    );
    expect([...g.keys()]).toEqual(['w']);
    await expectValues(g.get('w')!, gradW, tolerance);
  });
  test('vjp and jvp: uᵀ(J·v) = (uᵀJ)·v for structures on both sides', async () => {
    const g = (p: { readonly a: Tensor; readonly bs: readonly Tensor[] }, c: Tensor) => ({
      product: p.a.mul(p.bs[0]!),
      more: [p.bs[0]!.sin(), p.a.sum().mul(c)],
    });
    const [a, b, c] = [samples([3], -1, 1), samples([3], -1, 1, 2), samples([2], -1, 1, 3)];
    const t = (data: Dense): Tensor => toTensor(data, 'float32');
    const [da, dc] = [samples([3], -1, 1, 4), samples([2], -1, 1, 5)];
    const primals = [{ a: t(a), bs: [t(b)] }, t(c)] as const;
    const [out, tangent] = jvp(g, primals, [{ a: t(da), bs: [null as unknown as Tensor] }, t(dc)]);
    await expectValues(
      out.product,
      dense([3], ([i]) => a.data[i!]! * b.data[i!]!),
      tolerance,
    );
    await expectValues(
      tangent.product,
      dense([3], ([i]) => da.data[i!]! * b.data[i!]!),
      tolerance,
    );
    await expectValues(tangent.more[0]!, vector(0, 0, 0), tolerance);
    const [sum, change] = [a, da].map(({ data }) => data.reduce((total, each) => total + each, 0)) as [
      number,
      number,
    ];
    await expectValues(
      tangent.more[1]!,
      dense([2], ([i]) => change * c.data[i!]! + sum * dc.data[i!]!),
      tolerance,
    );
    const [, pull] = vjp(g, ...primals);
    const [gp, gc] = pull({ product: t(b), more: [null as unknown as Tensor, t(dc)] });
    const inner = dc.data.reduce((total, each, i) => total + each * c.data[i]!, 0);
    await expectValues(
      gp.a,
      dense([3], ([i]) => b.data[i!]! ** 2 + inner),
      tolerance,
    );
    await expectValues(
      gp.bs[0],
      dense([3], ([i]) => b.data[i!]! * a.data[i!]!),
      tolerance,
    );
    await expectValues(
      gc,
      dense([2], ([i]) => sum * dc.data[i!]!),
      tolerance,
    );
    const [, pullOne] = vjp(g, ...primals, { argnums: 1 });
    await expectValues(
      pullOne({ product: t(b), more: [t(b), t(dc)] }),
      dense([2], ([i]) => sum * dc.data[i!]!),
      tolerance,
    );
  });
  test('jacobian and hessian: of x·w·y, with respect to one, to both and to a structure', async () => {
    const [p, q] = [samples([2], -1, 1), samples([3], -1, 1, 2)];
    const m = samples([2, 3], -1, 1, 3);
    const t = (data: Dense): Tensor => toTensor(data, 'float32');
    const form = (u: Tensor, v: Tensor): Tensor => u.matmul(t(m)).matmul(v);
    const [[uu, uv], [vu, vv]] = hessian(form, [0, 1])(t(p), t(q));
    await expectValues(
      uu,
      dense([2, 2], () => 0),
    );
    await expectValues(uv, m, tolerance);
    await expectValues(
      vu,
      dense([3, 2], ([j, i]) => at(m, [i!, j!])),
      tolerance,
    );
    await expectValues(
      vv,
      dense([3, 3], () => 0),
    );
    const blocks = hessian((both: { readonly u: Tensor; readonly v: Tensor }) => form(both.u, both.v))({
      u: t(p),
      v: t(q),
    });
    await expectValues(
      blocks.v.u,
      dense([3, 2], ([j, i]) => at(m, [i!, j!])),
      tolerance,
    );
    const [ju, jv] = jacobian((u, v) => u.matmul(t(m)).mul(v), [0, -1])(t(p), t(q));
    await expectValues(
      ju,
      dense([3, 2], ([j, i]) => at(m, [i!, j!]) * q.data[j!]!),
      tolerance,
    );
    await expectValues(
      jv,
      dense([3, 3], ([i, j]) => (i === j ? p.data[0]! * at(m, [0, i!]) + p.data[1]! * at(m, [1, i!]) : 0)),
      tolerance,
    );
    const both = { u: t(p), v: t(q) };
    const product = hvp(({ u, v }: typeof both) => form(u, v), both, { u: t(p), v: t(q) });
    await expectValues(
      product.u,
      dense([2], ([i]) => [0, 1, 2].reduce((total, j) => total + at(m, [i!, j]) * q.data[j]!, 0)),
      tolerance,
    );
  });
  test('vmap: structures, and arguments that are not mapped', async () => {
    // A gradient for each example
    const each = vmap(grad(f), { axis: [null, 0] })(params(), x().unsqueeze(1));
    await expectValues(
      each.w,
      dense([4, 3, 2], ([n, i, o]) => at(X, [n!, i!]) * at(slope, [n!, o!])),
      tolerance,
    );
    await expectValues(each.layers[0]!.b, slope, tolerance);
    const stacked = {
      w: toTensor(
        dense([2, 3, 2], ([k, i, o]) => (k! + 1) * at(W, [i!, o!])),
        'float32',
      ),
      shift: 1,
    };
    const results = vmap((p: typeof stacked, input: Tensor) => ({ y: input.matmul(p.w).add(p.shift) }), {
      axis: [0, null],
      outAxis: -1,
    })(stacked, x());
    await expectValues(
      results.y,
      dense([4, 2, 2], ([n, o, k]) => (k! + 1) * (at(pre, [n!, o!]) - B.data[o!]!) + 1),
      tolerance,
    );
    const mixed = vmap((p: { readonly a: Tensor; readonly b: Tensor }) => p.a.mul(p.b), {
      axis: [{ a: 0, b: null }],
    });
    await expectValues(
      mixed({ a: tensor([1, 2]), b: tensor([3, 4]) }),
      dense([2, 2], ([k, i]) => (k! + 1) * (i! + 3)),
    );
  });
  test('compiled, with structures as arguments and results: the same values, one program', async () => {
    const step = compile((p: Params, input: Tensor) => {
      const [v, g] = valueAndGrad(f)(p, input);
      return { v, w: p.w.sub(g.w.mul(0.1)), g };
    });
    for (let run = 0; run < 2; run++) {
      const { v, w, g } = step(params(), x());
      await expectValues(v, scalar(value), tolerance);
      await expectValues(
        w,
        dense([3, 2], (index) => at(W, index) - 0.1 * at(gradW, index)),
        tolerance,
      );
      await expectValues(g.layers[0]!.b, gradB, tolerance);
    }
    expect(step.reports()).toHaveLength(1);
  });
  test('results have no history unless something outside requires a gradient, and are computed once', async () => {
    const { counters } = runtimeOf(getDefaultDevice());
    const [v, g] = valueAndGrad(f)(params(), x());
    expect([v.requiresGrad, g.w.requiresGrad]).toEqual([false, false]);
    const before = { ...counters };
    await expectValues(v, scalar(value), tolerance);
    await expectValues(g.w, gradW, tolerance);
    await expectValues(g.layers[0]!.b, gradB, tolerance);
    expect([counters.programs - before.programs, counters.recomputed - before.recomputed]).toEqual([1, 0]);
    const leaf = toTensor(X, 'float32', { requiresGrad: true });
    const [outer, inner] = valueAndGrad(f)(params(), leaf);
    expect([outer.requiresGrad, inner.w.requiresGrad, leaf.grad]).toEqual([true, true, null]);
    outer.backward();
    await expectValues(leaf.grad!, gradX, tolerance);
    expect(noGrad(() => grad(f)(params(), leaf)).w.requiresGrad).toBe(false);
  });
}

/** A model as a function of its parameters: y = tanh(x·Wᵀ + b)·vᵀ, as above with v = (1, 1). */
function describeModules(): void {
  class Net extends Module {
    readonly hidden: Linear = new Linear(3, 2);
    readonly output: Linear = new Linear(2, 1, { bias: false });
    forward(input: Tensor): Tensor {
      return this.output.forward(this.hidden.forward(input).tanh());
    }
  }
  const build = (): Net => {
    const net = new Net();
    const weight = dense([2, 3], ([o, i]) => at(W, [i!, o!]));
    const state: readonly (readonly [string, Dense])[] = [
      ['hidden.weight', weight],
      ['hidden.bias', B],
      ['output.weight', dense([1, 2], () => 1)],
    ];
    net.loadStateDict(
      new Map(
        state.map(([name, { data, shape }]) => [
          name,
          { data: Float32Array.from(data), shape, dtype: 'float32' },
        ]),
      ),
    );
    return net;
  };
  const x = (): Tensor => toTensor(X, 'float32');
  const bent = map(pre, (each) => 1 - Math.tanh(each) ** 2);
  const perExample = dense([4, 2, 3], ([n, o, i]) => at(bent, [n!, o!]) * at(X, [n!, i!]));
  const total = dense([2, 3], ([o, i]) => rows.reduce((sum, n) => sum + at(perExample, [n, o!, i!]), 0));
  test('gradients with respect to a module, eager and compiled', async () => {
    const net = build();
    const slopes = grad((model: Net, input: Tensor) => model.forward(input).sum());
    for (const run of [slopes, compile(slopes)]) {
      const g = run(net, x());
      expect([...g.keys()]).toEqual(['hidden.weight', 'hidden.bias', 'output.weight']);
      await expectValues(g.get('hidden.weight')!, total, tolerance);
    }
    expect(net.hidden.weight.grad).toBeNull();
  });
  test('functionalCall: per-example gradients, eager and compiled', async () => {
    const net = build();
    const objective = (p: ReadonlyMap<string, Tensor>, input: Tensor): Tensor =>
      functionalCall(net, p, input).sum();
    const each = vmap(grad(objective), { axis: [null, 0] });
    for (const run of [each, compile(each)]) {
      await expectValues(run(net.namedParameters(), x()).get('hidden.weight')!, perExample, tolerance);
    }
    const zero = { hidden: { weight: zeros([2, 3]), bias: zeros([2]) }, output: { weight: zeros([1, 2]) } };
    await expectValues(
      functionalCall(net, zero, x()),
      dense([4, 1], () => 0),
    );
    await expectValues(net.hidden.bias!, B, tolerance);
  });
}

export function describeTrees(): void {
  describe('structures', () => {
    describeStructures();
  });
  describe('modules', () => {
    describeModules();
  });
}
