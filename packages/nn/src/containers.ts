/**
 * Modules made of other modules: in sequence or in a list, named by their indices, `0.weight`, or in a map,
 * named by its keys.
 */
import { DTypeError, guardContents, type Tensor } from '@firsthand/autograd';
import { checkCount, describeValue, FirsthandError, ShapeError } from '@firsthand/linalg';
import type { Layer, LayerFunction } from './layer.ts';
import { Module } from './module.ts';

const numbered = (values: readonly unknown[]): [string, unknown][] =>
  values.map((value, index) => [String(index), value]);

/** @throws DTypeError for what cannot be called with a tensor, which calls from JavaScript can bring about */
function requireLayer(value: Layer | LayerFunction, index: number): void {
  if (value instanceof Module || typeof value === 'function') return;
  throw new DTypeError({
    operation: 'new Sequential',
    problem: `layer ${index} is ${describeValue(value)}`,
    expected: 'modules or functions of one tensor',
    remedy: 'pass them one by one, new Sequential(a, b), or new Sequential(...layers)',
  });
}

/** The error of a call to what only holds modules. */
const noForward = (operation: string, problem: string): FirsthandError =>
  new FirsthandError({
    operation,
    problem,
    expected: 'a call of a module in it',
    remedy: 'call the modules in it, or make a Sequential',
  });

/**
 * Layers one after the other; plain functions between them count as layers without parameters.
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { Linear, ReLU, Sequential } from '@firsthand/nn';
 * const model = new Sequential(new Linear(4, 8), new ReLU(), (x) => x.mul(2), new Linear(8, 2));
 * console.log(model.forward(zeros([3, 4])).shape); // [ 3, 2 ]
 * console.log(model.summary().split('\n')[2]); // 0.weight  [8, 4]          32
 * ```
 */
export class Sequential<
  L extends readonly (Layer | LayerFunction)[] = readonly (Layer | LayerFunction)[],
> extends Module {
  readonly #list: L;

  /** @throws DTypeError for what is neither a module nor a function */
  constructor(...layers: L) {
    super();
    layers.forEach(requireLayer);
    this.#list = layers;
  }

  get #layers(): L {
    return guardContents(this.#list);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return [...super.fields(), ...numbered(this.#layers)];
  }

  get length(): number {
    return this.#layers.length;
  }

  [Symbol.iterator](): Iterator<L[number]> {
    return this.#layers[Symbol.iterator]();
  }

  /** What the first layer takes, and what the last one gives; without layers, the input. */
  forward(x: Tensor): Tensor {
    return this.#layers.reduce<Tensor>(
      (value, layer) => (typeof layer === 'function' ? layer(value) : layer.forward(value)),
      x,
    );
  }
}

/** A list of modules, called as the module that has it sees fit. */
export class ModuleList<M extends Module> extends Module {
  readonly #list: M[];

  constructor(modules: Iterable<M> = []) {
    super();
    checkCount('ModuleList', arguments.length, 1, 'new ModuleList([a, b])');
    this.#list = [...modules];
  }

  /** The list; a compiled function that reads it follows what is added. */
  get #modules(): M[] {
    return guardContents(this.#list);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return [...super.fields(), ...numbered(this.#modules)];
  }

  get length(): number {
    return this.#modules.length;
  }

  /** The module at `index`, which may be negative. @throws ShapeError if there is none */
  at(index: number): M {
    const module = this.#modules.at(index);
    if (module !== undefined) return module;
    const { length } = this.#modules;
    const expected = `a whole number from ${-length} to ${length - 1}`;
    throw new ShapeError({
      operation: 'ModuleList.at',
      problem: `no module ${index} among ${length}`,
      expected,
    });
  }

  /** Adds a module at the end. */
  push(module: M): void {
    this.#modules.push(module);
  }

  [Symbol.iterator](): Iterator<M> {
    return this.#modules[Symbol.iterator]();
  }

  /** A list has no function of its own. @throws FirsthandError always */
  forward(): never {
    throw noForward('ModuleList', 'a list has no forward');
  }
}

/**
 * Modules by name, called as the module that has them sees fit: heads for several tasks, say. Members are
 * named by their keys: `price.weight`.
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { Linear, ModuleDict } from '@firsthand/nn';
 * const heads = new ModuleDict({ price: new Linear(4, 1), kind: new Linear(4, 3) });
 * console.log(heads.get('kind').forward(zeros([2, 4])).shape); // [ 2, 3 ]
 * console.log([...heads.namedParameters().keys()].join()); // price.weight,price.bias,kind.weight,kind.bias
 * ```
 */
export class ModuleDict<M extends Module> extends Module {
  readonly #map: Map<string, M>;

  /** @param modules an object or a map, in whose order they stay */
  constructor(modules: { readonly [name: string]: M } | ReadonlyMap<string, M> = {}) {
    super();
    checkCount('ModuleDict', arguments.length, 1, 'new ModuleDict({ a, b })');
    this.#map = new Map(
      modules instanceof Map ? (modules as ReadonlyMap<string, M>) : Object.entries(modules),
    );
  }

  /** The map; a compiled function that reads it follows what is set. */
  get #modules(): Map<string, M> {
    return guardContents(this.#map);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return [...super.fields(), ...this.#modules];
  }

  get size(): number {
    return this.#modules.size;
  }

  has(name: string): boolean {
    return this.#modules.has(name);
  }

  /** @throws FirsthandError if there is none of that name */
  get(name: string): M {
    const module = this.#modules.get(name);
    if (module !== undefined) return module;
    const names = [...this.#modules.keys()].join(', ') || 'none';
    throw new FirsthandError({
      operation: 'ModuleDict.get',
      problem: `no module "${name}"`,
      expected: names,
      remedy: `there are ${names}`,
    });
  }

  /** Adds a module, or replaces the one of that name. */
  set(name: string, module: M): this {
    this.#modules.set(name, module);
    return this;
  }

  /** Takes a module out. @returns whether there was one */
  delete(name: string): boolean {
    return this.#modules.delete(name);
  }

  [Symbol.iterator](): Iterator<[string, M]> {
    return this.#modules[Symbol.iterator]();
  }

  /** A collection has no function of its own. @throws FirsthandError always */
  forward(): never {
    throw noForward('ModuleDict', 'a collection has no forward');
  }
}
