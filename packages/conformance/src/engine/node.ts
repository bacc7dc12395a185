/** Node, as the semantic rules see it. */
import process from 'node:process';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Engine } from './engine.ts';

export const engine: Engine = {
  collectGarbage() {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  },
  heapUsed: () => process.memoryUsage().heapUsed,
  async unhandledRejections(work) {
    const seen: unknown[] = [];
    const listen = (reason: unknown): void => void seen.push(reason);
    process.on('unhandledRejection', listen);
    try {
      await work();
    } finally {
      process.off('unhandledRejection', listen);
    }
    return seen;
  },
  print: (value) => inspect(value),
};
