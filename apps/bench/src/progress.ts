/**
 * How far the comparison is: before a person, a bar that is drawn over itself; in a pipe or a log, a line
 * when a task is done.
 */
import { createBar } from '@firsthand/kit/progress';
import { canRedraw } from '@firsthand/kit/terminal';

/** Where the comparison stands. */
export interface Progress {
  /** A task begins. */
  begin(title: string): void;
  /** Something is going on in it. */
  tell(what: string): void;
  /** A task is done. */
  complete(line: string): void;
  stop(): void;
}

/** @param total the number of tasks */
export function startProgress(stream: NodeJS.WriteStream, total: number): Progress {
  return canRedraw(stream) ? bar(stream, total) : lines(stream, total);
}

function bar(stream: NodeJS.WriteStream, total: number): Progress {
  const single = createBar(stream, {
    format: '{bar} {value}/{total}  {title}  {what}',
    width: 20,
    restoresCursor: true,
  });
  single.start(total, 0, { title: '', what: 'starting' });
  return {
    begin: (title) => single.update({ title, what: '' }),
    tell: (what) => single.update({ what }),
    complete: () => single.increment(),
    stop: () => single.stop(),
  };
}

function lines(stream: NodeJS.WritableStream, total: number): Progress {
  let done = 0;
  return {
    begin() {},
    tell() {},
    complete(line) {
      stream.write(`${String(++done).padStart(2)}/${total}  ${line}\n`);
    },
    stop() {},
  };
}
