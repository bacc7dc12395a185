/**
 * How long a page stands still: a timer ticks as often as it may, and the longest time between two ticks is
 * the longest block of the main thread.
 */

/** The time between two ticks of a page with nothing to do, in milliseconds: browsers allow no less. */
const TICK = 4;

/** The page is being looked at. */
export interface Blocks {
  stop(): void;
  /** Milliseconds so far. */
  longest(): number;
}

/** Begins to look. */
export function watchBlocks(): Blocks {
  let longest = 0;
  let last = performance.now();
  const tick = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last - TICK);
    last = now;
  };
  const timer = setInterval(tick, TICK);
  return {
    stop() {
      tick();
      clearInterval(timer);
    },
    longest: () => longest,
  };
}
