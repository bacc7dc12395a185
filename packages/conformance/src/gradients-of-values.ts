/**
 * Gradients of values, `gradients`, in and out of compile; and what transforms say of functions, arguments
 * and options that they cannot differentiate.
 */
import {
  compile,
  DTypeError,
  type FirsthandError,
  grad,
  GradientError,
  gradients,
  jvp,
  ones,
  OptionError,
  ShapeError,
  type Tensor,
  tensor,
  vjp,
  vmap,
  zeros,
} from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { expectValues, toTensor } from './compare.ts';
import { map, vector } from './oracle/dense.ts';

const tolerance = { relative: 2e-5, absolute: 2e-6 };

function describeGradients(): void {
  const points = vector(0.3, -0.7, 1.1);
  const cube = map(points, (each) => 3 * each * each);
  const sixfold = map(points, (each) => 6 * each);
  test('of values, of any order, without touching .grad', async () => {
    const x = toTensor(points, 'float32', { requiresGrad: true });
    const u = x.pow(3);
    const ux = gradients(u, x, { seed: ones([3]) });
    const uxx = gradients(ux.sum(), [x])[0];
    await expectValues(ux, cube, tolerance);
    await expectValues(uxx, sixfold, tolerance);
    await expectValues(gradients(uxx.sum(), { x }).x, vector(6, 6, 6), tolerance);
    expect(x.grad).toBeNull();
    ux.square().sum().backward();
    await expectValues(
      x.grad!,
      map(points, (each) => 36 * each ** 3),
      tolerance,
    );
  });
  test('with respect to a value on the way, and to one that nothing depends on', async () => {
    const x = toTensor(points, 'float32', { requiresGrad: true });
    const y = x.sin();
    const z = y.mul(y).sum();
    const other = tensor([1], { requiresGrad: true });
    const [gy, gx, none] = gradients(z, [y, x, other]);
    await expectValues(
      gy,
      map(points, (each) => 2 * Math.sin(each)),
      tolerance,
    );
    await expectValues(
      gx,
      map(points, (each) => Math.sin(2 * each)),
      tolerance,
    );
    await expectValues(none, vector(0));
  });
  test('with respect to a variable that has been updated since', async () => {
    const w = toTensor(points, 'float32', { requiresGrad: true });
    const loss = w.pow(3).sum();
    w.assign(w.mul(2));
    await expectValues(gradients(loss, w), cube, tolerance);
    await expectValues(
      gradients(w.pow(3).sum(), w),
      map(points, (each) => 12 * each * each),
      tolerance,
    );
  });
  test('inside compile: a residual uₜ − uₓₓ of a network, trained through its derivatives', async () => {
    const run = (wrap: typeof compile | null): Promise<readonly number[][]> => {
      const w = tensor([[0.5, -0.25, 1]], { requiresGrad: true });
      const v = tensor([[1], [-1], [0.5]], { requiresGrad: true });
      const step = (input: Tensor): Tensor => {
        const x = tensor(input, { requiresGrad: true });
        const u = x.matmul(w).tanh().matmul(v); // (N, 1)
        const ux = gradients(u.sum(), x);
        const uxx = gradients(ux.sum(), x);
        const loss = uxx.add(u).square().mean();
        loss.backward();
        w.assign(w.sub(w.grad!.mul(0.1)));
        [w.grad, v.grad] = [null, null];
        return loss;
      };
      const f2 = wrap === null ? step : wrap(step);
      const losses = [f2(tensor([[0.1], [0.2]])), f2(tensor([[0.1], [0.2]]))];
      return Promise.all([
        ...losses.map(async (each) => [await each.item()]),
        w.data().then((data) => [...data]),
      ]);
    };
    const [plain, compiled] = [await run(null), await run(compile)];
    plain.forEach((list, index) =>
      list.forEach((each, position) => expect(compiled[index]![position]).toBeCloseTo(each, 5)),
    );
    expect(plain[1]![0]).toBeLessThan(plain[0]![0]!);
  });
  test('errors', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(() => gradients(x.square(), x)).toThrow(
      'gradients: float32 [2] has several elements; needs one element; reduce it to one, or pass a seed of that shape',
    );
    expect(() => gradients(x.sum(), tensor([1, 2]))).toThrow(
      'gradients: float32 [2] requires no gradient; make it with requiresGrad: true',
    );
    expect(() => gradients(x.sum(), [x, zeros([1])])).toThrow(GradientError);
    expect(() => gradients(x.sum(), [])).toThrow('there is no tensor to differentiate with respect to');
    expect(() => gradients(x.sum(), x, { seed: ones([2]) })).toThrow(ShapeError);
    expect(() => gradients(x.sum(), x, { sed: ones([]) } as never)).toThrow(OptionError);
  });
}

