/**
 * Asks for something again and again, but for one thing at a time: what was asked for in the meantime is
 * asked for once, afterwards, as it is then.
 */

/** A function that runs `work`; if it runs already, it will run once more. */
export function latestOnly(work: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    try {
      while (isWanted) {
        isWanted = false;
        await work();
      }
    } finally {
      isRunning = false;
    }
  };
  return () => {
    isWanted = true;
    if (!isRunning) void run();
  };
}
