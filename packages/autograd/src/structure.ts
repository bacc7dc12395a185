/**
 * Structures of tensors, numbers and other values: the arguments and results of compiled functions. `flatten`
 * lists the tensors and the numbers and describes the rest by value; `rebuild` substitutes other tensors.
 */
import { describeValue, NDArray, OptionError } from '@firsthand/linalg';
import { Guarded } from './guarded.ts';
import { isPlain } from './guards.ts';
import { Tensor } from './tensor.ts';

export interface Flat {
  /** Distinct tensors, in order of first occurrence. */
  readonly tensors: readonly Tensor[];
  /** The numbers, in order. */
  readonly numbers: readonly number[];
  /**
   * Everything else: equal for structures that differ in nothing but their numbers and their tensors' values.
   */
  readonly signature: string;
}

/** Stands for a tensor in the structure of a result. */
export class Result {
  readonly kind: 'output' | 'argument';
  readonly index: number;
  constructor(kind: 'output' | 'argument', index: number) {
    this.kind = kind;
    this.index = index;
  }
}

const identities = /* @__PURE__ */ new WeakMap<object, number>();
let count = 0;

/** A number that stands for an object that is not plain data: the same object, the same number. */
function identityOf(object: object): number {
  const known = identities.get(object) ?? ++count;
  identities.set(object, known);
  return known;
}

/** @throws OptionError for bare data, whose elements are no part of the description */
export function flatten(value: unknown): Flat {
  const tensors: Tensor[] = [];
  const numbers: number[] = [];
  const describe = (part: unknown): string => {
    if (typeof part === 'number') {
      numbers.push(part);
      return 'n';
    }
    if (part instanceof Tensor) {
      const known = tensors.indexOf(part);
      if (known >= 0) return `#${known}`;
      tensors.push(part);
      return `#${tensors.length - 1}:${part.dtype}[${part.shape.join(',')}]@${identityOf(part.device)}${part.node.requiresGrad ? 'g' : ''}`;
    }
    if (typeof part !== 'object' || part === null) return describeLeaf(part);
    if (ArrayBuffer.isView(part) || part instanceof NDArray) {
      throw new OptionError({
        operation: 'compile',
        problem: `an argument is ${describeValue(part)}, whose elements would be frozen into the program`,
        expected: 'a tensor',
        remedy: 'pass tensor(data)',
      });
    }
    if (Array.isArray(part)) return `[${part.map(describe).join(',')}]`;
    if (part instanceof Map || part instanceof Set)
      return `${part.constructor.name}[${[...part].map(describe).join(',')}]`;
    if (!isPlain(part)) return describeInstance(part);
    return `{${Object.entries(part)
      .map(([key, each]) => `${JSON.stringify(key)}:${describe(each)}`)
      .join(',')}}`;
  };
  const signature = describe(value);
  return { tensors, numbers, signature };
}

/** A primitive by value, an object or a function by identity. */
function describeLeaf(part: unknown): string {
  if ((typeof part === 'object' && part !== null) || typeof part === 'function')
    return `@${identityOf(part)}`;
  return typeof part === 'string'
    ? JSON.stringify(part)
    : Object.is(part, -0)
      ? '-0'
      : `${typeof part}:${String(part)}`;
}

/**
 * An object of a class counts by identity and by its own fields, unless a trace guards those that it reads.
 */
function describeInstance(part: object): string {
  const fields =
    part instanceof Guarded ? [] : Object.entries(part).map(([key, each]) => `${key}:${describeLeaf(each)}`);
  return `${describeLeaf(part)}{${fields.join(',')}}`;
}

/** The same structure with each tensor, or what stands for one, replaced. */
export function rebuild(value: unknown, replace: (tensor: Tensor | Result) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Tensor || value instanceof Result) return replace(value);
  if (Array.isArray(value)) return value.map((each) => rebuild(each, replace));
  if (value instanceof Map)
    return new Map([...value].map(([key, each]) => [rebuild(key, replace), rebuild(each, replace)]));
  if (value instanceof Set) return new Set([...value].map((each) => rebuild(each, replace)));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, rebuild(each, replace)]));
}
