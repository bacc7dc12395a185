// A table of calls, one row for each public function and method of a package: what it is called with, and its
// options under their own names and under a name that people bring from elsewhere. The tests hold every row
// to the convention: nothing that a call would ignore is accepted.
import { describe, expect, test } from 'vitest';

/** How one function or method is called. */
interface CallRow {
  /** A call that is right; what is given to it stands behind the other arguments. */
  readonly call: (...more: unknown[]) => unknown;
  /** Each option that there is, and what it is written as by mistake. */
  readonly options?: Readonly<Record<string, string>>;
  /** Whether it takes any argument, and as many as there are. */
  readonly variadic?: true;
}

/** A row for each name; null for what is no call: error classes, types that nobody makes. */
export type CallTable = Readonly<Record<string, CallRow | null>>;

const isClass = (value: unknown): value is new () => object =>
  typeof value === 'function' && Function.prototype.toString.call(value).startsWith('class');

/** The names of methods that a class and the classes below it have, getters and symbols left out. */
function methodsOf(type: new () => object): string[] {
  const names = new Set<string>();
  for (
    let prototype: object | null = type.prototype as object;
    prototype !== null && prototype !== Object.prototype && prototype !== Error.prototype;
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value === 'function' && name !== 'constructor' && !name.startsWith('_')) names.add(name);
    }
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return [...names];
}

/**
 * Every name of a module that can be called: functions, constructors as `new Linear`, methods as
 * `Tensor.sum`, what stands in a namespace as `loss.mse`.
 * @param methods of which classes the methods count: those that people call
 */
function callables(module: object, methods: readonly string[], prefix = ''): string[] {
  return Object.entries(module).flatMap(([name, value]: [string, unknown]) => {
    if (isClass(value)) {
      const statics = Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(
        ([key, { value: each }]) =>
          typeof each === 'function' && key !== 'prototype' ? [`${name}.${key}`] : [],
      );
      return [
        `new ${prefix}${name}`,
        ...(methods.includes(name)
          ? [...statics, ...methodsOf(value).map((method) => `${name}.${method}`)]
          : []),
      ];
    }
    if (typeof value === 'function') return [`${prefix}${name}`];
    const isNamespace =
      typeof value === 'object' &&
      value !== null &&
      Object.prototype.toString.call(value) === '[object Module]';
    return isNamespace ? callables(value, methods, `${prefix}${name}.`) : [];
  });
}

/** The classes of errors that are thrown on purpose, before their messages. */
const TYPED = /^(Option|Shape|DType|Device|Stale|Gradient|Format|StateDict|Firsthand)Error: /;
/** A field of such an error that says something. */
const NAMED: unknown = expect.stringMatching(/\w/);

/**
 * The class and the message of what a call throws or rejects with; `nothing` where it does neither. A typed
 * error must carry the operation and what was expected.
 */
async function failureOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'nothing';
  } catch (error) {
    const failure = String(error);
    if (TYPED.test(failure)) expect(error).toMatchObject({ operation: NAMED, expected: NAMED });
    return failure;
  }
}

/**
 * Tests that calls with arguments of the wrong kind are refused.
 * @param calls by what they look like
 */
export function testRefusals(calls: Readonly<Record<string, () => unknown>>): void {
  test.each(Object.entries(calls))('%s is refused', async (_, call) => {
    expect(await failureOf(call)).toMatch(TYPED);
  });
}

/**
 * The tests of a table.
 * @param methods of which classes the methods are called
 */
export function testCalls(module: object, methods: readonly string[], table: CallTable): void {
  test('every function and method of the package has a row', () => {
    expect(Object.keys(table).sort()).toEqual(callables(module, methods).sort());
  });

  const rows = Object.entries(table).flatMap(([name, row]) => (row === null ? [] : [{ name, row }]));
  describe.each(rows)('$name', ({ row: { call, options, variadic } }) => {
    test('is called so', async () => {
      expect(await failureOf(() => call())).toBe('nothing');
    });

    test.each(variadic === true ? [] : ['an argument too many'])('refuses %s', async () => {
      expect(await failureOf(() => (options === undefined ? call(7) : call({}, 7)))).toMatch(TYPED);
    });

    test.each(Object.entries(options ?? {}))('has %s, and answers %s with it', async (right, wrong) => {
      const failure = await failureOf(() => call({ [wrong]: 1 }));
      expect(failure).toMatch(
        new RegExp(`^OptionError: .*: there is no option '${wrong}'.*; write ${right}$`),
      );
      expect(await failureOf(() => call({ [right]: undefined }))).toBe('nothing');
    });
  });
}