/** What a caller from JavaScript, or a mistake, can bring about. */
function describeErrors(): void {
  const x = (): Tensor => tensor([1, 2]);
  const wrong: readonly [string, unknown, typeof FirsthandError, RegExp][] = [
    [
      'returns nothing',
      () => {},
      DTypeError,
      /^grad: the function returned undefined; needs a tensor; add a return statement/,
    ],
    [
      'returns a number',
      () => 3,
      DTypeError,
      /the function returned 3; return the tensor itself, not its value/,
    ],
    [
      'returns an array',
      (t: Tensor) => [t.sum()],
      DTypeError,
      /the function returned an array; return a tensor/,
    ],
    [
      'is asynchronous',
      async (t: Tensor) => Promise.resolve(t.sum()),
      DTypeError,
      /the function is asynchronous; .*await values outside/,
    ],
    ['rejects', () => Promise.reject(new Error('later')), DTypeError, /asynchronous/],
    [
      'has several elements',
      (t: Tensor) => t.mul(2),
      ShapeError,
      /float32 \[2\], which has several elements; .*sum\(\) or mean\(\)/,
    ],
    ['gives an index', (t: Tensor) => t.argmax(), DTypeError, /int32 \[\], which has no derivative/],
    ['is no function', tensor(1), OptionError, /a tensor where a function is wanted; write gradients\(/],
  ];
  test.each(wrong)('a function that %s', (_, fn, error, message) => {
    const call = (): unknown => grad(fn as (t: Tensor) => Tensor)(x());
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });
  const arguments_: readonly [
    string,
    readonly unknown[],
    object | number | undefined,
    typeof FirsthandError,
    RegExp,
  ][] = [
    ['no arguments', [], undefined, OptionError, /there is no argument 0: the function was called with 0/],
    ['too few', [x()], 1, OptionError, /no argument 1: .*argnums from -1 to 0/],
    [
      'twice the same',
      [x(), x()],
      { argnums: [0, -2] },
      OptionError,
      /argnums are \[0, -2\]; needs one or more arguments, each once/,
    ],
    ['none', [x()], [], OptionError, /argnums are \[\]/],
    ['a number', [3], undefined, DTypeError, /argument 0 is 3, without a tensor .*pass tensor\(3\)/],
    [
      'integers',
      [tensor([1], { dtype: 'int32' })],
      undefined,
      DTypeError,
      /argument 0 is int32 \[1\], which has no derivative; use cast/,
    ],
    [
      'integers inside',
      [{ a: { ids: tensor([true]) } }],
      undefined,
      DTypeError,
      /argument 0, a.ids, is bool \[1\]/,
    ],
    ['nothing inside', [{ a: 1 }], undefined, DTypeError, /argument 0 is an object, without a tensor/],
    ['a wrong option', [x()], { argnum: 0 }, OptionError, /argnums/],
  ];
  test.each(arguments_)('arguments: %s', (_, args, options, error, message) => {
    const call = (): unknown =>
      (grad as (...all: unknown[]) => (...all: readonly unknown[]) => unknown)(
        (t: Tensor) => t,
        options,
      )(...args);
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });
  test('tangents, cotangents and axes that do not fit', () => {
    expect(() => jvp((t) => t, [x()], [])).toThrow('1 primals and 0 tangents');
    expect(() => jvp((t) => t, [x()], [tensor([1])])).toThrow(ShapeError);
    expect(() => jvp((p: { readonly a: Tensor }) => p.a, [{ a: x() }], [{} as never])).toThrow(
      'the tangent at a is undefined',
    );
    expect(() => vjp((t) => t, x())[1](tensor([1]))).toThrow(ShapeError);
    expect(() => vjp((t) => ({ t }), x())[1](x() as never)).not.toThrow();
    expect(() => vmap((a, b) => a.add(b), { axis: [0] })(x(), x())).toThrow(
      'axis has 1 entries for 2 arguments',
    );
    expect(() => vmap((a) => a, { axis: [null] })(x())).toThrow('no argument is mapped');
    expect(() => vmap((a, b) => a.add(b))(x(), tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => vmap(() => 3 as never)(x())).toThrow('vmap: the function returned 3');
    expect(() => vmap((a) => a, { inAxes: 0 } as never)(x())).toThrow(OptionError);
  });
}

export function describeGradientsOfValues(): void {
  describe('gradients of values', () => {
    describeGradients();
  });
  describe('errors', () => {
    describeErrors();
  });
}
