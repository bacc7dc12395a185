/** Modules made of a list of modules, whose members are named by their numbers: `0.weight`. */
import { guardContents, type Tensor } from '@firsthand/autograd';
import { ShapeError } from '@firsthand/linalg';
import type { Layer } from './layer.ts';
import { Module } from './module.ts';

const numbered = (modules: readonly Module[]): [string, Module][] => modules.map((module, index) => [String(index), module]);

/**
 * Layers one after the other.
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { Linear, ReLU, Sequential } from '@firsthand/nn';
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * console.log(model.forward(zeros([3, 4])).shape); // [ 3, 2 ]
 * console.log(model.summary().split('\n')[2]); // 0.weight  [8, 4]          32
 * ```
 */
export class Sequential extends Module {
  readonly #list: readonly Layer[];

  constructor(...layers: readonly Layer[]) {
    super();
    this.#list = layers;
  }

  get #layers(): readonly Layer[] {
    return guardContents(this.#list);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return [...super.fields(), ...numbered(this.#layers)];
  }

  get length(): number {
    return this.#layers.length;
  }

  [Symbol.iterator](): Iterator<Layer> {
    return this.#layers[Symbol.iterator]();
  }

  /** What the first layer takes, and what the last one gives; without layers, the input. */
  forward(x: Tensor): Tensor {
    return this.#layers.reduce((value, layer) => layer.forward(value), x);
  }
}

/** A list of modules, to be called as its owner sees fit. */
export class ModuleList<M extends Module> extends Module {
  readonly #list: M[];

  constructor(modules: Iterable<M> = []) {
    super();
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
    if (module === undefined) throw new ShapeError(`ModuleList: no module ${index} among ${this.#modules.length}`);
    return module;
  }

  /** Adds a module at the end. */
  push(module: M): void {
    this.#modules.push(module);
  }

  [Symbol.iterator](): Iterator<M> {
    return this.#modules[Symbol.iterator]();
  }

  /** A list has no function of its own. @throws TypeError always */
  forward(): never {
    throw new TypeError('ModuleList: a list has no forward; call the modules in it');
  }
}
