/**
 * The program: a comparison, or, where its first word says so, one of the contenders that a comparison starts. Exit codes: 0 done; 1 something
 * failed, or a contender did; 2 the arguments are wrong.
 */
import { benchmark } from './benchmark.ts';
import type { ContenderName, DeviceName } from './contender.ts';
import { CONTENDER_MARK, CONTENDER_WORD } from './contender-process.ts';
import { STARTERS } from './contenders/table.ts';
import { parseOptions, UsageError } from './options.ts';
import { serve } from './worker.ts';

const [program, ...args] = process.argv.slice(1) as [string, ...string[]];

try {
  if (args[0] === CONTENDER_WORD) {
    const [, name, device] = args as [string, ContenderName, DeviceName];
    serve(await STARTERS[name]({ device }));
  } else {
    if (CONTENDER_MARK in process.env) throw new UsageError('error: a contender cannot start a comparison', 2);
    process.exitCode = (await benchmark(parseOptions(args), program)) ? 0 : 1;
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  (error.exitCode === 0 ? console.log : console.error)(error.message);
  process.exitCode = error.exitCode;
}
