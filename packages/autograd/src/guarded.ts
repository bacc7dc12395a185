/**
 * Guarded objects: modules, optimizers and other classes whose fields a compiled function may read. The
 * constructor returns a proxy, which reports each read of a field to the current trace and counts changes.
 * Outside of `compile` a read costs some 20 ns more than one of a plain field.
 */
import { checkCount } from '@firsthand/linalg';
import type { Versioned } from './guards.ts';
import { currentTrace } from './trace.ts';

class GuardedFields implements ProxyHandler<object>, Versioned {
  version = 0;

  get(object: object, key: PropertyKey, receiver: unknown): unknown {
    currentTrace()?.guards.field(this, object, key);
    return Reflect.get(object, key, receiver);
  }
  has(object: object, key: PropertyKey): boolean {
    currentTrace()?.guards.presence(this, object, key);
    return Reflect.has(object, key);
  }
  ownKeys(object: object): (string | symbol)[] {
    currentTrace()?.guards.keys(this, object);
    return Reflect.ownKeys(object);
  }
  getOwnPropertyDescriptor(object: object, key: PropertyKey): PropertyDescriptor | undefined {
    const trace = currentTrace();
    trace?.guards.presence(this, object, key);
    trace?.guards.field(this, object, key);
    return Reflect.getOwnPropertyDescriptor(object, key);
  }
  set(object: object, key: PropertyKey, value: unknown, receiver: unknown): boolean {
    currentTrace()?.guards.write(this, object, key);
    // Calls a setter, or defines the property, which counts as a change.
    return Reflect.set(object, key, value, receiver);
  }
  defineProperty(object: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    this.version++;
    currentTrace()?.guards.write(this, object, key);
    return Reflect.defineProperty(object, key, descriptor);
  }
  deleteProperty(object: object, key: PropertyKey): boolean {
    this.version++;
    currentTrace()?.guards.write(this, object, key);
    return Reflect.deleteProperty(object, key);
  }
}

/**
 * The base of classes whose fields compiled functions depend on: when a field has another value, the function
 * is traced again; when it has an earlier value again, the earlier program runs. Arrays, maps, sets and
 * plain objects in a field count with their elements. Private `#fields` of subclasses are out of reach; read
 * them through {@link guard}, or their elements through {@link guardContents}.
 * @example
 * ```ts
 * import { compile, Guarded, type Tensor, tensor } from '@firsthand/autograd';
 * class Scale extends Guarded {
 *   factor = 2;
 *   forward(x: Tensor): Tensor {
 *     return x.mul(this.factor);
 *   }
 * }
 * const scale = new Scale();
 * const forward = compile((x: Tensor) => scale.forward(x));
 * console.log(await forward(tensor([1])).item()); // 2
 * scale.factor = 3;
 * console.log(await forward(tensor([1])).item()); // 3
 * ```
 */
export abstract class Guarded {
  constructor() {
    // Subclasses see the proxy as `this`: their fields and private fields are its own.
    return new Proxy(this, new GuardedFields());
  }
}

/**
 * Reads `object[key]`; inside `compile`, another value next time means another trace. For state that is no
 * field of a {@link Guarded} object.
 */
export function guard<T extends object, K extends keyof T>(object: T, key: K): T[K] {
  checkCount('guard', arguments.length, 2, 'guard(object, key)');
  const value = object[key];
  currentTrace()?.guards.value(object, key, value);
  return value;
}

/**
 * Gives back `collection`; inside `compile`, other elements next time mean another trace. An array, a map, a
 * set or a plain object.
 */
export function guardContents<T extends object>(collection: T): T {
  checkCount('guardContents', arguments.length, 1, 'guardContents(collection)');
  currentTrace()?.guards.contents(collection);
  return collection;
}
