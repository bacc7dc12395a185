/** A progress bar in the terminal: one line that is drawn over itself and removed at its end. */
import { SingleBar } from 'cli-progress';

/** The layout of a bar. */
interface BarLayout {
  /** the line, with `{bar}`, `{value}`, `{total}` and the names of the payload in braces */
  readonly format: string;
  /** width of the bar itself, in characters */
  readonly width: number;
  /** whether the bar restores the cursor by itself when the program is ended by a signal */
  readonly restoresCursor: boolean;
}

/** A bar that has not started. */
export function createBar(
  stream: NodeJS.WritableStream,
  { format, width, restoresCursor }: BarLayout,
): SingleBar {
  return new SingleBar({
    stream,
    format,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: width,
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: restoresCursor,
  });
}
