/**
 * Options are checked, for callers without a type checker too: a key that does not exist, a string that is none of the choices or an argument too many
 * is an error that names the right one, never ignored. Names of other libraries (`dim`, `keepdims`, `epsilon`) are known, typing errors are found by edit distance.
 */
import { OptionError } from './errors.ts';

/** The keys of an options object, each once: the type checker names one that is missing, or one too many. */
export type OptionKeys<O extends object> = { readonly [K in keyof O]-?: true };

/** What other libraries call an option, in lower case without `_`; several candidates where it depends on the operation. */
const SYNONYMS: { readonly [other: string]: readonly string[] } = {
  axes: ['axis'],
  biased: ['correction'],
  ddof: ['correction'],
  decay: ['weightDecay', 'rate'],
  delta: ['eps'],
  dim: ['axis'],
  dimension: ['axis'],
  dimensions: ['axis', 'shape'],
  dims: ['axis', 'shape'],
  dropoutp: ['probability'],
  end: ['stop'],
  epsilon: ['eps'],
  filters: ['kernel'],
  from: ['low', 'start'],
  iscausal: ['causal'],
  keepdim: ['keepDims'],
  kernelsize: ['kernel'],
  l2: ['weightDecay'],
  learningrate: ['lr'],
  maximum: ['high'],
  max: ['high'],
  min: ['low'],
  minimum: ['low'],
  numthreads: ['threads'],
  numworkers: ['threads', 'prefetch'],
  ord: ['order'],
  p: ['order', 'probability'],
  pad: ['padding'],
  rate: ['lr', 'probability'],
  reverse: ['descending'],
  rng: ['generator'],
  size: ['shape', 'batchSize'],
  sizes: ['shape'],
  stddev: ['std'],
  step: ['stride'],
  to: ['high', 'stop', 'device'],
  tolerance: ['atol'],
  trainable: ['requiresGrad'],
  type: ['dtype'],
  unbiased: ['correction'],
  usebias: ['bias'],
  wd: ['weightDecay'],
  workers: ['threads'],
};

const normalized = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** Insertions, deletions, replacements and exchanges of neighbours that turn one word into the other (Damerau 1964). */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (__, j) => (i === 0 ? j : i)));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = least;
    }
  }
  return rows[a.length]![b.length]!;
}

/** The name that is meant: what another library calls so, or the nearest one by letters; null if none is near. */
function nearest(given: string, names: readonly string[]): string | null {
  const word = normalized(given);
  const same = names.find((name) => normalized(name) === word);
  // Plurals are spelled both ways: keepdims, strides.
  const synonym = [word, word.replace(/s$/, '')].flatMap((each) => SYNONYMS[each] ?? []).find((name) => names.includes(name));
  if (same !== undefined || synonym !== undefined) return same ?? synonym!;
  let best: string | null = null;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(word, normalized(name));
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** A value as a message shows what it was given: `'tanh '`, `null`, `an array`, `a Float32Array`. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object' || value === null) return String(value);
  const maker = (value as { readonly constructor?: unknown }).constructor;
  const name = typeof maker === 'function' ? maker.name.replace(/^_/, '') : ''; // bundlers write _NDArray
  if (name === '' || name === 'Object') return 'an object';
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** Choices as a message lists them: `'none', 'mean' or 'sum'`. */
function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}

/**
 * Returns the options as they are, or an empty object for none.
 * @param operation whose options: `sum`, `new Conv2d`
 * @param options what the caller gave
 * @param keys all options that there are, as `{ axis: true, keepDims: true }`; `satisfies OptionKeys<…>` where the type cannot be inferred
 * @throws OptionError for a key that does not exist, or for what is no plain object of options
 * @example
 * ```ts
 * import { checkOptions } from '@firsthand/linalg';
 * const { eps = 1e-5 } = checkOptions<{ eps?: number }>('normalize', { eps: 1e-3 }, { eps: true });
 * console.log(eps); // 0.001
 * ```
 */
export function checkOptions<O extends object>(operation: string, options: O | undefined, keys: OptionKeys<O>): O {
  if (options === undefined) return {} as O; // every option is optional where the options are
  const names = Object.keys(keys);
  if (!isPlain(options)) throw noOptions(operation, options, names);
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(keys, key)) throw unknownOption(operation, key, names);
  }
  return options;
}

/** Whether a value is `{ … }`, of whatever realm, and not an array, a tensor, a device. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function noOptions(operation: string, found: unknown, names: readonly string[]): OptionError {
  return new OptionError({
    operation,
    problem: `${describeValue(found)} where options are wanted`,
    expected: `an object with ${listed(names)}`,
    remedy: `write { ${names[0]!}: … }`,
  });
}

function unknownOption(operation: string, key: string, names: readonly string[]): OptionError {
  const meant = nearest(key, names);
  return new OptionError({
    operation,
    problem: `there is no option '${key}'`,
    expected: listed(names),
    remedy: meant === null ? `leave '${key}' out` : `write ${meant}`,
  });
}

/**
 * Returns the value if it is one of the choices.
 * @param option what is chosen, as in the message: `reduction`
 * @throws OptionError otherwise, naming the nearest choice
 */
export function checkChoice<C extends string>(operation: string, option: string, value: C, choices: readonly C[]): C {
  if (choices.includes(value)) return value;
  const meant = typeof value === 'string' ? nearest(value, choices) : null;
  throw new OptionError({
    operation,
    problem: `${option} is ${describeValue(value)}`,
    expected: listed(choices.map((choice) => `'${choice}'`)),
    ...(meant === null ? {} : { remedy: `write '${meant}'` }),
  });
}
