/** The library of WGSL functions, and the declarations of those that a shader calls. */
import type { Declaration } from './declaration.ts';
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

/** The functions. */
export const FUNCTIONS: { readonly [K in FunctionName]: Declaration<FunctionName> } = {
  ...FLOAT_BITS,
  ...INTEGERS,
  ...EXPONENTIAL,
  ...ERROR_FUNCTION,
  ...LOGARITHM,
  ...TRIGONOMETRIC,
  ...POWER,
  ...PHILOX,
};

/** Declares functions and all that they call, once each, callees first. */
export function declarationsOf(needs: Iterable<FunctionName>): string {
  const declared = new Set<FunctionName>();
  const texts: string[] = [];
  const declare = (name: FunctionName): void => {
    if (declared.has(name)) return;
    declared.add(name);
    for (const called of FUNCTIONS[name].needs) declare(called);
    texts.push(FUNCTIONS[name].code.trim());
  };
  for (const name of needs) declare(name);
  return texts.join('\n\n');
}
