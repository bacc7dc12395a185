/**
 * JSON that keeps every number, infinities and NaN too (a diverged loss is still a loss), and checks of what
 * was parsed from outside.
 */
import { FormatError } from '@firsthand/data';

const SPECIAL: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(
  [NaN, Infinity, -Infinity].map((value) => [`number:${value}`, value]),
);

/**
 * JSON in which NaN and infinities are the strings `number:NaN`, `number:Infinity` and `number:-Infinity`.
 */
export function writeJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'number' && !Number.isFinite(part) ? `number:${part}` : part,
  );
}

/** What `writeJson` wrote. @throws FormatError if it is no JSON */
export function parseJson(operation: string, text: string): unknown {
  try {
    return JSON.parse(text, (_, part: unknown) =>
      typeof part === 'string' ? (SPECIAL.get(part) ?? part) : part,
    );
  } catch (error) {
    throw new FormatError({
      operation,
      problem: `the metadata is no JSON: ${String(error)}`,
      expected: 'JSON',
    });
  }
}

/** A test of a value of unknown type. */
export type Check = (value: unknown) => boolean;

export const isFiniteNumber: Check = (value) => Number.isFinite(value);
export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const isList =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

/** Whether a value is an object whose named members pass their checks. */
export function hasShape(value: unknown, members: { readonly [name: string]: Check }): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(members).every(
    ([name, check]) =>
      Object.hasOwn(value, name) && check((value as { readonly [name: string]: unknown })[name]),
  );
}
