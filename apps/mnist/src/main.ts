/**
 * The program: reads its arguments, runs, and says how it ended by its exit code. 0: done; 1: something
 * failed; 2: the arguments are wrong; 130, 143 or 141: stopped by Ctrl-C, by a request to terminate, or
 * because nobody reads the output any more; after the step that was under way, with everything saved.
 */
import type { Device } from '@firsthand/autograd';
import { FirsthandError } from '@firsthand/linalg';
import { UsageError } from '@firsthand/kit/options';
import { type DeviceName, DEVICES } from './devices.ts';
import { loadDigits } from './digit-files.ts';
import { listen } from './interruption.ts';
import { parseOptions } from './options.ts';
import { run } from './run.ts';
import { outputOf, paint, showCursor, writeLine } from '@firsthand/kit/terminal';

const output = outputOf(process.stdout);
const interruption = listen(process, (exitCode) => {
  showCursor(output);
  process.exit(exitCode);
});
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  interruption.unread(); // as with `| head`
});

try {
  const options = parseOptions(process.argv.slice(2));
  const [device, train, test] = await Promise.all([
    openDevice(options.device),
    loadDigits('train'),
    loadDigits('test'),
  ]);
  try {
    await run(options, { device, train, test, output, signal: interruption.signal });
  } finally {
    device.dispose();
  }
  process.exitCode = interruption.exitCode();
} catch (error) {
  process.exitCode = report(error);
}

/** Opens the device, or says what it lacks in this repository. */
async function openDevice(name: DeviceName): Promise<Device> {
  try {
    return await DEVICES[name]();
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    if (cause?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new FirsthandError(
      `--device ${name} needs the package webgpu, which brings Dawn (130 MB) and is not installed by npm start: run npx pnpm@10 install, or leave --device out`,
      { cause: error },
    );
  }
}

/**
 * Says what went wrong: in a line where the cause is outside of the program, with the stack where it is the
 * program's own.
 */
function report(error: unknown): number {
  const errors = outputOf(process.stderr);
  if (error instanceof UsageError) {
    writeLine(error.exitCode === 0 ? output : errors, error.message);
    return error.exitCode;
  }
  const outside = error instanceof FirsthandError || (error instanceof Error && 'syscall' in error);
  writeLine(
    errors,
    outside
      ? paint(errors, 'red', `error: ${error.message}`)
      : String(error instanceof Error ? error.stack : error),
  );
  return 1;
}
