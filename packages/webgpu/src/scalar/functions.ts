/** The library of WGSL functions, and the declarations of those that a shader calls. */
import { ERROR_FUNCTION, type ErrorFunctionName } from './error-function.ts';
import { EXPONENTIAL, type ExponentialName } from './exponential.ts';
import { FLOAT_BITS, type FloatBitsName } from './float-bits.ts';
import { INTEGERS, type IntegerName } from './integers.ts';
import { LOGARITHM, type LogarithmName } from './logarithm.ts';
import { PHILOX, type PhiloxName } from './philox.ts';
import { POWER, type PowerName } from './power.ts';
import { TRIGONOMETRIC, type TrigonometricName } from './trigonometric.ts';

/** The names of the functions. */
export type FunctionName =
  | ErrorFunctionName
  | ExponentialName
  | FloatBitsName
  | IntegerName
  | LogarithmName
  | PhiloxName
  | PowerName
  | TrigonometricName;

/** The text of each function, from the comment above it to its last brace. */
export const FUNCTIONS: Readonly<Record<FunctionName, string>> = {
  ...FLOAT_BITS,
  ...INTEGERS,
  ...EXPONENTIAL,
  ...ERROR_FUNCTION,
  ...LOGARITHM,
  ...TRIGONOMETRIC,
  ...POWER,
  ...PHILOX,
};

/** The library functions that WGSL without comments calls. */
export function functionsIn(code: string): readonly FunctionName[] {
  const names: readonly string[] = code.match(/\w+(?=\()/g) ?? [];
  return names.filter((name): name is FunctionName => Object.hasOwn(FUNCTIONS, name));
}

/** The functions that a function calls: found once, in its text. */
const CALLS: Map<FunctionName, readonly FunctionName[]> = /* @__PURE__ */ new Map();

/** The functions that a function of the library calls. */
export function callsOf(name: FunctionName): readonly FunctionName[] {
  const known = CALLS.get(name);
  if (known !== undefined) return known;
  const calls = functionsIn(FUNCTIONS[name].replaceAll(/\/\/.*|\bfn \w+/g, ''));
  CALLS.set(name, calls);
  return calls;
}

/** Declares functions and all that they call, once each, callees first. */
export function declarationsOf(names: Iterable<FunctionName>): string {
  const declared = new Set<FunctionName>();
  const texts: string[] = [];
  const declare = (name: FunctionName): void => {
    if (declared.has(name)) return;
    declared.add(name);
    for (const called of callsOf(name)) declare(called);
    texts.push(FUNCTIONS[name].trim());
  };
  for (const name of names) declare(name);
  return texts.join('\n\n');
}
