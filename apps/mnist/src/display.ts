/**
 * The progress of an epoch: in a terminal, a bar that is drawn over itself; in a pipe or a log, a line every
 * few seconds. Both show the same numbers.
 */
import { formatClock, formatCount, formatPercent } from '@firsthand/kit/numbers';
import { createBar } from '@firsthand/kit/progress';
import { writeLine, type Output } from '@firsthand/kit/terminal';

/** Where an epoch stands. */
interface Standing {
  /** Images seen in this epoch. */
  readonly images: number;
  /** Mean over the epoch so far. */
  readonly loss: number;
  /** Share of the epoch's images that were read rightly when they were learned from. */
  readonly accuracy: number;
  readonly imagesPerSecond: number;
  /** Until the end of the whole run. */
  readonly secondsLeft: number;
}

/** One epoch's display. */
export interface Display {
  update(standing: Standing): void;
  /** Removes what is drawn over itself, so that a line can replace it. */
  stop(): void;
}

/**
 * The display of an epoch of `images` images that the output is fit for.
 * @param now the time in seconds
 */
export function startDisplay(
  output: Output,
  title: string,
  images: number,
  now: () => number = secondsNow,
): Display {
  return output.redraws ? bar(output, title, images) : lines(output, title, images, now);
}

function secondsNow(): number {
  return performance.now() / 1000;
}

const TEXT = '{title} {bar} {percent}  {loss}  {accuracy}  {speed}  {left}';
/** What a line holds besides the bar. */
const TEXT_WIDTH = 74;

function bar(output: Output, title: string, images: number): Display {
  const single = createBar(output.stream, {
    format: TEXT,
    width: Math.min(40, Math.max(5, output.columns - TEXT_WIDTH)),
    restoresCursor: false,
  });
  let started = false;
  return {
    update(standing) {
      const payload = describe(title, standing, images);
      if (started) single.update(standing.images, payload);
      else single.start(images, standing.images, payload);
      started = true;
    },
    stop: () => single.stop(),
  };
}

const SECONDS_BETWEEN_LINES = 5;

function lines(output: Output, title: string, images: number, now: () => number): Display {
  let next = now() + SECONDS_BETWEEN_LINES;
  return {
    update(standing) {
      if (now() < next) return;
      next = now() + SECONDS_BETWEEN_LINES;
      const { percent, loss, accuracy, speed, left } = describe(title, standing, images);
      writeLine(output, [`${title} ${percent}`, loss, accuracy, speed, left].join('  '));
    },
    stop() {},
  };
}

function describe(
  title: string,
  { images, loss, accuracy, imagesPerSecond, secondsLeft }: Standing,
  total: number,
): Record<string, string> {
  return {
    title,
    percent: `${Math.floor((100 * images) / total)} %`.padStart(5),
    loss: `loss ${loss.toFixed(4)}`,
    accuracy: `accuracy ${formatPercent(accuracy, 1)}`,
    speed: `${formatCount(imagesPerSecond)} images/s`,
    left: `${formatClock(secondsLeft)} left`,
  };
}
