/**
 * A module is an object whose fields are its parameters, buffers and modules: nothing is registered, they are
 * found by walking its own fields in the order of their definition. Names are paths through the fields,
 * `fc1.weight`, as in torch's state dicts.
 */
import {
  checkDevice,
  type Device,
  guard,
  guardContents,
  Guarded,
  moveInPlace,
  Tensor,
} from '@firsthand/autograd';
import { FirsthandError, checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import type { StateDictMismatch } from './errors.ts';
import { kindOf, locateErrors } from './located.ts';
import { Parameter } from './parameter.ts';
import { assignStateDict, compareStateDict, type StateDict } from './state-dict.ts';
import { formatSummary } from './summary.ts';

/** What `onForward` calls after each `forward`, with the module, its inputs and its output. */
export type ForwardHook<M extends Module> = (
  module: M,
  inputs: Parameters<M['forward']>,
  output: ReturnType<M['forward']>,
) => void;

/** Whether missing and left-over names are errors, true if not given. */
export interface StrictOptions {
  readonly strict?: boolean | undefined;
}

const STRICT_KEYS: OptionKeys<StrictOptions> = { strict: 'boolean' };

type Forward = (...inputs: unknown[]) => unknown;

/** Whether training changes a tensor: a frozen parameter is one still. */
const isParameter = (tensor: Tensor): boolean => tensor instanceof Parameter || tensor.requiresGrad;

/**
 * Whether a tensor is a module's own: not a value that was computed from parameters, which has its history
 * and no state.
 */
const isState = (tensor: Tensor): boolean => tensor.isLeaf || !tensor.requiresGrad;

/**
 * The elements of an array, a map, a set or a plain object, by what stands for them in a path; none of
 * anything else.
 */
function elementsOf(value: unknown): Iterable<readonly [string | number, unknown]> {
  if (Array.isArray(value)) return value.entries();
  if (value instanceof Set) return [...value].entries();
  if (value instanceof Map) {
    return [...value].map(([key, each]: [unknown, unknown], index) => [
      typeof key === 'string' ? key : typeof key === 'number' ? key : index,
      each,
    ]);
  }
  if (typeof value !== 'object' || value === null) return [];
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.entries(value) : [];
}

/**
 * The base of layers and models. What its fields hold belongs to it: modules, parameters (a {@link
 * Parameter}, or a leaf tensor with `requiresGrad`), buffers (other tensors: saved, not trained), and arrays,
 * maps, sets and plain objects of these, nested as one likes. Private `#fields` do not: nobody but the class
 * can see them, so give what is to be trained a public field, or override `fields()`. Nor do values that were
 * computed from parameters, such as an activation that is kept to be looked at.
 *
 * An error inside a `forward` names the module by its path: `blocks.0.fc1 (Linear): matmul: …`.
 * @example
 * ```ts
 * import type { Tensor } from '@firsthand/autograd';
 * import { Linear, Module } from '@firsthand/nn';
 * class Net extends Module {
 *   hidden = new Linear(2, 8);
 *   output = new Linear(8, 1);
 *   forward(x: Tensor): Tensor {
 *     return this.output.forward(this.hidden.forward(x).tanh()); // (N, 2) → (N, 1)
 *   }
 * }
 * const names = [...new Net().namedParameters().keys()];
 * console.log(names.join()); // hidden.weight,hidden.bias,output.weight,output.bias
 * ```
 */
export abstract class Module extends Guarded {
  /** Read through `guard`, so that a compiled function is traced again when the mode changes. */
  readonly #mode = { training: true };
  readonly #hooks = new Set<Forward>();

  constructor() {
    super();
    locateErrors(Module.prototype, Object.getPrototypeOf(this) as object);
  }

  /** The module's function. Call it directly: hooks fire on it. */
  abstract forward(...inputs: never[]): unknown;

  /** The fields among which members are sought. Containers whose members are named by number say so here. */
  protected fields(): Iterable<readonly [string, unknown]> {
    return Object.entries(this);
  }

  // ---- members

  /**
   * This module and all members below it with their paths, a shared one under each of them. A field that
   * refers back to a module above is no member.
   */
  *#walk(path: string, above: readonly Module[]): Generator<readonly [string, Module | Tensor]> {
    yield [path, this];
    const line = [...above, this];
    const visit = function* (
      name: string,
      value: unknown,
      around: readonly unknown[],
    ): Generator<readonly [string, Module | Tensor]> {
      if (value instanceof Tensor) {
        if (isState(value)) yield [name, value];
      } else if (value instanceof Module) {
        if (!line.includes(value)) yield* value.#walk(name, line);
      } else if (!around.includes(value)) {
        for (const [key, each] of elementsOf(value)) yield* visit(`${name}.${key}`, each, [...around, value]);
      }
    };
    for (const [name, value] of this.fields())
      yield* visit(path === '' ? name : `${path}.${name}`, value, []);
  }

  /**
   * Tensors by all their paths. Parameters learn their paths here, which error messages then show.
   * @throws FirsthandError if two tensors have one path, as in maps whose keys are 1 and '1'
   */
  #tensors(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [path, member] of this.#walk('', [])) {
      if (member instanceof Module) continue;
      if ((found.get(path) ?? member) !== member) {
        throw new FirsthandError({
          operation: kindOf(this),
          problem: `two tensors have the path ${path}`,
          expected: 'a path for each tensor',
          remedy: 'give their keys other names',
        });
      }
      if (member.name === null || path.endsWith(`.${member.name}`)) member.name = path;
      found.set(path, member);
    }
    return found;
  }

  /** This module (path '') and all modules below it, by path; one that is shared, by its first. */
  namedModules(): Map<string, Module> {
    checkCount('namedModules', arguments.length, 0, 'model.namedModules()');
    const modules = new Map<string, Module>();
    const seen = new Set<Module>();
    for (const [path, member] of this.#walk('', [])) {
      if (member instanceof Tensor || seen.has(member)) continue;
      seen.add(member);
      modules.set(path, member);
    }
    return modules;
  }

  /** All parameters by path, `fc1.weight`; one that is shared, by its first. */
  namedParameters(): Map<string, Tensor> {
    checkCount('namedParameters', arguments.length, 0, 'model.namedParameters()');
    const parameters = new Map<string, Tensor>();
    const seen = new Set<Tensor>();
    for (const [path, tensor] of this.#tensors()) {
      if (!isParameter(tensor) || seen.has(tensor)) continue;
      seen.add(tensor);
      parameters.set(path, tensor);
    }
    return parameters;
  }

  /** All parameters, each once: what an optimizer takes. */
  parameters(): Tensor[] {
    checkCount('parameters', arguments.length, 0, 'model.parameters()');
    return [...this.namedParameters().values()];
  }

  /**
   * Drops the gradients of all parameters. Call it last in a step: gradients that are used and dropped in one
   * step never become buffers.
   */
  zeroGrad(): void {
    checkCount('zeroGrad', arguments.length, 0, 'model.zeroGrad()');
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** All buffers, each once: tensors that are part of the state but not trained. */
  buffers(): Tensor[] {
    checkCount('buffers', arguments.length, 0, 'model.buffers()');
    return [...new Set(this.#tensors().values())].filter((tensor) => !isParameter(tensor));
  }

  /** Calls `fn` with every module below this one, and then with this one. */
  apply(fn: (module: Module) => void): this {
    checkCount('apply', arguments.length, 1, 'model.apply(fn)');
    for (const module of [...this.namedModules().values()].toReversed()) fn(module);
    return this;
  }

  // ---- state

  /**
   * Parameters and buffers by path: the tensors themselves, which go on changing. A shared one stands under
   * each of its paths.
   */
  stateDict(): Map<string, Tensor> {
    checkCount('stateDict', arguments.length, 0, 'model.stateDict()');
    return this.#tensors();
  }

  /**
   * Checks that a state fits, and changes nothing.
   * @throws StateDictError as `loadStateDict`
   */
  checkStateDict(state: StateDict, options?: StrictOptions): StateDictMismatch {
    checkCount('checkStateDict', arguments.length, 2, 'model.checkStateDict(state, { strict })');
    const { strict = true } = checkOptions('checkStateDict', options, STRICT_KEYS);
    return compareStateDict(this.stateDict(), state, strict);
  }

  /**
   * Gives parameters and buffers the values of a state dict; floating-point values convert to their dtype.
   * All or nothing.
   * @param options.strict whether missing and left-over names are errors, true if not given
   * @returns the names that were missing and left over
   * @throws StateDictError listing every name that is missing, left over, or differs in shape, dtype or
   *   device
   */
  loadStateDict(state: StateDict, options?: StrictOptions): StateDictMismatch {
    checkCount('loadStateDict', arguments.length, 2, 'model.loadStateDict(state, { strict })');
    checkOptions('loadStateDict', options, STRICT_KEYS);
    const result = this.checkStateDict(state, options);
    assignStateDict(this.stateDict(), state);
    return result;
  }

  /**
   * Moves parameters, buffers and gradients to another device. The tensors stay the same objects; an
   * optimizer made before keeps its state where it was, so make it afterwards. Await it before anything else
   * uses the module.
   * @throws DTypeError if the device lacks a dtype; everything is then where it was
   */
  async to(device: Device): Promise<this> {
    checkCount('to', arguments.length, 1, 'await model.to(device)');
    checkDevice('to', device);
    await moveInPlace([...new Set(this.stateDict().values())], device);
    return this;
  }

  // ---- mode

  /**
   * Whether the module is being trained (dropout drops) or used (it does not). A compiled function that reads
   * it follows it.
   */
  get training(): boolean {
    return guard(this.#mode, 'training');
  }

  /** Sets this module and all below it to training, or with `false` to use. */
  train(training = true): this {
    checkCount('train', arguments.length, 1, 'model.train(true)');
    for (const module of this.namedModules().values()) module.#mode.training = training;
    return this;
  }

  /** `train(false)` */
  eval(): this {
    checkCount('eval', arguments.length, 0, 'model.eval()');
    return this.train(false);
  }

  // ---- looking in

  /**
   * Calls `hook` after each `forward` of this module. Inside `compile` that is while the function is traced:
   * subscribe before its first call.
   *
   * Models call `layer.forward(x)` directly, so the hook must be on `forward` itself: while there are hooks,
   * this object has a `forward` of its own in front of its class's. A module without hooks pays nothing, and
   * a subclass has nothing to remember.
   * @returns ends the subscription
   */
  onForward<M extends Module>(this: M, hook: ForwardHook<M>): () => void {
    checkCount('onForward', arguments.length, 1, 'model.onForward(hook)');
    const before = Object.getOwnPropertyDescriptor(this, 'forward');
    if (this.#hooks.size === 0) {
      const plain = this.forward as unknown as Forward;
      const hooked: Forward = (...inputs) => {
        const output = plain.apply(this, inputs);
        for (const each of guardContents(this.#hooks)) each(this, inputs, output);
        return output;
      };
      Object.defineProperty(this, 'forward', {
        value: hooked,
        configurable: true,
        enumerable: false,
        writable: true,
      });
      this.#unhook = () => {
        if (before === undefined) Reflect.deleteProperty(this, 'forward');
        else Object.defineProperty(this, 'forward', before);
      };
    }
    const entry = (...call: unknown[]): void => hook(...(call as unknown as Parameters<ForwardHook<M>>));
    this.#hooks.add(entry);
    return () => {
      if (this.#hooks.delete(entry) && this.#hooks.size === 0) this.#unhook();
    };
  }

  #unhook: () => void = () => {};

  /** A table of the parameters: name, shape, number of elements. */
  summary(): string {
    checkCount('summary', arguments.length, 0, 'model.summary()');
    return formatSummary(
      [...this.namedParameters()].map(([name, { shape, requiresGrad }]) => ({ name, shape, requiresGrad })),
    );
  }
}
