/**
 * Located errors: an error thrown inside a `forward` gets the path and class of the innermost module,
 * `blocks.0.fc1 (Linear): matmul: …`. Each `forward` that it leaves adds one step: the name of the module
 * below among its members.
 */
import { FirsthandError } from '@firsthand/linalg';

/** The part of a module that the path needs. */
interface Module {
  namedModules(): Map<string, object>;
}

type Forward = (this: Module, ...inputs: unknown[]) => unknown;

/** The path of an error so far: the last module that it left, the path below it, the innermost class. */
interface Position {
  readonly module: Module;
  readonly path: string;
  readonly kind: string;
}

const positions = /* @__PURE__ */ new WeakMap<FirsthandError, Position>();
const located = /* @__PURE__ */ new WeakSet<Forward>();

/** The class of a module, as its author wrote it: bundlers write _Linear. */
export const kindOf = (module: Module): string => module.constructor.name.replace(/^_/, '');

const join = (first: string, second: string): string => (second === '' ? first : `${first}.${second}`);

/** An error leaves the `forward` of a module. */
function leave(module: Module, error: FirsthandError): void {
  const known = positions.get(error);
  if (known?.module === module) return; // a forward that calls its superclass's
  const step =
    known === undefined ? '' : [...module.namedModules()].find(([, each]) => each === known.module)?.[0];
  if (step === undefined) return; // called with a module that is no member: the path begins there
  const position = {
    module,
    path: known === undefined ? '' : join(step, known.path),
    kind: known?.kind ?? kindOf(module),
  };
  positions.set(error, position);
  error.locate(position.path === '' ? position.kind : `${position.path} (${position.kind})`);
}

/**
 * Makes the `forward` of a class, and of its base classes, locate the errors that it throws. Methods are on
 * the prototype, so this happens once per class, when the first module is constructed.
 */
export function locateErrors(root: object, prototype: object): void {
  for (let target = prototype; target !== root; target = Object.getPrototypeOf(target) as object) {
    const property = Object.getOwnPropertyDescriptor(target, 'forward');
    const plain: unknown = property?.value;
    if (property === undefined || typeof plain !== 'function' || located.has(plain as Forward)) continue;
    const forward: Forward = function (...inputs) {
      try {
        return (plain as Forward).apply(this, inputs);
      } catch (error) {
        if (error instanceof FirsthandError) leave(this, error);
        throw error;
      }
    };
    Object.defineProperty(forward, 'name', { value: plain.name });
    Object.defineProperty(forward, 'length', { value: plain.length });
    located.add(forward);
    Object.defineProperty(target, 'forward', { ...property, value: forward });
  }
}
