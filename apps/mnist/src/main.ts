/**
 * The program: reads its arguments, runs, and says how it ended by its exit code. 0: done; 1: something failed; 2: the arguments are wrong;
 * 130, 143 or 141: stopped by Ctrl-C, by a request to terminate, or because nobody reads the output any more; after the step that was under way,
 * with everything saved.
 */
import { FirsthandError } from '@firsthand/autograd';
import { DEVICES } from './devices.ts';
import { loadDigits } from './mnist.ts';
import { parseOptions, UsageError } from './options.ts';
import { run } from './run.ts';
import { outputOf, paint, showCursor, writeLine } from './terminal.ts';

/** Signals that stop the run, and the exit codes that shells expect then: 128 and the signal's number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
const EPIPE_EXIT_CODE = 141;
/** Programs between the terminal and this one pass a signal on, so that one Ctrl-C may come here several times: within this time it counts as one. */
const SAME_SIGNAL_MILLISECONDS = 300;

const output = outputOf(process.stdout);
const stop = new AbortController();
let exitCode = 0;
let stoppedAt = 0;
for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
  process.on(signal, () => {
    if (!stop.signal.aborted) {
      exitCode = SIGNALS[signal];
      stoppedAt = performance.now();
      stop.abort();
    } else if (performance.now() - stoppedAt > SAME_SIGNAL_MILLISECONDS) {
      showCursor(output);
      process.exit(SIGNALS[signal]);
    }
  });
}
// Nobody reads any more, as with `| head`: the run is over, and what it has learned is kept.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  exitCode = EPIPE_EXIT_CODE;
  stop.abort();
});

try {
  const options = parseOptions(process.argv.slice(2));
  const [device, train, test] = await Promise.all([DEVICES[options.device](), loadDigits('train'), loadDigits('test')]);
  await run(options, { device, train, test, output, signal: stop.signal });
} catch (error) {
  exitCode = report(error);
}
process.exitCode = exitCode;

/** Says what went wrong: in a line where the cause lies outside of the program, with the stack where it is the program's own. */
function report(error: unknown): number {
  const errors = outputOf(process.stderr);
  if (error instanceof UsageError) {
    writeLine(error.exitCode === 0 ? output : errors, error.message);
    return error.exitCode;
  }
  const outside = error instanceof FirsthandError || (error instanceof Error && 'syscall' in error);
  writeLine(errors, outside ? paint(errors, 'red', `error: ${error.message}`) : String(error instanceof Error ? error.stack : error));
  return 1;
}
