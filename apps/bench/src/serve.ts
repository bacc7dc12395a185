/** A contender's process from inside: what the process that forked this one asks is answered, in order. */
import type { Contender } from './contender.ts';
import type { Request } from './protocol.ts';
import { Worker } from './worker.ts';

/** Lets a contender answer to the process that forked this one. */
export function serve(contender: Contender): void {
  const worker = new Worker(contender, {
    now: () => performance.now(),
    pause: () => new Promise(setImmediate),
    peakMemory: () => 1024 * process.resourceUsage().maxRSS,
  });
  process.on('message', (request: Request) => {
    void worker.answer(request).then((reply) => process.send?.(reply));
  });
}
