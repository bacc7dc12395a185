/**
 * Options are checked, for callers without a type checker too: a key that does not exist, a string that is
 * none of the choices or an argument too many is an error that names the right one, never ignored. Names of
 * other libraries (`dim`, `keepdims`, `epsilon`) are known, typing errors are found by edit distance.
 */
import { OptionError } from './errors.ts';

/**
 * What an option may be: one of these types, one of a list of strings, or true for what the operation itself
 * checks.
 */
type OptionKind = true | 'boolean' | 'number' | 'string' | 'function' | readonly string[];

/**
 * The keys of an options object, each once, and what each may be: the type checker names one that is missing,
 * or one too many.
 */
export type OptionKeys<O extends object> = { readonly [K in keyof O]-?: OptionKind };

/**
 * What other libraries call an option or a choice, in lower case without `_`; several candidates where it
 * depends on the operation.
 */
const SYNONYMS: { readonly [other: string]: readonly string[] } = {
  average: ['mean'],
  avg: ['mean'],
  axes: ['axis'],
  begin: ['start'],
  biased: ['correction'],
  boolean: ['bool'],
  ddof: ['correction'],
  decay: ['weightDecay', 'rate'],
  delta: ['eps'],
  dim: ['axis'],
  dimension: ['axis'],
  dimensions: ['axis', 'shape'],
  dims: ['axis', 'shape'],
  double: ['float64'],
  dropoutp: ['probability'],
  elementwiseaffine: ['affine'],
  end: ['stop'],
  epsilon: ['eps'],
  filters: ['kernel'],
  float: ['float32'],
  from: ['low', 'start'],
  half: ['float16'],
  int64: ['int32'],
  int: ['int32'],
  integer: ['int32'],
  iscausal: ['causal'],
  keepdim: ['keepDims'],
  kernelsize: ['kernel'],
  l2: ['weightDecay'],
  learningrate: ['lr'],
  long: ['int32'],
  max: ['high'],
  maximum: ['high'],
  min: ['low'],
  minimum: ['low'],
  numthreads: ['threads'],
  numworkers: ['threads', 'prefetch'],
  ord: ['order'],
  p: ['order', 'probability'],
  pad: ['padding'],
  rate: ['lr', 'probability'],
  reduce: ['reduction'],
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
  uint: ['uint32'],
  unbiased: ['correction'],
  usebias: ['bias'],
  wd: ['weightDecay'],
  workers: ['threads'],
};

const normalized = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/**
 * Insertions, deletions, replacements and exchanges of neighbours that turn one word into the other (Damerau
 * 1964).
 */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (__, j) => (i === 0 ? j : i)),
  );
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = least;
    }
  }
  return rows[a.length]![b.length]!;
}

/**
 * The name that is meant: the same but for case, what another library calls so, or the nearest one by
 * letters; null if none is near.
 */
export function nearest(given: string, names: readonly string[]): string | null {
  const word = normalized(given);
  const same = names.find((name) => normalized(name) === word);
  // Plurals are spelled both ways: keepdims, strides.
  const synonym = [word, word.replace(/s$/, '')]
    .flatMap((each) => SYNONYMS[each] ?? [])
    .find((name) => names.includes(name));
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
  // The tag of a class, which bundlers do not shorten.
  const name = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (name === 'Object') return 'an object';
  return `${/^([AEIOU]|ND)/.test(name) ? 'an' : 'a'} ${name}`;
}

/** Choices as a message lists them: `'none', 'mean' or 'sum'`. */
function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}

/**
 * Returns the options as they are, or an empty object for none.
 * @param operation whose options: `sum`, `new Conv2d`
 * @param options what the caller gave
 * @param keys all options that there are, and what each may be:
 *   `{ axis: true, keepDims: 'boolean', eps: 'number', reduction: ['mean', 'sum'] }`
 * @throws OptionError for a key that does not exist, a value of another type, or for what is no plain object
 *   of options
 * @example
 * ```ts
 * import { checkOptions } from '@firsthand/linalg';
 * const { eps = 1e-5 } = checkOptions<{ eps?: number }>('normalize', { eps: 1e-3 }, { eps: 'number' });
 * console.log(eps); // 0.001
 * ```
 */
export function checkOptions<O extends object>(
  operation: string,
  options: O | undefined,
  keys: OptionKeys<O>,
): O {
  if (options === undefined) return {} as O; // every option is optional where the options are
  if (!isPlain(options)) throw noOptions(operation, options, Object.keys(keys));
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(keys, key)) throw unknownOption(operation, key, Object.keys(keys));
    const kind: OptionKind = keys[key as keyof O];
    const value: unknown = options[key as keyof O];
    if (kind !== true && value !== undefined) checkKind(operation, key, value, kind);
  }
  return options;
}

const KINDS = {
  boolean: 'true or false',
  number: 'a number',
  string: 'a string',
  function: 'a function',
} as const;

function checkKind(operation: string, option: string, value: unknown, kind: Exclude<OptionKind, true>): void {
  if (typeof kind !== 'string') checkChoice(operation, option, value as string, kind);
  else if (typeof value !== kind) {
    throw new OptionError({
      operation,
      problem: `${option} is ${describeValue(value)}`,
      expected: KINDS[kind],
    });
  }
}

/**
 * Returns the value if it is a number. JavaScript would read `true` as 1, '2' as 2 and null as 0.
 * @param what what the value is, as in the message: `the value`
 * @throws OptionError otherwise
 */
export function checkNumber(operation: string, what: string, value: number): number {
  if (typeof value === 'number') return value;
  const truth: unknown = value;
  throw new OptionError({
    operation,
    problem: `${what} is ${describeValue(value)}`,
    expected: 'a number',
    remedy: typeof truth === 'boolean' ? 'write 1 for true and 0 for false' : undefined,
  });
}

/**
 * Returns the value if it is a function.
 * @param what what the value is, as in the message: `the transform`
 * @param call how the operation is called instead: `noGrad(() => …)`
 * @throws OptionError otherwise
 */
export function checkFunction<F extends (...args: never[]) => unknown>(
  operation: string,
  what: string,
  value: F,
  call: string,
): F {
  if (typeof value === 'function') return value;
  throw new OptionError({
    operation,
    problem: `${what} is ${describeValue(value)}`,
    expected: 'a function',
    remedy: `write ${call}`,
  });
}

/** Whether a value is `{ … }`, of whatever realm, and not an array, a tensor, a device. */
export function isPlain(value: unknown): boolean {
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
export function checkChoice<C extends string>(
  operation: string,
  option: string,
  value: C,
  choices: readonly C[],
): C {
  if (choices.includes(value)) return value;
  const meant = typeof value === 'string' ? nearest(value, choices) : null;
  const expected = listed(choices.map((choice) => `'${choice}'`));
  const remedy = meant === null ? undefined : `write '${meant}'`;
  throw new OptionError({ operation, problem: `${option} is ${describeValue(value)}`, expected, remedy });
}
