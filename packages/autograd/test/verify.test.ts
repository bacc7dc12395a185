// `compile(f, { verify: n })` finds what guards cannot: captured variables that have changed.
import { OptionError } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';

import { CaptureError, compile, Guarded, manualSeed, rand, type Tensor, tensor } from '../src/index.ts';

/** What the second call throws, after the first has been traced and `change` has been called. */
function failure(f: (x: Tensor) => unknown, change: () => void): CaptureError {
  const compiled = compile(f, { verify: 1 });
  const x = tensor([1, 2]);
  compiled(x);
  compiled(x);
  change();
  try {
    compiled(x);
  } catch (error) {
    expect(error).toBeInstanceOf(CaptureError);
    return error as CaptureError;
  }
  throw new Error('nothing was found');
}

describe('a captured variable that has changed is found', () => {
  test('a number, with the operation that reads it', () => {
    let beta = 2;
    const { message, differences } = failure(
      (x) => x.add(1).mul(beta).sum(),
      () => (beta = 3),
    );
    expect(differences).toEqual(['the number 2 in mul (float32 [2]) is 3 now']);
    expect(message).toMatch(
      /^compile: the function is not what it was when it was traced: the number 2.*; a captured variable has changed.*guard\(object, key\)$/,
    );
  });

  test('each of several numbers', () => {
    const options = { a: 1.5, b: 2.5 };
    const { differences } = failure(
      (x) => x.mul(options.a).add(options.b),
      () => Object.assign(options, { a: 7, b: 8 }),
    );
    expect(differences).toEqual([
      'the number 1.5 in mul (float32 [2]) is 7 now',
      'the number 2.5 in add (float32 [2]) is 8 now',
    ]);
  });

  test('a tensor handle', () => {
    let w = tensor([1, 2], { name: 'w' });
    const { differences } = failure(
      (x) => x.mul(w),
      () => (w = tensor([1, 2], { name: 'v' })),
    );
    expect(differences).toEqual(['where it read the variable float32 [2] "w", it reads float32 [2] "v" now']);
  });

  test('a function, a longer list, a branch', () => {
    let activation = (x: Tensor): Tensor => x.tanh();
    expect(
      failure(
        (x) => activation(x),
        () => (activation = (x) => x.exp()),
      ).differences,
    ).toEqual(['where it built tanh (float32 [2]), it builds exp (float32 [2]) now']);
    const layers = [(x: Tensor): Tensor => x.neg()];
    expect(
      failure(
        (x) => layers.reduce((h, layer) => layer(h), x),
        () => layers.push((x) => x.abs()),
      ).differences,
    ).toEqual(['where it built nothing more, it builds abs (float32 [2]) now']);
    let mode = 'a';
    expect(
      failure(
        (x) => (mode === 'a' ? x.add(x) : x.mul(x)),
        () => (mode = 'b'),
      ).differences[0],
    ).toMatch(/built add .* builds mul/);
  });

  test('the data of a tensor', () => {
    let data = Float32Array.of(1, 2);
    expect(
      failure(
        (x) => x.add(tensor(data)),
        () => (data = Float32Array.of(1, 3)),
      ).differences,
    ).toEqual(['the data of a tensor, float32 [2], are others now']);
  });

  test('what is returned besides tensors, and which tensor', () => {
    let label = 'a';
    expect(
      failure(
        (x) => ({ x: x.neg(), label }),
        () => (label = 'b'),
      ).differences,
    ).toEqual(['it returns other values that are no tensors']);
    let first = true;
    const both = (x: Tensor): Tensor => {
      const [a, b] = [x.neg(), x.abs()];
      return first ? a : b;
    };
    expect(failure(both, () => (first = false)).differences[0]).toMatch(/built neg .* builds abs/);
  });
});

describe('what has not changed is not complained of', () => {
  test('state, arguments, fields, numbers, data and random numbers', async () => {
    const run = async (verify: number): Promise<unknown> => {
      manualSeed(3);
      const box = new (class extends Guarded {
        scale = 1;
      })();
      const w = tensor([1, 1], { requiresGrad: true });
      const data = Float32Array.of(1, 2);
      const f = compile(
        (x: Tensor, n: number) => {
          const y = w
            .mul(x)
            .mul(n * box.scale)
            .add(rand([2]))
            .add(tensor(data));
          y.sum().backward();
          w.assign(w.detach().sub(w.grad!.mul(0.1)));
          w.grad = null;
          return { y: [y.detach(), y.detach()], made: new Date(), n, f: () => n };
        },
        { verify },
      );
      const results: unknown[] = [];
      for (let step = 0; step < 12; step++) {
        box.scale = step % 3;
        if (step === 7) data[0] = 9;
        results.push(await f(tensor([step, 1]), step % 2).y[0]!.toArray());
      }
      return [results, await w.toArray()];
    };
    const plain = await run(0);
    for (const verify of [1, 2, 5]) expect(await run(verify)).toEqual(plain);
  });

  test('it looks every so many calls only, and after a complaint the state is as it was', async () => {
    const w = tensor([1]);
    let [beta, traces] = [2, 0];
    const f = compile(
      () => {
        traces++;
        w.assign(w.mul(beta));
      },
      { verify: 3 },
    );
    for (let call = 0; call < 3; call++) f();
    expect(traces).toBe(1);
    f();
    expect(traces).toBe(2);
    beta = 5;
    f();
    f();
    expect(() => f()).toThrow(CaptureError);
    expect(await w.item()).toBe(2 ** 6);
    expect(() => compile(() => w, { verfy: 1 } as object)).toThrow(OptionError);
  });
});
