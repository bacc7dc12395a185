/**
 * Repeats work one run at a time: requests that arrive during a run lead to one run after it, with the state
 * of that time.
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
