/**
 * A browser, as the semantic rules see it: Chromium, started with `--js-flags=--expose-gc` and
 * `--enable-precise-memory-info`. Its console shows objects and not text, so that text is what a value's own
 * `toString` makes of it.
 */
import type { Engine } from './engine.ts';

interface ChromiumGlobals {
  readonly gc?: () => void;
  readonly performance: { readonly memory?: { readonly usedJSHeapSize: number } };
}

const chromium = (): ChromiumGlobals => globalThis as unknown as ChromiumGlobals;

/** A flag that the browser was started without is a failure, and never a test that finds nothing. */
function present<T>(value: T | undefined, flag: string): T {
  if (value === undefined) throw new Error(`the browser must be started with ${flag}`);
  return value;
}

export const engine: Engine = {
  collectGarbage: () => present(chromium().gc, '--js-flags=--expose-gc')(),
  heapUsed: () => present(chromium().performance.memory, '--enable-precise-memory-info').usedJSHeapSize,
  async unhandledRejections(work) {
    const seen: unknown[] = [];
    const listen = ({ reason }: PromiseRejectionEvent): void => void seen.push(reason);
    globalThis.addEventListener('unhandledrejection', listen);
    try {
      await work();
    } finally {
      globalThis.removeEventListener('unhandledrejection', listen);
    }
    return seen;
  },
  print: (value) =>
    Array.isArray(value) ? value.map(engine.print).join() : (value as { toString(): string }).toString(),
};
