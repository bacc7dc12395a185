/**
 * Ctrl-C and its like: the first asks the run to stop after the step under way, a second ends the program at
 * once. Programs between the terminal and this one pass a signal on, so that one Ctrl-C may come here several
 * times: within a short time it counts as one.
 */

/** Signals that stop the run, and the exit codes that shells expect then: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
/** The number of SIGPIPE, which Node ignores in favour of an error of the stream. */
const UNREAD_EXIT_CODE = 141;
const SAME_SIGNAL_MILLISECONDS = 300;

/** What can be interrupted. */
export interface Interruption {
  /** Aborted by the first request to stop. */
  readonly signal: AbortSignal;
  /** What the program should end with, 0 as long as no stop was requested. */
  exitCode(): number;
  /** Asks the run to stop because nobody reads its output any more. */
  unread(): void;
}

type SignalName = keyof typeof EXIT_CODES;

/**
 * Listens for signals.
 * @param source where they come from: the process
 * @param end called by the second request, with the exit code
 * @param now the time in milliseconds
 */
export function listen(
  source: { on(signal: SignalName, listener: () => void): unknown },
  end: (exitCode: number) => void,
  now: () => number = () => performance.now(),
): Interruption {
  const stop = new AbortController();
  let exitCode = 0;
  let since = 0;
  const request = (code: number): void => {
    if (stop.signal.aborted) return;
    exitCode = code;
    since = now();
    stop.abort();
  };
  for (const [name, code] of Object.entries(EXIT_CODES) as [SignalName, number][]) {
    source.on(name, () => {
      if (!stop.signal.aborted) request(code);
      else if (now() - since > SAME_SIGNAL_MILLISECONDS) end(code);
    });
  }
  return { signal: stop.signal, exitCode: () => exitCode, unread: () => request(UNREAD_EXIT_CODE) };
}
