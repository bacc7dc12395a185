/**
 * Errors that say where in a model they happened: one that is thrown inside a `forward` gets the path of the
 * innermost module and its class, `blocks.0.fc1 (Linear): matmul: …`. Each `forward` on the way out knows one
 * step of the path: where the module below is a member of its own.
 */
import { FirsthandError } from '@firsthand/linalg';

/** A module, seen from here. */
interface Module {
  namedModules(): Map<string, object>;
}

type Forward = (this: Module, ...inputs: unknown[]) => unknown;

/**
 * What is known of an error on its way out: the last module that it left, the path below that one, the class
 * of the innermost.
 */
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
 * Makes the `forward` of a class, and of the classes that it derives from, locate the errors that it throws.
 * Methods stand on the prototype, so that it happens once per class, when the first module is constructed.
 */
export function locateErrors(root: object, prototype: object): void {
  for (let holder = prototype; holder !== root; holder = Object.getPrototypeOf(holder) as object) {
    const property = Object.getOwnPropertyDescriptor(holder, 'forward');
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
    Object.defineProperty(holder, 'forward', { ...property, value: forward });
  }
}
