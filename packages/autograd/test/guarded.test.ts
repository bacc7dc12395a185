// Objects whose fields are guarded are proxies: nobody may notice, in code that looks at objects from outside
// or from inside.
import { inspect } from 'node:util';

import { describe, expect, test } from 'vitest';

import { compile, Guarded, tensor } from '../src/index.ts';

class Base extends Guarded {
  readonly #secret = { value: 1 };
  readonly self: this = this;
  count = 0;
  get secret(): number {
    return this.#secret.value;
  }
  set secret(value: number) {
    this.#secret.value = value;
  }
  #increase(): void {
    this.count++;
  }
  increase(): this {
    this.#increase();
    return this;
  }
  static isOne(value: object): boolean {
    return #secret in value;
  }
}

class Derived extends Base {
  #own = 5;
  list = [1, 2];
  override get secret(): number {
    return super.secret + this.#own;
  }
  override set secret(value: number) {
    super.secret = value;
  }
}

describe('a guarded object', () => {
  test('is itself, inside and outside, with private fields, accessors and methods of every class', () => {
    const object = new Derived();
    expect(object.self).toBe(object);
    expect(object.increase()).toBe(object);
    expect(object.count).toBe(1);
    expect(object.secret).toBe(6);
    object.secret = 10;
    expect(object.secret).toBe(15);
    expect(Base.isOne(object)).toBe(true);
    expect(object).toBeInstanceOf(Derived);
    expect(object).toBeInstanceOf(Guarded);
    expect(new Map([[object, 1]]).get(object.self)).toBe(1);
    expect(Object.getPrototypeOf(object)).toBe(Derived.prototype);
    expect(object.constructor).toBe(Derived);
  });

  test('lists, has, copies and deletes its fields as others do', () => {
    const object = new Derived();
    expect(Object.keys(object)).toEqual(['self', 'count', 'list']);
    expect('count' in object && 'secret' in object && !('other' in object)).toBe(true);
    expect(Object.hasOwn(object, 'secret')).toBe(false);
    expect(Object.assign({}, object)).toEqual({ self: object, count: 0, list: [1, 2] });
    expect(Reflect.deleteProperty(object, 'list')).toBe(true);
    expect(Object.keys(object)).toEqual(['self', 'count']);
    expect(() => {
      (Object.freeze(object) as Derived).count = 1;
    }).toThrow(TypeError);
  });

  test('prints and compares as others do', () => {
    class Point extends Guarded {
      x = 1;
      y = { z: 2 };
    }
    expect(inspect(new Point())).toBe('Point { x: 1, y: { z: 2 } }');
    expect(JSON.stringify(new Point())).toBe('{"x":1,"y":{"z":2}}');
    expect(new Point()).toEqual(new Point());
    expect(new Point()).toStrictEqual(new Point());
    expect(Object.assign(new Point(), { x: 2 })).not.toEqual(new Point());
    expect(new Point()).toMatchObject({ x: 1 });
  });

  test('an accessor counts by what it reads, and by the accessor', async () => {
    class Scaled extends Guarded {
      factor = 2;
      get list(): number[] {
        return [this.factor, 1];
      }
    }
    const object = new Scaled();
    let traces = 0;
    const f = compile((x: ReturnType<typeof tensor>) => {
      traces++;
      return x.mul(object.list[0]!);
    });
    for (const factor of [2, 2, 3, 2]) {
      object.factor = factor;
      expect(await f(tensor([1])).item()).toBe(factor);
    }
    expect(traces).toBe(2);
    Object.defineProperty(object, 'list', { get: () => [7], configurable: true });
    expect(await f(tensor([1])).item()).toBe(7);
    Reflect.deleteProperty(object, 'list');
    expect(await f(tensor([1])).item()).toBe(2);
    expect(traces).toBe(3);
  });

  test('what is listed, asked for and described is guarded too', async () => {
    class Bag extends Guarded {
      a = 1;
    }
    const bag = new Bag();
    const uses: readonly (() => number)[] = [
      () => Object.values(bag).reduce((sum, each) => sum + each, 0),
      () => Object.keys(bag).length,
      () => ('b' in bag ? 10 : 0),
      () => (Object.hasOwn(bag, 'b') ? 10 : 0),
      () => Object.getOwnPropertyDescriptor(bag, 'b')?.value ?? 0,
      () => JSON.stringify(bag).length,
    ];
    const compiled = uses.map((use) => compile((x: ReturnType<typeof tensor>) => x.mul(use())));
    const agree = async (): Promise<void> => {
      for (const [index, f] of compiled.entries()) expect(await f(tensor([1])).item()).toBe(uses[index]!());
    };
    await agree();
    Object.assign(bag, { b: 4 });
    await agree();
    Object.assign(bag, { b: 5 });
    await agree();
    Reflect.deleteProperty(bag, 'b');
    await agree();
  });
});
